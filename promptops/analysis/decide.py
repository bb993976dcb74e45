"""A declared policy applied to the facts: promote, reject or inconclusive, every reason in words, and the next honest step.

The rule (statistics contract, section 1): must-pass examples first; then completeness; then the primary by its exact
one-sided test; then every guardrail by non-inferiority, all of which must pass, so none is corrected for number
(intersection-union test, Berger 1982). "Not significant" is never printed as "no difference".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from ..errors import StudyError
from ..policy import Guardrail, Policy
from . import multiplicity, power, tests, words
from .arms import MEASURES, Arm
from .compare import Comparison
from .facts import Difference

__all__ = ["Check", "Verdict", "decide", "decide_first", "decide_many"]

Decision = Literal["promote", "reject", "inconclusive"]
MISSING_LIMIT = 0.02  # share of pairs that may lack a score before the data count as incomplete


@dataclass(frozen=True, slots=True)
class Check:
    """One demand of the policy. status: "pass", "fail" (shown to be broken) or "unproven"."""

    name: str
    status: Literal["pass", "fail", "unproven"]
    text: str
    next: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """decision; reasons: a sentence for every check that did not pass, or for the primary where all did; next: what to do."""

    decision: Decision
    candidate: str
    baseline: str | None
    checks: tuple[Check, ...]
    policy: Policy

    @property
    def reasons(self) -> tuple[str, ...]:
        failing = tuple(check.text for check in self.checks if check.status != "pass")
        return failing or tuple(check.text for check in self.checks)

    @property
    def next(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(check.next for check in self.checks if check.status != "pass" and check.next))

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
        return f"<Verdict {self.decision}: {self.candidate}{against}. {' '.join(self.reasons)}{' Next: ' + ' '.join(self.next) if self.next else ''}>"


def decide(comparison: Comparison, policy: Policy | None = None, *, p_better: float | None = None, peeking: bool = False) -> Verdict:
    """The verdict on promoting the candidate over the baseline.

    p_better: the primary's p adjusted for several finalists, where there were; peeking: looked at before all planned
    examples were in, so that only the e-value may promote (E >= 1/alpha).
    """
    policy = policy or Policy()
    checks = [*_must_pass(comparison, policy), *_complete(comparison, policy)]
    checks.append(_primary(comparison, policy, p_better, peeking))
    if policy.goal == "cheaper":
        checks.append(_cheaper(comparison, policy))
    checks += [guard(comparison, rail, policy.alpha) for rail in policy.guardrails]
    checks += _judge(comparison, policy)
    return Verdict(_decision(checks), comparison.candidate.label, comparison.baseline.label, tuple(checks), policy)


def decide_first(arm: Arm, policy: Policy | None = None, *, primary: str | None = None) -> Verdict:
    """The verdict on a first deployment, which has no incumbent to beat: scored, and at least the policy's minimum."""
    policy = policy or Policy()
    name = policy.primary or primary or next(iter(arm.scores), None)
    if name is None or name not in arm.scores:
        raise StudyError(f"{arm.label} has no scores{f' by {name}' if name else ''}; evaluate it with the primary scorer first.")
    outcomes = arm.scores[name]
    known = outcomes.mean[outcomes.scored > 0]
    n, mean = len(known), float(known.mean()) if len(known) else math.nan
    checks = []
    if n < max(policy.min_n, 1):
        checks.append(
            Check(
                "n",
                "unproven",
                f"{n} scored examples, the policy asks for {max(policy.min_n, 1)}.",
                f"Evaluate {arm.label} on {max(policy.min_n, 1) - n} more examples.",
            )
        )
    good = n > 0 and mean >= policy.min_score
    text = f"{arm.label} scores {words.percent(mean)} on {name} over {words.count(n, 'example')}; a first deployment needs {words.percent(policy.min_score)}."
    checks.append(
        Check(
            "first", "pass" if good else "fail", text, "" if good else f"Improve {arm.label}, or lower min_score in the policy by review."
        )
    )
    for example in policy.must_pass:
        score = dict(zip(outcomes.examples, outcomes.mean, strict=True)).get(example, math.nan)
        if not score >= 1:
            checks.append(
                Check("must_pass", "fail", f"{arm.label} does not pass the must-pass example {example!r}.", f"Fix {example!r} first.")
            )
    return Verdict(_decision(checks), arm.label, None, tuple(checks), policy)


