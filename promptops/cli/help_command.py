"""`promptops help [TOPIC]`: the manual, offline; its pages ship in the package, but for the one of
the public names, which is made from their docstrings.
"""

from __future__ import annotations

import difflib
import sys
from importlib.resources import files

import click

from ..markup import plain
from . import api_page

__all__ = ["help_"]


@click.command("help")
@click.argument("topic", required=False)
@click.option(
    "--search", "wanted", metavar="TEXT", help="List the lines of all pages that hold TEXT."
)
def help_(topic: str | None, wanted: str | None) -> None:
    """Show the manual.

    Without TOPIC, list its pages. TOPIC may be the beginning of a page's name.
    """
    pages = _pages()
    if wanted is not None:
        _search(pages, wanted)
    elif topic is None:
        width = max(map(len, pages))
        for name, text in pages.items():
            click.echo(f"{name:<{width}}  {_lead(text)}")
        click.echo("\npromptops help TOPIC shows a page, --search TEXT looks through all of them.")
    else:
        _show(pages, topic)


def _pages() -> dict[str, str]:
    folder = files("promptops") / "guide"
    pages = {
        entry.name.removesuffix(".md"): entry.read_text(encoding="utf-8")
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".md") and entry.name != "api.md"
    }
    return {"api": api_page.page(), **pages}


def _lead(text: str) -> str:
    """The first sentence of a page, else its title."""
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[0].lstrip("# ") if lines else ""


def _show(pages: dict[str, str], topic: str) -> None:
    found = [name for name in pages if name == topic] or [
        name for name in pages if name.startswith(topic)
    ]
    if len(found) != 1:
        near = found or difflib.get_close_matches(topic, pages, n=3, cutoff=0.4) or list(pages)
        raise click.UsageError(
            f"the manual has no page {topic!r}; it has {', '.join(near)}: promptops help {near[0]}"
        )
    text = pages[found[0]]
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.markdown import Markdown

        Console(width=min(Console().width, 100)).print(Markdown(text))
    else:
        click.echo(text)


def _search(pages: dict[str, str], wanted: str) -> None:
    hits = 0
    for name, text in pages.items():
        for number, line in enumerate(text.splitlines(), start=1):
            if wanted.casefold() in line.casefold():
                hits += 1
                click.echo(f"{name}:{number}: {plain(line.strip())}")
    if not hits:
        click.echo(f"no page holds {wanted!r}; promptops help lists the pages.")
