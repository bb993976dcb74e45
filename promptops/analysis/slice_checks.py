"""A gain over all examples does not hide a loss on a part of them.

A tag that the policy names is a guardrail. Each other tag with 20 distinct examples or more is
tested for a loss, Holm's rule over them: what is beyond luck holds a promotion back until the
policy accepts it with a reason. One candidate in twenty that is as good everywhere meets this.
"""

from __future__ import annotations

from ..policy import Policy
from . import multiplicity, paired_tests, words
from .arms import MEASURES
from .compare import ComparisonFacts
from .facts import GRID
from .policy_checks import Check, DecisionRule, guard, main
from .slices import part_of, places_of
from .units import labels_of, units_of

__all__ = ["LEAST", "slice_checks"]

LEAST = 20  # distinct examples of a tag that may hold a promotion back by itself
_LEVEL = 0.05  # of all tags together


def slice_checks(comparison: ComparisonFacts, policy: Policy, rule: DecisionRule) -> list[Check]:
    """The guardrails of a policy that are about a tag, and the tags that lose beyond luck."""
    rails = [rail for rail in policy.guardrails if rail.tag is not None]
    declared = {rail.tag for rail in rails}
    found = [guard(comparison, rail, policy.alpha, peeking=rule.peeking) for rail in rails]
    return [*found, *_losing(comparison, policy, declared)]


def _losing(comparison: ComparisonFacts, policy: Policy, declared: set[str | None]) -> list[Check]:
    """A check for each undeclared tag whose loss on the primary is beyond luck."""
    figures = main(comparison, policy)
    if comparison.grounds.rules < 2 or figures.name in MEASURES or not figures.losses:
        return []
    pairs = comparison.pairs(figures.name)
    tags = [
        (tag, part_of(pairs, where))
        for tag, where in places_of(pairs, comparison.grounds.tags).items()
        if LEAST <= len(where) < pairs.n and tag not in declared
    ]
    p_values = []
    for _, part in tags:
        grid = None if part.scale != 1.0 else part.grid or GRID
        units = units_of(part.d, labels_of(part, comparison.grounds.clusters))[0]
        test = paired_tests.sign_flip(units, grid=grid, ties=comparison.ties)
        p_values.append(test.p_less if part.d.mean() < 0 else 1.0)
    adjusted = multiplicity.holm(p_values).tolist()
    accepted, label = dict(policy.accept_slices), comparison.candidate.label
    checks = []
    for (tag, part), p in zip(tags, adjusted, strict=True):
        if p > _LEVEL:
            continue
        won, lost = int((part.d > 1e-12).sum()), int((part.d < -1e-12).sum())
        text = f"{label} is worse on the tag {tag}: {won:,} won, {lost:,} lost"
        if tag in accepted:
            checks.append(Check("slice", "pass", f"{text}; accepted: {accepted[tag]}."))
            continue
        text = (
            f"But {text} ({words.p_value(float(p))}, Holm over"
            f" {words.count(len(tags), 'tag')} of {LEAST} examples or more)."
        )
        fix = f"Fix {tag}, or give the policy the reason in accept_slices={{{tag!r}: ...}}."
        checks.append(Check("slice", "unproven", text, fix))
    return checks
