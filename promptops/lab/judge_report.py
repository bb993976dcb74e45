"""A judge as a measured instrument: how it varies, whether it agrees with people, what sways it,
what its bias costs.

Every figure is computed from recorded verdicts and recorded labels; what cannot be known from them
is None, and the report says what is missing. Only the planted injections ask the judge anything,
and those calls are runs like all others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..analysis.agreement import Agreement, Kappa
from ..analysis.correction import Corrected
from ..canonical import tagged
from ..errors import StudyError
from ..markup import count, plain_repr
from ..run import utc
from ..signatures import explained, explained_methods
from ..study.calibration import ENOUGH, MODERATE, LabelledAnswers, is_calibrated
from ..study.injections import Planted
from ..study.judge_bias import Length, Position
from ..study.queries.label_answers import examples_by_run, last_given
from . import show

if TYPE_CHECKING:
    from pandas import DataFrame

    from .study import Study

__all__ = ["JudgeReport", "SelfPreference", "Variance", "keep_labels"]

_KIND = "score"  # of labels that come as a frame


@dataclass(frozen=True, slots=True)
class Variance:
    """The variance components of one example's scores, by the method of moments on a nested design
    (Searle 1971).

    judge: between samples of one answer; generation: between answers of one version to one example,
    in addition to the judge's; None if there was only one sample or only one answer. samples,
    repeats: the maximum numbers of them.
    """

    judge: float | None
    generation: float | None
    samples: int
    repeats: int

    @property
    def share_judge(self) -> float | None:
        """The judge's share of the variance; None if a component is unknown or nothing varies."""
        if self.judge is None or self.generation is None or not self.judge + self.generation:
            return None
        return self.judge / (self.judge + self.generation)


@dataclass(frozen=True, slots=True)
class SelfPreference:
    """A judge's preference for its own model. value: the mean error (judge - people) on answers of
    that model minus that on other models' answers, with Welch's 95 % interval.
    """

    value: float | None
    low: float | None
    high: float | None
    own: int
    others: int


@explained_methods
@dataclass(frozen=True, slots=True)
class JudgeReport:
    """The measured quality of one judge on one study. name, version: its scorer's; scored,
    unscored: numbers of answers; calls, cost_usd: of all judges with this prompt, without
    generation (None if unknown); kappa's rows are the judge's answers, its columns people's.
    """

    name: str
    version: str
    scored: int
    unscored: int
    labels: LabelledAnswers
    kappa: Kappa | None
    alpha: Agreement | None
    variance: Variance
    position: Position | None
    length: Length | None
    own: SelfPreference | None
    planted: Planted | None
    corrected: Corrected | None
    difference: float | None
    calls: int | None
    cost_usd: float | None
    arms: tuple[str, str] | None = None

    @property
    def calibrated(self) -> bool:
        """Whether it has at least 30 labelled answers, a kappa of 0.4 or more and an interval above
        chance.
        """
        return is_calibrated(self.kappa)

    @property
    def verdict(self) -> str:
        """Whether the judge can be trusted, in one sentence."""
        if self.kappa is None or self.labels.n < ENOUGH:
            return (
                f"Uncalibrated: people labelled {self.labels.n} of its answers; {ENOUGH} are"
                " needed. It cannot promote alone."
            )
        text = (
            f"kappa {self.kappa.value:.2f}"
            if self.kappa.value is not None
            else "no kappa, since one answer was given throughout"
        )
        if not self.calibrated:
            return (
                f"Uncalibrated: {text} on {count(self.labels.n, 'label')} is too little"
                f" agreement with people ({MODERATE} is needed). It cannot promote alone."
            )
        return f"Calibrated: {text} on {count(self.labels.n, 'label')}."

    def table(self) -> DataFrame:
        """A table with one row per figure: figure, value, low, high, n, says."""
        import pandas as pd

        return pd.DataFrame(
            show.judge_rows(self), columns=["figure", "value", "low", "high", "n", "says"]
        )

    @plain_repr
    def __repr__(self) -> str:
        return f"<judge {self.name}: {self.verdict}>"

    def _repr_html_(self) -> str:
        return show.html(self)


@explained
def keep_labels(study: Study, labels: DataFrame, rater: str) -> int:
    """Store human labels of a study's answers; returns how many were new.

    Storing the same frame again adds nothing. A label that differs from what the rater's last frame
    gave the answer takes its place.

    Args:
        study: the study whose answers were labelled.
        labels: a frame with run_id, value (0 to 1) and an optional note.
        rater: the person who labelled them.

    Raises:
        StudyError: if a column or the rater's name is missing, a run is not in the study, or a
            value is invalid; nothing is then stored.
    """
    rater = rater.strip()
    missing = [name for name in ("run_id", "value") if name not in labels.columns]
    if missing or not rater:
        raise StudyError(
            f"the labels have no column {missing[0]!r}; expected run_id (the column id of"
            " study.runs()) and value, from 0 to 1."
            if missing
            else "a label needs the name of who gave it; pass a rater."
        )
    store = study.recorded.project.store
    known = examples_by_run(store, study.id)
    last = last_given(store, study.id, rater, _KIND)
    fresh: dict[str, dict[str, object]] = {}  # by run: the frame's last label of an answer counts
    for given in labels.to_dict("records"):
        run, value = str(given.get("run_id")), given.get("value")
        if run not in known or isinstance(value, str) or value is None or not 0 <= value <= 1:
            raise StudyError(
                f"the label {value!r} of run {run!r} is not among {study.name}; expected run_id, an"
                " id of study.runs(), and a value from 0 to 1."
            )
        before, given_before = last.get(run, ("", None))
        fresh.pop(run, None)
        if value != given_before:
            named = [study.id, run, rater, float(value), *([before] if before else [])]
            fresh[run] = {
                "id": "l-" + tagged("l1", named)[3:],
                "run_id": run,
                "example_id": known[run],
                "rater": rater,
                "kind": _KIND,
                "value": float(value),
                "note": str(given.get("note") or ""),
                "labelled_at": utc(),
            }
    store.append("labels", list(fresh.values()))
    return len(fresh)
