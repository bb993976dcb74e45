"""The author of a step, as the registry and the store record it."""

from __future__ import annotations

import os

from .. import git

__all__ = ["author"]


def author(root: str | os.PathLike[str]) -> str:
    """$PROMPTOPS_USER, git's user name as configured for the folder, else the login name."""
    import getpass

    named = os.environ.get("PROMPTOPS_USER") or git.author(str(root))
    if named:
        return named
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an unknown uid in a container
        return "unknown"
