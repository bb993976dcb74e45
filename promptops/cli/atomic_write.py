"""Files that a command writes: whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["write"]


def write(path: Path, text: str) -> None:
    """Put `text` into the file, whose folder is made if it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.writing")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)
