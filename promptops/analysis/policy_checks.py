"""The single demands of a policy, each compared with the facts: pass, fail (shown to be broken) or
unproven, in words, with what to do next.

A guardrail passes where its lower bound is above -margin, fails where it is significantly worse and
not shown inside the margin, and is unproven otherwise: few data never pass it. While peeking
(before all planned examples are in) only bounds that hold at every look count.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ..errors import StudyError
from ..policy import Guardrail, Policy
from ..policy_rules import (
    Status,
    judge_may_decide,
    least_examples,
    must_pass_status,
    uncalibrated_judge,
)
from . import paired_tests, power, words
from .arms import MEASURES, Arm, Outcomes
from .classes import GoldenLabels
from .compare import Comparison
from .constant_answer import (
    beside_constant,
    constant_checks,
    first_constant_checks,
    scorer_of,
)
from .facts import Difference
from .slices import within

__all__ = [
    "Check",
    "Rule",
    "cheaper",
    "complete",
    "constant",
    "failed_texts",
    "first_constant",
    "first_must_pass",
    "guard",
    "judged",
    "main",
    "must_pass",
    "primary",
    "scorer_of",
]

MISSING_LIMIT = 0.02  # share of pairs that may lack a score before the data count as incomplete
Clusters = Mapping[str, str] | None
_JUST = 1e-9  # 2 of 100 is not above 2 %, whatever the last bit says
_AGAIN = "Run the cell again: only what is missing is asked."
_PRICED = (
    "Give the models' prices to Lab(prices={...}) and evaluate with fresh=True (a target of yours"
    " states its cost in its Reply)"
)


@dataclass(frozen=True, slots=True)
class Check:
    """One demand of the policy. status: "pass", "fail" (shown to be broken) or "unproven"."""

    name: str
    status: Status
    text: str
    next: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """How a decision was asked for, beside the policy.

    p_better: the primary's p adjusted (Holm) for several finalists, None for one; peeking: before
    all planned examples were in, so that only the e-value may promote; share: the part of alpha
    that this finalist's primary may use (1/m, Holm's step);
    passed_over: all held, and another finalist was preferred; needs_e: the e-value that a promotion
    needs after what was tried before, None where the fixed test is in force.
    """

    p_better: float | None = None
    peeking: bool = False
    share: float = 1.0
    passed_over: bool = False
    needs_e: float | None = None

    def wanted_e(self, alpha: float) -> float | None:
        """The e-value that promotes; None where the fixed test does."""
        early = 1 / (alpha * self.share) if self.peeking else 0.0
        return max(early, self.needs_e or 0.0) or None


def main(comparison: Comparison, policy: Policy) -> Difference:
    """The measure that decides under the policy."""
    return comparison[policy.primary] if policy.primary else comparison.primary


def must_pass(comparison: Comparison, policy: Policy) -> list[Check]:
    """Examples that the candidate may not fail where the baseline passes them in all repeats:
    before any statistics.
    """
    if not policy.must_pass:
        return []
    pairs = comparison.pairs(policy.primary)
    found = dict(
        zip(pairs.examples, zip(pairs.candidate, pairs.baseline, strict=True), strict=True)
    )
    checks = []
    for example in policy.must_pass:
        own, before = found.get(example, (None, None))
        status = must_pass_status(own, before, first=False)
        if status == "unproven":
            text = f"The must-pass example {example!r} has no scored pair."
            checks.append(
                Check("must_pass", "unproven", text, f"Evaluate both versions on {example!r}.")
            )
        elif status == "fail":
            text = (
                f"{comparison.candidate.label} fails the must-pass example {example!r}, which"
                f" {comparison.baseline.label} passes."
            )
            checks.append(Check("must_pass", "fail", text, f"Fix {example!r} first."))
    return checks or [
        Check("must_pass", "pass", f"All {len(policy.must_pass)} must-pass examples hold.")
    ]


def first_must_pass(label: str, outcomes: Outcomes, policy: Policy) -> Iterator[Check]:
    """The same for a first deployment, which has to pass them all."""
    known = dict(zip(outcomes.examples, outcomes.mean, strict=True))
    for example in policy.must_pass:
        status = must_pass_status(known.get(example), None, first=True)
        if status == "unproven":
            text = f"The must-pass example {example!r} has no score."
            yield Check("must_pass", "unproven", text, f"Evaluate {label} on {example!r}.")
        elif status == "fail":
            yield Check(
                "must_pass",
                "fail",
                f"{label} does not pass the must-pass example {example!r}.",
                f"Fix {example!r} first.",
            )


def complete(comparison: Comparison, policy: Policy, rule: Rule) -> list[Check]:
    """Above 2 % missing pairs, or where calls failed unequally (Fisher p < .05), nothing is
    concluded. While peeking, of those asked so far.
    """
    figures = main(comparison, policy)
    planned, shared = (
        None if rule.peeking else comparison.grounds.planned,
        figures.n + figures.unscored,
    )
    missing = 1 - figures.n / max(planned, shared) if planned else figures.missing
    lost_b, asked_b, lost_a, asked_a = figures.failed
    unequal = (
        paired_tests.fisher_failures(lost_b, asked_b, lost_a, asked_a)
        if asked_b and asked_a and lost_b + lost_a
        else 1.0
    )
    checks = []
    if missing > MISSING_LIMIT + _JUST:
        text = (
            f"Incomplete: {words.percent(missing)} of the pairs have no score, the limit is"
            f" {words.percent(MISSING_LIMIT, 0)}."
        )
        checks.append(Check("complete", "unproven", text, _AGAIN))
    elif unequal < 0.05:
        text = (
            f"Incomplete: calls failed unequally ({lost_b} of {asked_b} against {lost_a} of"
            f" {asked_a}, Fisher p = {words.number(unequal, 2)})."
        )
        checks.append(Check("complete", "unproven", text, _AGAIN))
    least = least_examples(policy)
    if figures.n < least:
        text = f"{words.count(figures.n, 'pair')}, the policy asks for {least}."
        more = f"Add {words.count(least - figures.n, 'example')}."
        checks.append(Check("n", "unproven", text, more))
    return checks


def constant(comparison: Comparison, policy: Policy, rule: Rule) -> list[Check]:
    """The candidate beside the best that one constant answer reaches."""
    candidate, grounds = comparison.candidate, comparison.grounds
    name = scorer_of(
        policy.primary or comparison.primary_name,
        (candidate, comparison.baseline),
        grounds.labels,
    )
    if name is None:
        return []
    beside = beside_constant(candidate, name, grounds.labels, grounds.clusters)
    found = constant_checks(beside, policy, peeking=rule.peeking)
    return [Check("constant", *check) for check in found]


def first_constant(
    arm: Arm, name: str, policy: Policy, labels: GoldenLabels | None, clusters: Clusters
) -> list[Check]:
    """The same for a first deployment."""
    beside = beside_constant(arm, name, labels, clusters)
    return [Check("constant", *check) for check in first_constant_checks(beside, policy)]


def primary(comparison: Comparison, policy: Policy, rule: Rule) -> Check:
    """The primary under the policy's goal."""
    figures = main(comparison, policy)
    if not figures.n:
        return Check(
            figures.name,
            "unproven",
            "No example is scored in both arms.",
            "Evaluate both versions on the same examples.",
        )
    wanted = rule.wanted_e(policy.alpha)
    if policy.goal != "better":
        margin = words.points(policy.margin).lstrip("+")
        return _held(
            comparison,
            figures,
            policy.margin,
            policy.alpha * rule.share if wanted is None else 1 / wanted,
            f"primary {figures.name}",
            margin,
            wanted is not None,
        )
    statement = comparison.statement(figures.name)
    if wanted is not None:
        settled = (figures.e_value or 0.0) >= wanted
        worse = (comparison.e_worse(figures.name) or 0.0) >= 1 / policy.alpha
        worse = worse or (not rule.peeking and figures.p_worse <= policy.alpha)
    else:
        settled = (
            figures.p_better <= policy.alpha * rule.share
            if rule.p_better is None
            else rule.p_better <= policy.alpha
        )
        worse = figures.p_worse <= policy.alpha
    if settled and figures.gain >= policy.min_effect - 1e-12:
        return Check(figures.name, "pass", statement)
    if worse:
        return Check(
            figures.name, "fail", f"It is worse: {statement}", "Look at the lost examples first."
        )
    if settled:
        text = f"{statement} That is below the least effect of {words.points(policy.min_effect)}."
        return Check(
            figures.name, "unproven", text, "Find a larger gain, or lower min_effect by review."
        )
    if rule.needs_e is not None and not rule.peeking:
        in_force = comparison.grounds.tried.statement(policy.alpha, figures.n, figures.n_needed)
        if comparison.grounds.looked:
            least = words.number(rule.needs_e)
            in_force = f"It was looked at after every batch, so that E of {least} is needed."
        text = f"Not settled: {statement} E = {words.number(figures.e_value)}. {in_force}"
        return Check(
            figures.name,
            "unproven",
            text,
            "Evaluate on rows that no earlier study asked: the fixed test holds there.",
        )
    if rule.peeking:
        text = (
            f"Not settled early: {statement} E = {words.number(figures.e_value)},"
            f" {words.number(wanted)} is needed."
        )
        return Check(figures.name, "unproven", text, "Go on to the planned number of examples.")
    return Check(
        figures.name,
        "unproven",
        f"Not settled: {statement} {_could_see(figures)}".strip(),
        _next_n(figures, policy.alpha),
    )