def decide_many(comparisons: Sequence[Comparison], policy: Policy | None = None) -> list[Verdict]:
    """Verdicts of several finalists against one baseline, Holm-adjusted on the primary; at most one is promoted.

    Among those that pass everything the largest gain wins, a tie goes to the cheaper; the others become inconclusive.
    """
    policy = policy or Policy()
    adjusted = multiplicity.holm([comparison.primary.p_better for comparison in comparisons])
    verdicts = [decide(comparison, policy, p_better=float(p)) for comparison, p in zip(comparisons, adjusted, strict=True)]
    winners = [index for index, verdict in enumerate(verdicts) if verdict.decision == "promote"]
    if len(winners) > 1:
        best = max(winners, key=lambda i: (comparisons[i].primary.gain, _saving(comparisons[i])))
        for index in winners:
            if index != best:
                note = Check(
                    "finalists", "unproven", f"{comparisons[best].candidate.label} leads by more on the same examples.", "Promote that one."
                )
                verdicts[index] = replace(verdicts[index], decision="inconclusive", checks=(*verdicts[index].checks, note))
    return verdicts


def guard(comparison: Comparison, rail: Guardrail, alpha: float = 0.05) -> Check:
    """Non-inferiority of one measure at its margin."""
    try:
        figures = comparison[rail.measure]
    except StudyError:
        return Check(
            rail.measure,
            "unproven",
            f"The guardrail {rail.measure} was not measured in both arms.",
            f"Evaluate both versions with {rail.measure}.",
        )
    margin = rail.margin * figures.baseline if rail.measure in MEASURES else rail.margin
    return _held(
        figures,
        margin,
        alpha,
        "guardrail",
        f"{words.percent(rail.margin, 0)} of the baseline" if rail.measure in MEASURES else words.points(rail.margin).lstrip("+"),
    )


def _held(figures: Difference, margin: float, alpha: float, role: str, said: str) -> Check:
    worse = figures.p_worse <= alpha
    bound = figures.bound
    if bound is None and figures.n and not figures.wins + figures.losses and figures.sd is None and figures.n > 1:
        bound = 0.0  # every pair equal on a continuous measure: nothing was lost on any example
    shown = f"{role} {figures.name}: {_at_worst(figures, bound)}, the margin is {said}"
    if bound is not None and bound > -margin:
        return Check(figures.name, "pass", f"{shown}{'; yet it is significantly worse inside the margin' if worse else ''}.")
    if worse:
        return Check(
            figures.name,
            "fail",
            f"{shown}, and it is significantly worse (by luck alone {words.odds(figures.p_worse)}).",
            "Mend what got worse before promoting.",
        )
    need = max(_n_for_margin(figures, margin) - figures.n, 1)
    return Check(
        figures.name,
        "unproven",
        f"{shown}: {figures.n} examples cannot show that it holds.",
        f"{words.count(need, 'more example')} would settle {figures.name} if nothing gets worse.",
    )


def _at_worst(figures: Difference, bound: float | None) -> str:
    if bound is None:
        return "no bound can be given"
    if figures.name in MEASURES:
        return f"at worst {words.signed(-100 * bound / figures.baseline if figures.baseline else 0.0)} % {figures.name} (one-sided 95 %)"
    return f"at worst {words.points(bound)} (one-sided 95 %)"


def _n_for_margin(figures: Difference, margin: float) -> int:
    if not margin:
        return figures.n * 4
    if figures.binary and figures.repeats == 1:
        spread = figures.sd or 0.0
        return max(power.n_guard(margin), math.ceil(1.15 * power.n_normal(spread, margin)) if spread else 0)
    return math.ceil(1.15 * power.n_normal(figures.sd, margin)) if figures.sd else figures.n + 1


def _must_pass(comparison: Comparison, policy: Policy) -> list[Check]:
    if not policy.must_pass:
        return []
    pairs = comparison.pairs(policy.primary)
    found = {
        example: (candidate, baseline) for example, candidate, baseline in zip(pairs.examples, pairs.candidate, pairs.baseline, strict=True)
    }
    checks = []
    for example in policy.must_pass:
        if example not in found:
            checks.append(
                Check(
                    "must_pass",
                    "unproven",
                    f"The must-pass example {example!r} has no scored pair.",
                    f"Evaluate both versions on {example!r}.",
                )
            )
        elif found[example][1] >= 1 and found[example][0] < 1:
            checks.append(
                Check(
                    "must_pass",
                    "fail",
                    f"{comparison.candidate.label} fails the must-pass example {example!r}, which {comparison.baseline.label} passes.",
                    f"Fix {example!r} first.",
                )
            )
    return checks or [Check("must_pass", "pass", f"All {len(policy.must_pass)} must-pass examples hold.")]


