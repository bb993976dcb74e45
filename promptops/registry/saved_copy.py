"""The saved copy: the last good file, kept for a cold start without one; silently absent where it
cannot be written.

It is in the user's own cache folder (PROMPTOPS_CACHE, XDG_CACHE_HOME or HOME/.cache), readable by
nobody else, and a copy that somebody else could have put there is not read. It is written beside
the request that read the file, never inside it.
"""

from __future__ import annotations

import contextlib
import os
import time

from . import view as views

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .view import RegistryView

__all__ = ["folder", "put", "save", "saved", "trusted"]

_TEMPORARY = ".copy-"
_LEFT_S = 3600.0


def folder() -> str | None:
    """Where copies are kept; None if the process has no place of its own (no HOME)."""
    named = os.environ.get("PROMPTOPS_CACHE")
    if named:
        return named
    cache = os.environ.get("XDG_CACHE_HOME") or (
        os.path.join(os.environ["HOME"], ".cache") if os.environ.get("HOME") else ""
    )
    return os.path.join(cache, "promptops") if os.path.isabs(cache) else None


def save(path: str, data: bytes) -> None:
    """Keep a copy of the file at `path`, in a thread that the interpreter waits for at its end;
    never raises.
    """
    import threading

    with contextlib.suppress(
        Exception
    ):  # no more threads, no more memory, or the interpreter is ending
        threading.Thread(
            target=_save, args=(path, data), name="promptops-copy", daemon=False
        ).start()


def saved(path: str, unlike: bytes | None = None) -> RegistryView | None:
    """The view of the saved copy, its `since` set by the time it was written; None if it is
    missing or not to be trusted.

    unlike: None too where the copy holds just these bytes.
    """
    try:
        name = _place(path)
        if name is None:
            return None
        found = trusted(name)
        if found is None or found[0] == unlike:
            return None
        data, written = found
        content = views.read(data, name, None)
    except Exception:  # a copy is a help, never a fault
        return None
    return views.RegistryView(
        None, content, since=time.monotonic() - max(time.time() - written, 0.0)
    )


def trusted(name: str) -> tuple[bytes, float] | None:
    """The bytes of a file here, and when it was written (Unix seconds); None if somebody else
    could have put it there. Raises OSError, also if it is not a plain file.
    """
    from ..plain_file import open_plain

    with open_plain(name) as file:
        found = os.fstat(file.fileno())
        if found.st_uid != os.geteuid() or found.st_mode & 0o022:
            return None
        return file.read(), found.st_mtime


def put(name: str, data: bytes) -> None:
    """Write a file here, whole or not at all. Raises OSError."""
    import tempfile

    place = os.path.dirname(name)
    os.makedirs(place, mode=0o700, exist_ok=True)
    _sweep(place)
    handle, temporary = tempfile.mkstemp(dir=place, prefix=_TEMPORARY)  # 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(temporary, name)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _sweep(place: str) -> None:
    """Remove what writers left here that were killed, long after any of them can still be at it."""
    until = time.time() - _LEFT_S
    with contextlib.suppress(OSError), os.scandir(place) as found:
        for entry in found:
            if not entry.name.startswith(_TEMPORARY):
                continue
            with contextlib.suppress(OSError):  # another process was faster
                if entry.stat(follow_symlinks=False).st_mtime < until:
                    os.unlink(entry.path)


def _place(path: str) -> str | None:
    import hashlib

    kept = folder()
    return (
        None
        if kept is None
        else os.path.join(kept, hashlib.sha256(os.fsencode(path)).hexdigest()[:32] + ".json")
    )


def _save(path: str, data: bytes) -> None:
    with contextlib.suppress(Exception):  # a copy is a help, never a fault
        from ..plain_file import open_plain

        name = _place(path)
        if name is None:
            return
        try:
            with open_plain(name) as file:
                if os.fstat(file.fileno()).st_size == len(data) and file.read() == data:
                    os.utime(name)  # its age counts from the last time that the file was good
                    return
        except OSError:  # there is none yet, or what is there is no file
            pass
        put(name, data)
