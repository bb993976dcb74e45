"""Live quality with a weekly rhythm: rarely a false alarm, ten points found within a week."""

from __future__ import annotations

import math

import numpy as np
import pytest

from promptops.analysis.drift import threshold
from promptops.analysis.live_quality import LiveDetector, Reference, by_conversation, mix_shift
from promptops.errors import StatisticsError


def alarm_day(rng: np.random.Generator, scored: int, drop: float, days: int) -> float:
    """Days from the drop, after 14 quiet days, to the alarm; inf without one."""
    level = 0.85 + 0.02 * np.sin(2 * np.pi * (np.arange(28 + days) + rng.integers(7)) / 7)
    past = [(float(rng.binomial(scored, level[day])), scored) for day in range(28)]
    reference, detector = Reference.of(past), LiveDetector()
    for day in range(days):
        right = rng.binomial(scored, level[28 + day] - (drop if day >= 14 else 0))
        detector = detector.after(reference, [1.0] * right + [0.0] * (scored - right))
        if detector.e >= threshold(1):
            return day - 13
    return math.inf


def test_a_weekly_rhythm_is_no_drift() -> None:
    rng = np.random.default_rng(1)
    alarmed = [math.isfinite(alarm_day(rng, 100, 0.0, 90)) for _ in range(60)]
    assert sum(alarmed) <= 3 + 3, "five percent of sixty, and two standard errors"


def test_ten_points_are_found_within_six_days_at_a_hundred_scored_a_day() -> None:
    rng = np.random.default_rng(2)
    days = [alarm_day(rng, 100, 0.10, 40) for _ in range(60)]
    assert 1 <= float(np.median(days)) <= 6


def test_a_z_test_each_day_alarms_on_the_rhythm_alone() -> None:
    rng = np.random.default_rng(3)
    alarmed = 0
    for _ in range(40):
        level = 0.85 + 0.02 * np.sin(2 * np.pi * np.arange(90) / 7)
        z = (0.85 - rng.binomial(1000, level) / 1000) / math.sqrt(0.85 * 0.15 / 1000)
        alarmed += bool((z > 1.645).any())
    assert alarmed >= 38


def test_conversations_whose_calls_are_alike_are_no_drift() -> None:
    """Ten conversations of ten calls a day, each mostly right or mostly wrong: bets on each call
    had alarmed in seven of ten monitors.
    """
    rng = np.random.default_rng(11)

    def day() -> list[tuple[str, float]]:
        right = rng.beta(0.85 * 0.4 / 0.6, 0.15 * 0.4 / 0.6, 10)
        return [(str(n), float(x)) for n, p in enumerate(right) for x in rng.random(10) < p]

    alarmed = 0
    for _ in range(30):
        past = [by_conversation(day()) for _ in range(28)]
        reference, detector = Reference.of([(sum(x), len(x)) for x in past]), LiveDetector()
        highest = 0.0
        for _ in range(120):
            detector = detector.after(reference, by_conversation(day()))
            highest = max(highest, detector.e)
        alarmed += highest >= threshold(1)
    assert alarmed <= 2
    assert by_conversation([("a", 1.0), ("b", 0.0), ("a", 0.5)]) == [0.75, 0.0]


def other_days(rng: np.random.Generator, drop: float, days: int, spread: bool = True) -> float:
    """As `alarm_day`, with 1,000 scored a day and a level of each day's own, four points around."""
    level = np.clip(rng.normal(0.85, 0.04, 28 + days), 0, 1)
    past = [(float(rng.binomial(1000, each)), 1000) for each in level[:28]]
    reference, detector = Reference.of(past), LiveDetector()
    if not spread:
        reference = Reference(reference.mean, reference.luck)
    for day in range(days):
        right = rng.binomial(1000, max(level[28 + day] - (drop if day >= 14 else 0), 0))
        detector = detector.after(reference, [1.0] * right + [0.0] * (1000 - right))
        if detector.e >= threshold(1):
            return day - 13
    return math.inf


def test_days_that_differ_beyond_chance_are_no_drift() -> None:
    """Bets that take each score of a day for a fact of its own alarm in nearly half of them."""
    rng = np.random.default_rng(12)
    plain = [math.isfinite(other_days(rng, 0.0, 90, spread=False)) for _ in range(20)]
    assert sum(plain) >= 6
    alarmed = [math.isfinite(other_days(rng, 0.0, 90)) for _ in range(40)]
    assert sum(alarmed) <= 2
    found = [other_days(rng, 0.10, 60) for _ in range(40)]
    assert 1 <= float(np.median(found)) <= 14


