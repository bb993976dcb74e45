"""Lengths of the inputs in groups, so that a fall of live quality can name the group that grew."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["length_bounds", "length_group"]

_GROUPS = 4


def length_group(size: int, bounds: Sequence[int]) -> str:
    """The group of an input of so many characters, in words."""
    for bound in bounds:
        if size <= bound:
            return f"inputs of up to {bound:,} characters"
    return f"inputs of more than {bounds[-1]:,} characters" if bounds else "inputs"


def length_bounds(sizes: Sequence[int]) -> list[int]:
    """The bounds between the groups: the quartiles of these lengths."""
    ordered = sorted(sizes)
    cuts = [ordered[len(ordered) * part // _GROUPS] for part in range(1, _GROUPS)]
    return sorted(set(cuts))
