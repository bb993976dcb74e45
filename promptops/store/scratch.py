"""A private folder for a process that cannot use the store's DuckDB file; it goes with the
process.
"""

from __future__ import annotations

import os
import shutil
import weakref
from contextlib import suppress
from pathlib import Path

from ..spool.segment import segment_name

__all__ = ["SCRATCH", "living_scratch", "scratch_folder"]

SCRATCH = "scratch"


def scratch_folder(folder: Path, owner: object) -> Path:
    """A folder for this process alone, removed with its owner; those of dead processes are removed
    first.
    """
    root = folder / SCRATCH
    root.mkdir(mode=0o700, exist_ok=True)
    living_scratch(folder)
    place = root / segment_name()
    place.mkdir(mode=0o700)
    weakref.finalize(owner, _removed, place, os.getpid())
    return place


def living_scratch(folder: Path) -> list[Path]:
    """The folders of processes that live; those of dead processes are removed."""
    living = []
    with suppress(OSError):
        for old in sorted((folder / SCRATCH).iterdir()):
            pid = old.name.split("-")[1] if old.name.count("-") == 2 else ""
            if pid.isdigit() and not _alive(int(pid)):
                shutil.rmtree(old, ignore_errors=True)
            elif pid:
                living.append(old)
    return living


def _removed(place: Path, pid: int) -> None:
    if os.getpid() == pid:  # a forked child leaves its parent's alone
        shutil.rmtree(place, ignore_errors=True)


def _alive(pid: int) -> bool:
    if os.name != "posix":  # there, asking would end it
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
