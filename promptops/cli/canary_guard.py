"""`promptops canary guard`: a running canary judged by its live calls, and ended if it is worse.

Exit codes: 0 it goes on, or none runs; 1 it is worse (with --abort it is ended); 2 could not find
out.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from ..errors import RegistryError
from ..markup import count, plain
from .options import say

__all__ = ["guarding", "run_guard"]


def guarding(run: Callable[..., object]) -> Callable[..., object]:
    """The options of `canary guard`: `abort`, `record`, `latency_ms`, `cost_usd` and `by`."""
    options = (
        click.option("--abort", is_flag=True, help="guard: end the canary if it is worse."),
        click.option(
            "--record",
            type=click.Path(path_type=Path),  # whether it is there matters to a guard alone
            envvar="PROMPTOPS_RECORD",
            help="guard: folder or log of live calls [default: $PROMPTOPS_RECORD].",
        ),
        click.option("--latency-ms", type=float, help="guard: slower calls count as slow."),
        click.option(
            "--cost-usd", type=float, help="guard: calls that cost more count as expensive."
        ),
        click.option(
            "--by", metavar="SCORER", help="guard: the scorer whose scores are the quality."
        ),
    )
    for option in reversed(options):
        run = option(run)
    return run


def run_guard(
    path: str,
    name: str,
    env: str,
    *,
    author: str,
    dry_run: bool,
    as_json: bool,
    **guards: Any,
) -> None:
    """Judge the canary of NAME in ENV, say what was seen, and end with the exit code."""
    from ..monitor.guard import GuardLimits, end_canary, guard
    from ..monitor.live_outcomes import cut_lines, recorded_outcomes
    from ..study.project import Project

    record = guards["record"]
    if record is None:
        raise click.UsageError(
            "no live calls are named; pass --record, the folder or log that promptops.observe"
            " writes, or set PROMPTOPS_RECORD"
        )
    if not record.exists():
        raise click.UsageError(
            f"the folder or log of live calls {str(record)!r} does not exist; pass --record, or set"
            " PROMPTOPS_RECORD to what promptops.observe writes"
        )
    project = Project.open(registry=path, acting=author)
    outcomes = recorded_outcomes(project, record, name, env, scorer=guards["by"])
    report = guard(
        project, name, env, outcomes, GuardLimits(guards["latency_ms"], guards["cost_usd"])
    )
    code, text, cut = report.exit_code, report.lines(), cut_lines(record)
    fault = None
    if cut:
        text.append(f"note: {count(cut, 'line')} of {record.name} cut off, and not counted here.")
    if report.decision == "abort" and guards["abort"] and not dry_run:
        try:
            text.append(end_canary(project, report))
        except RegistryError as error:  # it is worse all the same: the job's exit code says so
            fault = str(error)
            text.append(f"error: {fault}")
    elif report.decision == "abort":
        text.append(f"to end it: {report.command}")
    project.close()
    say(
        "\n".join(map(plain, text)),
        {**asdict(report), "cut_lines": cut, "exit_code": code, "fault": fault},
        as_json,
    )
    sys.exit(code)
