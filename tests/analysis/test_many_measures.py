"""Many measures of many versions: what nobody reads is not worked out, and what was made faster
gives the same numbers to the last bit.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr, ndtri

from promptops.analysis import intervals, measured
from promptops.analysis.arms import Arm, Outcomes
from promptops.analysis.compare import compare
from promptops.analysis.facts import Difference
from promptops.analysis.finalists import decide_many
from promptops.analysis.sign_flip import _add_up, _add_up_fair
from promptops.errors import StudyError
from promptops.policy import Guardrail, Policy

METRICS, N = 12, 30


def arm(label: str, rng: np.random.Generator) -> Arm:
    """A version of which no measure is better than another's."""
    scores = {
        f"metric {m}": Outcomes.of({f"e{i}": [float(rng.random())] for i in range(N)})
        for m in range(METRICS)
    }
    return Arm(f"p1-{label}", label, scores)


@pytest.fixture
def worked_out(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The measures whose figures were worked out, in order."""
    names: list[str] = []
    figures_of = measured.figures_of

    def counted(name: str, *given: object, **more: object) -> Difference:
        names.append(name)
        return figures_of(name, *given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(measured, "figures_of", counted)
    return names


def test_of_rivals_only_what_the_policy_reads_is_worked_out(worked_out: list[str]) -> None:
    rng = np.random.default_rng(1)
    baseline, *candidates = (arm(f"v{n}", rng) for n in range(6))
    found = [compare(candidate, baseline) for candidate in candidates]
    assert worked_out == []
    verdicts = decide_many(found, Policy(guardrails=(Guardrail("metric 3", 0.5),)))
    assert [verdict.decision for verdict in verdicts] == ["inconclusive"] * 5
    assert sorted(worked_out) == ["metric 0"] * 5 + ["metric 3"] * 5


def test_each_measure_is_worked_out_once_and_all_of_them_where_they_are_shown(
    worked_out: list[str],
) -> None:
    rng = np.random.default_rng(2)
    found = compare(arm("v2", rng), arm("v1", rng), primary="metric 5")
    every = [f"metric {m}" for m in range(METRICS)]
    assert found["metric 7"] is found["metric 7"]
    assert found.primary.name == "metric 5"
    assert [figures.name for figures in found.differences] == every
    assert found.frame.index.tolist() == every
    assert sorted(worked_out) == sorted(every)
    with pytest.raises(StudyError, match="has no measure 'other'; it has metric 0, metric 1"):
        found["other"]


def bca_as_it_was(d: list[float], level: float, seed: int) -> tuple[float, float] | None:
    """The interval as release 0.1 worked it out: every resample is drawn for every measure."""
    array = np.sort(np.array(d))
    n, widest = len(array), max(1.0, float(np.abs(array).max()))
    if n < 2 or float(np.ptp(array)) <= 1e-12 * widest:
        return None
    rng, means, step = np.random.default_rng(seed), np.empty(9_999), max(2_000_000 // n, 1)
    for start in range(0, 9_999, step):
        size = min(step, 9_999 - start)
        drawn = rng.integers(0, n, (size, n), dtype=np.int32)
        means[start : start + size] = array[drawn].mean(axis=1)
    mean, slack = float(array.mean()), 1e-12 * widest
    below = np.count_nonzero(means < mean - slack)
    level_ = (below + 0.5 * np.count_nonzero(np.abs(means - mean) <= slack)) / 9_999
    if not 0 < level_ < 1:
        return None
    bias, bend, z = float(ndtri(level_)), intervals.acceleration(array), intervals.quantile(level)
    ends = [float(ndtr(bias + (bias + side) / (1 - bend * (bias + side)))) for side in (-z, z)]
    low, high = np.quantile(means, ends)
    return float(low), float(high)


@given(
    st.lists(st.floats(-1, 1).map(lambda x: round(x, 3)), min_size=1, max_size=60),
    st.sampled_from([0.9, 0.95]),
    st.integers(0, 3),
)
@settings(max_examples=25, deadline=None)
def test_bca_is_the_same_to_the_last_bit(d: list[float], level: float, seed: int) -> None:
    assert intervals.bca(d, level=level, seed=seed) == bca_as_it_was(d, level, seed)


@pytest.mark.parametrize("n", [250, 999, 1_001])
def test_bca_of_several_chunks_is_the_same_to_the_last_bit(n: int) -> None:
    """Below and above the size up to which draws are kept for the next measure."""
    for seed in (1, 1, 2):
        d = np.random.default_rng(n + seed).exponential(0.1, n).tolist()
        assert intervals.bca(d, level=0.9, seed=seed) == bca_as_it_was(d, 0.9, seed)


@given(st.lists(st.integers(1, 1_000), min_size=1, max_size=80), st.floats(0, 0.5))
@settings(max_examples=100, deadline=None)
def test_fair_coins_add_up_the_same_to_the_last_bit(sizes: list[int], part: float) -> None:
    coins = np.sort(np.array(sizes, dtype=np.int64))
    last = int(coins.sum() * part)
    halves = _add_up(coins, np.full(len(coins), 0.5), last)
    assert np.array_equal(_add_up_fair(coins, last), halves)


@pytest.mark.parametrize("coins", [999, 1_000, 1_001, 1_100])
def test_many_fair_coins_stay_within_the_range_of_a_float(coins: int) -> None:
    sizes = np.sort(np.random.default_rng(coins).integers(1, 30, coins))
    last = int(sizes.sum() // 2)
    law = _add_up_fair(sizes, last)
    assert np.isfinite(law).all()
    assert np.array_equal(law, _add_up(sizes, np.full(coins, 0.5), last))
