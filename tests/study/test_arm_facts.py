"""What is said of an arm's runs counts each run once, also where it answers several examples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from promptops.dataset import Dataset, Example
from promptops.lab import Lab
from promptops.models.protocol import Reply
from promptops.models.scripted import ScriptedModel
from promptops.scorers import equals


def test_an_answer_to_copies_is_paid_for_once(make_lab: Callable[..., Lab]) -> None:
    """30 rows that ask 10 questions had "cost of all runs $0.30", where $0.10 was paid."""
    asked: list[Any] = []

    def answer(request: dict[str, Any]) -> Reply:
        asked.append(request)
        return Reply(text="c1", cost_usd=0.01, tokens_in=10, tokens_out=5)

    lab = make_lab(models={"m": ScriptedModel(answer)})
    versions = [lab.prompt("w").save(f"{word} {{{{q}}}}", model="m") for word in ("One", "Two")]
    rows = [
        Example(inputs={"q": f"q{i % 10}"}, expected=f"c{i % 10 % 3}", id=f"e{i}")
        for i in range(30)
    ]
    study = lab.evaluate(versions, Dataset.of(rows), [equals()])
    comparison = study.compare()
    for arm in (comparison.candidate, comparison.baseline):
        assert arm.facts["calls"] == len(asked) / 2 == 10
        assert arm.facts["cost_usd"] == pytest.approx(0.1)
        assert (arm.facts["tokens_in"], arm.facts["tokens_out"]) == (100, 50)
    alone = lab.evaluate(versions[:1], Dataset.of(rows), [equals()])._repr_html_()
    assert ">&#36;0.10<" in alone
