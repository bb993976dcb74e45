"""The verdict on a first deployment, which has no incumbent to beat."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import StudyError
from ..policy import Policy
from ..policy_rules import least_examples, reaches_min_score
from . import policy_checks as held
from . import preconditions, words
from .arms import Arm, Outcomes, why_unscored
from .check import ASK_AGAIN, MISSING_LIMIT, SCORE_AGAIN, Check, all_answered
from .comparison_context import ComparisonContext
from .verdict import Verdict, decision_of

__all__ = ["decide_first"]


def decide_first(
    arm: Arm,
    policy: Policy | None = None,
    *,
    primary: str | None = None,
    context: ComparisonContext | None = None,
) -> Verdict:
    """The verdict on a first deployment, which has no incumbent to beat: scored, complete, and at
    least the policy's minimum.

    context: where its examples come from, with their golden labels if they are few.
    """
    policy, context = policy or Policy(), context or ComparisonContext()
    name = _primary_of(arm, policy, primary, context)
    outcomes = arm.scores[name]
    checks = [
        *preconditions.first_must_pass(arm.label, outcomes, policy, context.copies),
        *_enough(arm, outcomes, policy),
        *preconditions.unsearched(context.searched),
        *_level(arm, name, outcomes, policy, context.rules),
        *preconditions.first_constant(arm, name, policy, context.labels, context.clusters),
        *held.judged(name, outcomes.kind, outcomes.calibrated, policy),
    ]
    return Verdict(decision_of(checks), arm.label, None, tuple(checks), policy)


def _primary_of(arm: Arm, policy: Policy, primary: str | None, context: ComparisonContext) -> str:
    """The scorer that decides. Raises StudyError if the arm has no score by it."""
    name = policy.primary or primary or next(iter(arm.scores), None)
    if name is not None and name not in arm.scores:
        name = held.scorer_of(name, (arm,), context.labels) or name
    if name is None or name not in arm.scores:
        has = f", it has {', '.join(arm.scores)}" if arm.scores else ""
        missing = (
            f"{arm.label} has no scores{f' by {name}' if name else ''}{has}; evaluate it with the"
            " primary scorer (the policy's, if it names one) first."
        )
        raise StudyError(why_unscored([arm]) or missing)
    return name


def _enough(arm: Arm, outcomes: Outcomes, policy: Policy) -> Iterator[Check]:
    """Whether the examples are scored, and as many as the policy asks for."""
    n, asked = int((outcomes.scored > 0).sum()), len(outcomes.examples)
    least = least_examples(policy)
    if asked and (asked - n) / asked > MISSING_LIMIT:
        text = (
            f"Incomplete: {asked - n} of {words.count(asked, 'example')} have no score, the limit"
            f" is {words.percent(MISSING_LIMIT, 0)}."
        )
        yield Check("complete", "unproven", text, _to_complete(arm))
    if n < least:
        text = f"{words.count(n, 'scored example')}, the policy asks for {least}."
        more = f"Evaluate {arm.label} on {words.count(least - n, 'more example')}."
        yield Check("n", "unproven", text, more)


def _level(arm: Arm, name: str, outcomes: Outcomes, policy: Policy, rules: int) -> Iterator[Check]:
    """Whether its mean reaches the policy's minimum, also with every missing example at 0."""
    known = outcomes.mean[outcomes.scored > 0]
    if not len(known):
        return
    label, mean = arm.label, float(known.mean())
    good = reaches_min_score(mean, policy)
    text = (
        f"{label} scores {words.percent(mean)} on {name} over {words.count(len(known), 'example')};"
        f" a first deployment needs {words.percent(policy.min_score)}."
    )
    fix = "" if good else f"Improve {label}, or lower min_score in the policy by review."
    yield Check("first", "pass" if good else "fail", text, fix)
    least_mean = float(known.sum()) / len(outcomes.examples)
    if good and rules >= 2 and not reaches_min_score(least_mean, policy):
        text = f"With every missing example at 0, {label} scores {words.percent(least_mean)}."
        yield Check("missing", "unproven", text, _to_complete(arm))


def _to_complete(arm: Arm) -> str:
    """What brings the missing scores: where every answer is there, nothing is asked again."""
    return SCORE_AGAIN if all_answered(arm) else ASK_AGAIN
