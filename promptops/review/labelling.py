"""People's labels: blind and in an order of chance, kept as rows of the store, read from files, and
compared with each other.

A label is never changed: a rater who thinks again adds a row, and the latest counts. The same file
read twice adds nothing.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..analysis.agreement import Agreement, krippendorff_interval
from ..errors import StudyError
from ..run import new_id, utc
from ..study.examples import Filter, StudyExamples
from ..study.queries.label_answers import labelled_places, labels_frame, values_given
from .label_files import ANSWERS, Label, label_row

if TYPE_CHECKING:
    from pandas import DataFrame

    from ..study.recorded_study import RecordedStudy

__all__ = ["ANSWERS", "Labelling", "RaterAgreement", "LabellingTask", "agreement", "labels_of"]

_AHEAD = 40  # tasks that are read at once, so that a label waits for nothing but its own row


@dataclass(frozen=True, slots=True)
class LabellingTask:
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
    same, or None.
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
        examples: StudyExamples | None = None,
    ) -> None:
        if kind not in ANSWERS:
            raise StudyError(
                f"labels of the kind {kind!r} are not known; choose one of {', '.join(ANSWERS)}."
            )
        if not rater.strip():
            raise StudyError("a label needs the name of who gave it; pass a rater.")
        self._study, self.rater, self.kind = study, rater.strip(), kind
        self._examples = examples or StudyExamples(study)
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
    def task(self) -> LabellingTask | None:
        """What is to be labelled next; None if all is done."""
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
        return LabellingTask(
            example_id,
            dict(example.inputs) if example else {},
            example.expected if example else None,
            tuple(output for _, output in sides),
            tuple(run for run, _ in sides),
            swapped,
        )

    def answer(self, label: str, note: str = "") -> LabellingTask | None:
        """Record a label of the task and go on; returns the next task.

        label: of a pair what is *shown*, "first" (left), "tie" or "second" (right); of one output
            "pass", "partly" or "fail".
        """
        task = self.task
        if task is None:
            raise StudyError(
                "every item of this queue is labelled; choose other examples or another study."
            )
        if label not in ANSWERS[self.kind]:
            raise StudyError(
                f"{label!r} is not an answer here; the answers are {', '.join(ANSWERS[self.kind])}."
            )
        if task.swapped:
            label = {"first": "second", "second": "first"}.get(label, label)
        runs = task.runs[::-1] if task.swapped else task.runs
        kind = f"pairwise:{runs[1]}" if self.kind == "pairwise" else self.kind
        given = Label(runs[0], task.example_id, self.rater, kind, label, note)
        _append(self._study, [label_row(new_id("l"), given, utc())])
        self._given.append((self._at, self._queue[self._at]))
        self._done.add(self._queue[self._at])
        return self.skip()

    def skip(self) -> LabellingTask | None:
        """Leave the task for later; returns the next one."""
        self._at += 1
        self._skip()
        return self.task

    def back(self) -> LabellingTask | None:
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
        rows = labelled_places(self._study.project.store, self._study.id, self.rater, self.kind)
        if self.kind == "pairwise":
            arms = (self._examples.candidate, self._examples.baseline)
            shown = {arm.version for arm in arms if arm is not None}
            seen = {name for name, *pair in rows if set(pair) == shown}
            return {item for item in self._queue if item[0] in seen}
        new = self._examples.candidate.version
        return {(name, 0 if version == new else 1) for name, version, _ in rows}

    def _skip(self) -> None:
        while self._at < len(self._queue) and self._queue[self._at] in self._done:
            self._at += 1


def labels_of(study: RecordedStudy) -> DataFrame:
    """One row a label of the study's runs, oldest first: example_id, rater, kind, label, value,
    note, run_id, labelled_at, id.

    value: 1 for the candidate of a pair or a pass, 0 for the baseline or a fail, 0.5 between.
    """
    return labels_frame(study.project.store, study.id)


def agreement(study: RecordedStudy, kind: str = "pairwise") -> RaterAgreement:
    """How far raters agree on what two or more of them labelled: equal answers, and Krippendorff's
    alpha beyond chance.
    """
    latest: dict[tuple[str, str], dict[str, float]] = {}  # one answer, or two -> rater -> value
    for rater, run, other, value in values_given(study.project.store, study.id, kind):
        swapped = (other, run) in latest  # the same pair, the other way round
        item = (other, run) if swapped else (run, other)
        latest.setdefault(item, {})[rater] = 1 - value if swapped else value
    raters = sorted({rater for given in latest.values() for rater in given})
    shared = [given for _, given in sorted(latest.items()) if len(given) > 1]
    ratings = [[given.get(rater) for given in shared] for rater in raters]
    pairs = [
        x == y
        for column in zip(*ratings, strict=True)
        for x, y in _pairs([value for value in column if value is not None])
    ]
    alpha = (
        krippendorff_interval(ratings, metric="ordinal")
        if shared
        else Agreement(None, None, None, 0)
    )
    return RaterAgreement(
        tuple(raters),
        sum(map(len, latest.values())),
        len(shared),
        sum(pairs) / len(pairs) if pairs else None,
        alpha,
    )


def _append(study: RecordedStudy, rows: Sequence[Mapping[str, object]]) -> None:
    study.project.store.append("labels", rows)


def _pairs(values: Sequence[float]) -> Iterator[tuple[float, float]]:
    return ((x, y) for place, x in enumerate(values) for y in values[place + 1 :])
