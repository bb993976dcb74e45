"""Sentences on a terminal: they go on in the next line between two words, under their own
beginning. A pipe gets each as one line.
"""

from __future__ import annotations

import shutil
import sys
import textwrap

import click

__all__ = ["folded", "tell"]


def tell(text: str) -> None:
    """Print lines, folded where a terminal shows them."""
    click.echo(folded(text, shutil.get_terminal_size().columns) if sys.stdout.isatty() else text)


def folded(text: str, width: int) -> str:
    """The lines at most `width` wide. A line that goes on keeps its indent, past the mark of a
    list; a word that is longer stays whole, since somebody may copy it.
    """
    return "\n".join(_line(line, max(width, 20)) for line in text.split("\n"))


def _line(line: str, width: int) -> str:
    bare = line.lstrip(" -")
    indent = " " * (len(line) - len(bare))
    parts = textwrap.wrap(
        bare,
        width - len(indent),
        break_long_words=False,
        break_on_hyphens=False,
    )
    first = line[: len(indent)]
    return f"\n{indent}".join([first + parts[0], *parts[1:]]) if parts else line
