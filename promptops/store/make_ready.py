"""What the first look at a store needs, made while there is time for it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

from ..background_import import import_safely
from .connect import READERS, WRITERS
from .renewal import create
from .sitting import one_at_a_time

__all__ = ["make_ready", "make_ready_beside"]


def make_ready_beside(path: Path) -> None:
    """Do it in a thread of the running loop, beside calls that mostly wait. Nobody waits for it."""
    with suppress(RuntimeError):  # no thread is to be had
        asyncio.get_running_loop().run_in_executor(None, make_ready, path)


def make_ready(path: Path) -> None:
    """Make DuckDB itself, and in memory the tables of a file that is not there yet, so that the
    next look at the file need not. What fails here fails again, with its message, at that look.
    """
    import_safely("duckdb")
    with suppress(Exception), one_at_a_time():
        WRITERS[-1].prepare(path, None if path.exists() else create)
        READERS[-1].prepare(path)
