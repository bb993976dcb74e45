"""`promptops watch`: the daily job of the drift monitors, and what people say of their alarms.

Exit codes of `run`: 0 quiet, or every alarm is acknowledged; 1 alarm; 2 could not find out.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..markup import plain
from .completing import environments, prompts
from .text_table import show

if TYPE_CHECKING:
    from ..monitor.drift_file import MonitorFile
    from ..monitor.watch import Watched
    from ..study.project import Project

__all__ = ["watch"]

_root = click.option(
    "--root",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    help="Project folder [default: found upwards from here].",
)
_reason = click.option("--reason", required=True, help="Why; it stays in the monitor's file.")


@click.group()
def watch() -> None:
    """Watch what is deployed: ask its probe again each day, and alarm when it gets worse.

    A monitor is declared once, in Python: lab.watch("support-triage", env="prod",
    probe=tickets.val, scorers=[...]). It lives in promptops.monitors/, which is committed.
    """


@watch.command(name="run", short_help="Ask today's probes: 0 quiet, 1 alarm, 2 unknown.")
@click.option(
    "--webhook",
    metavar="URL",
    envvar="PROMPTOPS_WEBHOOK",
    help="Post each new alarm there, once [also: $PROMPTOPS_WEBHOOK].",
)
@click.option("--only", metavar="PROMPT.ENV", help="One monitor [default: all].")
@click.option("--day", metavar="YYYY-MM-DD", default="", help="UTC date [default: today].")
@_root
def run(webhook: str | None, only: str | None, day: str, root: Path | None) -> None:
    """Ask the probe of each monitor for today, and score yesterday's live calls if their quality is
    watched, and report the result. A day counts once.

    Exit codes: 0 quiet, or every alarm is acknowledged; 1 alarm; 2 could not find out, which is
    never taken for quiet.
    """
    from ..monitor.drift_file import every
    from ..monitor.live_sources import live_source, taken_in
    from ..monitor.live_watch import run_any_day
    from ..monitor.webhook import check_url, post_open_alarms

    if webhook is not None:
        check_url(webhook)
    _check_day(day)
    if early := _early(day):
        click.echo(f"note: {early}", err=True)
    project = _project(root)
    taken_in(project.store, live_source())
    paths = [path for path in every(project) if only in (None, Path(path).stem)]
    if not paths:
        which = f"no monitor is named {only}" if only else "nothing is watched here"
        click.echo(f"unknown: {which}; lab.watch(prompt, env=...) declares a monitor.", err=True)
        sys.exit(2)
    codes = []
    for path in paths:
        found = run_any_day(project, path, day)
        codes.append(found.exit_code)
        for line in _lines(found):
            click.echo(plain(line))
        if webhook is not None and found.file is not None:
            for line in post_open_alarms(path, webhook):
                click.echo(f"note: {line}", err=True)
    project.close()
    sys.exit(1 if 1 in codes else max(codes))


@watch.command(name="list", short_help="List the monitors, their evidence and open alarms.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@_root
def list_(as_json: bool, root: Path | None) -> None:
    """List the monitors with the evidence of their last day, its threshold and the open alarms."""
    from ..monitor.drift_rows import monitor_rows

    project = _project(root)
    show(monitor_rows(project), as_json=as_json, empty="nothing is watched here")


@watch.command(name="ack", short_help="Acknowledge an alarm: known, shown, exit 0.")
@click.argument("alarm")
@_reason
@_root
def ack(alarm: str, reason: str, root: Path | None) -> None:
    """Record that ALARM is known and why it is accepted."""
    from ..monitor.watch import acknowledge

    file = acknowledge(_project(root), alarm, reason)
    click.echo(f"{alarm} of {file.name} is acknowledged.")


@watch.command(name="accept", short_help="Take today's behaviour as the new anchor.")
@click.argument("prompt", shell_complete=prompts)
@click.option(
    "--env",
    required=True,
    help="The environment: prod, staging, dev, ...",
    shell_complete=environments,
)
@click.option("--live", is_flag=True, help="The last weeks of live quality, not the probe.")
@_reason
@_root
def accept(prompt: str, env: str, live: bool, reason: str, root: Path | None) -> None:
    """Ask PROMPT's probe ten times and take it as the anchor from now on; open alarms end."""
    from ..monitor.live_watch import accept_live
    from ..monitor.watch import accept as take

    project = _project(root)
    file = accept_live(project, prompt, env, reason) if live else take(project, prompt, env, reason)
    project.close()
    means = ", ".join(
        f"{series.scorer} {100 * sum(series.means) / len(series.means):.1f} %"
        for series in file.series
    )
    click.echo(f"{file.name} has a new anchor{_of(file)}: {means}.")


def _of(file: MonitorFile) -> str:
    return "" if file.live else f" of v{file.declaration['number']}"


def _project(root: Path | None) -> Project:
    from ..study.project import Project

    return Project.open(root)


def _check_day(day: str) -> None:
    from datetime import date

    try:
        if day and date.fromisoformat(day).isoformat() != day:
            raise ValueError
    except ValueError:
        raise click.UsageError(f"--day is {day!r}; expected a date such as 2026-11-29") from None


def _early(day: str) -> str:
    """What a day that has not come yet counts; "" for any other."""
    from ..run import utc

    if day <= utc()[:10]:
        return ""
    return (
        f"{day} has not come yet: what is asked now counts for it, and the live calls of today,"
        " which is not over, count as those of a whole day; leave out --day to run today."
    )


def _lines(found: Watched) -> list[str]:
    from ..monitor.drift_rows import watched_lines

    lines: list[Any] = watched_lines(found)
    return [str(line) for line in lines]
