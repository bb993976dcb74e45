"""`promptops studies`: what was evaluated here."""

from __future__ import annotations

import sys

import click

from .text_table import show

__all__ = ["studies"]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--limit", default=30, show_default=True, help="How many, newest first.")
def studies(as_json: bool, limit: int) -> None:
    """List the studies of this project's store, newest first."""
    from ..lab import Lab

    rows = Lab().studies.frame.head(limit).to_dict("records")
    if sys.stdout.isatty() and not as_json:  # a pipe and JSON have the whole of both
        for row in rows:
            row["created_at"] = str(row["created_at"])[:16]
            row["id"] = str(row["id"])[:11]
    show(
        rows,
        as_json=as_json,
        empty="no study yet: lab.evaluate([v1, v2], dataset, [scorer]) makes the first",
    )
