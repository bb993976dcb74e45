"""The single demands of a policy, each compared with the facts: pass, fail (shown to be broken) or
unproven, in words, with what to do next.

A guardrail passes where its lower bound is above -margin, fails if it is significantly worse and
not shown inside the margin, and is unproven otherwise: too little data never passes. While peeking
(before all planned examples are in) only bounds that hold at every look count.
"""

from __future__ import annotations

from dataclasses import replace

from ..errors import StudyError
from ..policy import Guardrail, Policy
from ..policy_rules import (
    Status,
    judge_may_decide,
    uncalibrated_judge,
)
from . import words
from .arms import MEASURES
from .check import JUST, MISSING_LIMIT, Check, DecisionRule, incomplete, level_again, main
from .compare import ComparisonFacts
from .constant_answer import scorer_of
from .facts import Difference
from .next_n import could_see, next_margin, next_n
from .slices import within

__all__ = ["Check", "DecisionRule", "cheaper", "guard", "judged", "main", "primary", "scorer_of"]

_PRICED = (
    "Give the models' prices to Lab(prices={...}) and evaluate with fresh=True (a target of yours"
    " states its cost in its Reply)"
)


def primary(comparison: ComparisonFacts, policy: Policy, rule: DecisionRule) -> Check:
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
    return _unsettled(comparison, policy, rule)


def _unsettled(comparison: ComparisonFacts, policy: Policy, rule: DecisionRule) -> Check:
    """A primary that neither passes nor fails, with what would settle it."""
    figures = main(comparison, policy)
    statement, wanted = comparison.statement(figures.name), rule.wanted_e(policy.alpha)
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
        f"Not settled: {statement} {could_see(figures)}".strip(),
        next_n(figures, policy.alpha),
    )


def cheaper(comparison: ComparisonFacts, policy: Policy, rule: DecisionRule) -> Check:
    """Cost by the exact test; a look before the end settles nothing, since cost has no 0-1 scale
    for an e-value.
    """
    try:
        cost = comparison["cost"]
    except StudyError:
        text = "The goal is cheaper, but the cost of the runs is unknown."
        return Check("cost", "unproven", text, f"{_PRICED}.")
    text = comparison.statement("cost")
    if cost.missing > MISSING_LIMIT + JUST:
        return incomplete(comparison, cost)
    alpha = policy.alpha * rule.share if rule.needs_e is None else 1 / rule.needs_e
    alpha = level_again(comparison, alpha)
    if cost.p_better <= alpha and not rule.peeking:
        return Check("cost", "pass", text)
    status: Status = "fail" if cost.p_worse <= policy.alpha and not rule.peeking else "unproven"
    return Check(
        "cost", status, f"Not shown to be cheaper: {text}", "More examples, or a shorter prompt."
    )


def guard(
    comparison: ComparisonFacts, rail: Guardrail, alpha: float = 0.05, *, peeking: bool = False
) -> Check:
    """Non-inferiority of one measure at its margin, of a tag's examples where it names one."""
    if rail.tag is not None:
        return _guard_within(comparison, rail, alpha, peeking)
    try:
        figures = comparison[rail.metric]
    except StudyError:
        return _unmeasured(comparison, rail.metric)
    if figures.missing > MISSING_LIMIT + JUST:
        return incomplete(comparison, figures)
    relative = rail.metric in MEASURES
    margin = rail.margin * figures.baseline if relative else rail.margin
    shown_margin = (
        f"{words.percent(rail.margin, 0)} of the baseline"
        if relative
        else words.points(rail.margin).lstrip("+")
    )
    level, role = level_again(comparison, alpha), f"guardrail {figures.name}"
    return _held(comparison, figures, margin, level, role, shown_margin, peeking)


def _guard_within(
    comparison: ComparisonFacts, rail: Guardrail, alpha: float, peeking: bool
) -> Check:
    name = f"{rail.metric} in {rail.tag}"
    try:
        part = within(comparison, str(rail.tag))
    except StudyError as error:
        text = f"The guardrail {name} was not measured: {error}"
        return Check(name, "unproven", text, "Name a tag of the dataset in the policy.")
    found = guard(part, replace(rail, tag=None), alpha, peeking=peeking)
    return replace(found, name=name, text=f"{rail.tag}: {found.text}")


def judged(name: str, kind: str, calibrated: bool | None, policy: Policy) -> list[Check]:
    """An uncalibrated judge decides alone only if the policy says so."""
    if judge_may_decide(kind, calibrated, policy):
        return []
    return [Check("judge", "unproven", *uncalibrated_judge(name))]


def _unmeasured(comparison: ComparisonFacts, name: str) -> Check:
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
    fix = _PRICED if name == "cost" else f"Evaluate with a model that reports its {name}"
    return Check(name, "unproven", text, f"{fix}, or take the guardrail out of the policy.")


def _held(
    comparison: ComparisonFacts,
    figures: Difference,
    margin: float,
    alpha: float,
    role: str,
    shown_margin: str,
    peeking: bool,
) -> Check:
    relative = figures.lower_is_better and figures.baseline > 0
    share = margin / figures.baseline if relative else 0.0
    bound = comparison.bound(figures.name, alpha, anytime=peeking, share=share)
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
        return Check(figures.name, "fail", text, "Fix what got worse before promoting.")
    text = f"{shown}: {words.count(figures.n, 'example')} cannot show that it holds."
    return Check(figures.name, "unproven", text, next_margin(figures, margin, alpha))


def _at_worst(figures: Difference, bound: float | None, alpha: float) -> str:
    if bound is None:
        return "no bound can be given"
    level = f"(one-sided {100 * (1 - alpha):.3g} %)"
    if not figures.lower_is_better:
        return f"at worst {words.points(bound)} {level}"
    if not figures.baseline:
        return f"at worst {words.number(-bound)} {figures.unit} more {level}"
    return f"at worst {words.signed(-100 * bound / figures.baseline)} % {figures.name} {level}"
