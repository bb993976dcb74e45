"""The author of a step, as the registry and the store record it."""

from __future__ import annotations

import os
import time
from functools import lru_cache

from .. import git

__all__ = ["author"]

_GIT_S = 2.0  # how long git's answer is trusted: a look costs some 5 ms, and each save is a step


def author(root: str | os.PathLike[str]) -> str:
    """$PROMPTOPS_USER, git's user name as configured for the folder, else the login name."""
    import getpass

    named = os.environ.get("PROMPTOPS_USER") or _of_git(str(root), int(time.monotonic() / _GIT_S))
    if named:
        return named
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an unknown uid in a container
        return "unknown"


@lru_cache(maxsize=8)
def _of_git(root: str, _moment: int) -> str | None:
    return git.author(root)
