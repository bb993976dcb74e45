"""`promptops prices MODEL...`: what models cost by the list that prices studies, offline."""

from __future__ import annotations

import sys

import click

from .options import EXITS, as_json
from .text_table import show

__all__ = ["prices"]


@click.command(epilog=EXITS)
@click.argument("models", nargs=-1, required=True, metavar="MODEL...")
@as_json
def prices(models: tuple[str, ...], as_json: bool) -> None:
    """Show list prices of models (offline).

    USD per million tokens of the standard tier, the price of a batch, and the tiers that have their
    own; prices of the project's promptops.toml come first. A model without a price is named, and
    the exit code is 1: a budget in USD would refuse it.
    """
    from ..engine import price_catalogue
    from ..engine.prices import price_of
    from ..study.project import Location

    own = Location.find().file.prices
    rows, missing = [], []
    for name in models:
        if name in own and (price := price_of(name, own)) is not None:
            rows.append(
                {
                    "model": name,
                    "listed as": "promptops.toml",
                    "input": price.input,
                    "output": price.output,
                    "cached": price.cached,
                }
            )
            continue
        found = price_catalogue.known(name)
        if found is None:
            missing.append(name)
            continue
        rows.append(
            {
                "model": name,
                "listed as": found.name,
                "provider": found.provider,
                "input": found.input,
                "output": found.output,
                "cached": found.cached,
                "batch input": found.batch,
                "tiers": " ".join(sorted(found.tiers.keys() - {"batch"})),
            }
        )
    if rows:
        show(rows, as_json=as_json)
    click.echo(
        f"prices of {price_catalogue.dated() or 'no list: genai-prices is missing'}", err=True
    )
    for name in missing:
        click.echo(
            f"{name} has no list price; give it as prices={{{name!r}: (input, output)}}."
            " Or name it under [prices] in promptops.toml.",
            err=True,
        )
    sys.exit(1 if missing else 0)
