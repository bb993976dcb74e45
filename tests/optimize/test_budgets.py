"""Tokens and money of a search: candidates many times as long as the seed keep to them, and so do
judges; what was not asked is not counted, and what ended a search is said.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import json
import math
import re
import threading
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from promptops.dataset import Dataset
from promptops.errors import CallError, StudyError
from promptops.models.protocol import Reply
from promptops.models.scripted import ScriptedModel
from promptops.optimize import FewShot
from promptops.optimize.search import begin, designed
from promptops.optimize.spending import Allowance
from promptops.scorers import JudgeModel, all_of, equals, rubric

LABELS = ("red", "green", "blue")
ROWS = [
    {"id": f"r{n}", "item": f"thing {n} {'of some kind ' * 9}", "expected": LABELS[n % 3]}
    for n in range(60)
]


class Paid(ScriptedModel):
    """Reports what a call took."""

    def taken(self) -> int:
        """Tokens of all calls."""
        return sum(len(json.dumps(call.chat["messages"])) // 4 + 1 for call in self.calls)


def answer(request: Mapping[str, Any]) -> Reply:
    """Right if it saw demonstrations, with its usage."""
    asked = json.dumps(request["messages"])
    number = int(asked.rpartition("thing ")[2].split()[0])
    text = LABELS[number % 3] if len(request["messages"]) > 2 else "mauve"
    return Reply(text=text, finish_reason="stop", tokens_in=len(asked) // 4, tokens_out=1)


Searched = Callable[..., tuple[Any, Paid]]


@pytest.fixture
def searched(make_lab: Callable[..., Any]) -> Searched:
    """(search with a budget, the model that it asked); its prices are 10 and 10 USD a million."""

    def made(*scorers: object, folder: str = "project", **budget: Any) -> tuple[Any, Paid]:
        asked, verdict = Paid(answer, remote=True), json.dumps({"reason": "fine", "score": 5})
        judge = ScriptedModel(lambda request: verdict, label="j")
        lab = make_lab(folder, models={"m": asked, "j": judge}, prices={"m": (10.0, 10.0)})
        v1 = lab.prompt("colour").save("Name the colour.\n\nItem: {{item}}", model="m")
        data, method = Dataset.read(ROWS, inputs=["item"]), FewShot(k=6, candidates=4)
        return lab.optimize(v1, data, [equals(), *scorers], method=method, **budget), asked

    return made


@pytest.mark.parametrize(
    "budget", [{"budget_tokens": 6_000}, {"budget_usd": 0.06}], ids=["tokens", "usd"]
)
def test_long_candidates_keep_the_budget(searched: Searched, budget: Mapping[str, Any]) -> None:
    """Six demonstrations make a request ten times as long as the seed's, which is all that is
    known at first: one row of each shows it.
    """
    found, asked = searched(**budget)
    spending = found.search.spending
    assert 3_000 < asked.taken() <= 6_200
    assert spending.tokens == asked.taken()
    assert spending.usd == pytest.approx(asked.taken() * 1e-5)
    assert "the next step is likely to take" in spending.exhausted
    assert len({each.n for each in found.candidates[1:]}) == 1  # each has answered the same rows
    assert found.search.best.n > 0
    assert "of only" in repr(found)


@pytest.mark.parametrize("budget", [{"budget_tokens": 5}, {"budget_usd": 1e-6}])
def test_too_little_for_one_call_is_said(searched: Searched, budget: Mapping[str, Any]) -> None:
    """Nothing is asked, nothing is counted, and the seed stays."""
    found, asked = searched(**budget)
    assert asked.calls == []
    assert sum(found.calls.values()) == 0
    assert found.search.best.number == 0
    assert "nothing was answered" in repr(found)
    assert "next" in repr(found)


class Again:
    """A method that needs the same rows again and again."""

    name = "again"

    def document(self) -> Mapping[str, object]:
        return {}

    async def run(self, task: Any, rng: object) -> None:
        while not task.over:
            await task.ask([task.seed], task.val)


@pytest.mark.parametrize(
    ("budget", "every", "most"), [({"budget_calls": 90}, 3, 90), ({"budget_usd": 1.0}, 1, 5_000)]
)
def test_calls_that_fail_are_within_the_budget(
    make_lab: Callable[..., Any], budget: Mapping[str, Any], every: int, most: int
) -> None:
    """Each was asked again wherever its row was needed again, beyond the budget; and where calls
    are not limited, one that fails again is nothing new.
    """
    asked = 0

    def some(request: Mapping[str, Any]) -> Reply:
        nonlocal asked
        asked += 1
        text = json.dumps(request["messages"])
        if int(text.rpartition("thing ")[2].split()[0]) % every == 0:
            raise CallError("it does not want that", failure="bad_request")
        return answer(request)

    lab = make_lab(models={"m": ScriptedModel(some, remote=True)}, prices={"m": (10.0, 10.0)})
    v1 = lab.prompt("colour").save("Name the colour.\n\nItem: {{item}}", model="m")
    data = Dataset.read(ROWS, inputs=["item"])
    found = lab.optimize(v1, data, [equals()], method=Again(), **budget)
    assert found.search.status == "finished"
    assert asked <= most
    assert found.calls["task"] == asked


def test_judges_are_paid_from_the_same_budget(searched: Searched) -> None:
    """Their tokens count, also those on record when the search is run again: the same end."""
    polite = rubric("Is it polite?", judge="j", name="polite")
    first, asked = searched(polite, budget_tokens=12_000)
    spent = first.search.spending
    assert asked.taken() + 20 * first.calls["judge"] < spent.tokens <= 12_600
    again, none = searched(polite, budget_tokens=12_000)
    assert none.calls == []
    assert again.search.spending.tokens == spent.tokens
    assert [(e.version, e.n) for e in again.search.lineage.events] == [
        (e.version, e.n) for e in first.search.lineage.events
    ]


def _verdict(request: Mapping[str, Any]) -> str:
    found = re.search(r"<<ANSWER (\w+)>>", request["messages"][-1]["content"])
    return json.dumps({"case": found[1] if found else "", "reason": "fine", "score": 5})


@pytest.mark.parametrize("form", ["samples", "composed", "unreadable"])
def test_every_call_of_a_judge_is_a_call_of_the_budget(
    make_lab: Callable[..., Any], form: str
) -> None:
    """Each sample, each part of a composition, and each that is asked again because it could not be
    read; a search that is run again counts the same.
    """
    numbers = itertools.count()
    says = _verdict if form != "unreadable" else (lambda request: "I like it.")
    asked = Paid(lambda request: f"thing {next(numbers)}", remote=True)
    judge = ScriptedModel(says, label="j", remote=True)
    lab = make_lab(models={"m": asked, "j": judge})
    v1 = lab.prompt("colour").save("Name the colour.\n\nItem: {{item}}", model="m")
    polite = rubric("Is it polite?", judge=JudgeModel("j", samples=3), name="polite")
    kind = rubric("Is it kind?", judge="j", name="kind").at_least(0.5)
    decides = all_of(polite.at_least(0.5), kind) if form == "composed" else polite
    data = Dataset.read(ROWS, inputs=["item"])
    for _ in range(2):
        found = lab.optimize(v1, data, [equals(), decides], method=FewShot(), budget_calls=60)
        assert 30 < len(asked.calls) + len(judge.calls) <= 60
        assert found.calls == {"task": len(asked.calls), "judge": len(judge.calls)}
    each = {"samples": 3, "composed": 4, "unreadable": 9}[form]
    assert len(judge.calls) == each * len(asked.calls)
    expected = lab.estimate([v1.but(messages="{{item}}")], data, [equals(), decides])
    assert expected.judges == min(each, 4 if form == "composed" else 3) * len(data)


def test_a_stop_counts_what_was_asked(make_lab: Callable[..., Any]) -> None:
    """In the middle of a sweep: the answers that have come, and no other."""
    got = threading.Event()

    async def waits(call: Any) -> Reply:
        if len(asked.calls) > 40:
            got.set()
            await asyncio.sleep(60)
        return answer(call.chat)

    asked = Paid(waits)
    lab = make_lab(models={"m": asked})
    v1 = lab.prompt("colour").save("Name the colour.\n\nItem: {{item}}", model="m")
    data, budget = Dataset.read(ROWS, inputs=["item"]), Allowance(calls=400)
    design = designed(lab.project, v1, data, [equals()], method=FewShot(), allowance=budget)
    search = begin(lab.project, dataclasses.replace(design, concurrency=3))
    assert got.wait(60)
    search.stop()
    search.wait(60)
    [(runs,)] = lab.store.rows("select count(*) from runs where failure is null")
    assert search.status == "stopped"
    assert runs <= search.spending.calls["task"] <= len(asked.calls) < 60


@pytest.mark.parametrize("name", ["calls", "tokens", "usd", "seconds"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 0, -1, True, "3"])
def test_a_budget_that_is_no_amount_is_one_sentence(name: str, value: Any) -> None:
    with pytest.raises(StudyError, match=f"budget_{name} is .*; give a number above 0"):
        Allowance(**{name: value})


@pytest.mark.parametrize("usage", [{"tokens_in": 60, "tokens_out": 2}, {}], ids=["usage", "none"])
def test_money_counts_where_a_model_reports_no_usage(
    make_lab: Callable[..., Any], usage: dict[str, int]
) -> None:
    """By its characters: an unknown cost is not 0."""
    model = ScriptedModel(lambda _: Reply("red", **usage), "m", remote=True)
    lab = make_lab(models={"m": model}, prices={"m": (10_000.0, 0.0)})  # 1 USD for 100 tokens
    v1 = lab.prompt("colour").save("Name the colour.\n\nItem: {{item}}", model="m")
    data = Dataset.read(ROWS, inputs=["item"])
    found = lab.optimize(v1, data, [equals()], method=FewShot(candidates=4), budget_usd=10.0)
    assert found.status == "finished"
    assert found.search.spending.exhausted
    assert 5.0 < found.search.spending.usd <= 10.0
    assert len(model.calls) < 25
