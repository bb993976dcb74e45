"""Whether a judge may be believed: its verdicts beside the labels that people gave the same
answers.

Calibrated is read from the labels in the store every time it is shown, never from a note that
somebody once made: new labels, or a judge whose prompt, model or settings changed (another
version), change it at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..analysis.agreement import Kappa, cohen
from .queries.judge_verdicts import beside_labels

if TYPE_CHECKING:
    from ..store import Store

__all__ = [
    "ENOUGH",
    "MODERATE",
    "LabelledAnswers",
    "calibrated",
    "grade",
    "is_calibrated",
    "labelled",
]

ENOUGH = 30  # labelled answers
MODERATE = 0.4  # Cohen's kappa from which agreement is called moderate (Landis and Koch 1977)


@dataclass(frozen=True, slots=True)
class LabelledAnswers:
    """Answers that the judge and people both judged. judge, human: 0 to 1, in the order of runs."""

    runs: tuple[str, ...]
    judge: tuple[float, ...]
    human: tuple[float, ...]

    @property
    def n(self) -> int:
        return len(self.runs)


def labelled(
    store: Store, name: str, scorer_version: str, study: str | None = None
) -> LabelledAnswers:
    """The labels of people and of one version of a judge on the same answers, in one study or in
    all of them.
    """
    rows = beside_labels(store, name, scorer_version, study)
    return (
        LabelledAnswers(*(tuple(column) for column in zip(*rows, strict=True)))
        if rows
        else LabelledAnswers((), (), ())
    )


def grade(value: float) -> float:
    """A value from 0 to 1 as one of three answers, 0, 0.5 and 1: fail, partly, pass; the other, a
    tie, this one.
    """
    return 0.0 if value < 1 / 3 else 1.0 if value > 2 / 3 else 0.5


def is_calibrated(kappa: Kappa | None) -> bool:
    """At least 30 labelled answers, moderate agreement (kappa >= 0.4), and an interval that
    excludes chance (0).
    """
    if kappa is None or kappa.value is None or kappa.low is None:
        return False
    return bool(kappa.n >= ENOUGH and kappa.value >= MODERATE and kappa.low > 0)


def kappa_of(judge: Sequence[float], human: Sequence[float]) -> Kappa | None:
    """Cohen's kappa of a judge (rows of its table) and people (columns) in three answers; None
    without a common item.
    """
    return (
        cohen([grade(value) for value in judge], [grade(value) for value in human])
        if len(judge)
        else None
    )


def calibrated(store: Store, name: str, scorer_version: str) -> bool:
    """Whether this version of a judge was measured against people and agrees with them: see
    `is_calibrated`.
    """
    found = labelled(store, name, scorer_version)
    return found.n >= ENOUGH and is_calibrated(kappa_of(found.judge, found.human))
