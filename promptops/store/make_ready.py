"""What the first look at a store needs, made while there is time for it."""

from __future__ import annotations

import asyncio
import os
import threading
from contextlib import suppress
from pathlib import Path

from .connect import READERS, WRITERS
from .renewal import create
from .sitting import one_at_a_time

__all__ = ["make_ready", "make_ready_beside"]

# A child that is forked in the middle of an import would wait for the rest of it for ever.
_IMPORTING = threading.Lock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_IMPORTING.acquire,
        after_in_parent=_IMPORTING.release,
        after_in_child=_IMPORTING.release,
    )


def make_ready_beside(path: Path) -> None:
    """Do it in a thread of the running loop, beside calls that mostly wait. Nobody waits for it."""
    with suppress(RuntimeError):  # no thread is to be had
        asyncio.get_running_loop().run_in_executor(None, make_ready, path)


def make_ready(path: Path) -> None:
    """Make DuckDB itself, and in memory the tables of a file that is not there yet, so that the
    next look at the file need not. What fails here fails again, with its message, at that look.
    """
    with suppress(Exception), _IMPORTING:
        import duckdb  # noqa: F401
    with suppress(Exception), one_at_a_time():
        WRITERS[-1].prepare(path, None if path.exists() else create)
        READERS[-1].prepare(path)
