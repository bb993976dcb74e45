"""`promptops status`: what serves, how it is doing, and the command that rolls back."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ..markup import plain
from .completing import environments
from .options import as_json, registry, say

__all__ = ["status"]


@click.command(
    epilog="Exit codes: 0 no open alarm; 1 an alarm is open that nobody acknowledged; 2 misuse."
)
@click.option("--env", help="One environment [default: all].", shell_complete=environments)
@registry
@as_json
def status(env: str | None, path: str, as_json: bool) -> None:
    """Show what serves, since when and by whom, its canary and alarms, live quality, cost and
    failures since the deployment against before it, and the command that rolls back.
    """
    from ..monitor.serving_status import status_lines, status_of
    from ..study.project import Project

    project = Project.open(Path(path).parent)
    try:
        found = status_of(project, env)
    finally:
        project.close()
    if as_json:
        say("", [one.document() for one in found], True)
    else:
        for one in found:
            for line in status_lines(one):
                click.echo(plain(line))
        if not found:
            click.echo(f"nothing serves{f' in {env}' if env else ''} yet", err=True)
    sys.exit(1 if any(one.alarms for one in found) else 0)
