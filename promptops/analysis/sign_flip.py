"""The distribution of a sum over coin flips: X = sum of k_i B_i, B_i fair coins, k_i positive whole
numbers.

P(X <= a) and P(X = a) with full relative accuracy, however small. Three ways, chosen by size alone,
so that equal input always takes the same way: whole-number counts where all k are equal; adding up
positive terms (Pagano and Tritchler 1983), cut at a; and for long sums the same law tilted until a
is its mean (Esscher), then inverted from its characteristic function.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

__all__ = ["SEED", "TINY", "lower_tail", "sampled_tail", "tail_by_counts"]

TINY = 1e-300  # smaller probabilities are given as this, never as 0
SEED = 20_260_102
DRAWS = 9_999
_ADD_LIMIT = 6e7  # terms that adding up may take: about 20 ms
_WIDEST = 2**23  # points of the inversion: about half a second
_NATS = 46.0  # e^-46 = 1e-20: what may be cut off
_CUT = 1e-20
_EXACT_COUNTS = 1000
_UNHALVED = 1000  # fair coins whose ways add up within the range of a float


def tail_by_counts(a: int, n: int) -> tuple[float, float]:
    """P(X <= a), P(X = a) for n fair coins of weight 1; exact to the last bit up to 1,000 coins."""
    if n <= _EXACT_COUNTS:
        term = total = 1
        for i in range(a):
            term = term * (n - i) // (i + 1)
            total += term
        return max(total / 2**n, TINY), max(term / 2**n, TINY)
    from scipy.special import bdtr, gammaln

    log_at = float(gammaln(n + 1) - gammaln(a + 1) - gammaln(n - a + 1)) - n * math.log(2)
    return max(float(bdtr(a, n, 0.5)), TINY), max(math.exp(log_at), TINY)


def lower_tail(sizes: Ints, a: int) -> tuple[float, float] | None:
    """P(X <= a), P(X = a), where a is at most half of sum(sizes). sizes: sorted.

    None if it is too wide for exactness.
    """
    if len(sizes) * (a + 1) <= _ADD_LIMIT:
        law = _add_up_fair(sizes, a)
        return max(float(law.sum()), TINY), max(float(law[a]), TINY)
    tilt, log_scale = _tilt(sizes, a)
    if log_scale < math.log(TINY):
        return TINY, TINY
    return _invert(sizes, a, tilt, log_scale)


def sampled_tail(sizes: Ints, a: int) -> tuple[float, float, int]:
    """Monte-Carlo: ((1 + hits) / (1 + draws), share of exact hits, draws), one binomial for all
    coins of one weight.
    """
    import numpy as np

    rng = np.random.default_rng(SEED)
    weights, repeats = np.unique(sizes, return_counts=True)
    if len(weights) > 2000:
        total = np.array(
            [
                int(sizes[rng.integers(0, 2, len(sizes), dtype=np.int8) == 1].sum())
                for _ in range(DRAWS)
            ]
        )
    else:
        total = np.zeros(DRAWS, dtype=np.int64)
        for weight, n in zip(weights, repeats, strict=True):
            total += weight * rng.binomial(n, 0.5, DRAWS)
    return (1 + int((total <= a).sum())) / (1 + DRAWS), int((total == a).sum()) / (1 + DRAWS), DRAWS


def _add_up(sizes: Ints, chances: Floats, last: int) -> Floats:
    """P(X = 0), ..., P(X = last), coin i showing with chances[i]; only positive terms are added, so
    nothing cancels.
    """
    import numpy as np

    law = np.zeros(last + 1)
    law[0] = 1.0
    top = 0
    for size, chance in zip(sizes.tolist(), chances.tolist(), strict=True):
        moved = law[: min(top, last - size) + 1] * chance if size <= last else None
        law[: top + 1] *= 1.0 - chance
        if moved is not None:
            law[size : size + len(moved)] += moved
            top = min(top + size, last)
    return law


def _add_up_fair(sizes: Ints, last: int) -> Floats:
    """As `_add_up` for fair coins: the ways are added up, and halved for all coins at once, which
    is exact and takes a third of the work.
    """
    import numpy as np

    if len(sizes) > _UNHALVED:
        return _add_up(sizes, np.full(len(sizes), 0.5), last)
    law, longer = np.zeros(last + 1), np.zeros(last + 1)
    law[0] = 1.0
    end = 1
    for size in sizes.tolist():
        if size > last:
            break  # and so are the others: they are sorted
        end = min(end + size, last + 1)
        longer[:size] = law[:size]
        np.add(law[size:end], law[: end - size], out=longer[size:end])
        law, longer = longer, law
    law *= 0.5 ** len(sizes)
    return law


def _tilt(sizes: Ints, a: int) -> tuple[float, float]:
    """t with E_t[X] = a under P_t(X = x) ~ P(X = x) e^(t x), and log(E[e^(t X)]) - t a, the
    Chernoff bound of P(X <= a).
    """
    import numpy as np
    from scipy.special import expit

    weights, repeats = np.unique(sizes, return_counts=True)
    scaled, target = weights / float(weights[-1]), a / float(weights[-1])

    def mean(t: float) -> float:
        return float((repeats * scaled * expit(t * scaled)).sum())

    low, high = -1.0, 0.0
    while mean(low) > target and low > -1e6:
        low, high = 2 * low, low
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if mean(middle) > target else (middle, high)
    tilt = (low + high) / 2 / float(weights[-1])
    log_moment = float((repeats * np.log1p(np.exp(tilt * weights))).sum()) - len(sizes) * math.log(
        2
    )
    return tilt, log_moment - tilt * a


def _invert(sizes: Ints, a: int, tilt: float, log_scale: float) -> tuple[float, float] | None:
    """From the characteristic function of the tilted law on N points, around a.

    N leaves out at most 1e-20 of the law (Bernstein's inequality). A first block of coins is added
    up and transformed at once; wherever it is below 1e-20 the product is, so the other coins are
    multiplied in at the few points that remain.
    """
    import numpy as np
    from scipy.fft import next_fast_len, rfft
    from scipy.special import expit

    chances = expit(tilt * sizes)
    variance = float((sizes.astype(float) ** 2 * chances * (1 - chances)).sum())
    edge = _NATS * float(sizes[-1]) / 3
    points = next_fast_len(
        int(2 * (edge + math.sqrt(edge**2 + 2 * _NATS * variance))) + 2, real=True
    )
    points = min(points, next_fast_len(int(sizes.sum()) + 2, real=True))
    if points > _WIDEST:
        return None
    block, rest = _block(sizes, chances)
    law = _add_up(sizes[block], chances[block], int(sizes[block].sum()))
    if len(law) > points:
        folded = np.bincount(np.arange(len(law)) % points, weights=law, minlength=points)
        law = folded.astype(np.float64, copy=False)
    spectrum = rfft(law, points)
    alive = np.flatnonzero(spectrum.real**2 + spectrum.imag**2 > _CUT**2)
    product = np.conj(spectrum[alive])
    weights, first, repeats = np.unique(sizes[rest], return_index=True, return_counts=True)
    turn = 2 * math.pi / points
    for weight, chance, n in zip(
        weights.tolist(), chances[rest][first].tolist(), repeats.tolist(), strict=True
    ):
        product = (
            product * ((1 - chance) + chance * np.exp(1j * turn * (alive * weight % points))) ** n
        )
        keep = np.abs(product) > _CUT
        if not keep.all():
            alive, product = alive[keep], product[keep]
    # P_t(X = a - v) is the mean of product * e^(-i angle (a - v)); summed over v with weights
    # e^(tilt v) it is a geometric series
    product = (
        product
        * np.exp(-1j * turn * (alive * (a % points) % points))
        * np.where((alive == 0) | (2 * alive == points), 1.0, 2.0)
    )
    terms, ratio = points // 2, tilt + 1j * turn * alive
    series = np.where(
        ratio == 0, terms, np.expm1(terms * ratio) / np.where(ratio == 0, 1.0, np.expm1(ratio))
    )
    scale = math.exp(log_scale) / points
    return max(scale * float((product * series).real.sum()), TINY), max(
        scale * float(product.real.sum()), TINY
    )


def _block(sizes: Ints, chances: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Indices of a first block, and of the rest: coins spread over all weights until their mean log
    factor is below -60.
    """
    import numpy as np

    nats = -np.log(np.maximum(chances, 1 - chances))
    order = np.argsort(
        (np.arange(len(sizes)) * 0.6180339887498949) % 1.0, kind="stable"
    )  # golden ratio: evenly spread, no seed
    enough = int(np.searchsorted(np.cumsum(nats[order]), 60.0)) + 1
    taken = np.zeros(len(sizes), dtype=bool)
    taken[order[:enough]] = True
    return np.flatnonzero(taken), np.flatnonzero(~taken)
