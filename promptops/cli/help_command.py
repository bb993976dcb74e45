"""`promptops help [TOPIC]`: the manual, offline; its pages ship in the package, but for those of
the public names and of the commands, which are made from docstrings and help.
"""

from __future__ import annotations

import difflib
import sys
import zipfile
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..markup import plain
from . import api_page, command_page

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

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
        for name, read in pages.items():
            click.echo(f"{name:<{width}}  {_MADE[name][0] if name in _MADE else _lead(read())}")
        click.echo("\npromptops help TOPIC shows a page, --search TEXT looks through all of them.")
    else:
        _show(pages, topic)


# page -> its title, and what makes it
_MADE = {"api": ("API", api_page.page), "command-line": ("Command line", command_page.page)}


def _pages() -> dict[str, Callable[[], str]]:
    """Page -> what reads it."""
    pages: dict[str, Callable[[], str]] = {
        name: text.__str__ for name, text in _texts(files("promptops") / "guide")
    }
    made = {name: make for name, (_, make) in _MADE.items()}
    return dict(sorted({**pages, **made}.items()))


def _texts(folder: Traversable) -> Iterator[tuple[str, str]]:
    """The pages: in an archive in the installed package, in a checkout the files themselves."""
    archive = folder / "pages.zip"
    if archive.is_file():
        with archive.open("rb") as file, zipfile.ZipFile(file) as opened:
            for name in opened.namelist():
                yield Path(name).stem, opened.read(name).decode()
        return
    for entry in folder.iterdir():
        if entry.name.endswith(".md"):
            yield Path(entry.name).stem, entry.read_text(encoding="utf-8")


def _lead(text: str) -> str:
    """The first sentence of a page, else its title."""
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[0].lstrip("# ") if lines else ""


def _show(pages: dict[str, Callable[[], str]], topic: str) -> None:
    found = [name for name in pages if name == topic] or [
        name for name in pages if name.startswith(topic)
    ]
    if len(found) != 1:
        from .__main__ import COMMANDS

        if topic in COMMANDS:
            raise click.UsageError(
                f"{topic} is a command, and the manual has no page of that name; its options:"
                f" promptops {topic} --help"
            )
        near = found or difflib.get_close_matches(topic, pages, n=3, cutoff=0.4) or list(pages)
        raise click.UsageError(
            f"the manual has no page {topic!r}; it has {', '.join(near)}: promptops help {near[0]}"
        )
    text = pages[found[0]]()
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.markdown import Markdown

        Console(width=min(Console().width, 100)).print(Markdown(text))
    else:
        click.echo(text)


def _search(pages: dict[str, Callable[[], str]], wanted: str) -> None:
    hits = 0
    for name, read in pages.items():
        for number, line in enumerate(read().splitlines(), start=1):
            if wanted.casefold() in line.casefold():
                hits += 1
                click.echo(f"{name}:{number}: {plain(line.strip())}")
    if not hits:
        click.echo(f"no page holds {wanted!r}; promptops help lists the pages.")
