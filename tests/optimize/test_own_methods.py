"""Methods that users write: broken ones are named, endless ones are ended, and none gets around the
vetoes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from random import Random
from typing import Any

import pytest

from promptops.dataset import Dataset
from promptops.errors import StudyError
from promptops.models.scripted import ScriptedModel
from promptops.optimize import Task
from promptops.scorers import equals
from promptops.version import PromptVersion

ROWS = [{"id": f"r{n}", "item": f"thing {n}", "expected": "ab"[n % 2]} for n in range(60)]
SEED = "Name it.\n\nItem: {{item}}"


class Own:
    """What all of them have."""

    name = "own"

    def document(self) -> Mapping[str, object]:
        return {}

    async def run(self, task: Task, rng: Random) -> None:
        """Nothing."""


class Raises(Own):
    async def run(self, task: Task, rng: Random) -> None:
        raise ValueError("out of luck")


class NotOffered(Own):
    async def run(self, task: Task, rng: Random) -> None:
        await task.ask([PromptVersion("Name: {{item}}", model="m")], list(task.val))


class ReadsTheLabel(Own):
    async def run(self, task: Task, rng: Random) -> None:
        version = PromptVersion("{{item}} is {{expected}}", model="m")
        assert not task.offer(version, how="peeked")
        await task.ask([version], list(task.val))


class Yields(Own):
    async def run(self, task: Task, rng: Random) -> AsyncIterator[int]:  # type: ignore[override]
        yield 1


class Blocks(Own):
    def run(self, task: Task, rng: Random) -> None:  # type: ignore[override]
        """Not a coroutine."""


class Unwritable(Own):
    def document(self) -> Mapping[str, object]:
        return {"what": object()}


class AsksForEver(Own):
    async def run(self, task: Task, rng: Random) -> None:
        while True:
            try:
                await task.ask([task.seed], list(task.val)[:3])
            except Exception:
                continue


class Sleeps(Own):
    async def run(self, task: Task, rng: Random) -> None:
        await asyncio.sleep(600)


@pytest.fixture
def optimized(make_lab: Callable[..., Any]) -> Callable[..., tuple[Any, list[Any]]]:
    """(search by a method, requests that the model got)."""

    def made(method: object, **budget: Any) -> tuple[Any, list[Any]]:
        asked = ScriptedModel(lambda request: "a")
        lab = make_lab(models={"m": asked})
        v1 = lab.prompt("thing").save(SEED, model="m")
        data = Dataset.read(ROWS, inputs=["item"], expected="expected")
        options = budget or {"budget_calls": 60}
        return lab.optimize(v1, data, [equals()], method=method, **options), asked.calls

    return made


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (Raises, "'own' broke: ValueError: out of luck"),
        (NotOffered, "not a candidate of this search"),
        (ReadsTheLabel, "not a candidate of this search"),
        (Yields, "not a coroutine function"),
        (Blocks, "not a coroutine function"),
        (Unwritable, "not JSON"),
    ],
)
def test_what_is_wrong_with_a_method_is_named(
    optimized: Callable[..., Any], method: type[Own], message: str
) -> None:
    """Once, as an error of ours, with the cause behind it."""
    with pytest.raises(StudyError, match=message):
        optimized(method())


def test_a_method_that_does_nothing_keeps_the_seed(optimized: Callable[..., Any]) -> None:
    """And the seed's figure on val is shown."""
    found, _ = optimized(Own())
    assert found.status == "finished"
    assert found.search.best.number == 0
    assert found.search.best.score is not None
    assert "nothing better than the seed" in repr(found)


def test_a_method_that_asks_for_ever_is_ended(optimized: Callable[..., Any]) -> None:
    """Also one that swallows every exception, and whose questions cost nothing any more."""
    found, asked = optimized(AsksForEver())
    assert found.status == "finished"
    assert len(asked) <= 60


def test_seconds_end_a_method_that_never_asks(optimized: Callable[..., Any]) -> None:
    """The best so far stays, and why it ended is known."""
    found, _ = optimized(Sleeps(), budget_s=0.5)
    assert found.status == "finished"
    assert "0.5 seconds are over" in found.search.spending.exhausted
    assert found.search.best.number == 0
