"""Copies are one example: their outcomes are pooled as repeats are, and count once.

Which examples are copies is not decided here: a caller that has read the data passes a mapping from
the id of each copy to the id of the example that it repeats.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from .arms import Arm, Outcomes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["collapse"]


def collapse(arm: Arm, copies: Mapping[str, str]) -> Arm:
    """The arm with every copy pooled into the example that it repeats.

    Args:
        arm: the outcomes as they were read, one row per row of the dataset.
        copies: id of a copy -> id of its example; ids that are not in it mean themselves.

    Returns:
        The same arm if it holds no copy, else one with a row per distinct example.
    """
    if not copies:
        return arm
    return Arm(
        arm.version,
        arm.label,
        {name: _pooled(outcomes, copies) for name, outcomes in arm.scores.items()},
        {name: _pooled(outcomes, copies) for name, outcomes in arm.measures.items()},
        arm.facts,
        {copies.get(example, example): label for example, label in arm.answers.items()},
        {copies.get(example, example): shares for example, shares in arm.shares.items()},
    )


def _pooled(o: Outcomes, copies: Mapping[str, str]) -> Outcomes:
    """One row per distinct example, in order of first appearance.

    Copies that hold one and the same outcome are one answer that was used again, so the number of
    repeats stays that of one copy; where they differ, each copy adds its repeats.
    """
    import numpy as np

    place: dict[str, int] = {}
    index = np.array(
        [place.setdefault(copies.get(name, name), len(place)) for name in o.examples], dtype=int
    )
    size = len(place)
    if size == len(o.examples):
        return o
    known = o.scored > 0
    mean = np.where(known, o.mean, 0.0)
    first = np.full(size, -1)
    first[index[known][::-1]] = np.flatnonzero(known)[::-1]
    origin = np.where(first[index] >= 0, first[index], np.arange(len(index)))
    alike = (mean == mean[origin]) & (o.scored == o.scored[origin]) | ~known
    differs = np.bincount(index, weights=~alike, minlength=size) > 0
    total = np.bincount(index, weights=o.scored, minlength=size).astype(np.float64, copy=False)
    pooled = np.bincount(index, weights=mean * o.scored, minlength=size)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.where(differs, pooled / total, mean[first])
    means = np.where(total > 0, means, np.nan)
    scored = np.where(differs, total, np.where(first >= 0, o.scored[first], 0.0))
    attempted = np.where(
        differs,
        np.bincount(index, weights=o.attempted, minlength=size),
        _largest(o.attempted, index, size),
    )
    variance = np.where(differs, _variance(o, mean, index, means, total), o.variance[first])
    return Outcomes(
        list(place),
        means,
        scored,
        attempted,
        variance,
        o.binary,
        o.kind,
        o.versions,
        o.calibrated,
    )


def _largest(values: Floats, index: NDArray[np.intp], size: int) -> Floats:
    import numpy as np

    out = np.zeros(size)
    np.maximum.at(out, index, values)
    return out


def _variance(
    o: Outcomes, mean: Floats, index: NDArray[np.intp], means: Floats, total: Floats
) -> Floats:
    """Between all pooled repeats of an example (ddof 1): within the copies, and between them."""
    import numpy as np

    within = np.nan_to_num(o.variance) * np.maximum(o.scored - 1, 0)
    between = o.scored * (mean - np.nan_to_num(means)[index]) ** 2
    square = np.bincount(index, weights=within + between, minlength=len(means))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total > 1, square / (total - 1), np.nan)
