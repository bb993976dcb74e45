"""`promptops store share|sync|status|ship`: one store for a team, in a folder or bucket."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import StoreError
from .options import EXITS, as_json
from .text_table import show

if TYPE_CHECKING:
    from ..scale.team_store import TeamStore

__all__ = ["store"]


@click.group(epilog=EXITS)
def store() -> None:
    """Share the store with a team, by a folder or bucket that all of them reach.

    Each keeps a DuckDB file of their own. What one recorded comes to the others before they ask or
    read; what one purged goes at all of them.
    """


@store.command(epilog=EXITS)
@click.argument("address")
@click.option("--keep-days", type=float, help="Purge runs older than this, at every member.")
def share(address: str, keep_days: float | None) -> None:
    """Join the team's store at ADDRESS: a folder, or a bucket as in s3://team/promptops.

    This project remembers it, so that labs and commands use it from here on. Keys of a bucket come
    from the environment.
    """
    where = address if "://" in address else str(Path(address).expanduser().resolve())
    team = _team(where)
    team.sync()
    if keep_days is not None:
        team.keep_days(keep_days)
    _tell(team)


@store.command(epilog=EXITS)
def sync() -> None:
    """Bring what is new from the team, and hand over what was recorded here."""
    team = _team(None)
    team.sync()
    _tell(team)


@store.command(epilog=EXITS)
@as_json
def status(as_json: bool) -> None:
    """Show who wrote what to the team's store, and how fresh each reader is."""
    from ..scale.team_status import team_status

    found = team_status(_team(None).files)
    show([asdict(member) for member in found.members], as_json=as_json, empty="nobody shares yet")
    kept = "without a limit" if found.keep_days is None else f"for {found.keep_days:g} days"
    click.echo(
        f"{found.address}: {found.parcels:,} parcels, {found.bytes:,} bytes, {found.purges:,}"
        f" purges; runs are kept {kept}",
        err=True,
    )


@store.command(epilog=EXITS)
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("address")
def ship(folder: Path, address: str) -> None:
    """Hand over the live rows that an application recorded to FOLDER, without bringing any.

    Run it as often as the rows are wanted: what was handed over is not handed over again.
    """
    from ..scale.team_store import join_team
    from ..store import Store

    where = address if "://" in address else str(Path(address).expanduser().resolve())
    team = join_team(Store(folder), where)
    team.sync(bring=False)
    _tell(team)


def _team(address: str | None) -> TeamStore:
    from ..lab import Lab

    lab = Lab()
    own = lab.store
    team = own.share_at(address, lambda: lab.project.author)
    if team is None:
        raise StoreError(
            f"the store {own.folder} is not shared; run `promptops store share ADDRESS` first."
        )
    return team


def _tell(team: TeamStore) -> None:
    from ..scale.team_status import team_status

    found = team_status(team.files)
    click.echo(
        f"shared at {found.address}: {found.parcels:,} parcels, {found.bytes:,} bytes of"
        f" {len(found.members):,} members"
    )
