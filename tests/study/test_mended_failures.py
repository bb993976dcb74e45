"""What failed in one run of a study and was answered in the next is told no longer."""

from __future__ import annotations

from pathlib import Path

from promptops.errors import CallError
from promptops.lab import Lab
from promptops.models.protocol import Reply
from promptops.models.scripted import ScriptedModel
from promptops.scorers import equals


def test_a_failure_that_the_next_run_mended_is_not_told(tmp_path: Path) -> None:
    """An outcome of the model, which no run asks again, is told as before."""
    refused = True

    def answer(request: object) -> Reply:
        if "number 3" in str(request):
            raise CallError("too long", failure="context_length")
        if refused:
            raise CallError("401 invalid_api_key", failure="auth")
        return Reply("a")

    lab = Lab(tmp_path, models={"m": ScriptedModel(answer, "m", remote=True)})
    version = lab.prompt("triage").save("Classify {{text}}", model="m")
    rows = [{"text": f"number {n}", "expected": "a"} for n in range(8)]
    first = lab.evaluate(version, rows, [equals()], name="tone", concurrency=1)
    assert "auth" in repr(first)
    refused = False
    again = lab.evaluate(version, rows, [equals()], name="tone", concurrency=1)
    assert "1 call failed (1 context_length)" in repr(again)
    assert "auth" not in repr(again)
