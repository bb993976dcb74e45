"""`promptops store share|sync|status|ship`: one store for a team, in a folder or bucket."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import StoreError
from ..markup import count
from .options import EXITS, as_json
from .text_table import show

if TYPE_CHECKING:
    from ..scale.team_store import TeamStore

__all__ = ["store"]


@click.group(epilog=EXITS)
def store() -> None:
    """Share the store with a team through a folder or bucket that every member can reach.

    Each member keeps a DuckDB file of their own. Rows that one member records reach the others
    before they ask or read; rows that one member purges are removed everywhere.
    """


@store.command(epilog=EXITS, short_help="Join or create the team's store.")
@click.argument("address")
@click.option("--keep-days", type=float, help="Purge runs older than this for every member.")
def share(address: str, keep_days: float | None) -> None:
    """Join the team's store at ADDRESS: a folder, or a bucket as in s3://team/promptops.

    The project remembers the address, and its labs and commands use it from now on. Credentials for
    a bucket come from the environment.
    """
    if not address.strip():
        raise click.UsageError(
            "ADDRESS is empty; name a folder, or a bucket as in s3://team/promptops"
        )
    where = address if "://" in address else str(Path(address).expanduser().resolve())
    team = _team(where)
    team.begin()
    if keep_days is not None:
        team.keep_days(keep_days)
    _tell(team)


@store.command(epilog=EXITS, short_help="Exchange new rows with the team.")
def sync() -> None:
    """Fetch the team's new rows, and send what was recorded here."""
    team = _team(None)
    team.sync()
    _tell(team)


@store.command(epilog=EXITS, short_help="Show who wrote what, and how fresh it is.")
@as_json
def status(as_json: bool) -> None:
    """Show who wrote what to the team's store, and how fresh each reader is."""
    from ..scale.team_status import team_status

    team = _team(None)
    team.present()
    found = team_status(team.files)
    show(
        [asdict(member) for member in found.members],
        as_json=as_json,
        empty="this store has no members yet",
    )
    kept = (
        "without a limit"
        if found.keep_days is None
        else f"for {'1 day' if found.keep_days == 1 else f'{found.keep_days:g} days'}"
    )
    click.echo(
        f"{found.address}: {count(found.parcels, 'parcel')}, {count(found.bytes, 'byte')},"
        f" {count(found.purges, 'purge')}; runs are kept {kept}",
        err=True,
    )


@store.command(epilog=EXITS, short_help="Send an application's live rows.")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("address")
def ship(folder: Path, address: str) -> None:
    """Send the live rows that an application recorded in FOLDER to the team; fetch nothing.

    It may run as often as needed: each row is sent once.
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
