"""Several candidates against one baseline, corrected for how many; at most one is promoted."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from ..errors import StudyError
from ..policy import Policy
from . import multiplicity
from .check import Check, main
from .compare import ComparisonFacts
from .decide import decide
from .task_checks import claim
from .verdict import Verdict

__all__ = ["decide_many", "passed_over"]

_PREFERRED = 'Promote that one; after its rollback, override="reason" promotes this one.'


def decide_many(
    comparisons: Sequence[ComparisonFacts],
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


def _stepped(comparisons: Sequence[ComparisonFacts], policy: Policy) -> list[Verdict]:
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


def _claims(verdict: Verdict, comparison: ComparisonFacts, policy: Policy) -> bool:
    """Whether the primary claim (not worse, and under `cheaper` the cost) holds, whatever the
    guardrails say.
    """
    names = [main(comparison, policy).name, *(["cost"] if policy.goal == "cheaper" else [])]
    status = {check.name: check.status for check in reversed(verdict.checks)}
    return all(status.get(name) == "pass" for name in names)


def _saving(comparison: ComparisonFacts) -> float:
    try:
        return comparison["cost"].gain
    except StudyError:
        return 0.0
