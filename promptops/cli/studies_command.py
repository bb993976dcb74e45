"""`promptops studies`: what was evaluated here."""

from __future__ import annotations

import click

from .text_table import show

__all__ = ["studies"]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--limit", default=30, show_default=True, help="How many, newest first.")
def studies(as_json: bool, limit: int) -> None:
    """List the studies of this project's store, newest first."""
    from ..lab import Lab

    frame = Lab().studies.frame.head(limit)
    show(
        frame.to_dict("records"),
        as_json=as_json,
        empty="no study yet: lab.evaluate([v1, v2], dataset, [scorer]) makes the first",
    )
