"""`promptops scorers`: the catalogue, or one scorer with its rule and an example that runs."""

from __future__ import annotations

import click

from ..errors import ScorerError
from .text_table import show

__all__ = ["scorers"]


@click.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def scorers(name: str | None, as_json: bool) -> None:
    """List the built-in scorers, or explain NAME."""
    from ..scorers import CATALOGUE

    if name is None:
        show(
            [
                {"scorer": entry.name, "family": entry.family, "what it says": entry.doc}
                for entry in CATALOGUE
            ],
            as_json=as_json,
        )
        return
    found = next((entry for entry in CATALOGUE if entry.name == name), None)
    if found is None:
        import difflib

        near = difflib.get_close_matches(name, [entry.name for entry in CATALOGUE], 1)
        hint = f"did you mean {near[0]}?" if near else "promptops scorers lists them."
        raise ScorerError(f"there is no scorer {name!r}; {hint}")
    click.echo(
        f"{found.signature}\n{found.family}\n\n{found.doc}\n\nrange: {found.range},"
        f" {found.direction}\nsource: {found.source}\nexample: {found.example}"
    )
