"""The smallest difference that n examples detect, and the n that a difference takes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from . import power
from .arms import Pairs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["detectable", "needed_n"]
_NEVER = 10**9  # pairs that nobody will ever ask


def detectable(
    pairs: Pairs,
    labels: list[str] | None,
    units: int,
    alpha: float,
    spread: float | None,
    rules: int,
) -> float | None:
    """On the scale of the gain per example: exact for 0/1 scores, by the noncentral t else."""
    if not spread or units < 2:
        return None
    if rules < 2:  # release 0.1 had the normal approximation
        return power.mde(spread, units, alpha=alpha) * units / pairs.n
    if labels is None and pairs.binary and pairs.repeats == 1:
        changed = int((abs(pairs.d) > 1e-12).sum())
        return power.mde_binary(changed, pairs.n, alpha=alpha)
    if units < power.least_disagreements(alpha):  # the exact test settles nothing on so few
        return None
    return power.mde_t(spread, units, alpha=alpha) * units / pairs.n


def needed_n(
    pairs: Pairs,
    labels: list[str] | None,
    gain: float,
    spread: float | None,
    alpha: float,
    rules: int,
) -> int | None:
    """Pairs for 80 % power at the gain seen, if it is one: exact for 0/1, the normal approximation
    plus 15 % else; None past a billion.
    """
    if not spread or gain <= 0:
        return None
    if labels is None and pairs.binary and pairs.repeats == 1:
        wins, losses = float((pairs.d > 0).mean()), float((pairs.d < 0).mean())
        n = power.n_binary(wins, losses, alpha=alpha)
        return n if n < _NEVER else None
    units = 1.15 * power.n_normal(spread, gain, alpha=alpha)
    if rules >= 2:
        units = max(units, power.least_disagreements(alpha))
    wanted = math.ceil(units) * len(pairs.examples) / max(len(set(labels)), 1) if labels else units
    return math.ceil(wanted) if wanted < _NEVER else None
