"""What a comparison says of its examples weighed by how often each is asked, and what that demands.

Weights may hold a promotion back and never cause one: a column of weights can be chosen after the
answers are known, and a promotion rests on the distinct examples whatever the weights are.
"""

from __future__ import annotations

from ..policy import Policy
from . import words
from .check import Check, main
from .compare import ComparisonFacts
from .facts import gain_interval, rounded
from .units import labels_of
from .weight_words import weighed_statement
from .weighted import effective_n

__all__ = ["above_nothing", "unknown_weights", "weighed_figures"]

_KEPT = ("n", "candidate", "baseline", "gain", "low", "high", "bound", "p_better", "p_worse")


def above_nothing(weighed: ComparisonFacts, policy: Policy, share: float) -> Check | None:
    """Of goal "better": the gain weighed by use, or by label, is shown above 0 by its interval too.

    Flipping signs takes a heavy example that came out even for one that always does. The interval
    knows that it was seen once.
    """
    figures = main(weighed, policy)
    pairs = weighed.pairs(figures.name)
    by_label = pairs.strata is not None and weighed.grounds.rules >= 3
    if policy.goal != "better" or (pairs.weights is None and not by_label):
        return None
    labels, level = labels_of(pairs, weighed.grounds.clusters), 1 - 2 * policy.alpha * share
    bound, method = gain_interval(pairs, labels, level=level)[2:]
    if bound is not None and bound > 0:
        return None
    shown = f"at worst {words.points(bound)}" if bound is not None else method
    if pairs.weights is None:
        text = f"{weighed.statement(figures.name)} By label the gain is not shown: {shown}."
        return Check("labels", "unproven", text, "Add examples of the rarest labels.")
    text = f"{weighed_statement(weighed, figures.name)} The gain is not shown: {shown}."
    return Check(figures.name, "unproven", text, _next(weighed))


def unknown_weights(comparison: ComparisonFacts, policy: Policy) -> Check | None:
    """The check that fails if a policy weighs examples and the comparison does not know how."""
    grounds = comparison.grounds
    if policy.weights is None or (
        grounds.weights is not None and grounds.weighed_by == policy.weights
    ):
        return None
    text = f"The policy weighs examples by {policy.weights!r}, and this comparison does not."
    fix = f"Compare with weights={policy.weights!r}, a column of the dataset."
    return Check("weights", "unproven", text, fix)


def weighed_figures(comparison: ComparisonFacts) -> dict[str, object]:
    """What a bundle keeps of the primary by weight; {} if examples are not weighed."""
    weighed = comparison.weighed
    if weighed is None:
        return {}
    document = weighed.primary.document()
    weights = weighed.pairs().weights
    effective = float(weighed.primary.n) if weights is None else effective_n(weights)
    kept = {name: document[name] for name in _KEPT}
    return {"by weight": {**kept, "effective_n": rounded(effective)}}


def _next(weighed: ComparisonFacts) -> str:
    return (
        "Add distinct examples like the heaviest ones: a few of them decide when weighed by"
        f" {weighed.grounds.weighed_by}."
    )