def cheaper(comparison: Comparison, policy: Policy, rule: Rule) -> Check:
    """Cost by the exact test; a look before the end settles nothing, since cost has no 0-1 scale
    for an e-value.
    """
    try:
        cost = comparison["cost"]
    except StudyError:
        text = "The goal is cheaper, but the cost of the runs is unknown."
        return Check("cost", "unproven", text, f"{_PRICED}.")
    text = comparison.statement("cost")
    if cost.missing > MISSING_LIMIT + _JUST:
        return _incomplete(cost)
    alpha = policy.alpha * rule.share if rule.needs_e is None else 1 / rule.needs_e
    if cost.p_better <= alpha and not rule.peeking:
        return Check("cost", "pass", text)
    status: Status = "fail" if cost.p_worse <= policy.alpha and not rule.peeking else "unproven"
    return Check(
        "cost", status, f"Not shown to be cheaper: {text}", "More examples, or a shorter prompt."
    )


def guard(
    comparison: Comparison, rail: Guardrail, alpha: float = 0.05, *, peeking: bool = False
) -> Check:
    """Non-inferiority of one measure at its margin, of a tag's examples where it names one."""
    if rail.tag is not None:
        return _guard_within(comparison, rail, alpha, peeking)
    try:
        figures = comparison[rail.metric]
    except StudyError:
        return _unmeasured(comparison, rail.metric)
    if figures.missing > MISSING_LIMIT + _JUST:
        return _incomplete(figures)
    relative = rail.metric in MEASURES
    margin = rail.margin * figures.baseline if relative else rail.margin
    shown_margin = (
        f"{words.percent(rail.margin, 0)} of the baseline"
        if relative
        else words.points(rail.margin).lstrip("+")
    )
    return _held(
        comparison, figures, margin, alpha, f"guardrail {figures.name}", shown_margin, peeking
    )


