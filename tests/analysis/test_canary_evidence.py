"""The canary's guard: one value per user, a stated rate of false aborts, and what each part is for.

The rates over many canaries are printed by `python tests/simulate/guard.py`; here a few of them.
"""

from __future__ import annotations

import numpy as np
import pytest

from promptops.analysis.canary_evidence import Seen, judge_canary, measure_evidence
from promptops.analysis.e_values import e_value
from promptops.errors import StatisticsError


def seen(canary: list[float], stable: list[float]) -> Seen:
    """One call per user."""
    calls = [(f"c{i}", True, v) for i, v in enumerate(canary)]
    return Seen.of([*((f"s{i}", False, v) for i, v in enumerate(stable)), *calls])


def traffic(rng: np.random.Generator, users: int, stable: float, canary: float, calls: int) -> Seen:
    """Heavy-tailed users who differ, a tenth of them with the canary."""
    weight = rng.pareto(1.2, users) + 1
    arm = rng.random(users) < 0.1
    level = np.where(arm, canary, stable)
    chance = rng.beta(level * 6, (1 - level) * 6)
    who = rng.choice(users, calls, p=weight / weight.sum())
    return Seen(who, arm[who], (rng.random(calls) < chance[who]).astype(float))


@pytest.mark.parametrize(("failures", "evidence"), [(5, 10.5), (6, 18.143), (7, 31.875)])
def test_the_reference_a_perfect_stable_arm_and_a_canary_that_only_fails(
    failures: int, evidence: float
) -> None:
    found = measure_evidence("quality", seen([0.0] * failures, [1.0] * 50))
    assert found.evidence == pytest.approx(evidence, abs=5e-4)
    assert judge_canary({"quality": seen([0.0] * failures, [1.0] * 50)})[0].aborts is (failures > 6)


@pytest.mark.parametrize(("margin", "evidence"), [(0.0, 3.6867), (0.02, 2.0794)])
def test_the_reference_of_forty_right_and_ten_wrong(margin: float, evidence: float) -> None:
    """Each canary user against a group whose mean is 8/9."""
    stable = [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0]
    canary = [1.0] * 40 + [0.0] * 10
    dealt = [value for value in stable for _ in canary]  # round by round: one of each per group
    found = measure_evidence("quality", seen(canary, dealt), margin)
    assert found.evidence == pytest.approx(evidence, abs=5e-5)


def test_a_user_is_one_value_however_often_he_calls() -> None:
    calls = [(f"s{i}", False, 1.0) for i in range(40)] + [("c", True, 0.0)] * 500
    found = measure_evidence("quality", Seen.of(calls))
    assert found.canary.users == 1
    assert found.evidence < 2
    naive = e_value(np.ones(500))
    assert naive > 1e6, "counted per call"


def test_equal_arms_with_heavy_users_are_rarely_aborted_and_per_call_often() -> None:
    """Looked at after every twentieth canary user, over 2,000 calls of the canary."""
    rng = np.random.default_rng(5)
    aborted = naive = 0
    for _ in range(60):
        world = traffic(rng, 200, 0.8, 0.8, 20_000)
        d = 0.8 - world.values[world.canary][:2000]
        naive += any(e_value(d[:end]) >= 20 for end in (200, 500, 1000, len(d)))
        for at in (2000, 5000, 10_000, 20_000):
            part = Seen(world.users[:at], world.canary[:at], world.values[:at])
            if judge_canary({"quality": part})[0].aborts:
                aborted += 1
                break
    assert aborted <= 3 + 3, "five percent of sixty, and two standard errors"
    assert naive >= 12, "a fifth and more where calls are counted"


def test_a_drop_of_ten_points_is_caught_within_120_canary_users() -> None:
    """At the median, looked at after every tenth of them, beside three measures that are well."""
    rng = np.random.default_rng(6)
    caught = 0
    for _ in range(40):
        world = traffic(rng, 3000, 0.8, 0.7, 14_000)
        first = np.sort(np.unique(world.users[world.canary], return_index=True)[1])
        for count in range(60, 121, 10):
            at = int(np.flatnonzero(world.canary)[first[count - 1]]) + 1
            part = Seen(world.users[:at], world.canary[:at], world.values[:at])
            well = Seen(part.users, part.canary, np.ones(at))
            four = {"quality": part, "failures": well, "cost": well, "latency": well}
            if judge_canary(four)[0].aborts:
                caught += 1
                break
    assert caught >= 20


def test_holm_gives_a_measure_what_another_that_aborts_leaves() -> None:
    bad = seen([0.0] * 40, [1.0] * 200)
    fair = seen([1.0] * 40, [1.0] * 200)
    alone = {each.name: each for each in judge_canary({"failures": fair, "cost": fair})}
    assert (alone["failures"].threshold, alone["failures"].aborts) == (40, False)
    both = {each.name: each for each in judge_canary({"failures": bad, "cost": fair})}
    assert (both["failures"].threshold, both["failures"].aborts) == (40, True)
    assert (both["cost"].threshold, both["cost"].aborts) == (20, False)


def test_quality_has_three_quarters_of_the_rate_and_all_of_it_alone() -> None:
    fair = seen([1.0] * 40, [1.0] * 200)
    four = judge_canary(dict.fromkeys(("quality", "failures", "latency", "cost"), fair))
    assert four[0].threshold == pytest.approx(20 / 0.75)
    assert four[1].threshold == pytest.approx(240)
    assert judge_canary({"quality": fair})[0].threshold == pytest.approx(20)


def test_a_measure_that_no_canary_call_has_takes_no_part() -> None:
    fair, none = seen([1.0] * 40, [1.0] * 200), seen([], [1.0] * 200)
    found = judge_canary({"quality": none, "failures": fair})
    assert found[0].evidence == 1.0
    assert not found[0].aborts
    assert found[1].threshold == pytest.approx(20)


def test_a_canary_that_is_better_never_aborts() -> None:
    assert measure_evidence("quality", seen([1.0] * 300, [0.5] * 900)).evidence < 1


@pytest.mark.parametrize("shares", [(10, 90), (50, 50), (90, 10)])
def test_any_share_of_traffic_is_judged(shares: tuple[int, int]) -> None:
    canary, stable = shares
    found = measure_evidence("quality", seen([0.0] * canary, [1.0] * stable))
    assert found.evidence > 20


def test_what_means_nothing_is_refused() -> None:
    with pytest.raises(StatisticsError, match="from 0 to 1"):
        Seen.of([("a", True, 1.5)])
    with pytest.raises(StatisticsError, match="margin"):
        measure_evidence("quality", seen([1.0], [1.0]), 1.0)


def test_unmeasured_calls_are_left_out() -> None:
    calls = [("a", True, None), ("a", True, 1.0), ("b", False, None)]
    found = measure_evidence("quality", Seen.of(calls))
    assert (found.canary.users, found.stable.users) == (1, 0)
    assert found.evidence == 1.0
