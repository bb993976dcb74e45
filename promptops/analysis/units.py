"""The independent units of some pairs: examples, or clusters of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from .arms import Pairs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["labels_of", "units_in", "units_of"]


def labels_of(pairs: Pairs, clusters: Mapping[str, str] | None) -> list[str] | None:
    """A cluster label for every pair; None if no two pairs share one, so that singletons are as
    no clusters.
    """
    if not clusters:
        return None
    labels = [
        f"cluster {clusters[example]}" if example in clusters else f"example {example}"
        for example in pairs.examples
    ]
    return labels if len(set(labels)) < len(labels) else None


def units_of(d: Floats, labels: list[str] | None) -> tuple[Floats, int]:
    """Independent units: d itself, or its sums within clusters; and the largest cluster's size."""
    if labels is None:
        return d, 1
    import numpy as np

    groups: dict[str, int] = {}
    index = np.array([groups.setdefault(label, len(groups)) for label in labels], dtype=int)
    sums = np.bincount(index, weights=d, minlength=len(groups))
    return sums.astype(np.float64, copy=False), int(np.bincount(index).max())


def units_in(pairs: Pairs, labels: list[str] | None) -> tuple[Floats, float]:
    """Independent units of some pairs, and the largest sum that one of them can show."""
    units, largest = units_of(pairs.d, labels)
    return units, largest * pairs.scale
