"""Drift monitors: the reference to nine digits, the promise about false alarms, and what each part
of the method is there for.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from promptops.analysis.drift import (
    Anchor,
    Detector,
    changed_since,
    threshold,
    tie_break,
)
from promptops.analysis.drift_worlds import FLAKY, World, alarm_days, evidence
from promptops.errors import StatisticsError

REFERENCE = json.loads((Path(__file__).parent / "drift_reference.json").read_text(encoding="utf-8"))
CASES = {case["name"]: case for case in REFERENCE["cases"]}


@pytest.mark.parametrize("name", list(CASES))
def test_every_day_of_the_reference_is_met_to_nine_digits(name: str) -> None:
    case = CASES[name]
    anchor = Anchor.of(case["anchor"])
    assert f"{float(anchor.luck):.9g}" == f"{case['luck']:.9g}"
    detector = Detector.start(anchor)
    for number, day in enumerate(case["days"], 1):
        detector = detector.after(anchor, day["scores"], day["theta"])
        found = (detector.rank, detector.conformal, detector.betting, detector.e)
        for key, value in zip("uCBE", found, strict=True):
            assert float(value) == pytest.approx(day[key], rel=5.01e-9, abs=1e-9), (number, key)


def test_the_order_of_the_examples_changes_not_even_the_last_digit() -> None:
    rng = np.random.default_rng(3)
    scores, days = rng.random((10, 40)), rng.random((6, 40))
    for _ in range(20):
        order = rng.permutation(40)
        left, right = Anchor.of(scores), Anchor.of(scores[:, order])
        a, b = Detector.start(left), Detector.start(right)
        for day in days:
            a, b = a.after(left, day, 0.3), b.after(right, day[order], 0.3)
            assert (float(a.e), float(a.rank)) == (float(b.e), float(b.rank))


def test_days_with_equal_totals_rank_by_theta_exactly_uniformly() -> None:
    anchor = Anchor.of(np.ones((4, 5)))
    detector = Detector.start(anchor)
    for theta in (0.0, 0.25, 0.9):
        detector = detector.after(anchor, np.ones(5), theta)
        assert float(detector.rank) == theta


def test_a_thousand_monitors_at_once_are_a_thousand_monitors() -> None:
    rng = np.random.default_rng(5)
    scores, day = rng.random((7, 10, 20)), rng.random((7, 20))
    together = Anchor.of(scores)
    many = Detector.start(together).after(together, day, 0.5)
    for index in range(7):
        anchor = Anchor.of(scores[index])
        one = Detector.start(anchor).after(anchor, day[index], 0.5)
        assert float(one.e) == float(many.e[index])


def test_the_mean_evidence_after_t_days_is_at_most_t() -> None:
    """The rank's half exactly, whatever the noise; both halves within two standard errors."""
    for flaky in FLAKY.values():
        found = evidence(World(50, flaky), 1000, 60, seed=7)
        for day in (0, 6, 29, 59):
            column = found[:, day]
            error = float(column.std()) / math.sqrt(len(column))
            assert float(column.mean()) <= day + 1 + 2 * error, (flaky, day)


@pytest.mark.parametrize("world", list(FLAKY))
def test_one_monitor_alarms_falsely_in_at_most_six_percent_of_120_days(world: str) -> None:
    found = evidence(World(100, FLAKY[world]), 800, 120, seed=11)
    share = float(np.isfinite(alarm_days(found, threshold(1))).mean())
    assert share <= 0.06 + 2 * math.sqrt(0.06 * 0.94 / 800)


@pytest.mark.parametrize("monitors", [5, 20])
def test_the_promise_is_the_projects_whatever_the_number_of_its_monitors(monitors: int) -> None:
    """120 of 365 days' false alarms at the most; and no alarm more often than a single monitor's
    threshold would give, times the number of monitors.
    """
    found = evidence(World(50, FLAKY["steady"]), 1000, 120, seed=13)
    split = float(np.isfinite(alarm_days(found, threshold(monitors))).mean())
    alone = float(np.isfinite(alarm_days(found, threshold(1))).mean())
    expected = monitors * split
    error = monitors * math.sqrt(max(split, 1e-3) / len(found))
    assert expected <= 120 / 365 + 2 * error
    assert 1 - (1 - split) ** monitors < 1 - (1 - alone) ** monitors, "without the split"


@pytest.mark.parametrize(("world", "most"), [("steady", 5), ("noisy", 8)])
def test_a_drop_of_five_points_is_found_in_days(world: str, most: int) -> None:
    found = evidence(World(100, FLAKY[world], drop=0.05, quiet=30), 300, 90, seed=20261130)
    assert float(np.median(alarm_days(found, threshold(1), 30))) <= most


