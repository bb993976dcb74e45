"""Roots are scipy's bit for bit, and a comparison does without `scipy.optimize`."""

from __future__ import annotations

import math
import random
import subprocess
import sys
from collections.abc import Callable

import pytest
from scipy.optimize import brentq

from promptops.analysis.binary_counts import tango_score
from promptops.analysis.roots import root
from promptops.errors import StatisticsError


def functions(seed: int) -> list[tuple[Callable[[float], float], float, float]]:
    """Smooth, steep, flat and jumping functions, each with ends of opposite signs."""
    draw = random.Random(seed)
    at, steep, shift = draw.uniform(-0.9, 0.9), 10 ** draw.uniform(-2, 3), draw.uniform(0.1, 3)
    n = draw.randint(3, 400)
    won = draw.randint(1, n - 1)
    lost = draw.randint(0, n - won)
    gain = (won - lost) / n
    return [
        (lambda x: (x - at) ** 3 + 1e-3 * (x - at), -1.0, 1.0),
        (lambda x: math.tanh(steep * (x - at)), -1.0, 1.0),
        (lambda x: 1.0 if x > at else -2.0, -1.0, 1.0),
        (lambda x: math.exp(x) - shift - 1, -5.0, 5.0),
        (lambda x: at - x, 1.0, -1.0),
        (lambda x: tango_score(won, lost, n, x) - 1.96, -1.0, gain),
    ]


@pytest.mark.parametrize("tolerance", [(1e-14, 1e-13), (1e-10, 8.881784197001252e-16)])
def test_every_root_is_scipys(tolerance: tuple[float, float]) -> None:
    """Also the function is asked at the same places."""
    xtol, rtol = tolerance
    for seed in range(150):
        for function, low, high in functions(seed):
            ours: list[float] = []
            theirs: list[float] = []

            def asked(x: float, into: list[float], f: Callable[[float], float] = function) -> float:
                into.append(x)
                return f(x)

            found = root(lambda x: asked(x, ours), low, high, xtol=xtol, rtol=rtol)  # noqa: B023
            wanted = brentq(lambda x: asked(x, theirs), low, high, xtol=xtol, rtol=rtol)  # noqa: B023
            assert found == wanted, (seed, low, high)
            assert ours == theirs, seed


def test_the_defaults_are_scipys() -> None:
    for function, low, high in functions(1):
        assert root(function, low, high) == brentq(function, low, high)


def test_a_root_at_an_end_is_that_end() -> None:
    assert root(lambda x: x - 2, 2.0, 5.0) == 2
    assert root(lambda x: x - 5, 2.0, 5.0) == 5


@pytest.mark.parametrize("level", [1.0, -1.0, math.nan])
def test_one_sign_at_both_ends_is_refused(level: float) -> None:
    with pytest.raises(StatisticsError, match="expected opposite signs"):
        root(lambda x: level, 0.0, 1.0)


def test_what_is_never_closed_in_on_is_said() -> None:
    """Where scipy gives up too: a ninth power is flat about its root."""
    with pytest.raises(RuntimeError):
        brentq(lambda x: (x - 0.3) ** 9, -1.0, 1.0, xtol=1e-14)
    with pytest.raises(StatisticsError, match="no root was closed in on"):
        root(lambda x: (x - 0.3) ** 9, -1.0, 1.0, xtol=1e-14)


def test_intervals_and_sizes_import_no_optimizer() -> None:
    """It takes a quarter of a second of the first comparison in a process."""
    code = (
        "import sys\n"
        "from promptops.analysis import e_values, intervals, power\n"
        "intervals.tango(5, 2, 50); power.n_t(0.3); power.mde_t(1.0, 20)\n"
        "e_values.lower_bound([0.0, 1.0, 1.0])\n"
        "print(sorted({'scipy.optimize', 'scipy.stats'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
