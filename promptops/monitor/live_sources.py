"""Where live rows are read from: what is named, else the sink that applications are given, and
whatever the store has read before.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..observe.open_queues import RECORD
from .queries.live_listing import folders_taken

if TYPE_CHECKING:
    from ..store import Store

__all__ = ["known_sources", "live_source", "taken_in"]


def live_source(named: Any = None) -> Path | None:
    """The folder or file of live calls: as named, else PROMPTOPS_RECORD; None for none."""
    named = named if named is not None else os.environ.get(RECORD)
    if not named or named in ("stdout", "otlp") or "://" in str(named):
        return None
    return Path(named).expanduser()


def known_sources(store: Store) -> list[Path]:
    """The folders and files of this machine from which live rows were ever taken."""
    return [path for name in folders_taken(store) if (path := Path(name)).exists()]


def taken_in(store: Store, source: Path | None) -> None:
    """Take in what an application recorded since the last look."""
    from . import ingest

    if source is None:
        return
    if source.is_file():
        ingest.take_file(store, source)
    else:
        ingest.take_folder(store, source)
