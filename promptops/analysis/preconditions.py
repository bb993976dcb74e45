"""What has to hold before two means are compared: nothing missing, must-pass, not constant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..policy import Policy
from ..policy_rules import (
    least_examples,
    must_pass_status,
)
from . import paired_tests, words
from .arms import Arm, Outcomes
from .check import (
    ASK_AGAIN,
    JUST,
    MISSING_LIMIT,
    SCORE_AGAIN,
    Check,
    Clusters,
    DecisionRule,
    all_answered,
    main,
    to_complete,
)
from .classes import GoldenLabels
from .compare import ComparisonFacts, nothing_right
from .constant_answer import (
    beside_constant,
    constant_checks,
    first_constant_checks,
    scorer_of,
)

__all__ = [
    "complete",
    "constant",
    "first_constant",
    "first_must_pass",
    "measured",
    "must_pass",
    "unsearched",
]


def must_pass(comparison: ComparisonFacts, policy: Policy) -> list[Check]:
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
            checks.append(
                _repeats(example, comparison.grounds.copies)
                or Check(
                    "must_pass",
                    "unproven",
                    f"The must-pass example {example!r} has no scored pair.",
                    f"Evaluate both versions on {example!r}.",
                )
            )
        elif status == "fail":
            text = (
                f"{comparison.candidate.label} fails the must-pass example {example!r}, which"
                f" {comparison.baseline.label} passes."
            )
            checks.append(Check("must_pass", "fail", text, f"Fix {example!r} first."))
    return checks or [Check("must_pass", "pass", _all_hold(len(policy.must_pass)))]


def _repeats(example: str, copies: Mapping[str, str]) -> Check | None:
    """What to name in place of a copy, whose outcomes are those of the example that it repeats."""
    first = copies.get(example)
    if first is None:
        return None
    text = f"The must-pass example {example!r} is a copy of {first!r}, and copies are one example."
    return Check("must_pass", "unproven", text, f"Name {first!r} in must_pass.")


def _all_hold(count: int) -> str:
    return f"All {count} must-pass examples hold." if count > 1 else "The must-pass example holds."


def first_must_pass(
    label: str, outcomes: Outcomes, policy: Policy, copies: Mapping[str, str] | None = None
) -> Iterator[Check]:
    """The same for a first deployment, which has to pass them all."""
    known = dict(zip(outcomes.examples, outcomes.mean, strict=True))
    for example in policy.must_pass:
        status = must_pass_status(known.get(example), None, first=True)
        if status == "unproven":
            text = f"The must-pass example {example!r} has no score."
            yield _repeats(example, copies or {}) or Check(
                "must_pass", "unproven", text, f"Evaluate {label} on {example!r}."
            )
        elif status == "fail":
            yield Check(
                "must_pass",
                "fail",
                f"{label} does not pass the must-pass example {example!r}.",
                f"Fix {example!r} first.",
            )


def complete(comparison: ComparisonFacts, policy: Policy, rule: DecisionRule) -> list[Check]:
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
    if missing > MISSING_LIMIT + JUST:
        text = (
            f"Incomplete: {words.percent(missing)} of the pairs have no score, the limit is"
            f" {words.percent(MISSING_LIMIT, 0)}."
        )
        answered = shared >= (planned or shared) and all_answered(
            comparison.candidate, comparison.baseline
        )
        checks.append(Check("complete", "unproven", text, _to_complete(comparison, answered)))
    elif unequal < 0.05:
        text = (
            f"Incomplete: calls failed unequally ({lost_b} of {asked_b} against {lost_a} of"
            f" {asked_a}, Fisher p = {words.number(unequal, 2)})."
        )
        checks.append(Check("complete", "unproven", text, to_complete(comparison)))
    least = least_examples(policy)
    if figures.n < least:
        text = f"{words.count(figures.n, 'pair')}, the policy asks for {least}."
        more = f"Add {words.count(least - figures.n, 'example')}."
        checks.append(Check("n", "unproven", text, more))
    return checks


def measured(comparison: ComparisonFacts, policy: Policy) -> list[Check]:
    """Two versions of which a scorer finds nothing right are "not worse" whatever they are, so that
    nothing is concluded from it.
    """
    figures = main(comparison, policy)
    if comparison.grounds.rules < 2 or not nothing_right(figures):
        return []
    text = f"{figures.name} finds nothing right in either arm: 0 of {figures.n:,} in both."
    more = "Look at some answers beside the golden ones, and choose a scorer or column that fits."
    return [Check("measured", "unproven", text, more)]


def unsearched(searched: str) -> list[Check]:
    """What a search chose is judged on examples that it did not see. searched: as of a context."""
    if not searched:
        return []
    more = "Judge it on the split 'test', as search.confirm() does, or on new examples."
    return [Check("searched", "unproven", searched, more)]


def _to_complete(comparison: ComparisonFacts, answered: bool) -> str:
    """What brings the missing scores: answers of earlier studies are pooled with those at hand, and
    may have been judged by other scorers then; where every answer is there, nothing is asked again.
    """
    tried = comparison.grounds.tried
    earlier = tried.earlier_studies if tried.times > 1 else ()
    if earlier:
        rescored = ", ".join(f"lab.study({study!r}).rescore([...])" for study in earlier[-2:])
        return (
            f"{ASK_AGAIN} If answers of an earlier study lack this score, score them by the same"
            f" scorer, which makes no call: {rescored}."
        )
    if answered and comparison.grounds.study:
        return SCORE_AGAIN
    return to_complete(comparison)


def constant(comparison: ComparisonFacts, policy: Policy, rule: DecisionRule) -> list[Check]:
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
