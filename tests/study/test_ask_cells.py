"""Cells are answered without a study: known answers from memory or the store, the rest once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from promptops.dataset import Dataset
from promptops.engine.executor import InProcess, Order, Pass
from promptops.errors import ScorerError
from promptops.models.scripted import ScriptedModel
from promptops.scorers import equals, unchanged_from
from promptops.scorers.function import scorer
from promptops.study.ask_cells import Cell, CellAsker, Outcome
from promptops.study.project import Project
from promptops.version import PromptVersion

ROWS = [{"item": f"s{n}", "expected": "A"} for n in range(12)]
V1 = PromptVersion("one {{item}}", model="m")
V2 = PromptVersion("two {{item}}", model="m")


class Counting:
    """A model in this process that counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def __call__(self, item: str) -> str:
        self.asked.append(item)
        return "A" if item != "s3" else "B"


@pytest.fixture
def model() -> Counting:
    return Counting()


@pytest.fixture
def open_project(tmp_path: Path, model: Counting) -> Any:
    made: list[Project] = []

    def opened() -> Project:
        made.append(Project.open(tmp_path / "p", models={"m": model, "text": ScriptedModel(["A"])}))
        return made[-1]

    yield opened
    for project in made:
        project.close()


def ask(project: Project, cells: list[Cell], asker: CellAsker | None = None) -> list[Outcome]:
    asker = asker or CellAsker(project, [equals()])
    return project.loop.finish(asker.ask(cells))


def cells(version: PromptVersion, count: int = 12) -> list[Cell]:
    return [Cell(version, example) for example in Dataset.read(ROWS)[:count]]


def value_of(outcome: Outcome) -> float | None:
    [score] = outcome.scores.values()
    return score.value


def test_outcomes_come_in_the_order_of_the_cells(open_project: Callable[..., Project]) -> None:
    """Each cell has its own run and its scores."""
    wanted = [*cells(V1), *cells(V2)]
    found = ask(open_project(), wanted)
    assert [outcome.cell for outcome in found] == wanted
    assert [outcome.run.version_id for outcome in found] == [V1.id] * 12 + [V2.id] * 12
    assert [value_of(outcome) for outcome in found[:5]] == [1, 1, 1, 0, 1]


def test_no_study_and_no_dataset_are_left(open_project: Callable[..., Project]) -> None:
    """Runs, attempts, scores and the version are all that it records."""
    project = open_project()
    ask(project, cells(V1))
    rows = project.store.stats()["rows"]
    assert {table for table, count in rows.items() if count} == {
        "runs",
        "attempts",
        "scores",
        "versions",
    }
    assert (rows["runs"], rows["scores"]) == (12, 12)


def test_known_answers_are_not_asked_again(
    open_project: Callable[..., Project], model: Counting
) -> None:
    """Neither within an asker nor by a later process, and their scores are not written again."""
    project = open_project()
    asker = CellAsker(project, [equals()])
    first = ask(project, cells(V1, 6), asker)
    again = ask(project, cells(V1), asker)
    assert len(model.asked) == 12
    assert [outcome.run.id for outcome in again[:6]] == [outcome.run.id for outcome in first]
    assert [outcome.reused for outcome in again] == [True] * 6 + [False] * 6
    later = open_project()
    found = ask(later, cells(V1))
    assert len(model.asked) == 12
    assert all(outcome.reused for outcome in found)
    assert [value_of(outcome) for outcome in found] == [value_of(outcome) for outcome in again]
    assert later.store.rows("select count(*) from scores") == [(12,)]


def test_equal_cells_asked_at_once_cost_one_call(
    open_project: Callable[..., Project], model: Counting
) -> None:
    """Two askers' turns that overlap wait for one answer."""
    project = open_project()
    asker = CellAsker(project, [equals()])

    async def twice() -> list[list[Outcome]]:
        return await asyncio.gather(asker.ask(cells(V1)), asker.ask(cells(V1)))

    one, two = project.loop.finish(twice())
    assert len(model.asked) == 12
    assert [outcome.run.id for outcome in one] == [outcome.run.id for outcome in two]


def test_repeats_are_other_cells(open_project: Callable[..., Project], model: Counting) -> None:
    """The n-th time of the same question is asked on its own."""
    [example] = Dataset.read(ROWS)[:1]
    found = ask(open_project(), [Cell(V1, example, repeat) for repeat in range(3)])
    assert [outcome.run.repeat for outcome in found] == [0, 1, 2]
    assert len(model.asked) == 3


def test_users_scorers_judge_and_are_recorded(open_project: Callable[..., Project]) -> None:
    """A scorer that may wait is waited for; its scores are kept like the others."""

    @scorer
    def short(output: str) -> bool:
        return len(output) < 2

    project = open_project()
    found = ask(project, cells(V1), CellAsker(project, [equals(), short]))
    assert all(len(outcome.scores) == 2 for outcome in found)
    assert project.store.rows("select count(*) from scores where scorer = 'short'") == [(12,)]


def test_a_row_that_does_not_render_is_an_outcome(open_project: Callable[..., Project]) -> None:
    """Its run says so, its scores are 0, and nothing else is disturbed."""
    found = ask(
        open_project(),
        [*cells(V1, 1), Cell(PromptVersion("{{other}}", model="text"), cells(V1)[0].example)],
    )
    assert found[1].run.failure == "render_error"
    assert value_of(found[1]) == 0
    assert value_of(found[0]) == 1


def test_a_stop_keeps_what_is_done(open_project: Callable[..., Project], model: Counting) -> None:
    """After it nothing is asked, and outcomes hold only what was answered."""
    project = open_project()
    asker = CellAsker(project, [equals()])
    ask(project, cells(V1, 4), asker)
    asker.stop("enough")
    found = ask(project, cells(V1), asker)
    assert len(found) == 4
    assert len(model.asked) == 4
    assert asker.stopped == "enough"


def test_an_executor_makes_the_runs(open_project: Callable[..., Project]) -> None:
    """Cells, studies and single calls go through the project's executor."""
    orders: list[Order] = []

    class Noting(InProcess):
        def start(self, order: Order) -> Any:
            orders.append(order)
            return super().start(order)

    import dataclasses

    project = dataclasses.replace(open_project(), executor=Noting())
    found = ask(project, cells(V1))
    assert len(orders) == 1
    assert len(found) == 12
    started: Pass = InProcess().start(orders[0])
    assert started.progress.done == 0


def test_scorers_that_need_a_study_are_refused(open_project: Callable[..., Project]) -> None:
    """The answers of another version are a study's."""
    with pytest.raises(ScorerError, match="another version"):
        CellAsker(open_project(), [unchanged_from(V2)])
