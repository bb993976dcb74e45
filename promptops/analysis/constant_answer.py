"""Whether a version tells anything apart: its score beside the best constant answer's.

A version that gives one answer to nearly every example, or that is not shown to be above the best
constant answer, may beat a poor incumbent and still be worth nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ..policy import Policy
from . import e_values, paired_tests, words
from .arms import Arm, Outcomes
from .classes import (
    BALANCED,
    OTHER,
    GoldenLabels,
    applies,
    constant_scores,
    is_class_measure,
    labelled_scorer,
)
from .units import units_of

__all__ = [
    "Beside",
    "ConstantCheck",
    "beside_constant",
    "constant_checks",
    "first_constant_checks",
    "scorer_of",
]

ONE_ANSWER = 0.95  # share of the examples with one answer, from which a version tells nothing apart

ConstantCheck = tuple[Literal["pass", "fail", "unproven"], str, str]  # status, text, next
_WAYS_OUT = (
    "Name balanced_accuracy as the primary or a guardrail, or recall(label) as a guardrail, or give"
    " the policy the reason in accept_constant."
)


@dataclass(frozen=True, slots=True)
class Beside:
    """An arm beside the best constant answer on n examples. answer and share: the commonest answer
    of the arm and how often it gives it; constant, constant_score: the best constant answer and the
    share that it is right on; above, below: one-sided exact p of the arm against it; e_value:
    evidence that the arm is above it; labels: distinct golden labels.
    """

    label: str
    n: int
    score: float
    answer: str
    share: float
    constant: str
    constant_score: float
    above: float
    below: float
    e_value: float
    labels: int

    def shown_above(self, alpha: float, *, peeking: bool = False) -> bool:
        """Whether the arm is shown to be better than always giving the constant."""
        return self.e_value >= 1 / alpha if peeking else self.above <= alpha

    def statement(self) -> str:
        """Both figures in one sentence."""
        return (
            f"{self.label} is right on {words.percent(self.score)}; always answering"
            f" {self.constant!r} is right on {words.percent(self.constant_score)} of"
            f" {words.count(self.n, 'example')}"
        )


def beside_constant(
    arm: Arm, name: str, labels: GoldenLabels | None, clusters: Mapping[str, str] | None
) -> Beside | None:
    """An arm beside the best constant answer; None if its scorer matches no label of few."""
    outcomes: Outcomes = arm.scores[name]
    kept = applies(outcomes, arm.answers, labels)
    if labels is None or not kept:
        return None
    examples = [outcomes.examples[i] for i in kept]
    constant, scores = constant_scores(examples, labels)
    d = outcomes.mean[kept] - scores
    units, largest = units_of(d, _labels(examples, clusters))
    test = paired_tests.sign_flip(units)
    answer, given = Counter(arm.answers[example] for example in examples).most_common(1)[0]
    return Beside(
        arm.label,
        len(examples),
        float(outcomes.mean[kept].mean()),
        "" if answer == OTHER else labels.name(answer),
        0.0 if answer == OTHER else given / len(examples),
        labels.name(constant),
        float(scores.mean()),
        test.p_greater,
        test.p_less,
        e_values.e_value(units / largest),
        len({label for example in examples for label in labels.golden[example]}),
    )


def constant_checks(
    beside: Beside | None, policy: Policy, *, peeking: bool = False
) -> list[ConstantCheck]:
    """What the policy makes of a candidate beside the best constant answer.

    One answer to nearly every example fails under every goal; under `better`, a candidate that is
    not shown above the constant is unproven, unless a class measure guards it or the policy accepts
    it with a reason.
    """
    if beside is None:
        return []
    shown = beside.shown_above(policy.alpha, peeking=peeking)
    if (failed := _one_answer(beside, shown)) is not None:
        return [failed]
    if policy.goal != "better" or shown or policy.primary == BALANCED:
        return []
    if policy.accept_constant:
        return [("pass", f"{beside.statement()}; accepted: {policy.accept_constant}.", "")]
    if any(is_class_measure(rail.metric) for rail in policy.guardrails):
        return [("pass", f"{beside.statement()}; guarded by class.", "")]
    text = f"Not shown above the best constant answer: {beside.statement()}."
    return [("unproven", text, _WAYS_OUT)]


def first_constant_checks(beside: Beside | None, policy: Policy) -> list[ConstantCheck]:
    """The same for a first deployment, which fails if it is significantly below the constant."""
    if beside is None:
        return []
    if (failed := _one_answer(beside, beside.shown_above(policy.alpha))) is not None:
        return [failed]
    if beside.below <= policy.alpha and not policy.accept_constant:
        text = f"It is below the best constant answer: {beside.statement()}."
        return [("fail", text, f"Improve {beside.label}. {_WAYS_OUT}")]
    return []


def scorer_of(name: str, arms: Sequence[Arm], labels: GoldenLabels | None) -> str | None:
    """The scorer that a primary rests on: itself, or the one whose classes it measures."""
    if name in arms[0].scores:
        return name
    return labelled_scorer(arms, labels) if is_class_measure(name) else None


def _one_answer(beside: Beside, shown: bool) -> ConstantCheck | None:
    if beside.share < ONE_ANSWER or shown or beside.labels < 2:
        return None
    given = round(beside.share * beside.n)
    text = (
        f"{beside.label} gives the answer {beside.answer!r} to {given:,} of"
        f" {words.count(beside.n, 'example')}, whose golden answers have {beside.labels} values:"
        f" it tells nothing apart ({beside.statement()})."
    )
    return "fail", text, "Compare versions that tell the labels apart."


def _labels(examples: Sequence[str], clusters: Mapping[str, str] | None) -> list[str] | None:
    if not clusters:
        return None
    found = [clusters.get(example, f"example {example}") for example in examples]
    return found if len(set(found)) < len(found) else None
