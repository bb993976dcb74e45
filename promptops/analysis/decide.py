"""A declared policy applied to the facts: promote, reject or inconclusive, every reason in words,
and the next honest step.

The rule (statistics contract, section 1): must-pass examples first; then completeness; then the
primary by its exact one-sided test; then every guardrail by non-inferiority, all of which must
pass, so none is corrected for number (intersection-union test, Berger 1982). "Not significant" is
never printed as "no difference".
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from ..errors import StudyError
from ..markup import paragraph
from ..policy import Policy
from ..policy_rules import least_examples, reaches_min_score
from . import multiplicity, preconditions, words
from . import policy_checks as held
from .arms import Arm, why_unscored
from .check import MISSING_LIMIT, failed_texts
from .compare import Comparison, ComparisonContext, compare
from .policy_checks import Check, Rule, guard
from .slice_checks import slice_checks
from .task_checks import claim, primary_check
from .worst_case import at_worst, lacks

__all__ = [
    "Check",
    "Decision",
    "Rule",
    "Verdict",
    "decide",
    "decide_first",
    "decide_many",
    "guard",
    "passed_over",
]

Decision = Literal["promote", "reject", "inconclusive"]
_PREFERRED = 'Promote that one; after its rollback, override="reason" promotes this one.'


@dataclass(frozen=True, slots=True)
class Verdict:
    """decision; reasons: a sentence for every check that did not pass, or for all where all did;
    next: what to do; rule: how it was asked for.
    """

    decision: Decision
    candidate: str
    baseline: str | None
    checks: tuple[Check, ...]
    policy: Policy
    rule: Rule = field(default_factory=Rule)

    @property
    def reasons(self) -> tuple[str, ...]:
        return failed_texts(self.checks) or tuple(check.text for check in self.checks)

    @property
    def next(self) -> tuple[str, ...]:
        return tuple(
            dict.fromkeys(
                check.next for check in self.checks if check.status != "pass" and check.next
            )
        )

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "decision": self.decision,
            "reasons": list(self.reasons),
            "next": list(self.next),
            "checks": [asdict(check) for check in self.checks],
        }

    def __repr__(self) -> str:
        against = f" over {self.baseline}" if self.baseline else " as a first deployment"
        return (
            f"<Verdict {self.decision}: {self.candidate}{against}."
            f" {' '.join(self.reasons)}{' Next: ' + ' '.join(self.next) if self.next else ''}>"
        )

    def _repr_html_(self) -> str:
        return paragraph(self)


def decide(
    comparison: Comparison,
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
    rule = Rule(p_better, peeking, share, needs_e=needs)
    if policy.ties != comparison.ties:
        comparison = comparison.under(policy.ties)
    verdict = _verdict(comparison, policy, rule)
    if verdict.decision == "promote" and comparison.grounds.rules >= 2:
        verdict = _with(verdict, _missing(comparison, policy, rule))
    return verdict


def _verdict(comparison: Comparison, policy: Policy, rule: Rule) -> Verdict:
    """Every requirement of the policy, checked against the facts as they are."""
    peeking = rule.peeking
    figures = held.main(comparison, policy)
    checks = [
        *preconditions.must_pass(comparison, policy),
        *preconditions.complete(comparison, policy, rule),
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
        _decision(checks),
        comparison.candidate.label,
        comparison.baseline.label,
        tuple(checks),
        policy,
        rule,
    )


def _missing(comparison: Comparison, policy: Policy, rule: Rule) -> list[Check]:
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
    if rule.p_better is not None:  # Holm multiplied the p of these data, and multiplies the worst's
        seen, now = (claim(found, policy).p_better for found in (comparison, worst))
        rule = replace(rule, p_better=min(1.0, now * rule.p_better / max(seen, 1e-300)))
    checks = [check for check in _verdict(worst, policy, rule).checks if check.name != "complete"]
    if all(check.status == "pass" for check in checks):
        return []
    broken = next(check for check in checks if check.status != "pass")
    text = (
        "It does not hold if every missing outcome went against"
        f" {comparison.candidate.label}: {broken.text}"
    )
    return [
        Check("missing", "unproven", text, "Run the cell again: only what is missing is asked.")
    ]


def _with(verdict: Verdict, more: Sequence[Check]) -> Verdict:
    """The verdict with further checks, which may turn a promotion into something else."""
    checks = (*verdict.checks, *more)
    return replace(verdict, decision=_decision(checks), checks=checks) if more else verdict


def decide_first(
    arm: Arm,
    policy: Policy | None = None,
    *,
    primary: str | None = None,
    context: ComparisonContext | None = None,
) -> Verdict:
    """The verdict on a first deployment, which has no incumbent to beat: scored, complete, and at
    least the policy's minimum.

    context: where its examples come from, with their golden labels where they are few.
    """
    policy, context = policy or Policy(), context or ComparisonContext()
    name = policy.primary or primary or next(iter(arm.scores), None)
    if name is not None and name not in arm.scores:
        name = held.scorer_of(name, (arm,), context.labels) or name
    if name is None or name not in arm.scores:
        has = f", it has {', '.join(arm.scores)}" if arm.scores else ""
        missing = (
            f"{arm.label} has no scores{f' by {name}' if name else ''}{has}; evaluate it with the"
            " primary scorer (of the policy, where it names one) first."
        )
        raise StudyError(why_unscored([arm]) or missing)
    outcomes = arm.scores[name]
    known = outcomes.mean[outcomes.scored > 0]
    n, asked, least = len(known), len(outcomes.examples), least_examples(policy)
    mean = float(known.mean()) if n else math.nan
    checks = list(preconditions.first_must_pass(arm.label, outcomes, policy))
    if asked and (asked - n) / asked > MISSING_LIMIT:
        text = (
            f"Incomplete: {asked - n} of {words.count(asked, 'example')} have no score, the limit"
            f" is {words.percent(MISSING_LIMIT, 0)}."
        )
        checks.append(
            Check(
                "complete", "unproven", text, "Run the cell again: only what is missing is asked."
            )
        )
    if n < least:
        text = f"{words.count(n, 'scored example')}, the policy asks for {least}."
        checks.append(
            Check(
                "n",
                "unproven",
                text,
                f"Evaluate {arm.label} on {words.count(least - n, 'more example')}.",
            )
        )
    if n:
        good = reaches_min_score(mean, policy)
        text = (
            f"{arm.label} scores {words.percent(mean)} on {name} over {words.count(n, 'example')};"
            f" a first deployment needs {words.percent(policy.min_score)}."
        )
        mend = "" if good else f"Improve {arm.label}, or lower min_score in the policy by review."
        checks.append(Check("first", "pass" if good else "fail", text, mend))
        least_mean = float(known.sum()) / asked
        if good and context.rules >= 2 and not reaches_min_score(least_mean, policy):
            text = (
                f"With every missing example at 0, {arm.label} scores {words.percent(least_mean)}."
            )
            mend = "Run the cell again: only what is missing is asked."
            checks.append(Check("missing", "unproven", text, mend))
    checks += preconditions.first_constant(arm, name, policy, context.labels, context.clusters)
    checks += held.judged(name, outcomes.kind, outcomes.calibrated, policy)
    return Verdict(_decision(checks), arm.label, None, tuple(checks), policy)


def decide_many(
    comparisons: Sequence[Comparison],
    policy: Policy | None = None,
    *,
    peeking: bool = False,
    withdrawn: Collection[str] = (),
) -> list[Verdict]:
    """Verdicts of several finalists against one baseline, Holm-adjusted on the primary; at most one
    is promoted.

    Among those that pass everything the largest gain wins, a tie goes to the cheaper; the others
    become inconclusive. withdrawn: versions that are preferred to none, since they were promoted
    and rolled back.
    """
    policy = policy or Policy()
    if not comparisons:
        return []
    comparisons = [c if c.ties == policy.ties else c.under(policy.ties) for c in comparisons]
    if policy.goal == "better" and not peeking:
        adjusted = multiplicity.holm(
            [claim(comparison, policy).p_better for comparison in comparisons]
        )
        verdicts = [
            decide(comparison, policy, p_better=float(p))
            for comparison, p in zip(comparisons, adjusted, strict=True)
        ]
    elif peeking:
        verdicts = [
            decide(comparison, policy, peeking=True, share=1 / len(comparisons))
            for comparison in comparisons
        ]
    else:
        verdicts = _stepped(comparisons, policy)
    winners = [index for index, verdict in enumerate(verdicts) if verdict.decision == "promote"]
    if len(winners) > 1:
        offered = [i for i in winners if comparisons[i].candidate.version not in withdrawn]
        best = max(
            offered or winners,
            key=lambda i: (
                round(claim(comparisons[i], policy).gain, 12),
                _saving(comparisons[i]),
            ),
        )
        for index in winners:
            if index != best:
                verdicts[index] = passed_over(verdicts[index], comparisons[best].candidate.label)
    return verdicts


def passed_over(verdict: Verdict, preferred: str) -> Verdict:
    """The verdict of a finalist that holds everything where another one is promoted."""
    text = (
        f"{preferred} is preferred: the larger gain on the same examples, or as large and cheaper."
    )
    note = Check("finalists", "unproven", text, _PREFERRED)
    return replace(
        verdict,
        decision="inconclusive",
        checks=(*verdict.checks, note),
        rule=replace(verdict.rule, passed_over=True),
    )


def _stepped(comparisons: Sequence[Comparison], policy: Policy) -> list[Verdict]:
    """Holm's steps where the claim is a bound: all at alpha/m; while some pass, the rest at
    alpha/(m - passed).
    """
    left = len(comparisons)
    while True:
        verdicts = [decide(comparison, policy, share=1 / left) for comparison in comparisons]
        claimed = sum(
            _claims(verdict, comparison, policy)
            for verdict, comparison in zip(verdicts, comparisons, strict=True)
        )
        if len(comparisons) - claimed >= left or left == 1:
            return verdicts
        left = max(len(comparisons) - claimed, 1)


def _claims(verdict: Verdict, comparison: Comparison, policy: Policy) -> bool:
    """Whether the primary claim (not worse, and under `cheaper` the cost) holds, whatever the
    guardrails say.
    """
    names = [held.main(comparison, policy).name, *(["cost"] if policy.goal == "cheaper" else [])]
    status = {check.name: check.status for check in reversed(verdict.checks)}
    return all(status.get(name) == "pass" for name in names)


def _decision(checks: Sequence[Check]) -> Decision:
    incomplete = any(check.name == "complete" and check.status != "pass" for check in checks)
    must = any(check.name == "must_pass" and check.status == "fail" for check in checks)
    if must or (not incomplete and any(check.status == "fail" for check in checks)):
        return "reject"
    return "promote" if all(check.status == "pass" for check in checks) else "inconclusive"


def _saving(comparison: Comparison) -> float:
    try:
        return comparison["cost"].gain
    except StudyError:
        return 0.0
