"""A call with wrong arguments names what is accepted, before anything runs."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from promptops.lab import Lab, Study, compare
from promptops.signatures import explained


@explained
def evaluate(versions: Any, dataset: Any, *, budget_usd: float = 0.0, name: str) -> str:
    """Something public."""
    return name


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: evaluate(1, 2, name="x", budget=1), ["'budget'", "did you mean budget_usd=?"]),
        (lambda: evaluate(1, 2, 3), ["only versions and dataset by position", "name=..."]),
        (lambda: evaluate(1, name="x"), ["needs dataset", "budget_usd="]),
        (lambda: evaluate(1, 2, versions=1, name="x"), ["versions twice"]),
        (lambda: Study.compare(None, 1, 2), ["candidate=..., baseline=...", "primary="]),
        (lambda: Lab.compare(None, 1), ["takes nothing by position", "candidate="]),
        (lambda: Lab.promote(None, 1, "prod"), ["only version by position", "env=..."]),
        (lambda: Lab.promote(None, 1, to="prod"), ["no parameter 'to'", "env="]),
        (lambda: Lab.rollback(None, 1), ["needs env"]),
        (lambda: Lab.history(None, "p", "prod"), ["only prompt by position", "env=..."]),
        (lambda: Lab.evaluate(None, [], [], budget=3), ["'budget'", "budget_usd="]),
        (lambda: Lab.plan(None, "p", [], [], finalist=[]), ["did you mean finalists=?"]),
        (lambda: Study.gate(None, 1, "prod"), ["only version by position", "env=..."]),
        (lambda: compare("a.csv", "old", "new"), ["baseline=..., candidate=...", "expected="]),
        (lambda: compare("a.csv", baseline="a", b="b"), ["no parameter 'b'", "candidate="]),
        (lambda: Lab.prompt(None), ["needs name"]),
    ],
)
def test_a_wrong_call_names_the_accepted_ones(call: Any, words: list[str]) -> None:
    """Sixteen slips of a newcomer; each sentence holds the next step."""
    with pytest.raises(TypeError) as said:
        call()
    for word in words:
        assert word in str(said.value)


def test_signature_and_docstring_stay() -> None:
    """Completion and Shift-Tab show the function that was written, with typed keywords."""
    assert list(inspect.signature(evaluate).parameters) == [
        "versions",
        "dataset",
        "budget_usd",
        "name",
    ]
    assert evaluate.__doc__ == "Something public."
    assert evaluate(1, 2, name="x") == "x"
    kinds = [
        p.kind
        for door in (Lab.evaluate, Lab.estimate, Lab.plan, Lab.promote, Lab.rollback, compare)
        for p in inspect.signature(door).parameters.values()
    ]
    assert inspect.Parameter.VAR_KEYWORD not in kinds
