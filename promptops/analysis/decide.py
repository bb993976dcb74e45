"""A declared policy applied to the facts: promote, reject or inconclusive, every reason in words,
and the next honest step.

The rule (statistics contract, section 1): must-pass examples first; then completeness; then the
primary by its exact one-sided test; then every guardrail by non-inferiority, all of which must
pass, so none is corrected for number (intersection-union test, Berger 1982). "Not significant" is
never printed as "no difference".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..policy import Policy
from . import policy_checks as held
from . import preconditions
from .check import Check, DecisionRule, to_complete
from .compare import ComparisonFacts, compare
from .policy_checks import guard
from .slice_checks import slice_checks
from .task_checks import claim, primary_check
from .verdict import Verdict, decision_of
from .weight_checks import above_nothing, unknown_weights
from .weight_words import weighed_statement
from .worst_case import at_worst, lacks

__all__ = ["decide"]


def decide(
    comparison: ComparisonFacts,
    policy: Policy | None = None,
    *,
    p_better: float | None = None,
    peeking: bool = False,
    share: float = 1.0,
) -> Verdict:
    """The verdict on promoting the candidate over the baseline.

    p_better: the primary's p adjusted for several finalists, where there were; peeking: looked at
    before all planned examples were in, so that only the e-value may promote (E >= 1/alpha) and
    guardrails hold by their confidence sequence;
    share: the part of alpha that the primary may use, 1/m where the best of m may be taken
        (peeking: E >= m/alpha).
    """
    policy = policy or Policy()
    rules, tried = comparison.grounds.rules, comparison.grounds.tried
    needs = tried.needed(policy.alpha) if rules >= 2 else None
    if comparison.grounds.looked:
        needs = max(needs or 0.0, comparison.grounds.looked / policy.alpha)
    rule = DecisionRule(p_better, peeking, share, needs_e=needs)
    if policy.ties != comparison.ties:
        comparison = comparison.under(policy.ties)
    verdict = _verdict(comparison, policy, rule)
    if verdict.decision == "promote" and comparison.grounds.rules >= 2:
        verdict = _with(verdict, _missing(comparison, policy, rule))
        if policy.estimand == "examples" and rule.wanted_e(policy.alpha) is None:
            share = rule.share if rule.p_better is None else 1.0
            verdict = _with(verdict, [above_nothing(comparison, policy, share)])
    if verdict.decision == "promote":
        verdict = _with(verdict, _by_weight(comparison, policy, rule))
    return verdict


def _verdict(comparison: ComparisonFacts, policy: Policy, rule: DecisionRule) -> Verdict:
    """Every requirement of the policy, checked against the facts as they are."""
    peeking = rule.peeking
    figures = held.main(comparison, policy)
    checks = [
        *preconditions.must_pass(comparison, policy),
        *preconditions.complete(comparison, policy, rule),
        *preconditions.measured(comparison, policy),
        *preconditions.unsearched(comparison.grounds.searched),
    ]
    checks.append(primary_check(comparison, policy, rule))
    checks += preconditions.constant(comparison, policy, rule)
    if policy.goal == "cheaper":
        checks.append(held.cheaper(comparison, policy, rule))
    whole = [rail for rail in policy.guardrails if rail.tag is None]
    checks += [guard(comparison, rail, policy.alpha, peeking=peeking) for rail in whole]
    checks += slice_checks(comparison, policy, rule)
    checks += held.judged(figures.name, figures.kind, figures.calibrated, policy)
    return Verdict(
        decision_of(checks),
        comparison.candidate.label,
        comparison.baseline.label,
        tuple(checks),
        policy,
        rule,
    )


def _missing(comparison: ComparisonFacts, policy: Policy, rule: DecisionRule) -> list[Check]:
    """Whether a promotion holds where every missing outcome went against the candidate: it may only
    become inconclusive.
    """
    arms = comparison.candidate, comparison.baseline
    if not lacks(*arms):
        return []
    worst = compare(
        *at_worst(*arms),
        grounds=replace(comparison.grounds, copies={}),
        primary=comparison.primary_name,
        alpha=policy.alpha,
        ties=comparison.ties,
    )
    rule = _restated(rule, comparison, worst, policy)
    checks = [check for check in _verdict(worst, policy, rule).checks if check.name != "complete"]
    if all(check.status == "pass" for check in checks):
        return []
    broken = next(check for check in checks if check.status != "pass")
    text = (
        "It does not hold if every missing outcome went against"
        f" {comparison.candidate.label}: {broken.text}"
    )
    return [Check("missing", "unproven", text, to_complete(comparison))]


def _restated(
    rule: DecisionRule, seen: ComparisonFacts, now: ComparisonFacts, policy: Policy
) -> DecisionRule:
    """Holm multiplied the p of one comparison, and multiplies that of the other as well."""
    if rule.p_better is None:
        return rule
    before, after = (claim(found, policy).p_better for found in (seen, now))
    return replace(rule, p_better=min(1.0, after * rule.p_better / max(before, 1e-300)))


def _by_weight(comparison: ComparisonFacts, policy: Policy, rule: DecisionRule) -> list[Check]:
    """Whether a promotion holds by the weights of the examples too: they may only hold it back."""
    if (unknown := unknown_weights(comparison, policy)) is not None:
        return [unknown]
    weighed = comparison.weighed
    if weighed is None or policy.estimand == "tasks":
        return []
    rule = _restated(rule, comparison, weighed, policy)
    name = held.main(weighed, policy).name
    share = rule.share if rule.p_better is None else 1.0
    found = [primary_check(weighed, policy, rule), above_nothing(weighed, policy, share)]
    if policy.goal == "cheaper":
        found.append(held.cheaper(weighed, policy, rule))
    whole = [rail for rail in policy.guardrails if rail.tag is None]
    found += [guard(weighed, rail, policy.alpha, peeking=rule.peeking) for rail in whole]
    found += [*slice_checks(weighed, policy, rule), *_missing(weighed, policy, rule)]
    broken = next((check for check in found if check is not None and check.status != "pass"), None)
    if broken is None:
        return [Check("weights", "pass", weighed_statement(weighed, name))]
    text = f"It does not hold weighed by {weighed.grounds.weighed_by}: {broken.text}"
    return [Check("weights", "unproven", text, broken.next)]


def _with(verdict: Verdict, more: Sequence[Check | None]) -> Verdict:
    """The verdict with further checks, which may turn a promotion into something else."""
    found = [check for check in more if check is not None]
    checks = (*verdict.checks, *found)
    return replace(verdict, decision=decision_of(checks), checks=checks) if found else verdict