def _guard_within(comparison: Comparison, rail: Guardrail, alpha: float, peeking: bool) -> Check:
    name = f"{rail.metric} in {rail.tag}"
    try:
        part = within(comparison, str(rail.tag))
    except StudyError as error:
        text = f"The guardrail {name} was not measured: {error}"
        return Check(name, "unproven", text, "Name a tag of the dataset in the policy.")
    found = guard(part, replace(rail, tag=None), alpha, peeking=peeking)
    return replace(found, name=name, text=f"{rail.tag}: {found.text}")


def judged(name: str, kind: str, calibrated: bool | None, policy: Policy) -> list[Check]:
    """An uncalibrated judge decides alone only where the policy says so."""
    if judge_may_decide(kind, calibrated, policy):
        return []
    return [Check("judge", "unproven", *uncalibrated_judge(name))]


def _unmeasured(comparison: Comparison, name: str) -> Check:
    """Of a guardrail that this comparison has no figures for: a name that is not a measure of it,
    or a cost that nobody knows.
    """
    known = ", ".join(figures.name for figures in comparison.differences)
    if name not in MEASURES:
        text = f"The guardrail {name} was not measured; this comparison has {known}."
        return Check(
            name,
            "unproven",
            text,
            "Name one of these in the policy, or evaluate both versions with a scorer called"
            f" {name}.",
        )
    text = (
        f"The guardrail {name} cannot be held, since the {name} of the runs is unknown; known are"
        f" {known}."
    )
    mend = _PRICED if name == "cost" else f"Evaluate with a model that reports its {name}"
    return Check(name, "unproven", text, f"{mend}, or take the guardrail out of the policy.")


