"""Does a judge agree with people, and people with each other, beyond chance? Always with the raw
agreement and the table beside it.

Kappa collapses where one answer is rare, so neither number is shown alone. Krippendorff's own gate:
alpha >= .8 firm, >= .667 tentative.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ..errors import StatisticsError
from .finite import finite

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["Agreement", "Kappa", "cohen", "fleiss", "krippendorff", "krippendorff_interval"]

Metric = Literal["nominal", "ordinal", "interval", "ratio"]
RESAMPLES = 1_999
SEED = 20_260_103
_CELLS = 4_000_000  # of the matrices of all items, kept at once while they are resampled


@dataclass(frozen=True, slots=True)
class Kappa:
    """value: Cohen's kappa, None if both raters gave one and the same answer throughout;
    observed: share of equal answers; expected: by chance; se: of the unweighted kappa, large
    samples (Fleiss, Cohen and Everitt 1969); low, high: 95 % interval by bootstrap over items;
    answers: the categories; table: rows the first rater, columns the second, counts of items.
    """

    value: float | None
    observed: float
    expected: float
    se: float | None
    low: float | None
    high: float | None
    answers: tuple[Any, ...]
    table: tuple[tuple[int, ...], ...]
    n: int


@dataclass(frozen=True, slots=True)
class Agreement:
    """alpha with its 95 % interval by bootstrap over items; grade: "firm" (>= .8), "tentative" (>=
    .667), "poor" or "unknown".
    """

    alpha: float | None
    low: float | None
    high: float | None
    items: int

    @property
    def grade(self) -> str:
        if self.alpha is None:
            return "unknown"
        return "firm" if self.alpha >= 0.8 else "tentative" if self.alpha >= 0.667 else "poor"


def cohen(
    a: Sequence[object],
    b: Sequence[object],
    *,
    weights: Literal["linear", "quadratic"] | None = None,
    seed: int = SEED,
    resamples: int = RESAMPLES,
) -> Kappa:
    """Cohen's kappa (1960) of two raters of the same items. weights: for ordered answers, which are
    sorted and counted as steps.

    Raises StatisticsError for unequal lengths, no item, or an answer of None or NaN.
    """
    import numpy as np

    answers = _answers(a, b)
    place = {answer: i for i, answer in enumerate(answers)}
    k = len(answers)
    codes = np.array([place[x] * k + place[y] for x, y in zip(a, b, strict=True)])
    penalty = _penalty(k, weights)

    def table_of(chosen: Floats) -> Floats:
        return np.bincount(chosen, minlength=k * k).reshape(k, k).astype(float)

    table = table_of(codes)
    rng = np.random.default_rng(seed)
    found = [
        _kappa(table_of(codes[rng.integers(0, len(codes), len(codes))]), penalty)
        for _ in range(resamples)
    ]
    low, high = _percentiles(found)
    shares = table / len(codes)
    return Kappa(
        value=_kappa(table, penalty),
        observed=float(np.trace(shares)),
        expected=float(shares.sum(1) @ shares.sum(0)),
        se=_cohen_se(shares, len(codes)) if weights is None else None,
        low=low,
        high=high,
        answers=answers,
        table=tuple(tuple(int(x) for x in row) for row in table),
        n=len(codes),
    )


def _answers(a: Sequence[Any], b: Sequence[Any]) -> tuple[Any, ...]:
    """What two raters answered, in order. Raises StatisticsError if their items do not match."""
    if len(a) != len(b) or not len(a):
        raise StatisticsError(
            f"the raters answered {len(a)} and {len(b)} items; expected the same items, at least"
            " one."
        )
    if any(x is None or x != x for x in (*a, *b)):
        raise StatisticsError(
            "an answer is missing (None or NaN); leave such items out, or use krippendorff, which"
            " takes gaps."
        )
    return tuple(
        sorted(
            set(a) | set(b),
            key=lambda x: (str(type(x)), x) if not isinstance(x, (int, float)) else ("", x),
        )
    )


def _penalty(k: int, weights: str | None) -> Floats:
    """What a disagreement of answers i and j costs."""
    import numpy as np

    if weights not in (None, "linear", "quadratic"):
        raise StatisticsError(f'weights is {weights!r}; expected None, "linear" or "quadratic".')
    away = np.abs(np.subtract.outer(np.arange(k), np.arange(k))).astype(float)
    return (away > 0).astype(float) if weights is None else away if weights == "linear" else away**2


def _kappa(table: Floats, penalty: Floats) -> float | None:
    shares = table / table.sum()
    by_chance = float((penalty * (shares.sum(1)[:, None] * shares.sum(0)[None, :])).sum())
    return 1 - float((penalty * shares).sum()) / by_chance if by_chance > 0 else None


def _cohen_se(shares: Floats, n: int) -> float | None:
    import numpy as np

    rows, columns, agree = shares.sum(1), shares.sum(0), float(np.trace(shares))
    chance = float(rows @ columns)
    if chance >= 1:
        return None
    kappa = (agree - chance) / (1 - chance)
    equal = float((np.diag(shares) * (1 - (rows + columns) * (1 - kappa)) ** 2).sum())
    sums = (
        rows[None, :] + columns[:, None]
    )  # of the column's answer as first rater, the row's as second
    apart = shares * sums**2
    unequal = (1 - kappa) ** 2 * float(apart.sum() - np.diag(apart).sum())
    variance = equal + unequal - (kappa - chance * (1 - kappa)) ** 2
    return math.sqrt(max(variance, 0.0) / n) / (1 - chance)


def fleiss(table: Sequence[Sequence[int]]) -> float | None:
    """Fleiss' kappa (1971). table: a row per item, a column per answer, counts of raters, equally
    many an item; None if one answer is all.
    """
    import numpy as np

    counts = np.asarray(table, dtype=float)
    if (
        counts.ndim != 2
        or not counts.size
        or (counts < 0).any()
        or len(set(counts.sum(1))) != 1
        or counts.sum(1)[0] < 2
    ):
        raise StatisticsError(
            "Fleiss' kappa needs a table of items by answers with the same number of raters (at"
            " least 2) in every row."
        )
    raters = counts.sum(1)[0]
    agree = float(((counts * (counts - 1)).sum(1) / (raters * (raters - 1))).mean())
    chance = float(((counts.sum(0) / counts.sum()) ** 2).sum())
    return (agree - chance) / (1 - chance) if chance < 1 else None


def krippendorff(
    ratings: Sequence[Sequence[float | None]], *, metric: Metric = "nominal"
) -> float | None:
    """Krippendorff's alpha (2011) for any number of raters, with missing ratings. ratings: one row
    per rater and one column per item; None: not rated.

    None if alpha is not defined: no item with two ratings, or one value throughout. Raises
    StatisticsError for NaN.
    """
    return _alpha(_units(ratings), metric)


def krippendorff_interval(
    ratings: Sequence[Sequence[float | None]],
    *,
    metric: Metric = "nominal",
    seed: int = SEED,
    resamples: int = RESAMPLES,
) -> Agreement:
    """alpha with its 95 % interval: items are resampled, never single ratings."""
    import numpy as np

    units = _units(ratings)
    rng = np.random.default_rng(seed)
    if not units:
        return Agreement(None, None, None, 0)
    draws = (rng.integers(0, len(units), len(units)) for _ in range(resamples))
    values = sorted({value for unit in units for value in unit})
    if len(units) * len(values) ** 2 > _CELLS:
        found = [_alpha([units[i] for i in draw], metric) for draw in draws]
    else:  # how often each item was drawn, times its own matrix: no loop over items
        each = np.array([_coincidences(unit, values) for unit in units])
        flat, shape = each.reshape(len(units), -1), each.shape[1:]
        weights = (np.bincount(draw, minlength=len(units)) for draw in draws)
        found = [_alpha_of((weight @ flat).reshape(shape), values, metric) for weight in weights]
    return Agreement(_alpha(units, metric), *_percentiles(found), len(units))


def _units(ratings: Sequence[Sequence[float | None]]) -> list[list[float]]:
    """The ratings of each item that has at least two."""
    if len({len(row) for row in ratings}) > 1:
        raise StatisticsError(
            "the raters' rows have different lengths; expected one place per item, None if it was"
            " not rated."
        )
    units = [
        [value for value in column if value is not None] for column in zip(*ratings, strict=True)
    ]
    return [list(finite(unit, "ratings")) for unit in units if len(unit) > 1]


def _alpha(units: Sequence[Sequence[float]], metric: Metric) -> float | None:
    """1 - observed / expected disagreement, from the matrix of coincidences."""
    import numpy as np

    values = sorted({value for unit in units for value in unit})
    together = np.zeros((len(values), len(values)))
    for unit in units:
        together += _coincidences(unit, values)
    return _alpha_of(together, values, metric)


def _coincidences(unit: Sequence[float], values: Sequence[float]) -> Floats:
    """The pairs of ratings of one item, by their values."""
    import numpy as np

    here = np.bincount(np.searchsorted(values, unit), minlength=len(values)).astype(float)
    pairs: Floats = (np.outer(here, here) - np.diag(here)) / (len(unit) - 1)
    return pairs


def _alpha_of(together: Floats, values: Sequence[float], metric: Metric) -> float | None:
    import numpy as np

    totals = together.sum(0)
    if np.count_nonzero(totals) < 2:
        return None
    distance = _distance(metric)(np.asarray(values, float), totals)
    expected = float((distance * np.outer(totals, totals)).sum()) / (totals.sum() - 1)
    return float(1 - (distance * together).sum() / expected) if expected > 0 else None


def _distance(metric: Metric) -> Callable[[Floats, Floats], Floats]:
    """Squared difference of two values under each metric, as a matrix."""
    import numpy as np

    def ordinal(values: Floats, totals: Floats) -> Floats:
        ranks = np.cumsum(totals) - totals / 2
        out: Floats = np.subtract.outer(ranks, ranks) ** 2
        return out

    def ratio(values: Floats, totals: Floats) -> Floats:
        sums = np.add.outer(values, values)
        out: Floats = (
            np.divide(
                np.subtract.outer(values, values), sums, out=np.zeros_like(sums), where=sums != 0
            )
            ** 2
        )
        return out

    metrics: dict[str, Callable[[Floats, Floats], Floats]] = {
        "nominal": lambda values, totals: 1.0 - np.eye(len(values)),
        "ordinal": ordinal,
        "interval": lambda values, totals: np.subtract.outer(values, values) ** 2,
        "ratio": ratio,
    }
    if metric not in metrics:
        raise StatisticsError(f"metric is {metric!r}; expected one of {', '.join(metrics)}.")
    return metrics[metric]


def _percentiles(found: Sequence[float | None]) -> tuple[float | None, float | None]:
    """95 % of the resamples that could be computed; None if too few could."""
    import numpy as np

    known = [value for value in found if value is not None]
    if len(known) < max(20, len(found) // 2):
        return None, None
    low, high = np.quantile(known, (0.025, 0.975))
    return float(low), float(high)
