"""People's labels: blind and in an order of chance, kept as rows of the store, read from files, and
compared with each other.

A label is never changed: a rater who thinks again adds a row, and the latest counts. The same file
read twice adds nothing.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..analysis.agreement import Agreement, krippendorff_interval
from ..canonical import tagged
from ..errors import StudyError
from ..run import new_id, utc
from ..study.examples import Examples, Filter

if TYPE_CHECKING:
    from pandas import DataFrame

    from ..store import Store
    from ..study.recorded_study import RecordedStudy

__all__ = [
    "ANSWERS",
    "RaterAgreement",
    "Labelling",
    "Task",
    "agreement",
    "holds_labels",
    "import_labels",
    "labels_of",
]

# kind -> what may be answered, and its value: of the candidate in a pair, of the one output under a
# rubric
ANSWERS: Mapping[str, Mapping[str, float]] = {
    "pairwise": {"first": 1.0, "tie": 0.5, "second": 0.0},
    "rubric": {"pass": 1.0, "partly": 0.5, "fail": 0.0},
}
_FORM = "l1"  # of a label in a file
_AHEAD = 40  # tasks that are read at once, so that a label waits for nothing but its own row
_LABELS = """select l.example_id, l.rater, split_part(l.kind, ':', 1) as kind, l.label, l.value,
  l.note, l.run_id, l.labelled_at, l.id
  from labels l where l.run_id in (select run_id from study_runs where study_id = ?) order by
    l.labelled_at, l.id"""


@dataclass(frozen=True, slots=True)
class Task:
    """What a rater sees: the question, the golden answer, and one output, or two in an order of
    chance. runs: theirs, as shown.
    """

    example_id: str
    inputs: Mapping[str, Any]
    expected: Any
    outputs: tuple[str | None, ...]
    runs: tuple[str, ...]
    swapped: bool = False


@dataclass(frozen=True, slots=True)
class RaterAgreement:
    """raters: who; items: labelled by two or more; equal: share of pairs of answers that are the
    same, None where there is none.
    """

    raters: tuple[str, ...]
    labels: int
    items: int
    equal: float | None
    alpha: Agreement


class Labelling:
    """One rater's queue over a study: which version answered is not shown, the sides are shuffled
    by the rater's name. All raters meet the examples in one order of chance, so that what two of
    them labelled overlaps early.

    kind: "pairwise" (candidate against baseline) or "rubric" (each output alone); wanted: which
    examples, changed ones in a pair by default. What the rater has labelled before is not asked
    again.
    """

    def __init__(
        self,
        study: RecordedStudy,
        rater: str,
        kind: str = "pairwise",
        *,
        wanted: Filter | None = None,
        examples: Examples | None = None,
    ) -> None:
        if kind not in ANSWERS:
            raise StudyError(
                f"labels of the kind {kind!r} are not known; choose one of {', '.join(ANSWERS)}."
            )
        if not rater.strip():
            raise StudyError("a label needs the name of who gave it; pass a rater.")
        self._study, self.rater, self.kind = study, rater.strip(), kind
        self._examples = examples or Examples(study)
        if kind == "pairwise" and self._examples.baseline is None:
            raise StudyError(
                f"{study.name} has one arm, so no pair can be labelled; use the kind 'rubric'."
            )
        self._chance = random.Random(f"{study.id} {self.rater} {kind}")
        ids = self._examples.ids(wanted or Filter("changed" if kind == "pairwise" else "all"))
        self._queue = self._order(ids)
        self._at, self._done = 0, self._before()
        self._given: list[tuple[int, tuple[str, int]]] = []
        self._read: dict[str, Any] = {}
        self._skip()

    @property
    def total(self) -> int:
        return len(self._queue)

    @property
    def labelled(self) -> int:
        """Of this queue, by this rater."""
        return sum(item in self._done for item in self._queue)

    @property
    def task(self) -> Task | None:
        """What is to be labelled next; None where all is done."""
        if self._at >= len(self._queue):
            return None
        example_id, side = self._queue[self._at]
        if example_id not in self._read:
            ahead = dict.fromkeys(name for name, _ in self._queue[self._at : self._at + _AHEAD])
            self._read = self._examples.outputs(list(ahead))
        example, new, old = self._read[example_id]
        arms = [new, old] if self.kind == "pairwise" else [(new, old)[side]]
        swapped = self.kind == "pairwise" and bool(side)
        sides = [arm or ("", None) for arm in (arms[::-1] if swapped else arms)]
        return Task(
            example_id,
            dict(example.inputs) if example else {},
            example.expected if example else None,
            tuple(output for _, output in sides),
            tuple(run for run, _ in sides),
            swapped,
        )

    def answer(self, label: str, note: str = "") -> Task | None:
        """Record a label of the task and go on; returns the next task.

        label: of a pair what is *shown*, "first" (left), "tie" or "second" (right); of one output
            "pass", "partly" or "fail".
        """
        task = self.task
        if task is None:
            raise StudyError(
                "everything of this queue is labelled; choose other examples or another study."
            )
        if label not in ANSWERS[self.kind]:
            raise StudyError(
                f"{label!r} is not an answer here; the answers are {', '.join(ANSWERS[self.kind])}."
            )
        if task.swapped:
            label = {"first": "second", "second": "first"}.get(label, label)
        runs = task.runs[::-1] if task.swapped else task.runs
        kind = f"pairwise:{runs[1]}" if self.kind == "pairwise" else self.kind
        _append(
            self._study,
            [_row(new_id("l"), runs[0], task.example_id, self.rater, kind, label, note, utc())],
        )
        self._given.append((self._at, self._queue[self._at]))
        self._done.add(self._queue[self._at])
        return self.skip()

    def skip(self) -> Task | None:
        """Leave the task for later; returns the next one."""
        self._at += 1
        self._skip()
        return self.task

    def back(self) -> Task | None:
        """To the task that was labelled last, to label it again: the later label counts."""
        if self._given:
            self._at, item = self._given.pop()
            self._done.discard(item)
        return self.task

    def _order(self, ids: Sequence[str]) -> list[tuple[str, int]]:
        sides = (0,) if self._examples.baseline is None else (0, 1)
        if self.kind == "pairwise":
            queue = [(name, self._chance.randrange(2)) for name in sorted(ids)]
        else:
            queue = [(name, side) for name in sorted(ids) for side in sides]
        random.Random(f"{self._study.id} {self.kind}").shuffle(queue)
        return queue

    def _before(self) -> set[tuple[str, int]]:
        rows = self._study.project.store.rows(
            "select distinct l.example_id, m.version_id from labels l join study_runs m on m.run_id"
            " = l.run_id and m.study_id = ? where l.rater = ? and split_part(l.kind, ':', 1) = ?",
            [self._study.id, self.rater, self.kind],
        )
        if self.kind == "pairwise":
            seen = {name for name, _ in rows}
            return {item for item in self._queue if item[0] in seen}
        new = self._examples.candidate.version
        return {(name, 0 if version == new else 1) for name, version in rows}

    def _skip(self) -> None:
        while self._at < len(self._queue) and self._queue[self._at] in self._done:
            self._at += 1


def labels_of(study: RecordedStudy) -> DataFrame:
    """One row a label of the study's runs, oldest first: example_id, rater, kind, label, value,
    note, run_id, labelled_at, id.

    value: 1 for the candidate of a pair or a pass, 0 for the baseline or a fail, 0.5 between.
    """
    return study.project.store.frame(_LABELS, [study.id])


def agreement(study: RecordedStudy, kind: str = "pairwise") -> RaterAgreement:
    """How far raters agree on what two or more of them labelled: equal answers, and Krippendorff's
    alpha beyond chance.
    """
    frame = labels_of(study)
    frame = frame[frame["kind"] == kind]
    latest = frame.drop_duplicates(["run_id", "rater"], keep="last")
    table = latest.pivot(index="rater", columns="run_id", values="value")
    shared = table.loc[:, table.notna().sum() > 1]
    ratings = [
        [None if value != value else float(value) for value in row]
        for row in shared.to_numpy().tolist()
    ]
    pairs = [
        x == y
        for column in zip(*ratings, strict=True)
        for x, y in _pairs([value for value in column if value is not None])
    ]
    alpha = (
        krippendorff_interval(ratings, metric="ordinal")
        if ratings and shared.shape[1]
        else Agreement(None, None, None, 0)
    )
    return RaterAgreement(
        tuple(table.index),
        len(latest),
        int(shared.shape[1]),
        sum(pairs) / len(pairs) if pairs else None,
        alpha,
    )


def import_labels(store: Store, path: str | Path, study: RecordedStudy | None = None) -> int:
    """Take in the labels that reviewers downloaded from reports (JSON lines); returns how many were
    new. study: the one they must be of.

    Raises StudyError, and takes in nothing, for a line that is not a label, or is of another study
    or of one that the store does not hold.
    """
    rows = list(_read(store, Path(path), study))
    known = {
        row[0]
        for row in store.rows(
            "select id from labels where id in (select unnest(?))", [[row["id"] for row in rows]]
        )
    }
    fresh = {row["id"]: row for row in rows if row["id"] not in known}
    store.append("labels", list(fresh.values()))
    return len(fresh)


def holds_labels(path: Path) -> bool:
    """Whether a file begins as one that a report downloads."""
    try:
        with path.open(encoding="utf-8") as file:
            head = json.loads(next((line for line in file if line.strip()), ""))
    except (OSError, ValueError):
        return False
    return isinstance(head, dict) and head.get("form") == _FORM


def _read(store: Store, path: Path, study: RecordedStudy | None) -> Iterator[dict[str, Any]]:
    answers: dict[str, Mapping[tuple[str, str], str]] = {}  # study -> its runs
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        where = f"{path.name}, line {number}"
        try:
            given = json.loads(line)
            form, of, example = given["form"], given["study"], str(given["example_id"])
            first, second, label, rater = (
                str(given["first"]),
                str(given["second"]),
                str(given["label"]),
                str(given["rater"]),
            )
        except (ValueError, TypeError, KeyError) as error:
            raise StudyError(
                f"{where} is not a label ({error}); expected a line of the file that a report"
                " downloads."
            ) from None
        if form != _FORM or (study is not None and of != study.id):
            raise StudyError(
                f"{where} is a label of another study ({str(of)[:20]}); lab.store.import_(path)"
                " takes labels of any."
            )
        if str(of) not in answers:
            answers[str(of)] = _answers(store, str(of), where)
        runs = answers[str(of)]
        if (
            (first, example) not in runs
            or (second, example) not in runs
            or label not in ANSWERS["pairwise"]
        ):
            raise StudyError(
                f"{where} labels {example!r} as {label!r}, which is not in"
                f" {study.name if study else of}; label in a report of this study, or import the"
                " file as it was."
            )
        id_ = (
            "l-"
            + tagged(
                "l1", [of, example, first, second, label, rater, str(given.get("labelled_at"))]
            )[3:]
        )
        kind, note = f"pairwise:{runs[second, example]}", str(given.get("note") or "")
        yield _row(
            id_,
            runs[first, example],
            example,
            rater,
            kind,
            label,
            note,
            _moment(given.get("labelled_at")),
        )


def _answers(store: Store, study: str, where: str) -> Mapping[tuple[str, str], str]:
    """(version, example) -> the run that a report of the study shows.

    Raises StudyError for a study that is not here.
    """
    rows = store.rows(
        "select version_id, example_id, any_value(run_id) from study_runs where study_id = ? and"
        " repeat = 0 group by 1, 2",
        [study],
    )
    if not rows:
        raise StudyError(
            f"{where} is a label of the study {study[:20]}, which this store does not hold; import"
            " that study's export first."
        )
    return {(version, example): run for version, example, run in rows}


def _row(
    id: str, run: str, example: str, rater: str, kind: str, label: str, note: str, at: str
) -> dict[str, Any]:
    value = ANSWERS[kind.partition(":")[0]][label]
    return {
        "id": id,
        "run_id": run,
        "example_id": example,
        "rater": rater,
        "kind": kind,
        "value": value,
        "label": label,
        "note": note,
        "labelled_at": at,
    }


def _append(study: RecordedStudy, rows: Sequence[Mapping[str, Any]]) -> None:
    study.project.store.append("labels", rows)


def _moment(given: Any) -> str:
    """A time as the store keeps it; now, where the file has none that reads."""
    from datetime import datetime

    try:
        return (
            datetime.fromisoformat(str(given))
            .replace(tzinfo=None)
            .isoformat(timespec="microseconds")
        )
    except ValueError:
        return utc()


def _pairs(values: Sequence[float]) -> Iterator[tuple[float, float]]:
    return ((x, y) for place, x in enumerate(values) for y in values[place + 1 :])
