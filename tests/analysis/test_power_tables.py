"""The tables behind the exact power hold what counting gives, also where only a stretch is made."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from promptops.analysis import power
from promptops.analysis.power import exact_power, mde_binary


def counted(wins: float, losses: float, n: int, alpha: float) -> float:
    """The power by the fewest significant wins of each number of disagreements."""
    found, changed = 0.0, wins + losses
    for m in range(n + 1):
        chance = binom.pmf(m, n, changed)
        if chance > 1e-18:
            fewest = int(binom.isf(alpha, m, 0.5)) + 1  # P(X >= fewest) <= alpha
            found += chance * binom.sf(fewest - 1, m, wins / changed)
    return found


@pytest.mark.parametrize("alpha", [0.05, 0.001])
@pytest.mark.parametrize("n", [60, 8_100])
def test_the_power_is_what_counting_gives(n: int, alpha: float) -> None:
    """Disagreements around 30, and around 4,050, where two tables meet."""
    assert exact_power(0.27, 0.23, n, alpha=alpha) == pytest.approx(
        counted(0.27, 0.23, n, alpha), rel=1e-9
    )


def test_half_a_million_examples_need_a_small_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table of all 240,000 disagreements took 17 seconds; what is made is a stretch of them, and
    the gain is what was found then.
    """
    sizes, make = list[int](), power._criticals.__wrapped__

    def noted(alpha: float, ties: str, first: int, last: int) -> object:
        sizes.append(last - first)
        return make(alpha, ties, first, last)

    monkeypatch.setattr(power, "_criticals", noted)
    mde_binary.cache_clear()
    assert mde_binary(48_000, 100_000) == pytest.approx(0.005457520484924316, rel=1e-12)
    assert max(sizes) < 10_000
    assert np.all(np.array(sizes) > 0)
