"""Two versions over several tasks, each a study or a table of its own."""

from __future__ import annotations

from collections.abc import Mapping

from ..analysis.arms import MEASURES
from ..analysis.compare import ComparisonFacts
from ..analysis.tasks import over_tasks as over
from ..canonical import tagged
from ..errors import StudyError
from ..signatures import explained
from ..study.comparing import described_in
from .compare_table import TableComparison
from .comparison import Comparison
from .study import Study
from .task_table import Tasks

__all__ = ["over_tasks"]


@explained
def over_tasks(
    by_task: Mapping[str, Study | Comparison],
    /,
    *,
    candidate: object = None,
    baseline: object = None,
    primary: str | None = None,
) -> Tasks:
    """Compare two versions over several tasks, each with its own study or comparison: a row per
    task, "wins on k of m tasks", the random-effects mean over tasks (REML, Hartung-Knapp), and a
    prediction for another such task.

    The result only describes the answers of these studies. For a verdict over tasks, combine their
    datasets with `Dataset.of_tasks` and use `Policy(estimand="tasks")`.

    Args:
        by_task: task -> its study, or its comparison.
        candidate, baseline: a version or label of every study; None: as in `Study.compare`.
        primary: the scorer that all tasks share; None: each task's own, which must be the same.

    Raises:
        StatisticsError: if the tasks do not have the same two versions and the same scorer, two of
            them have the same examples, or none has two examples.
        StudyError: if a task is neither a study nor a comparison of one.
    """
    scorer = None if primary in MEASURES else primary  # what has no scale is refused below
    compared: dict[str, ComparisonFacts] = {}
    contents: dict[str, dict[str, str]] = {}
    for task, one in by_task.items():
        if not isinstance(one, (Study, Comparison)):
            raise StudyError(
                f"the task {task!r} is a {type(one).__name__}; expected a study, or a comparison as"
                " study.compare(...) and compare(table, ...) give it."
            )
        if isinstance(one, TableComparison):
            compared[task], contents[task] = one, _rows_of(one)
            continue
        study = one.wait().recorded if isinstance(one, Study) else one.study
        if study is None:
            raise StudyError(
                f"the task {task!r} is a comparison over the latest studies; pass its study, whose"
                " own examples the task is."
            )
        if isinstance(one, Comparison):
            asked = (one.candidate.label, one.baseline.label, scorer or one.primary_name)
            compared[task] = described_in(study, *asked)
        else:
            compared[task] = described_in(study, candidate, baseline, scorer)
        contents[task] = {each.id: each.fingerprint for each in study.dataset}
    return Tasks.shown(over(compared, name=primary, contents=contents))


def _rows_of(comparison: TableComparison) -> dict[str, str]:
    """Example id -> a digest of the row with both answers. A row without an input is known by the
    whole table, since many such rows are equal by chance.
    """
    data, cells = comparison.table.dataset, comparison.table.cells
    found = {
        example.id: [example.fingerprint, *(repr(rows.get(example.id)) for rows in cells.values())]
        for example in data
    }
    bare = all(set(example.inputs) <= {"row"} for example in data)
    whole = tagged("t1", list(found.values())) if bare else ""
    return {example: tagged("t1", [whole, *content]) for example, content in found.items()}
