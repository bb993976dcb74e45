"""How many examples would settle a demand that is undecided."""

from __future__ import annotations

import math

from . import power, words
from .facts import Difference

__all__ = ["could_see", "next_margin", "next_n"]


def next_margin(figures: Difference, margin: float, alpha: float) -> str:
    """How many more examples would show it, at the change seen if that is a loss."""
    loss = max(-figures.gain, 0.0) if figures.n else 0.0
    if not margin > loss:
        return (
            f"No number of examples like these would show {figures.name} inside the margin: fix"
            " what got worse."
        )
    need = max(_n_for_margin(figures, margin, margin - loss, alpha) - figures.n, 1)
    return (
        f"{words.count(need, 'more example')} would settle {figures.name} if nothing gets worse"
        " than it is."
    )


def _n_for_margin(figures: Difference, margin: float, room: float, alpha: float) -> int:
    """Examples for 80 % power; at least what a guardrail needs where nothing changes, on the 0-1
    scale.
    """
    floor = power.n_guard(margin, alpha=alpha) if not figures.lower_is_better and margin < 1 else 2
    if not figures.sd:
        return floor
    units = figures.clusters or figures.n
    size = figures.n / units
    return max(floor, math.ceil(1.15 * power.n_normal(figures.sd, room * size, alpha=alpha) * size))


def could_see(figures: Difference) -> str:
    """The gain that these examples could have shown; "" if it is unknown."""
    return (
        f"This n finds a gain of {words.points(figures.mde)} four times in five."
        if figures.mde is not None
        else ""
    )


def next_n(figures: Difference, alpha: float) -> str:
    """What would settle an open lead: how many examples, or that none would."""
    least = power.least_disagreements(alpha)
    changed = figures.wins + figures.losses
    if changed < least and figures.n_needed is None:
        differ = f"Only {words.count(changed, 'example')} differ{'s' if changed == 1 else ''}"
        return (
            f"{differ if changed else 'No example differs'}; at least {least}, all in favour, can"
            " ever settle it: add examples where the versions differ."
        )
    if figures.n_needed is None and figures.gain > 0:
        return "The lead is too small for any number of examples to settle it."
    if figures.n_needed is None:
        return "The lead is not in its favour: no number of examples like these would promote it."
    more = max(figures.n_needed - figures.n, 1)
    return (
        f"{words.count(more, 'more example')} would settle it at this effect (80 % power,"
        f" {figures.n_needed:,} in all)."
    )
