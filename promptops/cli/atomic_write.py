"""Files that a command writes: whole or not at all."""

from __future__ import annotations

from pathlib import Path

from ..plain_file import write_target

__all__ = ["write"]


def write(path: Path, text: str) -> None:
    """Put `text` into the file, whose folder is made if it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_target(path, text)
