"""Where a call comes from: the running notebook cell and the git commit."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from functools import lru_cache
from pathlib import Path

from .. import git
from ..engine.retries import Provenance

__all__ = ["in_kernel", "provenance"]


def in_kernel() -> bool:
    """Whether this code runs in a notebook kernel, where nothing may block a cell."""
    shell = _shell()
    return shell is not None and getattr(shell, "kernel", None) is not None


def _shell() -> object:
    ipython = sys.modules.get("IPython")
    return (
        ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None
    )


def cell_hash() -> str | None:
    """16 hex digits over the source of the running notebook cell; None outside one."""
    shell = _shell()
    history = getattr(shell, "user_ns", {}).get("In") if shell is not None else None
    return (
        hashlib.sha256(history[-1].encode()).hexdigest()[:16] if history and history[-1] else None
    )


# how long git's answer is trusted: a look costs some 10 ms, and many calls come from one cell
_GIT_S = 2.0


def provenance(root: Path) -> Provenance:
    """Where a call comes from: the running cell's source, the git commit, and whether tracked files
    differ from it.
    """
    commit, dirty = _git_state(str(root), os.getpid(), int(time.monotonic() / _GIT_S))
    return Provenance(cell_hash(), commit, dirty)


@lru_cache(maxsize=8)
def _git_state(root: str, _process: int, _moment: int) -> tuple[str | None, bool | None]:
    commit = git.head(root)
    return (commit, git.changed(root)) if commit is not None else (None, None)
