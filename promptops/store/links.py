"""Symlinks, pipes and devices where the store keeps its own files: nothing is read or written
through one.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from ..plain_file import NOT_A_FILE, is_odd

__all__ = ["LINK", "fault_at", "link_faults", "moved_links", "own_folder"]

LINK = "it is a symlink, which could lead anywhere"
_ASIDE = ".link-"


def own_folder(path: Path) -> Path:
    """The folder, made if it is not. Raises OSError if it is a symlink, or cannot be made."""
    path.mkdir(mode=0o700, exist_ok=True)
    if path.is_symlink():
        raise OSError(errno.ELOOP, LINK, str(path))
    return path


def fault_at(path: Path) -> str:
    """Why nothing is read at a path: a symlink is there, or no file; "" if all is well."""
    return LINK if path.is_symlink() else NOT_A_FILE if is_odd(path) else ""


def _strange(folder: Path) -> list[tuple[Path, str]]:
    try:
        names = sorted(name for name in os.listdir(folder) if not name.startswith(_ASIDE))
    except OSError:
        return []
    return [(folder / name, fault) for name in names if (fault := fault_at(folder / name))]


def link_faults(folder: Path) -> list[str]:
    """One line for each symlink, pipe or device among the store's own files."""
    return [
        f"{path}: {fault}; repair() moves it out of the way." for path, fault in _strange(folder)
    ]


def moved_links(folder: Path) -> list[str]:
    """Rename each of these; what a symlink leads to is left alone. One line for each."""
    done = []
    for path, fault in _strange(folder):
        target = path.with_name(f"{_ASIDE}{os.urandom(3).hex()}-{path.name}")
        os.rename(path, target)
        done.append(f"set aside {path} as {target.name}: {fault}")
    return done
