"""Law: the quality of live calls is judged day by day, each day once, from its own calls; what
could not be found out is never quiet.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from promptops.cli.__main__ import group
from promptops.errors import StudyError
from promptops.monitor.drift_file import MonitorFile
from promptops.monitor.drift_rows import monitor_rows, watched_lines
from promptops.monitor.live_rows import rows_of
from promptops.monitor.live_score import score_live
from promptops.monitor.live_watch import accept_live, declare_live, run_any_day
from promptops.monitor.queries.live_listing import sampled_calls
from promptops.monitor.watch import thresholds
from promptops.monitor.webhook import body_of
from promptops.run import utc
from promptops.store import Store
from promptops.study.project import Project

SCORER = "contains('yes')"
CALLS = 20


def day(offset: int) -> str:
    """From the day that it is now: a run of all tests may begin before midnight."""
    return (date.fromisoformat(utc()[:10]) + timedelta(days=offset)).isoformat()


def called(project: Project, first: int, last: int, right: float) -> None:
    """Live calls of the days from `first` to `last`, from today; a share of them is right."""
    rows = [
        {
            "id": f"l-{offset + 100:03}-{index:03}",
            "prompt": "triage",
            "env": "prod",
            "version_id": "p1-1",
            "started_at": f"{day(offset)}T10:00:00",
            "model_returned": "m-1",
            "chars_in": 100 + index,
            "output": "yes" if index < round(right * CALLS) else "no",
        }
        for offset in range(first, last + 1)
        for index in range(CALLS)
    ]
    project.store.append("live", rows)


def watched(project: Project) -> str:
    return declare_live(project, "triage", [SCORER], env="prod", share=1.0).path


@pytest.fixture
def path(project: Project) -> str:
    """A monitor with four weeks of 90 % before it."""
    called(project, -28, -1, 0.9)
    return watched(project)


def test_a_reference_is_of_whole_weeks_with_calls_on_each_day(project: Project) -> None:
    called(project, -13, -1, 0.9)
    with pytest.raises(StudyError, match="on each of the last 7 days, in whole weeks"):
        watched(project)
    called(project, -14, -14, 0.9)
    file = MonitorFile.read(watched(project))
    assert file.anchored["days"] == [day(-14), day(-1)]
    assert file.series[0].means == (0.9,)


def test_quiet_days_count_once(project: Project, path: str) -> None:
    """Today is not over; a day is counted by the next, two runs of it are one, and days that were
    missed are counted later.
    """
    called(project, 0, 4, 0.9)
    assert run_any_day(project, path, day(0)).file.days == ()  # type: ignore[union-attr]
    found = run_any_day(project, path, day(1))
    assert (found.exit_code, found.file and found.file.days) == (0, (day(0),))
    before = Path(path).read_bytes()
    run_any_day(project, path, day(1))
    assert Path(path).read_bytes() == before
    found = run_any_day(project, path, day(5))
    assert found.file is not None
    assert found.file.days == tuple(day(offset) for offset in range(5))
    assert "quiet: triage.prod (live)" in watched_lines(found)[0]
    assert monitor_rows(project)[0]["version"] == "live"


def test_a_day_of_the_week_that_is_always_worse_is_no_fall(project: Project) -> None:
    """It had been an alarm each week; a fall of all days is still one."""
    for offset in range(-28, 21):
        usual = 0.1 if offset % 7 == 0 else 0.9
        called(project, offset, offset, usual if offset < 14 else usual / 2)
    path = watched(project)
    file = run_any_day(project, path, day(14)).file
    assert file is not None
    assert (len(file.series[0].days), file.alarms) == (14, ())
    file = run_any_day(project, path, day(21)).file
    assert file is not None
    assert [alarm["since"] >= day(14) for alarm in file.alarms] == [True]


def test_a_conversation_counts_once(project: Project, path: str) -> None:
    """One that went wrong for many calls had been as many faults, and an alarm."""
    called(project, 0, 0, 0.9)
    rows = project.store.rows("select * from live where id like 'l-100-%' order by id")
    names = project.store.frame("select * from live limit 0").columns
    worse = [dict(zip(names, row, strict=True)) for row in rows[-2:]]
    calls = [{**worse[0], "id": f"l-100-{n:03}", "session": "u-1"} for n in range(20, 80)]
    project.store.append("live", calls)
    file = run_any_day(project, path, day(1)).file
    assert file is not None
    assert file.series[0].days[0].scored == CALLS + 1
    assert file.series[0].days[0].total == pytest.approx(18 / 21)
    assert file.alarms == ()


def test_what_somebody_scored_beside_the_share_is_in_no_day(project: Project) -> None:
    """A person who looked into the failures of a day had made it one that fell."""
    called(project, -28, 0, 0.9)
    path = declare_live(project, "triage", [SCORER], env="prod", share=0.5).path
    rows = project.store.frame("SELECT * FROM live WHERE output = 'no'", {})
    assert score_live(project, rows_of(rows), [SCORER]).scored > 20
    found = run_any_day(project, path, day(1)).file
    assert found is not None
    sample = sampled_calls(project.store, "triage", "prod", day(0), 0.5)
    [counted] = found.series[0].days
    assert (counted.scored, counted.total) == (len(sample), (sample["output"] == "yes").mean())


def test_a_day_whose_sample_holds_failures_alone_is_not_one_that_failed(project: Project) -> None:
    """`content=0.05` keeps all failures: on a day of few calls, nothing but them may be kept."""
    called(project, -28, -1, 0.9)
    project.store.append("live", [_kept(f"l-a-{n}", -1, None, 0.05) for n in range(3)])
    path = watched(project)
    few = [_kept(f"l-b-{n}", 0, "invalid_json", 1.0) for n in range(12)]
    project.store.append("live", few)
    found = run_any_day(project, path, day(1))
    assert found.file is not None
    assert sum(each.scored for each in found.file.series[0].days) <= 2


def _kept(name: str, offset: int, failure: str | None, kept: float) -> dict[str, object]:
    row = {"id": name, "prompt": "triage", "env": "prod", "started_at": f"{day(offset)}T11:00:00"}
    return {**row, "output": "yes", "failure": failure, "kept": kept}


def test_a_day_that_is_passed_over_is_said(project: Project, path: str) -> None:
    """Also where a later day has calls: the evidence goes on without the one that lacks them."""
    called(project, 0, 0, 0.9)
    called(project, 2, 2, 0.9)
    found = run_any_day(project, path, day(3))
    assert (found.exit_code, found.file and found.file.days) == (2, (day(0), day(2)))
    assert found.unknown == f"{day(1)} has no scored live call; record with content."
    assert run_any_day(project, path, day(3)).exit_code == 0
    both = run_any_day(project, path, day(5)).unknown
    assert both == f"{day(3)}, {day(4)} have no scored live call; record with content."


def test_an_interrupted_run_keeps_the_days_that_it_counted(
    project: Project, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    called(project, 0, 3, 0.9)
    whole, writes = MonitorFile.write, iter([1, 1])

    def interrupted(file: MonitorFile, to: str) -> None:
        if next(writes, None) is None:
            raise KeyboardInterrupt
        whole(file, to)

    monkeypatch.setattr(MonitorFile, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_any_day(project, path, day(4))
    assert MonitorFile.read(path).days == (day(0), day(1))
    monkeypatch.setattr(MonitorFile, "write", whole)
    run_any_day(project, path, day(4))
    assert MonitorFile.read(path).days == tuple(day(offset) for offset in range(4))


def test_a_fall_alarms_with_its_cause_and_ends(project: Project, path: str) -> None:
    """30 points: found in days, acknowledged, over after a week as before; the webhook's body is
    that of every alarm.
    """
    called(project, 0, 4, 0.6)
    found = run_any_day(project, path, day(5))
    [alarm] = found.open_alarms
    assert found.exit_code == 1
    assert alarm["since"] == day(0)
    assert (alarm["before"], alarm["now"]) == (0.9, 0.6)
    assert alarm["cause"]["kind"] == "unknown"
    assert "no probe says" in alarm["cause"]["sentence"]
    assert found.file is not None
    assert body_of(found.file, alarm)["text"].startswith(
        "triage in prod (live): contains(yes) fell"
    )
    called(project, 5, 12, 0.9)
    found = run_any_day(project, path, day(13))
    assert (found.open_alarms, found.exit_code) == ((), 0)


def test_another_machine_without_the_calls_is_unknown(project: Project, path: str) -> None:
    """No scored call of the day: exit code 2, and nothing is counted."""
    found = run_any_day(project, path, day(1))
    assert (found.exit_code, found.file and found.file.days) == (2, ())
    assert "has no scored live call" in found.unknown


def test_its_bar_is_the_projects(project: Project, path: str) -> None:
    assert thresholds(project) == 365
    with pytest.raises(StudyError, match="watched already"):
        declare_live(project, "triage", ["contains('no')"], env="prod")
    assert watched(project) == path


def test_a_new_reference_ends_alarms(project: Project, path: str) -> None:
    called(project, 0, 1, 0.5)
    assert run_any_day(project, path, day(2)).exit_code == 1
    with pytest.raises(StudyError, match="a new reference needs a reason"):
        accept_live(project, "triage", "prod", " ")
    file = accept_live(project, "triage", "prod", "a new kind of user")
    assert file.history[-1]["reason"] == "a new kind of user"
    assert file.alarms[0]["closed"] is not None
    assert file.days == ()


def test_days_that_a_clock_counted_too_early_are_no_silence(project: Project, path: str) -> None:
    """Until they have come nothing would be counted, and nothing said."""
    called(project, 0, 1, 0.9)
    assert run_any_day(project, path, day(2)).exit_code == 0
    assert run_any_day(project, path, day(2)).exit_code == 0
    found = run_any_day(project, path)
    assert found.exit_code == 2
    assert f"{day(1)} has not come yet, so a clock was ahead" in found.unknown
    assert "`promptops watch accept triage --env prod --live --reason TEXT`" in found.unknown
    accept_live(project, "triage", "prod", "a clock was ahead")
    assert run_any_day(project, path).exit_code == 0


def test_the_command_runs_it(project: Project, path: str) -> None:
    """`watch run` scores yesterday's live calls: 1 with an alarm, 2 without calls."""
    called(project, 0, 2, 0.4)
    root = str(project.root)
    for until, code, word in ((3, 1, "ALARM: triage in prod (live)"), (4, 1, "unknown")):
        words = ["watch", "run", "--day", day(until), "--root", root]
        done = CliRunner().invoke(group(), words)
        assert done.exit_code == code, done.output
        assert word in done.output
    done = CliRunner().invoke(group(), ["watch", "list", "--root", root])
    assert "triage.prod (live)" in done.output


def test_a_busy_applications_days_are_read_whole(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No number of rows shortens the weeks: a limit of rows had kept the oldest alone."""
    called(project, -28, -1, 0.9)
    whole = type(project.store).sql

    def short(store: Store, query: str, limit: int = 10_000, timeout_s: float = 30.0) -> object:
        return whole(store, query, min(limit, 5 * CALLS), timeout_s)

    monkeypatch.setattr(type(project.store), "sql", short)
    file = MonitorFile.read(watched(project))
    assert file.anchored["days"] == [day(-28), day(-1)]
    assert file.series[0].means == (0.9,)
