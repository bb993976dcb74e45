"""Size and power by exact enumeration of every outcome: no promotion of a no-better version more
often than alpha, whatever the truth.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest

from promptops.analysis import e_values, intervals, paired_tests, power
from promptops.analysis.arms import Arm, Outcomes
from promptops.analysis.compare import compare
from promptops.analysis.decide import decide
from promptops.analysis.finalists import decide_many
from promptops.policy import Policy

ALPHA = 0.05
MOST = 60


@cache
def p_of(b: int, c: int, ties: str = "full") -> float:
    return paired_tests.sign_flip([1.0] * b + [-1.0] * c, ties=ties).p_greater  # type: ignore[arg-type]


@cache
def log_factorials(n: int) -> np.ndarray:
    return np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])


def outcomes(n: int, won: float, lost: float) -> Iterator[tuple[int, int, float]]:
    """(b, c, probability) of every outcome of n examples, of which the shares `won` and `lost`
    change one way and the other.
    """
    log = log_factorials(n)
    logs = [math.log(x) if x > 0 else -math.inf for x in (won, lost, max(1 - won - lost, 0.0))]
    for b in range(n + 1):
        for c in range(n + 1 - b):
            terms = [k * x if k else 0.0 for k, x in zip((b, c, n - b - c), logs, strict=True)]
            yield b, c, math.exp(log[n] - log[b] - log[c] - log[n - b - c] + sum(terms))


@pytest.mark.parametrize("disagree", [0.02, 0.1, 0.3, 0.6, 0.9, 1.0])
def test_a_no_better_version_is_promoted_at_most_alpha(disagree: float) -> None:
    """For every n up to 60: P(p <= .05) <= .05 where neither is better; picking the higher mean
    promotes far more often.
    """
    worst = 0.0
    for n in range(1, MOST + 1, 1 if disagree in (0.3, 1.0) else 7):
        size = naive = 0.0
        for b, c, chance in outcomes(n, disagree / 2, disagree / 2):
            size += chance * (p_of(b, c) <= ALPHA)
            naive += chance * (b > c)
        assert size <= ALPHA + 1e-12
        assert naive >= size
        assert power.exact_power(disagree / 2, disagree / 2, n) == pytest.approx(size, abs=1e-12)
        worst = max(worst, naive)
    assert worst > 5 * ALPHA  # "higher mean wins": a no-better version almost every second time


@pytest.mark.parametrize(
    ("won", "lost", "n", "mean", "exact", "half"),
    [
        (0.10, 0.10, 50, 0.44, 0.023, 0.042),
        (0.10, 0.10, 100, 0.46, 0.032, 0.049),
        (0.10, 0.05, 50, 0.77, 0.12, 0.19),
        (0.10, 0.05, 100, 0.88, 0.28, 0.36),
        (0.15, 0.05, 50, 0.93, 0.35, 0.45),
        (0.15, 0.05, 100, 0.99, 0.68, 0.74),
        (0.20, 0.05, 30, 0.94, 0.34, 0.47),
        (0.20, 0.05, 50, 0.98, 0.61, 0.70),
        (0.20, 0.05, 100, 0.999, 0.91, 0.94),
    ],
)
def test_the_contract_s_power_table(
    won: float, lost: float, n: int, mean: float, exact: float, half: float
) -> None:
    """P(promote): the higher mean, the exact test, and mid-p, as the statistics contract prints
    them.
    """
    found = {"mean": 0.0, "full": 0.0, "half": 0.0}
    for b, c, chance in outcomes(n, won, lost):
        if chance < 1e-14:
            continue
        found["mean"] += chance * (b > c)
        found["full"] += chance * (p_of(b, c) <= ALPHA)
        found["half"] += chance * (p_of(b, c, "half") <= ALPHA)
    assert found["mean"] == pytest.approx(mean, abs=0.006)
    assert found["full"] == pytest.approx(exact, abs=0.006)
    assert found["half"] == pytest.approx(half, abs=0.006)
    assert power.exact_power(won, lost, n, ties="half") == pytest.approx(found["half"], abs=1e-9)


@pytest.mark.parametrize(
    "law", [(0.1, 0.2, 0.4), (0.3, 0.1, 0.2), (0.05, 0.05, 0.8), (0.5, 0.0, 0.0), (0.25, 0.25, 0.0)]
)
def test_scores_between_right_and_wrong_keep_the_level(law: tuple[float, float, float]) -> None:
    """Differences of 1, 1/2 and 0, symmetric: every outcome of 12 examples; full ties never pass
    alpha.
    """
    n, size, log = 12, 0.0, log_factorials(12)
    one, some, none = law
    chances = [math.log(x) if x else -math.inf for x in (one, some, none, some, one)]
    levels, total = (1.0, 0.5, 0.0, -0.5, -1.0), sum((one, some, none, some, one))
    assert total == pytest.approx(1)
    for counts in compositions(n, 5):
        chance = math.exp(
            log[n]
            - sum(log[k] for k in counts)
            + sum(k * x for k, x in zip(counts, chances, strict=True) if k)
        )
        if chance > 1e-9:
            d = [level for level, k in zip(levels, counts, strict=True) for _ in range(k)]
            size += chance * (paired_tests.sign_flip(d, grid=0.5).p_greater <= ALPHA)
    assert 0 < size <= ALPHA


def compositions(n: int, parts: int) -> Iterator[tuple[int, ...]]:
    if parts == 1:
        yield (n,)
        return
    for first in range(n + 1):
        for rest in compositions(n - first, parts - 1):
            yield (first, *rest)


@pytest.mark.parametrize(
    ("n", "tango", "bonett", "wald"),
    [(20, 0.046, 0.009, 0.124), (30, 0.025, 0.046, 0.111), (50, 0.034, 0.059, 0.089)],
)
def test_a_guardrail_lets_a_real_loss_through_at_most_alpha(
    n: int, tango: float, bonett: float, wald: float
) -> None:
    """B truly 8 points worse at a margin of 8 points: P(the guard passes), as the contract prints
    it; Wald lets twice as many through.
    """
    won, lost, margin = 0.02, 0.10, 0.08
    found = [0.0, 0.0, 0.0]
    for b, c, chance in outcomes(n, won, lost):
        if chance < 1e-13:
            continue
        half = 1.6448536269514722 * math.sqrt(max(b + c - (b - c) ** 2 / n, 0.0)) / n
        bounds = (
            intervals.tango(b, c, n, level=0.9)[0],
            intervals.bonett_price(b, c, n, level=0.9)[0],
            (b - c) / n - half,
        )
        for i, bound in enumerate(bounds):
            found[i] += chance * (bound > -margin)
    assert found == pytest.approx([tango, bonett, wald], abs=6e-4)
    assert found[0] <= ALPHA


@pytest.mark.parametrize("disagree", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("n", [1, 10, 40])
def test_the_e_value_is_fair(n: int, disagree: float) -> None:
    """E of E is at most 1 if B is no better, also when it is worse, over every outcome."""
    for won in (disagree / 2, disagree / 4):
        mean = sum(
            chance * e_values.e_value_of_counts(b, c)
            for b, c, chance in outcomes(n, won, disagree - won)
        )
        assert mean <= 1 + 1e-9


def test_peeking_by_p_breaks_the_level_and_by_e_keeps_it() -> None:
    """Looking every 10 examples up to 100, neither better, half of them disagree: every path,
    exactly.
    """
    ever = {}
    for name, stops in {
        "p": lambda b, c: p_of(b, c) <= ALPHA,
        "e": lambda b, c: e_values.e_value_of_counts(b, c) >= 1 / ALPHA,
    }.items():
        alive, promoted = {(0, 0): 1.0}, 0.0
        for _ in range(10):
            arrived: dict[tuple[int, int], float] = {}
            for (b, c), chance in alive.items():
                for more_b, more_c, step in outcomes(10, 0.25, 0.25):
                    if step * chance > 1e-15:
                        arrived[b + more_b, c + more_c] = (
                            arrived.get((b + more_b, c + more_c), 0.0) + chance * step
                        )
            alive = {}
            for (b, c), chance in arrived.items():
                if stops(b, c):
                    promoted += chance
                else:
                    alive[b, c] = chance
        ever[name] = promoted
    assert ever["e"] <= ALPHA
    assert ever["p"] > ALPHA > ever["e"]
    assert ever["p"] > 2 * ever["e"]


def versus(b: int, c: int, n: int, label: str = "v2") -> object:
    pairs = [(1, 0)] * b + [(0, 1)] * c + [(1, 1)] * (n - b - c)
    arms = [Outcomes.of({str(i): [pair[side]] for i, pair in enumerate(pairs)}) for side in (0, 1)]
    return compare(Arm("p1-b", label, {"s": arms[0]}), Arm("p1-a", "v1", {"s": arms[1]}))


def test_verdicts_end_to_end_promote_exactly_where_the_test_does() -> None:
    """Every outcome of 9 examples through compare and decide: promote iff p <= alpha, reject iff
    the other way; false promotions <= alpha.
    """
    n, false_promotions = 9, 0.0
    for b, c, chance in outcomes(n, 0.5, 0.5 - 1e-12):
        decision = decide(versus(b, c, n)).decision  # type: ignore[arg-type]
        assert decision == (
            "promote"
            if p_of(b, c) <= ALPHA
            else "reject"
            if p_of(c, b) <= ALPHA
            else "inconclusive"
        )
        false_promotions += chance * (decision == "promote")
    assert 0 < false_promotions <= ALPHA


def test_two_finalists_together_keep_the_level() -> None:
    """Two no-better candidates with independent outcomes on 8 examples: Holm keeps P(any promoted)
    at most alpha.
    """
    n, any_promoted, uncorrected = 8, 0.0, 0.0
    every = [
        (b, c, chance, versus(b, c, n))
        for b, c, chance in outcomes(n, 0.5, 0.5 - 1e-12)
        if chance > 1e-12
    ]
    for b1, c1, chance1, one in every:
        for b2, c2, chance2, two in every:
            chance = chance1 * chance2
            any_promoted += chance * any(
                v.decision == "promote" for v in decide_many([one, two], Policy())
            )  # type: ignore[list-item]
            uncorrected += chance * (min(p_of(b1, c1), p_of(b2, c2)) <= ALPHA)
    assert 0 < any_promoted <= ALPHA < uncorrected


@pytest.mark.parametrize(
    ("won", "lost"), [(0.3, 0.0), (0.15, 0.05), (0.6, 0.4), (0.7, 0.3), (1.0, 0.0)]
)
def test_the_n_given_is_the_first_that_reaches_the_power(won: float, lost: float) -> None:
    """Every smaller n falls short of 80 %, also when power is saw-toothed because every example
    disagrees.
    """
    n = power.n_binary(won, lost)
    found = power.curve(won, lost, range(1, n + 1))
    assert found[-1] >= 0.8
    assert (found[:-1] < 0.8).all()


def test_floors_that_need_no_test() -> None:
    """5 disagreements all for B; with 3 finalists 6; a guard at 5, 3, 2, 1 points needs 52, 88,
    133, 268 examples where nothing changes.
    """
    assert [power.least_disagreements(0.05, m) for m in (1, 3)] == [5, 6]
    assert p_of(5, 0) <= 0.05 < p_of(4, 0)
    for margin, n in ((0.05, 52), (0.03, 88), (0.02, 133), (0.01, 268)):
        assert power.n_guard(margin) == n
        assert (
            intervals.tango(0, 0, n, level=0.9)[0]
            > -margin
            >= intervals.tango(0, 0, n - 1, level=0.9)[0]
        )
