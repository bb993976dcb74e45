"""One demand of a policy as it came out, and the rule that all of them are compared by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..policy import Policy
from ..policy_rules import Status
from . import words
from .arms import Arm
from .compare import ComparisonFacts
from .facts import Difference

__all__ = [
    "ASK_AGAIN",
    "JUST",
    "MISSING_LIMIT",
    "Check",
    "Clusters",
    "FILL_IN",
    "SCORE_AGAIN",
    "DecisionRule",
    "all_answered",
    "failed_texts",
    "incomplete",
    "level_again",
    "main",
    "to_complete",
]

MISSING_LIMIT = 0.02  # share of pairs that may lack a score before the data count as incomplete
Clusters = Mapping[str, str] | None
JUST = 1e-9  # 2 of 100 is not above 2 %, whatever the last bit says
ASK_AGAIN = "Run the cell again: only what is missing is asked."
SCORE_AGAIN = (
    "Every answer is there: `study.scores()` says why some could not be scored. Correct the"
    " scorer, or add or correct the golden answers, and run the cell again, which asks nothing, or"
    " score them once more by the same scorer with `study.rescore([...], retry_failed=True)`."
)
FILL_IN = "Add the answers, golden answers or scores that are missing, and compare again."


@dataclass(frozen=True, slots=True)
class Check:
    """One demand of the policy. status: "pass", "fail" (shown to be broken) or "unproven"."""

    name: str
    status: Status
    text: str
    next: str = ""


@dataclass(frozen=True, slots=True)
class DecisionRule:
    """How a decision was asked for, beside the policy.

    p_better: the primary's p adjusted (Holm) for several finalists, None for one; peeking: before
    all planned examples were in, so that only the e-value may promote; share: the part of alpha
    that this finalist's primary may use (1/m, Holm's step);
    passed_over: all held, and another finalist was preferred; needs_e: the e-value that a promotion
    needs after what was tried before, None if the fixed test is in force.
    """

    p_better: float | None = None
    peeking: bool = False
    share: float = 1.0
    passed_over: bool = False
    needs_e: float | None = None

    def wanted_e(self, alpha: float) -> float | None:
        """The e-value that promotes; None if the fixed test does."""
        early = 1 / (alpha * self.share) if self.peeking else 0.0
        return max(early, self.needs_e or 0.0) or None


def main(comparison: ComparisonFacts, policy: Policy) -> Difference:
    """The measure that decides under the policy."""
    return comparison[policy.primary] if policy.primary else comparison.primary


def level_again(comparison: ComparisonFacts, alpha: float) -> float:
    """The level of a fixed test that is made of this study's answers alone, where the pair was
    judged before: half of alpha the second time, a sixth the third. They sum to alpha beside that
    of the first time: in all, at most twice alpha.
    """
    times = comparison.grounds.tried.times if comparison.grounds.rules >= 2 else 1
    return alpha / (times * (times - 1)) if times > 1 else alpha


def to_complete(comparison: ComparisonFacts) -> str:
    """The step that brings what is missing: a study asks for it, a table's author adds it."""
    return ASK_AGAIN if comparison.grounds.study else FILL_IN


def all_answered(*arms: Arm) -> bool:
    """Whether no call of the arms failed, as far as is known of them."""
    return all(arm.facts.get("calls") and not arm.facts.get("failed") for arm in arms)


def incomplete(comparison: ComparisonFacts, figures: Difference) -> Check:
    """The check that fails for a measure which is unknown for too many pairs."""
    text = (
        f"Incomplete: {figures.name} is unknown for {words.percent(figures.missing)} of the pairs,"
        f" the limit is {words.percent(MISSING_LIMIT, 0)}."
    )
    return Check(figures.name, "unproven", text, to_complete(comparison))


def failed_texts(checks: Sequence[Check]) -> tuple[str, ...]:
    """The sentences of every check that did not pass."""
    return tuple(check.text for check in checks if check.status != "pass")
