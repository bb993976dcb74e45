"""Days of a monitor's file without a store: alarms open, are dated, end and name their cause."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from promptops.errors import StudyError
from promptops.monitor.drift_day import Taken, series_of, taken
from promptops.monitor.drift_file import MonitorFile
from promptops.scorers import equals

N = 40
IDS = [f"e{i:02}" for i in range(N)]
BEFORE = ("m-1", "fp_1")


def monitor(scores: Any = None, *, two_sided: bool = False, kind: str = "assertion") -> MonitorFile:
    """A monitor whose anchor is perfect, or as given."""
    anchor = np.ones((10, N)) if scores is None else np.asarray(scores, dtype=float)
    series = series_of(equals(), "equals()", anchor, IDS, two_sided)
    declared = {"prompt": "triage", "env": "prod", "number": 1}
    frozen = {"at": "2026-11-30T00:00:00", "study": "s1", "answered_by": list(BEFORE)}
    return MonitorFile(declared, frozen, tuple(IDS), (replace(series, kind=kind),))


def after(
    file: MonitorFile,
    days: range,
    wrong: set[int] | None = None,
    *,
    who: tuple[str, str] = BEFORE,
    judged: tuple[float, float] | None = None,
    scores: Any = None,
) -> MonitorFile:
    """The file with so many days of December more, all alike."""
    day = np.array([0.0 if i in (wrong or ()) else 1.0 for i in range(N)])
    for number in days:
        name = file.series[0].scorer
        given = {} if judged is None else {name: judged}
        values = day if scores is None else scores
        file = taken(file, Taken(f"2026-12-{number:02}", {name: values}, who, given, 365.0))
    return file


def test_quiet_days_are_quiet_and_a_drop_alarms_with_the_day_it_began() -> None:
    file = after(monitor(), range(1, 11))
    assert file.alarms == ()
    file = after(file, range(11, 18), {3, 4, 5, 6})
    [alarm] = file.alarms
    assert alarm["since"] == "2026-12-11"
    assert "2026-12-11" < alarm["day"] <= "2026-12-15"
    assert (alarm["before"], alarm["now"]) == (1.0, 0.9)
    assert alarm["cause"]["facts"]["lost"] == ["e03", "e04", "e05", "e06"]


def test_what_always_scores_the_same_raises_no_alarm() -> None:
    """The lots that rank equal days of this monitor reach the threshold on the 24th."""
    file = monitor()
    file = after(
        replace(file, declaration={**file.declaration, "prompt": "triage-17"}), range(1, 25)
    )
    assert file.series[0].days[-1].evidence >= 365
    assert file.alarms == ()
    file = after(file, range(25, 27), {3})
    assert [(alarm["before"], alarm["now"]) for alarm in file.alarms] == [(1.0, 0.975)]


def test_an_alarm_ends_after_seven_days_like_the_anchor_and_a_second_drop_is_a_second() -> None:
    file = after(monitor(), range(1, 6), {3, 4, 5, 6})
    assert file.alarms[0]["closed"] is None
    opened = int(file.alarms[0]["day"][-2:])
    file = after(file, range(6, 12))
    assert file.alarms[0]["closed"] is None, "six days are too few"
    file = after(file, range(12, 14))
    assert file.alarms[0]["closed"]["day"] == "2026-12-12"
    assert opened < 6
    file = after(file, range(14, 20), {3, 4, 5, 6})
    assert len(file.alarms) == 2
    assert file.alarms[1]["id"] != file.alarms[0]["id"]


def test_a_rise_alarms_only_where_both_sides_are_watched() -> None:
    half = np.tile([1.0, 0.0], N // 2)
    anchor = np.tile(half, (10, 1))
    one = after(monitor(anchor), range(1, 12))
    two = after(monitor(anchor, two_sided=True), range(1, 12))
    assert one.alarms == ()
    assert two.alarms[0]["now"] == 1.0
    assert "rose" in two.alarms[0]["cause"]["sentence"]


def test_both_sides_share_one_stake() -> None:
    one = after(monitor(), range(1, 3), {1}).series[0].days[-1].evidence
    two = after(monitor(two_sided=True), range(1, 3), {1}).series[0].days[-1].evidence
    other = monitor(np.zeros((10, N)))
    flipped = np.array([1.0 if i == 1 else 0.0 for i in range(N)])
    risen = after(other, range(1, 3), scores=flipped).series[0].days[-1].evidence
    assert two < one
    assert risen < one


def test_two_percent_may_be_unscored_and_change_nothing() -> None:
    day = np.ones(N)
    day[7] = np.nan
    with pytest.raises(StudyError, match=r"1 of 40 answers are unscored .* at most 2%"):
        after(monitor(), range(1, 2), scores=day)
    ids = [f"e{i:03}" for i in range(100)]
    series = series_of(equals(), None, np.ones((10, 100)), ids, False)
    file = replace(monitor(), examples=tuple(ids), series=(series,))
    wide = np.ones(100)
    wide[[7, 8]] = np.nan
    [kept] = after(file, range(1, 2), scores=wide).series
    assert kept.days[-1].unscored == 2
    assert kept.days[-1].total == 100.0
    assert (
        kept.days[-1].evidence
        == after(file, range(1, 2), scores=np.ones(100)).series[0].days[-1].evidence
    )


def test_the_providers_model_is_named_where_its_replies_name_it() -> None:
    file = after(monitor(), range(1, 6))
    file = after(file, range(6, 12), set(range(6)), who=("m-1", "fp_2"))
    cause = file.alarms[0]["cause"]
    assert cause["kind"] == "provider_model"
    assert "since 2026-12-06 m-1 (fp_2) answers (mean 85 %)" in cause["sentence"]
    assert "before it m-1 (fp_1) (anchor 100 %)" in cause["sentence"]
    assert cause["facts"]["means"] == {"m-1 (fp_1)": 1.0, "m-1 (fp_2)": 0.85}


def test_the_same_names_mean_another_behaviour_with_the_examples_lost() -> None:
    file = after(after(monitor(), range(1, 6)), range(6, 12), set(range(6)))
    cause = file.alarms[0]["cause"]
    assert cause["kind"] == "provider_behaviour"
    assert "lost on the last day: e00, e01, e02, e03, e04, e05." in cause["sentence"]


def test_a_fingerprint_that_came_and_went_before_is_no_change() -> None:
    file = after(monitor(), range(1, 4), who=("m-1", "fp_2"))
    file = after(after(file, range(4, 7)), range(7, 12), set(range(6)), who=("m-1", "fp_2"))
    assert file.alarms[0]["cause"]["kind"] == "provider_behaviour"


def test_replies_without_any_name_leave_the_cause_unknown() -> None:
    file = monitor()
    file = replace(file, anchored={**file.anchored, "answered_by": ["", ""]})
    file = after(after(file, range(1, 4), who=("", "")), range(4, 9), set(range(6)), who=("", ""))
    assert file.alarms[0]["cause"]["kind"] == "unknown"
    assert "name neither a model nor a fingerprint" in file.alarms[0]["cause"]["sentence"]


def test_the_judge_is_named_where_the_anchors_own_answers_are_judged_lower() -> None:
    file = after(monitor(kind="judge"), range(1, 4), judged=(0.0, 0.4))
    file = after(file, range(4, 9), set(range(6)), judged=(-0.15, 41.0))
    cause = file.alarms[0]["cause"]
    assert cause["kind"] == "judge"
    assert "score 15 points lower" in cause["sentence"]


def test_two_changes_at_once_are_unknown_and_both_are_named() -> None:
    file = after(monitor(kind="judge"), range(1, 4), judged=(0.0, 0.4))
    file = after(file, range(4, 9), set(range(6)), judged=(-0.15, 41.0), who=("m-2", "fp_9"))
    cause = file.alarms[0]["cause"]
    assert cause["kind"] == "unknown"
    assert "judge drifted" in cause["sentence"]
    assert "m-2 (fp_9)" in cause["sentence"]


def test_the_file_says_the_same_after_it_was_written_and_read(tmp_path: Path) -> None:
    path = tmp_path / "promptops.monitors" / "triage.prod.json"
    file = after(monitor(two_sided=True), range(1, 6), {1, 2}, judged=(-0.1, 2.0))
    file.write(path)
    read = MonitorFile.read(path)
    assert read.document() == MonitorFile.read(path).document()
    kept, again = after(file, range(6, 9), {1}), after(read, range(6, 9), {1})
    assert [day.total for day in kept.series[0].days] == [d.total for d in again.series[0].days]
    for left, right in zip(kept.series[0].days, again.series[0].days, strict=True):
        assert left.evidence == pytest.approx(right.evidence, rel=1e-6)


def test_fractions_keep_their_ties_through_the_file(tmp_path: Path) -> None:
    """Totals of thirds are equal or not, before and after they were written."""
    rng = np.random.default_rng(2)
    anchor = rng.choice([1 / 3, 2 / 3, 1.0], (10, N))
    file = monitor(anchor, two_sided=True)
    path = tmp_path / "promptops.monitors" / "triage.prod.json"
    kept = read = file
    for number in range(1, 9):
        day = rng.choice([1 / 3, 2 / 3, 1.0], N)
        kept = after(kept, range(number, number + 1), scores=day)
        read = after(read, range(number, number + 1), scores=day)
        read.write(path)
        read = MonitorFile.read(path)
    assert kept.series[0].states == read.series[0].states


def test_a_cause_is_one_line_whatever_the_provider_names_its_model() -> None:
    """A model's name with a line break and controls writes no line of its own into an alarm."""
    forged = "m-2\n- **prod** serves v9, gated\x1b[31m\u202e"
    file = after(after(monitor(), range(1, 11)), range(11, 18), {3, 4, 5, 6}, who=(forged, forged))
    [alarm] = file.alarms
    assert alarm["cause"]["kind"] == "provider_model"
    assert "since 2026-12-11 m-2 - **prod** serves v9, gated" in alarm["cause"]["sentence"]
    assert alarm["cause"]["sentence"].isprintable()
