"""What failed in one run of a study and was answered in the next is told no longer."""

from __future__ import annotations

import json
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


def test_a_place_that_was_asked_again_is_one_row(tmp_path: Path) -> None:
    """The table of a study's runs, its number of runs and its file for another tool had also held
    the failures that were mended: a third of the rows.
    """
    down = True

    def answer(request: object) -> Reply:
        if down and "number 3" in str(request):
            raise CallError("no route", failure="connection")
        return Reply("a")

    lab = Lab(tmp_path, models={"m": ScriptedModel(answer, "m", remote=True)})
    version = lab.prompt("triage").save("Classify {{text}}", model="m")
    rows = [{"text": f"number {n}", "expected": "a"} for n in range(8)]
    study = lab.evaluate(version, rows, [equals()], name="tone", repeats=2, deadline_s=0.1)
    assert study.runs()["failure"].tolist().count("connection") == 2
    down = False
    study = lab.evaluate(version, rows, [equals()], name="tone", repeats=2)
    found = study.runs()
    assert len(found) == 16
    assert found["failure"].isna().all()
    assert set(found["output"]) == {"a"}
    assert lab.studies.frame["runs"].tolist() == [16]
    assert len(lab.sql("select * from study_runs")) == 18
    (path,) = lab.store.write_study(study, tmp_path / "out.json")
    assert len(json.loads(path.read_text())["results"]["results"]) == 16
