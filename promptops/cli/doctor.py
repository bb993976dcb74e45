"""`promptops doctor`: every stored id, count and checksum looked at again, one line per finding;
`--repair` repairs what can be repaired.
"""

from __future__ import annotations

import sys

import click

__all__ = ["doctor"]


@click.command()
@click.option(
    "--repair",
    is_flag=True,
    help=("Repair: re-merge, rebuild from the archive, quarantine a damaged WAL."),
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(repair: bool, as_json: bool) -> None:
    """Verify this project's store by reading every column. Exit code 1 if something is wrong."""
    import json

    from ..lab import Lab

    store = Lab().store
    done = store.repair() if repair else []
    found = store.verify()
    if as_json:
        click.echo(
            json.dumps(
                {"repaired": done, "findings": found, "stats": store.stats()}, default=str, indent=2
            )
        )
    else:
        for line in done:
            click.echo(f"repaired: {line}")
        for line in found:
            click.echo(f"found: {line}")
        if not found:
            rows = {name: n for name, n in (store.stats().get("rows") or {}).items() if n}
            click.echo("the store is sound" + (":" if rows else ""))
            for name, n in rows.items():
                click.echo(f"  {name.replace('_', ' '):<18}{n:>12,}")
    sys.exit(1 if found else 0)