def _complete(comparison: Comparison, policy: Policy) -> list[Check]:
    figures = _main(comparison, policy)
    planned = comparison.grounds.planned
    shared = figures.n + figures.unscored
    missing = 1 - figures.n / max(planned, shared) if planned else figures.missing
    failed = figures.failed
    unequal = (
        tests.fisher_failures(failed[0], failed[1], failed[2], failed[3]) if failed[1] and failed[3] and failed[0] + failed[2] else 1.0
    )
    checks = []
    if missing > MISSING_LIMIT:
        text = f"Incomplete: {words.percent(missing)} of the pairs have no score, the limit is {words.percent(MISSING_LIMIT, 0)}."
        checks.append(Check("complete", "unproven", text, "Run the cell again: only what is missing is asked."))
    elif unequal < 0.05:
        text = f"Incomplete: calls failed unequally ({failed[0]} of {failed[1]} against {failed[2]} of {failed[3]}, Fisher p = {words.number(unequal, 2)})."
        checks.append(Check("complete", "unproven", text, "Run the cell again: only what is missing is asked."))
    if figures.n < policy.min_n:
        checks.append(
            Check("n", "unproven", f"{figures.n} pairs, the policy asks for {policy.min_n}.", f"Add {policy.min_n - figures.n} examples.")
        )
    return checks


def _main(comparison: Comparison, policy: Policy) -> Difference:
    return comparison[policy.primary] if policy.primary else comparison.primary


def _primary(comparison: Comparison, policy: Policy, p_better: float | None, peeking: bool) -> Check:
    figures = _main(comparison, policy)
    if not figures.n:
        return Check(figures.name, "unproven", "No example is scored in both arms.", "Evaluate both versions on the same examples.")
    if policy.goal != "better":
        return _held(figures, policy.margin, policy.alpha, "primary", words.points(policy.margin).lstrip("+"))
    statement = comparison.statement(figures.name)
    p = figures.p_better if p_better is None else p_better
    settled = (figures.e_value or 0.0) >= 1 / policy.alpha if peeking else p <= policy.alpha
    if settled and figures.gain >= policy.min_effect:
        return Check(figures.name, "pass", statement)
    if figures.p_worse <= policy.alpha:
        return Check(figures.name, "fail", f"It is worse: {statement}", "Look at the lost examples first.")
    if settled:
        return Check(
            figures.name,
            "unproven",
            f"{statement} That is below the least effect of {words.points(policy.min_effect)}.",
            "Find a larger gain, or lower min_effect by review.",
        )
    return Check(figures.name, "unproven", f"Not settled: {statement} {_could_see(figures)}".strip(), _next_n(figures, policy.alpha))


def _could_see(figures: Difference) -> str:
    return f"This n finds a gain of {words.points(figures.mde)} four times in five." if figures.mde is not None else ""


def _next_n(figures: Difference, alpha: float) -> str:
    least = power.least_disagreements(alpha)
    changed = figures.wins + figures.losses
    if changed < least and figures.n_needed is None:
        return f"Only {words.count(changed, 'example')} differ{'s' if changed == 1 else ''}; at least {least}, all in favour, can ever settle it: add examples where the versions differ."
    if figures.n_needed is None:
        return "The lead is not in its favour: no number of examples like these would promote it."
    more = max(figures.n_needed - figures.n, 1)
    return f"{words.count(more, 'more example')} would settle it at this effect (80 % power, {figures.n_needed:,} in all)."


def _cheaper(comparison: Comparison, policy: Policy) -> Check:
    try:
        cost = comparison["cost"]
    except StudyError:
        return Check(
            "cost", "unproven", "The goal is cheaper, but the cost of the runs is unknown.", "Give prices={...} and evaluate again."
        )
    text = comparison.statement("cost")
    if cost.p_better <= policy.alpha:
        return Check("cost", "pass", text)
    return Check(
        "cost",
        "fail" if cost.p_worse <= policy.alpha else "unproven",
        f"Not shown to be cheaper: {text}",
        "More examples, or a shorter prompt.",
    )


def _judge(comparison: Comparison, policy: Policy) -> list[Check]:
    figures = _main(comparison, policy)
    if figures.kind != "judge" or figures.calibrated or policy.judge_alone:
        return []
    text = f"The primary {figures.name} is a judge that was not measured against people, and this policy lets no such judge decide alone."
    return [Check("judge", "unproven", text, "Label some 30 outputs and calibrate the judge, or set judge_alone in the policy by review.")]


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
