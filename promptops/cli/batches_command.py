"""`promptops batches`: what was handed in and is not collected, and what a person decides about a
batch that no provider can tell of.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ..study.project import Project

from ..markup import count

__all__ = ["batches"]

_ROOT = click.option(
    "--root",
    type=click.Path(file_okay=False, path_type=Path),
    help="Project folder [default: found upwards from here].",
)


@click.group(invoke_without_command=True)
@_ROOT
@click.pass_context
def batches(ctx: click.Context, root: Path | None) -> None:
    """List the batches that were handed in and are to be collected."""
    if ctx.invoked_subcommand is not None:
        return
    from ..study.batch_records import open_batches, when

    project = _project(root)
    found = open_batches(project.store)
    for intent, study in found:
        left = len(intent.keys) - len(intent.collected)
        where = intent.batch or "not known to the provider yet"
        click.echo(
            f"{intent.id}  {when(intent.at)}  {left:,} of {len(intent.keys):,} open  {intent.model}"
            f" at {intent.endpoint}  {where}  study {study[:9]}"
        )
    if not found:
        click.echo("no batches are open.")
    project.close()


@batches.command(short_help="Name the provider's batch of a hand-over.")
@click.argument("batch")
@click.argument("provider_id")
@_ROOT
def adopt(batch: str, provider_id: str, root: Path | None) -> None:
    """Record that BATCH was handed in as PROVIDER_ID, the id that the provider's console shows."""
    from ..study.batch_records import StoredBatches, find_batch

    project = _project(root)
    intent = find_batch(project.store, batch)
    StoredBatches(project.store).handed_in(intent, provider_id)
    click.echo(f"{intent.id} is {provider_id}; run the study again to collect it.")
    project.close()


@batches.command(short_help="Give a batch up, to ask its questions again.")
@click.argument("batch")
@_ROOT
def forget(batch: str, root: Path | None) -> None:
    """Give BATCH up: its questions are asked and paid for again."""
    from ..study.batch_records import StoredBatches, find_batch

    project = _project(root)
    intent = find_batch(project.store, batch)
    StoredBatches(project.store).closed(intent, "forgotten")
    left = len(intent.keys) - len(intent.collected)
    click.echo(f"{intent.id} was given up; its {count(left, 'question')} will be asked again.")
    project.close()


def _project(root: Path | None) -> Project:
    from ..study.project import Project

    return Project.open(root)
