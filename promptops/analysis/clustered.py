"""The interval of a mean whose examples come in clusters."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ..errors import StatisticsError
from .finite import finite, share
from .intervals import Interval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["ClusteredMean", "clustered_mean"]
WITHIN = 0.02  # working correlation within clusters; tests/simulate/verdicts.py shows that it holds
UNEVEN = 3.0  # times the mean size, up to which clusters count as alike
DOMINATES = 0.5  # share of the examples from which one cluster dominates
LEAST_CLUSTERS = 4.0  # effective clusters below which a dominating one leaves nothing to estimate


@dataclass(frozen=True, slots=True)
class ClusteredMean:
    """mean over examples; se, None if there is one cluster; interval: t with `freedom` degrees,
    None if it cannot be estimated; largest: share of the examples in the largest cluster.
    """

    mean: float
    se: float | None
    clusters: int
    interval: Interval | None
    freedom: float = 0.0
    largest: float = 1.0

    @property
    def dominated(self) -> bool:
        """Whether one cluster holds so much that the others cannot tell how clusters differ."""
        return self.interval is None and self.clusters > 1 and self.se != 0.0


def clustered_mean(
    values: object,
    labels: Sequence[Hashable],
    *,
    level: float = 0.95,
    form: Literal["cr1", "cr2"] = "cr1",
) -> ClusteredMean:
    """Mean of examples that come in groups.

    Args:
        values: one number per example.
        labels: the cluster of each.
        level: of the interval, two-sided.
        form: "cr1" has the standard error sqrt(G/(G-1) * sum_g (sum_{i in g}(s_i - m))^2) / n
            and G - 1 degrees of freedom (Miller 2024, inspect_ai `stderr(cluster=)`). "cr2" (Bell
            and McCaffrey 2002) divides each squared sum by 1 - n_g / n instead and takes
            Satterthwaite's degrees of freedom, where a cluster is larger than three of mean size;
            for clusters of one size it is the same. There is then no interval where one cluster
            holds half of the examples or more and the effective number of clusters
            (n^2 / sum n_g^2) is below 4.
    """
    import numpy as np
    from scipy.special import stdtrit

    array = finite(values, "values")
    _check_labels(len(array), len(labels))
    place: dict[Hashable, int] = {}
    index = np.array([place.setdefault(label, len(place)) for label in labels], dtype=int)
    mean, groups = float(array.mean()), len(place)
    sums = np.bincount(index, weights=array - mean, minlength=groups)
    if groups < 2:
        return ClusteredMean(mean, None, groups, None)
    sizes = np.bincount(index, minlength=groups).astype(float)
    largest = float(sizes.max()) / len(array)
    uneven = largest > UNEVEN / groups
    if form == "cr1" or not uneven:
        squares, freedom = groups / (groups - 1) * float((sums**2).sum()), float(groups - 1)
    else:
        squares, freedom = float((sums**2 / (1 - sizes / len(array))).sum()), _freedom(sizes)
    se = math.sqrt(squares) / len(array)
    if se <= 1e-12 * max(1.0, abs(mean)):
        return ClusteredMean(mean, 0.0, groups, None, freedom, largest)
    effective = len(array) ** 2 / float((sizes**2).sum())
    if form == "cr2" and uneven and effective < LEAST_CLUSTERS and largest >= DOMINATES:
        return ClusteredMean(mean, se, groups, None, freedom, largest)
    half = float(stdtrit(freedom, 0.5 + share(level) / 2)) * se
    return ClusteredMean(mean, se, groups, (mean - half, mean + half), freedom, largest)


def _check_labels(values: int, labels: int) -> None:
    """Raises StatisticsError if there is not one label for each of some values."""
    if labels != values:
        raise StatisticsError(
            f"{values} values have {labels} cluster labels; expected one label per value."
        )
    if not values:
        raise StatisticsError("a mean over clusters needs at least one value; none was given.")


def _freedom(sizes: NDArray[np.intp]) -> float:
    """Satterthwaite's degrees of freedom of the CR2 variance of a mean, at most G - 1.

    The working covariance has the correlation `WITHIN` in each cluster. With C = I - s 1'/n the
    sums of residuals have the covariance C diag(v) C', and the degrees are tr(M)^2 / tr(M^2) of
    that matrix scaled by 1 / (1 - n_g / n); both traces are taken without building it.
    """
    import numpy as np

    n = float(sizes.sum())
    v = sizes + WITHIN * sizes * (sizes - 1)
    a, b, total = sizes / n, -v, float(v.sum())
    w = 1 / (1 - a)
    diagonal = 2 * a * b + total * a * a
    trace = float((w * (v + diagonal)).sum())
    q = np.array([[(w * x * y).sum() for y in (a, b)] for x in (a, b)])
    kq = np.array([[total, 1.0], [1.0, 0.0]]) @ q
    square = float((w * w * (v * v + 2 * v * diagonal)).sum()) + float(np.trace(kq @ kq))
    return min(max(trace * trace / square, 1.0), len(sizes) - 1.0)
