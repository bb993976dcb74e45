"""`promptops skill`: what a coding agent should know, as a file that agents read."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import click

from ..plain_file import read_plain
from .atomic_write import write
from .options import EXITS

__all__ = ["skill"]

_OURS = "name: promptops\n"


@click.command(epilog=EXITS)
@click.option("--install", is_flag=True, help="Write it into the project, for agents to find.")
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".claude/skills"),
    show_default=True,
    help="The folder of skills.",
)
def skill(install: bool, into: Path) -> None:
    """Print SKILL.md, or install it with llms.txt, the list of the manual's pages."""
    package = files("promptops")
    text = (package / "mcp" / "SKILL.md").read_text(encoding="utf-8")
    if not install:
        click.echo(text, nl=False)
        return
    target = into / "promptops" / "SKILL.md"
    if target.exists() and _OURS not in read_plain(target).decode("utf-8", "replace"):
        raise click.UsageError(f"{target} is another skill; remove it, or pass another --into.")
    pages = (package / "guide" / "llms.txt").read_text(encoding="utf-8")
    write(target, text)
    write(target.parent / "llms.txt", pages)
    click.echo(f"{target} and llms.txt are written; commit them, and your agent reads them.")
