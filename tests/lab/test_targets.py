"""Whose answers are reused: a target's own, from the same configuration, and never in silence."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from promptops.lab import Dataset, Lab, target
from promptops.scorers import equals

ROWS = [{"q": f"q{i}", "expected": "b"} for i in range(5)]


def made(model: object) -> Callable[[str], str]:
    def answer(q: str) -> str:
        return str(model)

    return answer


class Locked:
    """An agent whose state cannot be compared."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.calls: list[str] = []

    def answer(self, q: str) -> str:
        with self.lock:
            self.calls.append(q)
        return "b"


def test_reuse_is_announced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The second study names what it takes from the first; another closure is asked itself."""
    lab = Lab(tmp_path)
    version = lab.prompt("w").save("A {{q}}", model="m")
    data = Dataset.read(ROWS)
    lab.evaluate([version], data, [equals()], target=made("a"), name="one")
    assert "earlier runs" not in capsys.readouterr().err
    again = lab.evaluate([version], data, [equals()], target=made("a"), name="two", repeats=2)
    assert "5 answers of" in (err := capsys.readouterr().err)
    assert "are unchanged" in err
    other = lab.evaluate([version], data, [equals()], target=made("b"), name="three")
    assert "earlier runs" not in capsys.readouterr().err
    assert set(again.runs()["output"]) == {"a"}
    assert set(other.runs()["output"]) == {"b"}


def test_what_cannot_be_compared_is_named_and_a_name_of_ones_own_helps(tmp_path: Path) -> None:
    """A lock is opaque; `target(..., identity=)` says that the configuration is the same."""
    lab = Lab(tmp_path)
    version = lab.prompt("w").save("A {{q}}", model="m")
    data = Dataset.read(ROWS)
    with pytest.warns(UserWarning, match=r"depends on self.lock, which cannot be compared"):
        lab.evaluate([version], data, [equals()], target=Locked().answer)
    one, two = Locked(), Locked()
    lab.evaluate([version], data, [equals()], target=target(one.answer, identity="r1"))
    study = lab.evaluate(
        [version], data, [equals()], target=target(two.answer, identity="r1"), repeats=2
    )
    assert (len(one.calls), len(two.calls)) == (5, 5)
    assert len(study.runs()) == 10


@pytest.mark.parametrize("place", ["model", "target"])
def test_a_function_whose_settings_a_later_cell_edits_answers_again(
    tmp_path: Path, place: str
) -> None:
    """A model of the lab had stayed what it was when it was first asked. A memo does not count."""
    words, memo = ["a"], {}

    def answer(q: str) -> str:
        memo[q] = words[0]
        return words[0]

    held = answer if place == "model" else None
    lab = Lab(tmp_path, models={"m": held} if held else {})
    version = lab.prompt("w").save("A {{q}}", model="m")

    def right() -> float:
        study = lab.evaluate([version], ROWS, [equals()], target=None if held else answer)
        return float(study.wait().scores().value.mean())

    assert right() == right() == 0.0
    asked = dict(memo)
    memo.clear()
    assert (right(), memo, len(asked)) == (0.0, {}, 5)
    words[0] = "b"
    assert right() == 1.0
    assert len(memo) == 5
