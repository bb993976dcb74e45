"""Several tasks: one study of a dataset made of them, or a study or table each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from promptops.errors import DatasetError, StatisticsError, StudyError
from promptops.lab import Dataset, Lab, Policy, compare, over_tasks
from promptops.models.scripted import ScriptedModel
from promptops.scorers import contains, equals

MakeLab = Callable[..., Lab]
RIGHT = {"sums": 0.9, "dates": 0.8, "irony": 0.3, "rhymes": 0.95}  # of v2; v1: 0.6 of each


def rows(task: str, n: int = 30) -> list[dict[str, Any]]:
    return [
        {"id": str(i), "text": f"{task} question {i} of {n}", "expected": f"right {task} {i}"}
        for i in range(n)
    ]


def answering(share: dict[str, float] | float) -> ScriptedModel:
    """Right on the first share of each task."""

    def answer(request: dict[str, Any]) -> str:
        words = str(request["messages"][-1]["content"]).split()
        task, number, n = words[-5], int(words[-3]), int(words[-1])
        right = share if isinstance(share, float) else share[task]
        return f"right {task} {number}" if number < right * n else f"wrong {number % 3}"

    return ScriptedModel(answer)


@pytest.fixture
def made(make_lab: MakeLab) -> tuple[Lab, Any, Any, dict[str, Dataset]]:
    lab = make_lab(models={"old": answering(0.6), "new": answering(RIGHT)})
    prompt = lab.prompt("ask")
    v1 = prompt.save("Answer: {{text}}", model="old")
    v2 = prompt.save("Answer well: {{text}}", model="new")
    return lab, v1, v2, {task: Dataset.read(rows(task), name=task) for task in RIGHT}


def test_one_study_of_several_datasets(made: tuple[Lab, Any, Any, dict[str, Dataset]]) -> None:
    """A row per task first, then the mean over tasks, what another task may expect, and Simpson;
    the verdict over examples and over tasks differ.
    """
    lab, v1, v2, tasks = made
    together = Dataset.of_tasks(tasks)
    assert len(together) == 120
    study = lab.evaluate([v1, v2], together, [equals()])
    comparison = study.compare(candidate=v2, baseline=v1)
    found = comparison.tasks()
    assert [row.task for row in found.rows] == ["irony", "dates", "sums", "rhymes"]
    assert found.notes[0] == "v2 wins on 3 of 4 tasks, loses on 1."
    assert found.notes[1].startswith("Over 4 tasks: ")
    assert "prediction interval" in found.notes[2]
    assert "irony (−30.0 points)" in found.notes[3]
    html = found._repr_html_()
    assert html.index(">rhymes<") < html.index("<li>v2 wins on 3 of 4 tasks")
    assert comparison.verdict.decision == "inconclusive"  # the slice irony is lost
    over = comparison.decide(
        Policy(estimand="tasks", accept_slices={"irony": "answered by people"})
    )
    assert over.decision == "inconclusive"
    assert "Over 4 tasks" in over.reasons[0]
    examples = comparison.decide(Policy(accept_slices={"irony": "answered by people"}))
    assert examples.decision == "promote"
    comparison.policy = Policy(estimand="tasks")
    assert "Task by task" in comparison._repr_html_()


def test_a_study_per_task_says_the_same(made: tuple[Lab, Any, Any, dict[str, Dataset]]) -> None:
    """`over_tasks` of four studies has the rows and the mean of one study of the four."""
    lab, v1, v2, tasks = made
    one = lab.evaluate([v1, v2], Dataset.of_tasks(tasks), [equals()])
    wanted = one.compare(candidate=v2, baseline=v1).tasks()
    each = {task: lab.evaluate([v1, v2], data, [equals()]) for task, data in tasks.items()}
    found = over_tasks(each, candidate=v2, baseline=v1)
    assert found.rows == wanted.rows
    assert found.combined == wanted.combined
    assert found.overall == pytest.approx(wanted.overall)
    mixed = over_tasks({"sums": each["sums"].compare(), "dates": each["dates"]})
    assert mixed.notes[0] == "v2 wins on 2 of 2 tasks, loses on 0."
    with pytest.raises(StatisticsError, match="'sums' and 'again' are the same examples"):
        over_tasks({"sums": each["sums"], "again": each["sums"]})
    with pytest.raises(StudyError, match="'sums' is a Dataset; expected a study"):
        over_tasks({"sums": tasks["sums"]})  # type: ignore[dict-item]
    with pytest.raises(StatisticsError, match="name both"):
        over_tasks({})


def test_a_dataset_under_two_names_is_one_task(
    made: tuple[Lab, Any, Any, dict[str, Dataset]],
) -> None:
    """Read again with other ids, or in part: by content the rows are the same; some in common are
    said.
    """
    lab, v1, v2, tasks = made
    copied = [{**row, "id": f"other {row['id']}"} for row in rows("sums")]
    half = [*copied[:15], *({**row, "id": f"d{row['id']}"} for row in rows("dates")[:15])]
    study = {
        name: lab.evaluate([v1, v2], data, [equals()])
        for name, data in {
            "sums": tasks["sums"],
            "copied": Dataset.read(copied),
            "part": Dataset.read(copied[:20]),
            "half": Dataset.read(half),
        }.items()
    }
    for other in ("copied", "part"):
        with pytest.raises(StatisticsError, match="the same examples, which would count twice"):
            over_tasks({"sums": study["sums"], other: study[other]})
    with pytest.raises(StudyError, match="over the latest studies; pass its study"):
        over_tasks({"sums": study["sums"], "half": lab.compare(candidate=v2, baseline=v1)})
    found = over_tasks({"sums": study["sums"], "half": study["half"].compare()})
    assert "15 examples are in several tasks and count in each" in found.notes[-1]


def test_tasks_of_different_scorers_are_refused(
    made: tuple[Lab, Any, Any, dict[str, Dataset]],
) -> None:
    """Each decided by its own primary: refused; by one that both have: compared."""
    lab, v1, v2, tasks = made
    sums = lab.evaluate([v1, v2], tasks["sums"], [equals(), contains()])
    dates = lab.evaluate([v1, v2], tasks["dates"], [contains(), equals()])
    with pytest.raises(StatisticsError, match="'sums' is decided by equals.*'dates' by contains"):
        over_tasks({"sums": sums, "dates": dates})
    found = over_tasks({"sums": sums, "dates": dates}, primary=equals().name)
    assert (found.measure, found.won) == (equals().name, 2)
    with pytest.raises(StatisticsError, match="latency has no scale from 0 to 1"):
        sums.compare().tasks(name="latency")
    with pytest.raises(StatisticsError, match="latency has no scale from 0 to 1"):
        over_tasks({"sums": sums.compare(), "dates": dates.compare()}, primary="latency")


def test_tables_are_tasks_and_small_ones_are_said() -> None:
    """A table each; a task of one row is left out by name; tables without inputs are not taken for
    one another because their golden answers agree.
    """

    def table(right: int, n: int) -> list[dict[str, str]]:
        return [
            {"gold": "yes", "a": f"no {i}", "b": "yes" if i < right else f"no {i}"}
            for i in range(n)
        ]

    def of(right: int, n: int) -> Any:
        return compare(table(right, n), baseline="a", candidate="b", expected="gold")

    found = over_tasks({"x": of(10, 20), "y": of(15, 20), "one": of(1, 1)})
    assert found.notes[0] == "b wins on 2 of 2 tasks, loses on 0."
    assert found.notes[-1] == "Left out, with fewer than two examples: 'one'."
    with pytest.raises(StatisticsError, match="no task has two examples"):
        over_tasks({"one": of(1, 1)})
    with pytest.raises(StatisticsError, match="the same examples"):
        over_tasks({"x": of(10, 20), "again": of(10, 20)})


def test_overlapping_tags_are_said() -> None:
    """An example with two of the chosen tags counts in both, and a note says what that means."""
    table = [
        {"q": f"q{i}", "gold": "yes", "a": "no", "b": "yes" if i % 3 else "no", "topic": topic}
        for i in range(30)
        for topic in (["x", "y"] if i < 5 else ["x"] if i < 15 else ["z"] if i > 15 else ["w"],)
    ]
    found = compare(table, baseline="a", candidate="b", expected="gold", tags="topic")
    shown = found.tasks()
    assert "5 examples have several of these tags and count in each" in shown.notes[-1]
    assert "Left out, with fewer than two examples: 'w'." in shown.notes
    assert "several of these tags" not in found.tasks(["x", "z"]).statement()


def test_a_dataset_of_tasks_refuses_what_is_not_one() -> None:
    """Too few, empty, without a name, twice the same; examples in common are a note, clusters of
    two tasks are two, splits stay.
    """
    a, b = (Dataset.read([{**row, "doc": "d1"} for row in rows(t)], cluster="doc") for t in "ab")
    found = Dataset.of_tasks({"a": a, "b": b})
    assert set((found.clusters or {}).values()) == {"a/d1", "b/d1"}
    assert [one.split for one in found] == [one.split for one in (*a, *b)]
    assert {one.tags for one in found} == {("a",), ("b",)}
    for wrong, why in (
        ({"a": a}, "two or more"),
        ({"a": a, "b": b[:0]}, "'b' has no example"),
        ({"a": a, " ": b}, "named ' '"),
        ({"a": a, "again": a[3:]}, "are the same examples"),
    ):
        with pytest.raises(DatasetError, match=why):
            Dataset.of_tasks(wrong)
    shared = Dataset.of_tasks({"a": a, "mixed": Dataset.of([*a[:4], *b[5:]])})
    assert shared.notes[-1].startswith("4 examples are in several tasks")
