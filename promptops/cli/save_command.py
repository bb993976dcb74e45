"""`promptops save NAME FILE`: a version from a Markdown file, without Python."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .completing import prompts

if TYPE_CHECKING:
    from ..registry.editor import Editor
    from ..registry.history import SavedEntry

__all__ = ["save"]


@click.command()
@click.argument("name", shell_complete=prompts)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--note", default="", help="What changed, in a few words.")
@click.option("--author", default="", help="Author to record [default: git user.name, login].")
@click.option(
    "--registry",
    type=click.Path(dir_okay=False),
    help="Registry file [default: promptops.json in this or a parent folder].",
)
@click.option("--dry-run", is_flag=True, help="Show what would be saved; write nothing.")
def save(
    name: str, file: Path, note: str, author: str, registry: str | None, dry_run: bool
) -> None:
    """Save FILE as the next version of NAME.

    FILE: front matter with model and settings, then messages under # system, # user, # assistant
    and # history. The same content again is the same version. Exit codes: 0 saved or there
    already, 2 not a prompt.
    """
    from ..exchange.bounded_file import text_of
    from ..exchange.prompt_text import read_prompt
    from ..registry.editor import Editor
    from ..study.author import author as found
    from ..study.project import Location

    place = Path(registry).absolute() if registry else Location.find().registry
    version = read_prompt(text_of(file), file.name)
    editor = Editor(place)
    known = [e for e in _entries(editor, name) if e.id == version.id]
    if known:
        click.echo(f"{name} v{known[0].number} has this content already; nothing was written")
        return
    if dry_run:
        click.echo(f"would be saved: {name}, {version.id[:11]}")
        return
    number = editor.save(name, version, note, author or found(str(place.parent)))
    click.echo(f"saved {name} v{number} ({version.id[:11]})")


def _entries(editor: Editor, name: str) -> list[SavedEntry]:
    return list(editor.versions(name)) if name in editor.names() else []
