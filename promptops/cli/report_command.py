"""`promptops report STUDY`: one HTML file for reviewers, or Markdown for a pull request."""

from __future__ import annotations

from pathlib import Path

import click

from ..markup import stem
from .completing import studies

__all__ = ["report"]


@click.command()
@click.argument("study", shell_complete=studies)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to write [default: STUDY.html here].",
)
@click.option("--markdown", is_flag=True, help="Print the comparison as Markdown instead.")
def report(study: str, output: Path | None, markdown: bool) -> None:
    """Write the report of STUDY (a name, an id, or the beginning of an id)."""
    from ..lab import Lab

    found = Lab().study(study)
    if markdown:
        click.echo(found.compare().markdown())
        return
    click.echo(str(found.report(output or Path(f"{stem(found.name)}.html"))))