def test_without_the_allowance_for_luck_a_monitor_alarms_several_times_as_often() -> None:
    """The variant that one writes first: a lucky anchor makes every later day look worse."""
    rng = np.random.default_rng(17)
    chance = np.where(rng.random((400, 100)) < 0.35, rng.uniform(0.3, 0.9, (400, 100)), 1.0)
    drawn = rng.random((400, 10, 100)) < chance[:, None, :]
    fair = Anchor.of(drawn.astype(float))
    naive = Anchor(fair.means, fair.totals, np.zeros(400))
    alarmed = {}
    for name, anchor in (("fair", fair), ("naive", naive)):
        days = np.random.default_rng(18)
        detector, over = Detector.start(anchor), np.zeros(400, dtype=bool)
        for _ in range(90):
            scores = (days.random(chance.shape) < chance).astype(float)
            detector = detector.after(anchor, scores, days.random(400))
            over |= detector.e >= threshold(1)
        alarmed[name] = float(over.mean())
    assert alarmed["fair"] <= 0.07
    assert alarmed["naive"] >= 0.15


def test_a_p_value_each_day_is_no_alarm() -> None:
    """The exact sign test of each day against the first repeat alarms in most quarters."""
    from scipy.special import bdtr

    rng = np.random.default_rng(19)
    chance = np.where(rng.random((200, 100)) < 0.35, rng.uniform(0.3, 0.9, (200, 100)), 1.0)
    first = rng.random(chance.shape) < chance
    over = np.zeros(200, dtype=bool)
    for _ in range(90):
        now = rng.random(chance.shape) < chance
        lost, won = (first & ~now).sum(axis=1), (~first & now).sum(axis=1)
        over |= bdtr(won, lost + won, 0.5) <= 0.05
    assert float(over.mean()) >= 0.15


def test_an_improvement_never_alarms_one_sided_and_does_on_the_mirrored_side() -> None:
    anchor = Anchor.of(np.tile([1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0], (10, 1)))
    down, up = Detector.start(anchor), Detector.start(anchor.mirrored())
    for day in range(30):
        theta = tie_break("monitor", f"2026-01-{day:02}")
        down = down.after(anchor, np.ones(8), theta)
        up = up.after(anchor.mirrored(), np.zeros(8), theta)
    assert float(down.e) < 40
    assert float(up.e) > 365


def test_the_tie_break_is_the_same_everywhere_and_differs_by_day_and_monitor() -> None:
    assert tie_break("a", "2026-11-29") == tie_break("a", "2026-11-29")
    drawn = {tie_break(m, f"2026-11-{d:02}") for m in "ab" for d in range(1, 30)}
    assert len(drawn) == 58
    assert 0 <= min(drawn) <= max(drawn) < 1
    assert tie_break("a", "2026-11-29") == pytest.approx(0.634798357912732, abs=1e-15)


def test_a_change_is_dated_by_the_steps_since_it() -> None:
    assert changed_since([-0.2, 0.1, -0.3, 0.8, -0.1, 0.9]) == 3
    assert changed_since([-1.0, -1.0]) == 1
    assert changed_since([]) == 0


def test_the_evidence_of_a_lost_world_is_capped_and_finite() -> None:
    anchor = Anchor.of(np.ones((2, 3000)))
    detector = Detector.start(anchor)
    for _ in range(5):
        detector = detector.after(anchor, np.zeros(3000), 0.0)
    assert 1e290 < float(detector.e) < math.inf


@pytest.mark.parametrize(
    ("scores", "why"),
    [
        (np.full((3, 4), np.nan), "none missing"),
        (np.full((3, 4), 1.5), "from 0 to 1"),
        (np.ones((1, 4)), "at least two repeats"),
        (np.ones(4), "at least two repeats"),
        (np.ones((3, 0)), "at least one example"),
    ],
)
def test_an_anchor_that_means_nothing_is_refused(scores: Any, why: str) -> None:
    with pytest.raises(StatisticsError, match=why):
        Anchor.of(scores)


def test_a_day_of_other_examples_and_a_bar_of_nothing_are_refused() -> None:
    anchor = Anchor.of(np.ones((3, 4)))
    with pytest.raises(StatisticsError, match="one score per example"):
        Detector.start(anchor).after(anchor, np.ones(5), 0.5)
    for monitors, days in ((0, 365.0), (1, 0.0), (1, math.nan)):
        with pytest.raises(StatisticsError, match="no threshold"):
            threshold(monitors, days)