def _incomplete(figures: Difference) -> Check:
    text = (
        f"Incomplete: {figures.name} is unknown for {words.percent(figures.missing)} of the pairs,"
        f" the limit is {words.percent(MISSING_LIMIT, 0)}."
    )
    return Check(figures.name, "unproven", text, _AGAIN)


def _held(
    comparison: Comparison,
    figures: Difference,
    margin: float,
    alpha: float,
    role: str,
    shown_margin: str,
    peeking: bool,
) -> Check:
    bound = comparison.bound(figures.name, alpha, anytime=peeking)
    worse = (
        ((comparison.e_worse(figures.name) or 0.0) >= 1 / alpha)
        if peeking
        else figures.p_worse <= alpha
    )
    shown = f"{role}: {_at_worst(figures, bound, alpha)}, the margin is {shown_margin}"
    equal = (
        figures.lower_is_better and figures.interval_method == "constant"
    )  # both free, say: no worse, whatever the margin
    if bound is not None and (bound > -margin or (equal and bound >= -margin)):
        return Check(
            figures.name,
            "pass",
            f"{shown}{'; yet it is significantly worse inside the margin' if worse else ''}.",
        )
    if worse:
        text = f"{shown}, and it is significantly worse ({words.p_value(figures.p_worse)})."
        return Check(figures.name, "fail", text, "Mend what got worse before promoting.")
    text = f"{shown}: {words.count(figures.n, 'example')} cannot show that it holds."
    return Check(figures.name, "unproven", text, _next_margin(figures, margin, alpha))


def _at_worst(figures: Difference, bound: float | None, alpha: float) -> str:
    if bound is None:
        return "no bound can be given"
    level = f"(one-sided {100 * (1 - alpha):.3g} %)"
    if not figures.lower_is_better:
        return f"at worst {words.points(bound)} {level}"
    if not figures.baseline:
        return f"at worst {words.number(-bound)} {figures.unit} more {level}"
    return f"at worst {words.signed(-100 * bound / figures.baseline)} % {figures.name} {level}"


def _next_margin(figures: Difference, margin: float, alpha: float) -> str:
    """How many more examples would show it, at the change seen where that is a loss."""
    loss = max(-figures.gain, 0.0) if figures.n else 0.0
    if not margin > loss:
        return (
            f"No number of examples like these would show {figures.name} inside the margin: mend"
            " what got worse."
        )
    need = max(_n_for_margin(figures, margin, margin - loss, alpha) - figures.n, 1)
    return (
        f"{words.count(need, 'more example')} would settle {figures.name} if nothing gets worse"
        " than it is."
    )


def _n_for_margin(figures: Difference, margin: float, room: float, alpha: float) -> int:
    """Examples for 80 % power; at least what a guardrail needs where nothing changes, on the 0-1
    scale.
    """
    floor = power.n_guard(margin, alpha=alpha) if not figures.lower_is_better and margin < 1 else 2
    if not figures.sd:
        return floor
    units = figures.clusters or figures.n
    size = figures.n / units
    return max(floor, math.ceil(1.15 * power.n_normal(figures.sd, room * size, alpha=alpha) * size))


def _could_see(figures: Difference) -> str:
    return (
        f"This n finds a gain of {words.points(figures.mde)} four times in five."
        if figures.mde is not None
        else ""
    )


def _next_n(figures: Difference, alpha: float) -> str:
    least = power.least_disagreements(alpha)
    changed = figures.wins + figures.losses
    if changed < least and figures.n_needed is None:
        return (
            f"Only {words.count(changed, 'example')} differ{'s' if changed == 1 else ''}; at least"
            f" {least}, all in favour, can ever settle it: add examples where the versions differ."
        )
    if figures.n_needed is None and figures.gain > 0:
        return "The lead is too small for any number of examples to settle it."
    if figures.n_needed is None:
        return "The lead is not in its favour: no number of examples like these would promote it."
    more = max(figures.n_needed - figures.n, 1)
    return (
        f"{words.count(more, 'more example')} would settle it at this effect (80 % power,"
        f" {figures.n_needed:,} in all)."
    )


def failed_texts(checks: Sequence[Check]) -> tuple[str, ...]:
    """The sentences of every check that did not pass."""
    return tuple(check.text for check in checks if check.status != "pass")
