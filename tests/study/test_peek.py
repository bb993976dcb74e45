"""A look at the beginning of a study is a look at a random part of its dataset."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from promptops.lab import Lab
from promptops.models.scripted import ScriptedModel
from promptops.scorers import equals
from promptops.study.asking_order import order

MakeLab = Callable[..., Lab]
ROWS = [{"id": f"e{i:03}", "q": str(i), "expected": "yes"} for i in range(80)]


class SortedByTopic:
    """B wins on the first half of the rows and loses on the second; asking stops after `most`."""

    def __init__(self, most: int) -> None:
        self.most, self.asked = most, list[str]()

    def __call__(self, request: dict[str, Any]) -> str:
        name, number = request["messages"][-1]["content"].split()
        if len(self.asked) >= self.most:
            raise ZeroDivisionError  # the study ends here, as if somebody had stopped it
        self.asked.append(number)
        return "yes" if (name == "A") is (int(number) >= 40) else "no"


def looked_at_half(make_lab: MakeLab, *names: str) -> tuple[Any, SortedByTopic]:
    script = SortedByTopic(40 * len(names))
    lab = make_lab(models={"m": ScriptedModel(script)})
    prompt = lab.prompt("w")
    arms = [prompt.save(f"{name} {{{{q}}}}", model="m") for name in names]
    study = lab.evaluate(arms, ROWS, [equals()], name="sorted", concurrency=1)
    return study.progress.peek(candidate=arms[1], baseline=arms[0]), script


@pytest.mark.filterwarnings("ignore")
def test_rows_sorted_by_topic_settle_nothing_at_half(make_lab: MakeLab) -> None:
    """In the order of the rows the first half has 40 won and none lost: E past two billion."""
    peeked, script = looked_at_half(make_lab, "A", "B")
    wins, losses = peeked.primary.wins, peeked.primary.losses
    assert wins + losses >= 30
    assert min(wins, losses) >= 8
    assert peeked.verdict.decision == "inconclusive"
    assert "of the shuffled order" in peeked.early
    assert script.asked[:16] != sorted(script.asked[:16], key=int)


@pytest.mark.filterwarnings("ignore")
def test_the_order_is_the_studys_and_not_the_rows(make_lab: MakeLab) -> None:
    """The same ids in any order of rows come in one order; another study has another."""
    ids = [row["id"] for row in ROWS]
    assert order("s1-a", ids) == order("s1-a", ids[::-1])
    assert order("s1-a", ids) != order("s1-b", ids)
    assert sorted(order("s1-a", ids)) == ids


def test_a_look_bears_every_candidate(make_lab: MakeLab) -> None:
    """Two candidates: E of 20 is enough for one alone, 40 is asked for."""

    def answer(request: dict[str, Any]) -> str:
        name, number = request["messages"][-1]["content"].split()
        i = int(number)
        won = {"A": i >= 14, "B": i < 12 or i >= 14, "C": i < 3 or i >= 14}[name]
        return "yes" if won and not (name == "B" and i in (20, 21)) else "no"

    lab = make_lab(models={"m": ScriptedModel(answer)})
    prompt = lab.prompt("w")
    a, b, c = (prompt.save(f"{name} {{{{q}}}}", model="m") for name in "ABC")
    two = lab.evaluate([a, b], ROWS[:40], [equals()], name="two").progress
    alone = two.peek(candidate=b, baseline=a)
    assert (alone.primary.wins, alone.primary.losses) == (12, 2)
    assert alone.verdict.rule.needs_e == pytest.approx(20)
    assert alone.verdict.decision == "promote"
    other = make_lab("other", models={"m": ScriptedModel(answer)})
    prompt = other.prompt("w")
    a, b, c = (prompt.save(f"{name} {{{{q}}}}", model="m") for name in "ABC")
    three = other.evaluate([a, b, c], ROWS[:40], [equals()], name="three").progress
    beside = three.peek(candidate=b, baseline=a)
    assert beside.verdict.rule.needs_e == pytest.approx(40)
    assert beside.verdict.decision == "inconclusive"
