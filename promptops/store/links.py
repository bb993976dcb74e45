"""Symlinks where the store keeps its own files: nothing is read or written through one."""

from __future__ import annotations

import errno
import os
from pathlib import Path

__all__ = ["LINK", "link_faults", "moved_links", "own_folder"]

LINK = "it is a symlink, which could lead anywhere"
_ASIDE = ".link-"


def own_folder(path: Path) -> Path:
    """The folder, made if it is not. Raises OSError if it is a symlink, or cannot be made."""
    path.mkdir(mode=0o700, exist_ok=True)
    if path.is_symlink():
        raise OSError(errno.ELOOP, LINK, str(path))
    return path


def _links(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return sorted(
                Path(entry.path)
                for entry in entries
                if entry.is_symlink() and not entry.name.startswith(_ASIDE)
            )
    except OSError:
        return []


def link_faults(folder: Path) -> list[str]:
    """One line for each symlink among the store's own files."""
    return [f"{path}: {LINK}; repair() moves it out of the way." for path in _links(folder)]


def moved_links(folder: Path) -> list[str]:
    """Rename each symlink; what it leads to is left alone. One line for each."""
    done = []
    for path in _links(folder):
        target = path.with_name(f"{_ASIDE}{os.urandom(3).hex()}-{path.name}")
        os.rename(path, target)
        done.append(f"set aside the symlink {path} as {target.name}")
    return done
