"""The A/A noise floor: by how much a comparison would differ from 0 if both of its arms were one
version, since a model answers the same request in several ways.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .facts import LEVEL
from .intervals import quantile

if TYPE_CHECKING:
    from .arms import Outcomes

__all__ = ["LEAST", "NoiseFloor", "noise_floor"]

LEAST = 10  # examples answered twice that speak for a dataset; fewer only if they are all of it
NoiseFloor = tuple[float, float, float]  # 0 and its 90 % interval


def noise_floor(own: Outcomes, candidate: Outcomes, baseline: Outcomes) -> NoiseFloor | None:
    """0 with its 90 % interval: the spread of one answer, divided by the repeats that each arm
    averages on each example.

    Args:
        own: all outcomes of one version on the dataset, by which the spread is measured.
        candidate, baseline: the arms that are compared, copies pooled as in the comparison.

    Returns:
        None if fewer than 10 examples, and not all of them, were answered twice.
    """
    import numpy as np

    repeated = own.variance == own.variance
    if not repeated.any() or repeated.sum() < min(LEAST, len(own.examples)):
        return None
    degrees = own.scored[repeated] - 1
    variance = float((degrees * own.variance[repeated]).sum() / degrees.sum())
    shares = [arm.scored[arm.scored > 0] for arm in (candidate, baseline)]
    n = min(map(len, shares))
    if not n:
        return None
    spread = variance * sum(float(np.mean(1 / share)) for share in shares) / n
    half = float(quantile(LEVEL) * spread**0.5)
    return 0.0, 0.0 - half, half
