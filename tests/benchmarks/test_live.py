"""The live widget costs the engine at most 5 % of its rate: a study of some 100 calls a second with
and without somebody watching.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from promptops.lab import Dataset, Lab
from promptops.models.scripted import ScriptedModel
from promptops.scorers import equals
from promptops.views.live import LiveStudy

ROWS = [{"id": f"q{i}", "question": f"is {i} so", "expected": "yes"} for i in range(300)]


@pytest.mark.benchmark
def test_watching_costs_at_most_a_twentieth(
    make_lab: Callable[..., Lab],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The median of three pairs, in turn."""
    monkeypatch.setattr("promptops.lab.ask_models.in_kernel", lambda: True)

    def seconds(turn: int, watched: bool) -> float:
        lab = make_lab(
            f"{turn}-{watched}",
            models={
                "m": ScriptedModel(lambda request: "yes", label="m", latency_ms=10, remote=True)
            },
        )
        prompt = lab.prompt("ask")
        versions = [
            prompt.save("{{question}}", model="m"),
            prompt.save("Well: {{question}}", model="m"),
        ]
        began = time.perf_counter()
        study = lab.evaluate(versions, Dataset.read(ROWS), [equals()], concurrency=1)
        if watched:
            LiveStudy(study).display()
        study.wait()
        return time.perf_counter() - began

    pairs = sorted(seconds(turn, True) / seconds(turn, False) for turn in range(3))
    with capsys.disabled():
        print(
            f"\na live study of 600 calls: {pairs[1]:.3f}x the time of one that nobody watches"
            f" ({pairs[0]:.3f} to {pairs[2]:.3f})"
        )
    assert pairs[1] <= 1.05