@pytest.mark.parametrize(("weekday", "weekend"), [(300, 100), (1000, 300)])
def test_a_weekend_of_other_users_is_no_drift(weekday: int, weekend: int) -> None:
    """Ten points below the other days: each monitor had alarmed by its second weekend."""
    rng = np.random.default_rng(14)

    def first_alarm(drop: float) -> float:
        days = [(0.8, weekend) if day % 7 >= 5 else (0.9, weekday) for day in range(28 + 42)]
        past = [(float(rng.binomial(n, level)), n) for level, n in days[:28]]
        reference, detector = Reference.of(past), LiveDetector()
        for day, (level, n) in enumerate(days[28:], 28):
            right = rng.binomial(n, level - (drop if day >= 42 else 0))
            scores = [1.0] * right + [0.0] * (n - right)
            detector = detector.after(reference.on(day), scores)
            if detector.e >= threshold(1):
                return day - 41
        return math.inf

    assert [first_alarm(0.0) for _ in range(12)] == [math.inf] * 12
    found = [first_alarm(0.10) for _ in range(12)]
    assert 1 <= float(np.median(found)) <= 6


def test_where_days_differ_by_chance_alone_nearly_every_score_counts() -> None:
    rng = np.random.default_rng(13)
    weights = [
        Reference.of([(float(rng.binomial(1000, 0.85)), 1000) for _ in range(28)]).weight(1000)
        for _ in range(40)
    ]
    assert float(np.median(weights)) > 0.9
    perfect = Reference.of([(100.0, 100)] * 28)
    assert (perfect.spread, perfect.weight(100)) == (0.0, 1.0)


def test_what_lies_within_the_tolerance_never_adds_up() -> None:
    reference = Reference(0.9, 0.01)
    detector = LiveDetector()
    for _ in range(200):
        detector = detector.after(reference, [1.0] * 87 + [0.0] * 13)
    assert detector.e < 10


def test_a_day_without_scores_changes_nothing_and_order_is_no_matter() -> None:
    reference = Reference(0.9, 0.0)
    one = LiveDetector().after(reference, [0.3, 1.0, 0.7])
    assert one == LiveDetector().after(reference, [1.0, 0.7, 0.3])
    assert one.after(reference, []) is one


@pytest.mark.parametrize(
    "days", [[], [(5.0, 10)] * 7, [(5.0, 10)] * 15, [*[(5.0, 10)] * 13, (0.0, 0)]]
)
def test_a_reference_is_of_whole_weeks(days: list[tuple[float, int]]) -> None:
    with pytest.raises(StatisticsError, match="whole weeks"):
        Reference.of(days)


def test_scores_outside_the_scale_are_refused() -> None:
    with pytest.raises(StatisticsError, match="from 0 to 1"):
        LiveDetector().after(Reference(0.9, 0.0), [1.2])


def test_a_rhythm_of_the_week_is_not_counted_as_luck() -> None:
    rhythm = [(90.0 - 10 * (day % 7 > 4), 100) for day in range(28)]
    assert Reference.of(rhythm).luck == 0.0
    assert Reference.of(rhythm).mean == pytest.approx((5 * 0.9 + 2 * 0.8) / 7)


def test_groups_are_ordered_by_their_growth() -> None:
    mix = mix_shift({"a": [1.0], "b": [1.0]}, {"b": [0.0], "c": [1.0, 1.0]})
    assert [each.name for each in mix.groups] == ["c", "b", "a"]
    assert mix.groups[0].quality_before is None


@pytest.mark.parametrize("outages", [1, 2])
def test_an_outage_within_the_reference_does_not_hide_a_lasting_fall(outages: int) -> None:
    """It had counted as a spread of the days: twenty points lower, found after three to five
    weeks.
    """
    rng = np.random.default_rng(15)

    def found_after(drop: float, days: int) -> float:
        past = [(float(rng.binomial(100, 0.85)), 100) for _ in range(28)]
        for place in rng.choice(28, outages, replace=False):
            past[place] = (30.0, 100)
        reference, detector = Reference.of(past), LiveDetector()
        for day in range(days):
            right = rng.binomial(100, 0.85 - drop)
            scores = [1.0] * right + [0.0] * (100 - right)
            detector = detector.after(reference.on(28 + day), scores)
            if detector.e >= threshold(1):
                return day + 1
        return math.inf

    assert [found_after(0.0, 60) for _ in range(12)] == [math.inf] * 12
    assert 1 <= float(np.median([found_after(0.20, 60) for _ in range(12)])) <= 5


def test_a_weekday_is_compared_with_its_own_level_above_the_mean_too() -> None:
    """Weekends ten points below had hidden half of a fall on the other days."""
    days = [(75.0, 100) if day % 7 >= 5 else (85.0 + day % 2, 100) for day in range(28)]
    reference = Reference.of(days)
    assert reference.on(28).mean == pytest.approx(0.85, abs=0.01)
    assert reference.on(33).mean == pytest.approx(0.75, abs=0.01)
