"""Bradley-Terry: one scale from many pairwise battles, for pairwise judges over many versions. Not
for two versions: use the sign test.

logit P(i beats j) = s_i - s_j, a tie half a win each (Arena). Strengths are relative to the first
version.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import StatisticsError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["Strengths", "bradley_terry"]

SEED = 20_260_104


@dataclass(frozen=True, slots=True)
class Strengths:
    """log_strength: natural log, the first 0; se: standard errors against the first (its own 0);
    low, high: 95 % of bootstrap resamples of battles, None if no resample was asked for; rating:
    on the Elo scale, 400 log10, the first at 1,000.
    """

    log_strength: tuple[float, ...]
    se: tuple[float, ...]
    low: tuple[float, ...] | None
    high: tuple[float, ...] | None

    @property
    def rating(self) -> tuple[float, ...]:
        from math import log

        return tuple(1000 + 400 * value / log(10) for value in self.log_strength)


def bradley_terry(
    wins: Sequence[Sequence[float]], *, resamples: int = 0, seed: int = SEED
) -> Strengths:
    """Maximum likelihood by Newton's method. wins[i][j]: how often i beat j, ties as half a win to
    each.

    Raises StatisticsError if strengths are not finite: some group of versions never lost, or
    never met the others.
    """
    import numpy as np

    table = np.asarray(wins, dtype=float)
    if (
        table.ndim != 2
        or table.shape[0] != table.shape[1]
        or len(table) < 2
        or not np.isfinite(table).all()
        or (table < 0).any()
    ):
        raise StatisticsError(
            "wins is not a square table of counts; expected wins[i][j] >= 0, how often version i"
            " beat"
            " version j."
        )
    np.fill_diagonal(table := table.copy(), 0.0)
    if not _connected(table):
        raise StatisticsError(
            "some versions never lost to, or never met, the others, so their strength has no limit;"
            " compare every version with more of the others."
        )
    strengths, covariance = _fit(table)
    low = high = None
    if resamples:
        rng = np.random.default_rng(seed)
        battles = round(float(table.sum()))
        drawn = [
            rng.multinomial(battles, table.ravel() / table.sum()).reshape(table.shape).astype(float)
            for _ in range(resamples)
        ]
        found = np.array([_fit(draw)[0] for draw in drawn if _connected(draw)])
        if len(found) >= resamples / 2:
            ends = np.quantile(found, (0.025, 0.975), axis=0)
            low, high = tuple(ends[0].tolist()), tuple(ends[1].tolist())
    return Strengths(
        tuple(strengths.tolist()), (0.0, *np.sqrt(np.diag(covariance)).tolist()), low, high
    )


def _fit(table: Floats) -> tuple[Floats, Floats]:
    """Strengths (the first 0), and the covariance of the others."""
    import numpy as np

    met, won = table + table.T, table.sum(1)
    strengths = np.zeros(len(table))
    for _ in range(100):
        chance = 1 / (1 + np.exp(strengths[None, :] - strengths[:, None]))
        slope = won - (met * chance).sum(1)
        weight = met * chance * (1 - chance)
        information = np.diag(weight.sum(1)) - weight
        step = np.linalg.solve(information[1:, 1:], slope[1:])
        strengths[1:] += step / max(
            1.0, float(np.abs(step).max()) / 2
        )  # at most two units a step: no overshoot
        if float(np.abs(step).max()) < 1e-12:
            break
    return strengths, np.linalg.inv(information[1:, 1:]).astype(np.float64, copy=False)


def _connected(table: Floats) -> bool:
    """Whether every version beats every other through a chain of wins (Ford 1957): then all
    strengths are finite.
    """
    import numpy as np

    reach = (table > 0) | np.eye(len(table), dtype=bool)
    for _ in range(len(table).bit_length() + 1):
        reach = (reach.astype(int) @ reach.astype(int)) > 0
    return bool(reach.all())
