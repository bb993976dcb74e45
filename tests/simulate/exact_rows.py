"""Rows of the size table on slices, and early stopping of one candidate, counted out if that is
possible: every outcome with its probability.
"""

from __future__ import annotations

from functools import cache
from math import comb
from typing import Any

import numpy as np
from size_row import ALPHA, Row, e_table, half_table, p_of

from promptops.analysis import intervals, multiplicity

__all__ = ["early_at_most", "early_one", "guarded_slice", "slices_by_holm"]

MARGIN = 0.05
_DIFFER = 0.6 * 0.3 / (0.9 * 1.9)  # of 0/1 outcomes that win, and that lose: chance of Beta(.6, .3)
_TINY = 1e-13  # probability of an outcome that is left out


def guarded_slice(n: int = 100, others: int = 300) -> Row:
    """A slice of 100 that loses exactly its margin (0.05 won, 0.10 lost) beside 300 examples that
    gain 20 points: the tag as a guardrail. Every outcome of the slice; a promotion needs at least
    the guardrail. Broken: no guardrail, so that the gain over all decides.
    """
    rest = [comb(others, k) * 0.2**k * 0.8 ** (others - k) for k in range(others + 1)]
    least: dict[int, int] = {}
    size = naive = 0.0
    for won in range(n + 1):
        for lost in range(n - won + 1):
            chance = comb(n, won) * comb(n - won, lost) * 0.05**won * 0.10**lost
            chance *= 0.85 ** (n - won - lost)
            if chance < _TINY:
                continue
            size += chance * (intervals.tango(won, lost, n, level=0.90)[0] > -MARGIN)
            if lost not in least:  # wins that settle the whole against these losses
                least[lost] = next(b for b in range(10 * n) if p_of(b, lost) <= ALPHA)
            naive += chance * sum(rest[max(least[lost] - won, 0) :])
    return Row("a slice that loses its margin, as a guardrail", ALPHA, None, size, naive)


def slices_by_holm(rng: np.random.Generator, studies: int, tags: int = 10, n: int = 40) -> Row:
    """A version that is as good on each of ten tags of 40 examples: how often one of them holds its
    promotion back. Broken: each tag by itself, without Holm.
    """
    draws = rng.multinomial(n, [0.2, 0.2, 0.6], (studies, tags))
    won, lost = draws[:, :, 0], draws[:, :, 1]
    worse = np.vectorize(lambda b, c: p_of(int(c), int(b)) if c > b else 1.0, otypes=[float])
    p = worse(won, lost)
    held = np.array([float(multiplicity.holm(row).min()) <= ALPHA for row in p])
    broken = (p <= ALPHA).any(1)
    name = f"held back by one of {tags} equal slices"
    return Row(name, ALPHA, studies, float(held.mean()), float(broken.mean()))


def early_one(n: int = 300, batch: int = 16) -> Row:
    """One candidate, looked at after every batch, E >= 20 at each: every path of wins and losses.

    Broken: at the end the fixed test with ties by half at full alpha as well.
    """
    settled, late = _paths(1 / ALPHA, n, batch)
    return Row("early stopping, 1 candidate", ALPHA, None, settled, settled + late)


def early_at_most(m: int, n: int = 300, batch: int = 16) -> Row:
    """m candidates, E >= 20 m for each at every look: at most m times the chance of one, whatever
    they have in common (the baseline, the examples), and that chance is counted out.

    Broken: one of the m at E >= 20 and by the fixed test at the end, which is the least that any
    of them comes to.
    """
    settled, _ = _paths(m / ALPHA, n, batch)
    once, late = _paths(1 / ALPHA, n, batch)
    name = f"early stopping, at most, {m} candidates"
    return Row(name, ALPHA, None, m * settled, once + late)


@cache
def _paths(wanted: float, n: int, batch: int) -> tuple[float, float]:
    """(chance that one candidate reaches E at some look, chance that it does not and the fixed test
    with ties by half promotes at the end).
    """
    state = np.zeros((n + 1, n + 1))  # of studies not yet settled, by wins and losses
    state[0, 0] = 1.0
    settled = 0.0
    for asked in range(1, n + 1):
        following = (1 - 2 * _DIFFER) * state
        following[1:] += _DIFFER * state[:-1]
        following[:, 1:] += _DIFFER * state[:, :-1]
        state = following
        if asked % batch == 0:
            settled += _take(state, lambda b, c: e_table(b, c) >= wanted)
    return settled, _take(state, lambda b, c: half_table(b, c) <= ALPHA)


def _take(state: Any, passes: Any) -> float:
    """The probability of the outcomes that pass, which are taken out of the state."""
    won, lost = np.nonzero(state > _TINY)
    hit = passes(won, lost)
    found = float(state[won[hit], lost[hit]].sum())
    state[won[hit], lost[hit]] = 0.0
    return found
