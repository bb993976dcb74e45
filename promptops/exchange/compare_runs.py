"""Two runs of another tool compared without a lab, by their own scores, on the examples that both
files share.
"""

from __future__ import annotations

from pathlib import Path

from ..analysis import words
from ..analysis.compare import ComparisonContext
from ..analysis.compare import compare as facts_of
from ..dataset import Dataset
from ..errors import StudyError
from ..policy import Policy
from ..study.compared import Compared
from ..study.copies import copies_of, golden_reads, reads_of
from ..study.tabular import AnswerTable
from .detect import read_export
from .imported import Imported, merged
from .imported_arms import arms_of, with_scores

__all__ = ["compared_runs"]


def compared_runs(
    baseline: str | Path, candidate: str | Path
) -> tuple[Compared, AnswerTable, tuple[str, ...]]:
    """Is the run in `candidate` better than the run in `baseline`?

    Args:
        baseline: an export of another tool with one run (one label) of answers.
        candidate: the same of the other run.

    Returns:
        The comparison by the first score that both have, the answers, and what was left out.

    Raises:
        DatasetError: a file is not an export that is known.
        StudyError: a file holds no run or several, or the two share no example.
    """
    notes: list[str] = []
    parts = [_one(Path(path), notes) for path in (baseline, candidate)]
    both = merged(parts)
    old, new = both.labels
    arms = arms_of(both)
    cells: dict[str, dict[str, list[str | None]]] = {label: {} for label in both.labels}
    for run in both.runs:
        cells[run.version].setdefault(run.example, []).append(run.output)
    shared = [example for example in both.examples if all(example.id in c for c in cells.values())]
    if not shared:
        raise StudyError(
            f"{Path(baseline).name} and {Path(candidate).name} share no example; they must be runs"
            " on the same data."
        )
    alone = len(both.examples) - len(shared)
    if alone:
        what = words.count(alone, "example")
        notes.append(f"{what} of only one of the two files took no part.")
    notes += [note for note in both.notes if not any(note in part.notes for part in parts)]
    data = Dataset.of(both.examples, name=both.name)
    same = copies_of(shared, [reads_of(None)], golden_reads(()))
    context = ComparisonContext(
        dataset=data.name,
        fingerprint=data.fingerprint,
        planned=same.distinct,
        clusters=same.clusters,
        tags=data.tags,
        copies=same.copies,
        contradictory=same.contradictory,
    )
    facts = facts_of(arms[new], arms[old], grounds=context)
    return Compared(facts, Policy()), AnswerTable(data, cells), tuple(notes)


def _one(path: Path, notes: list[str]) -> Imported:
    found, note = with_scores(read_export(path))
    notes += [note] if note else []
    notes += map(str, found.left)
    if len(found.labels) != 1:
        raise StudyError(
            f"{path.name} holds {words.count(len(found.labels), 'run')}; a comparison of two files"
            f" needs one in each{' (promptops audit compares many)' if found.labels else ''}."
        )
    return found
