"""A comparison of 0/1 outcomes in a table of text by the standard library alone, for an install as
small as the job (the extra `[cli]`).

It prints what the full comparison prints. A table that needs more names the extra that has it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..analysis.binary_compare import BinaryComparison, Marks, binary_compare
from ..analysis.comparison_context import ComparisonContext
from ..engine.scorer_needs import check_needs
from ..errors import MissingExtra
from ..scorers.case import Scorer
from .copies import Copies, copies_of, golden_reads, reads_of
from .golden_labels import answer_labels, golden_labels
from .preflight import check_texts
from .scored_table import blanks, cell_text, chosen, scored_cells, scores_in
from .study_record import ScorerRef
from .tabular import AnswerTable, read_table

__all__ = ["compare_binary"]

_TEXT = (".csv", ".tsv", ".tab", ".txt", ".jsonl", ".ndjson", ".json")
_EXTRA = "run"


def compare_binary(
    table: Path | None,
    *,
    baseline: str,
    candidate: str,
    expected: str | None = None,
    scorers: Sequence[str] = (),
    version: str | None = None,
    columns: Mapping[str, str | None],
) -> BinaryComparison:
    """Is the candidate better than the baseline, on 0/1 outcomes of a text file?

    Args:
        table: CSV or JSON lines.
        baseline, candidate: two columns, or two values of the column `version`.
        expected: the column of golden answers.
        scorers: as they were named, which takes the full comparison.
        version: the column of versions of a long table.
        columns: role ("output", "id", "tags", "cluster") -> column, None if none was named.

    Raises:
        MissingExtra: the table needs more than 0/1 outcomes that are all there.
        StudyError, DatasetError: the sentence names the columns there are.
    """
    _check_text(table, scorers)
    named = {role: column for role, column in columns.items() if column is not None}
    notes: list[str] = []
    held = read_table(
        table, baseline, candidate, version=version, expected=expected, columns=named, notes=notes
    )
    if held.dataset.tags or "tags" in named:
        raise _needs("examples with tags")
    scores = scores_in(held) if expected is None else None
    if scores is not None:
        notes.append(f"{baseline} and {candidate} hold scores, which are compared as they are.")
        used: list[Scorer] = []
        scorer = ("score", "user", "1")
    else:
        used = [_guessed(held, notes)]
        notes += [*check_needs(used, held.dataset), *check_texts(used, held.dataset)]
        if expected is None:
            notes += [note for note in held.dataset.notes if note.startswith("expected ")]
        arms = (baseline, candidate)
        scores = {label: _only(scored_cells(label, held, used)) for label in arms}
        scorer = (used[0].name, used[0].kind, used[0].version)
    notes += blanks(held)
    found = _facts(held, baseline, candidate, scores, scorer, used)
    found.table_notes = tuple(notes)
    return found


def _check_text(table: Path | None, scorers: Sequence[str]) -> None:
    """Raises MissingExtra for what is not a text file scored by a guess."""
    if table is None:
        raise _needs("two files of runs")
    if table.is_file() and table.suffix.lower() not in _TEXT:
        raise _needs(f"a {table.suffix or 'nameless'} file")
    if scorers:
        raise _needs("answers by a named scorer")


def _facts(
    held: AnswerTable,
    baseline: str,
    candidate: str,
    scores: Mapping[str, Mapping[str, Sequence[float | None]]],
    scorer: tuple[str, str, str],
    used: Sequence[Scorer],
) -> BinaryComparison:
    data = held.dataset
    read = golden_reads(ScorerRef.of(used[0]).needs if used else ())
    same = copies_of(data, [reads_of(None)], read)
    labels = golden_labels(data) if used else None
    marks = {label: _marks(found, same.copies) for label, found in scores.items()}
    if set(marks[baseline]) != set(marks[candidate]):
        raise _needs("versions on different examples")
    _check_apart(marks[baseline], same)
    grounds = ComparisonContext(
        dataset=data.name,
        fingerprint=data.fingerprint,
        planned=same.distinct,
        copies=same.copies,
        contradictory=same.contradictory,
        labels=labels,
    )
    answers: dict[str, Mapping[str, str]] = {}
    if labels is not None:
        for label, cells in held.cells.items():
            texts = [(example, cell_text(cell)) for example, row in cells.items() for cell in row]
            given = answer_labels(texts, labels)
            answers[label] = {same.copies.get(id_, id_): one for id_, one in given.items()}
    return binary_compare(
        (candidate, marks[candidate]),
        (baseline, marks[baseline]),
        scorer=scorer,
        grounds=grounds,
        answers=answers,
    )


def _guessed(held: AnswerTable, notes: list[str]) -> Scorer:
    """The scorer that fits, where it needs the standard library only."""
    try:
        [found] = chosen(None, held, notes)
    except ImportError:
        raise _needs("answers that are texts") from None
    return found


def _only(found: dict[str, dict[str, list[float | None]]]) -> dict[str, list[float | None]]:
    """The outcomes of the one scorer that there is."""
    if len(found) != 1:
        raise _needs("answers with several scores")
    [rows] = found.values()
    return rows


def _marks(rows: Mapping[str, Sequence[float | None]], copies: Mapping[str, str]) -> Marks:
    """Example -> 0 or 1, copies of an example being one."""
    marks: dict[str, float] = {}
    for example, values in rows.items():
        if len(values) != 1:
            raise _needs("examples with repeats")
        value = values[0]
        if value is None:
            raise _needs("examples without a score")
        if value not in (0.0, 1.0):
            raise _needs("scores other than 0 and 1")
        if marks.setdefault(copies.get(example, example), float(value)) != value:
            raise _needs("copies of an example with different outcomes")
    return marks


def _check_apart(marks: Marks, same: Copies) -> None:
    """Clusters of examples count as one, which takes the full comparison."""
    clusters = same.clusters or {}
    held = [clusters[example] for example in marks if example in clusters]
    if len(set(held)) < len(held):
        raise _needs("examples in clusters")


def _needs(what: str) -> MissingExtra:
    return MissingExtra(f"promptops compare of {what}", _EXTRA)
