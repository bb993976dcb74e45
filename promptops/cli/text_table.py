"""Tables on a terminal: aligned for people, tab-separated in a pipe, JSON where asked."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

from ..markup import plain

__all__ = ["show"]


def show(
    rows: Sequence[Mapping[Any, Any]], *, as_json: bool = False, empty: str = "nothing to show"
) -> None:
    """Print rows that share their keys."""
    if as_json:
        click.echo(
            json.dumps([dict(row) for row in rows], ensure_ascii=False, default=str, indent=2)
        )
        return
    if not rows:
        click.echo(empty, err=True)
        return
    if not sys.stdout.isatty():
        click.echo("\t".join(rows[0]))
        for row in rows:
            click.echo("\t".join(_cell(value).replace("\t", " ") for value in row.values()))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in rows[0]:
        numeric = all(
            isinstance(row[name], (int, float)) and not isinstance(row[name], bool) for row in rows
        )
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    Console(markup=False, highlight=False).print(table)


def _cell(value: Any) -> str:
    if value is None or value != value:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.4g}"
    return " ".join(plain(value).split())
