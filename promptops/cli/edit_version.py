"""A saved version opened in an editor as Markdown; what comes back is the next version."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ..registry.history import SavedEntry

__all__ = ["edited"]


def edited(path: str, entry: SavedEntry, name: str, note: str) -> str:
    """Open a version, and save what the editor leaves; returns one sentence on what became of it.

    Raises VersionError for a version that Markdown cannot hold exactly, and for a text that is not
    a prompt: that text is kept beside the registry, so that no work is lost.
    """
    from ..errors import PromptOpsError
    from ..exchange.prompt_text import read_prompt, write_prompt
    from ..registry.editor import Editor
    from ..study.author import author
    from .atomic_write import write

    text = click.edit(write_prompt(entry.version), extension=".md")
    if text is None:
        return f"{name} v{entry.number} was not changed; nothing was written"
    try:
        version = read_prompt(text, f"{name}.md")
    except PromptOpsError as error:
        kept = Path(path).with_name(f"{name.replace('/', '-')}.rejected.md")
        write(kept, text)
        raise type(error)(f"{error} Your text is kept in {kept.name}.") from None
    if version.id == entry.id:
        return f"{name} v{entry.number} was not changed; nothing was written"
    editor = Editor(path)
    known = [each for each in editor.versions(name) if each.id == version.id]
    if known:
        return f"{name} v{known[0].number} has this content already; nothing was written"
    note = note or f"v{entry.number}, edited"
    number = editor.save(name, version, note, author(str(Path(path).parent)))
    return f"saved {name} v{number} ({version.id[:11]})"
