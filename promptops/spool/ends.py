"""How long each segment was with its first rows, and when its writer ended, kept apart from the
segment.

A segment that was removed, emptied or cut before it was merged leaves no other trace, so only this
shows that acknowledged rows are gone. A process that was killed leaves the first note only; its
rows are as safe as the others.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

__all__ = ["ENDS", "ends_of", "forget_ends", "leave_end"]

ENDS = "ended"  # an empty file for each segment, NAME.SIZE: it is there whole or not at all


def leave_end(folder: Path, name: str, size: int) -> None:
    """Note that the segment holds `size` bytes, or more.

    Never raises: a missing note costs no row.
    """
    where = folder / ENDS
    with suppress(OSError):
        where.mkdir(mode=0o700, exist_ok=True)
        if not where.is_symlink():
            os.close(os.open(where / f"{name}.{size}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def ends_of(folder: Path) -> dict[str, int]:
    """segment -> bytes that it reached, of those that are not in the archive yet."""
    found: dict[str, int] = {}
    for entry in _noted(folder):
        name, _, size = entry.rpartition(".")
        if name and size.isdecimal():
            found[name] = max(int(size), found.get(name, 0))
    return found


def forget_ends(folder: Path, sizes: Mapping[str, int]) -> None:
    """So many bytes of each segment are in the archive, or were reported as lost: the doctor no
    longer looks for them.
    """
    if not sizes:
        return
    for noted in _noted(folder):
        name, _, reached = noted.rpartition(".")
        if reached.isdecimal() and int(reached) <= sizes.get(name, -1):
            with suppress(OSError):
                (folder / ENDS / noted).unlink(missing_ok=True)


def _noted(folder: Path) -> list[str]:
    try:
        return os.listdir(folder / ENDS)
    except OSError:
        return []
