"""File locks, two kinds, both gone with the process that held them.

`keep`, `held`, `stopped`: of an open file (flock): says that its writer lives; a forked child
shares it until it closes the file.
`turn`: of a process (POSIX record lock): whose turn it is; no fork inherits it, threads take turns
by other means. Where the platform or the file system has no flock, a file that was touched within
the hour counts as held; where the platform has no record lock, DuckDB's own lock must do.
"""

from __future__ import annotations

import errno
import importlib
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["alone", "alone_on_pipe", "held", "keep", "lock_file", "stopped", "turn"]

_QUIET_S = 3600.0
_fcntl: Any = importlib.import_module("fcntl") if os.name == "posix" else None
# what a file system answers that has no flock: NFS without its lock service, Lustre by default
_NONE_HERE = frozenset({errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})


def keep(fd: int) -> None:
    """Hold the open file until it is closed. Does nothing on a file system without locks."""
    if _fcntl is None:
        return
    try:
        _fcntl.flock(fd, _fcntl.LOCK_EX)  # waits for `held` and `stopped` elsewhere
    except OSError as error:
        if error.errno not in _NONE_HERE:
            raise


@contextmanager
def alone(path: Path, wait_s: float = 10.0) -> Iterator[None]:
    """Nobody else is in such a block of the same file, in this process or in another.

    The file itself is locked, even if it is replaced meanwhile, so that no lock file is needed. On
    a file system without locks the block is entered without one. Raises TimeoutError after
    `wait_s`.
    """
    until = time.monotonic() + wait_s
    while (fd := _entered(path)) is None:
        if time.monotonic() > until:
            raise TimeoutError(f"{path.name} has been locked by others for {wait_s:.0f} s")
        time.sleep(0.005)
    try:
        yield
    finally:
        if fd >= 0:
            os.close(fd)


def _entered(path: Path) -> int | None:
    """The locked file, -1 where there are no locks; None if another has it, or replaced it."""
    if _fcntl is None:
        return -1  # and an open file could not be replaced
    fd = os.open(path, os.O_RDONLY)
    try:
        _fcntl.flock(fd, _fcntl.LOCK_EX | _fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(fd), os.stat(path)):
            return fd
    except (BlockingIOError, FileNotFoundError):
        pass
    except OSError:
        os.close(fd)
        return -1
    os.close(fd)
    return None


@contextmanager
def alone_on_pipe(fd: int, wait_s: float = 2.0) -> Iterator[None]:
    """No other process is in such a block of the same pipe, for `wait_s` at most: one of them may
    be frozen there. Anything else than a pipe, and a system without such locks, is entered at once.
    """
    taken = _fcntl is not None and stat.S_ISFIFO(os.fstat(fd).st_mode)
    waited = 0.0
    while taken:
        try:
            _fcntl.lockf(fd, _fcntl.LOCK_EX | _fcntl.LOCK_NB)
            break
        except BlockingIOError:
            taken = waited < wait_s
        except OSError:
            taken = False
        time.sleep(0.002)
        waited += 0.002
    try:
        yield
    finally:
        if taken:
            _fcntl.lockf(fd, _fcntl.LOCK_UN)
            if waited:
                time.sleep(0.004)  # others wait: it is their turn


def held(path: Path) -> bool:
    """Whether a living process keeps the file."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        return not _free(fd)
    finally:
        os.close(fd)


@contextmanager
def stopped(path: Path) -> Iterator[os.stat_result | None]:
    """The file's facts if no living process keeps it, and none can begin to until the block ends.

    None if a process keeps it, or the file is gone.

    Size and "nobody writes" are facts of one moment here: asked for one after the other, a writer
    that appends and ends in between leaves the old size beside the new answer.
    """
    try:
        fd = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        yield None
        return
    try:
        facts = os.fstat(fd) if _free(fd) else None  # in this order: what is free has its last size
        if _fcntl is None:  # no lock to keep, and an open file could not be removed
            os.close(fd)
            fd = -1
        yield facts
    finally:
        if fd >= 0:
            os.close(fd)


def _free(fd: int) -> bool:
    """Whether nobody keeps the open file; it is shared with those who look until `fd` is closed."""
    try:
        if _fcntl is not None:
            _fcntl.flock(fd, _fcntl.LOCK_SH | _fcntl.LOCK_NB)
            return True
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NONE_HERE:
            raise
    return time.time() - os.fstat(fd).st_mtime >= _QUIET_S


def lock_file(path: Path) -> int:
    """A file that is only locked, opened; made where there is none. A link in its place, which came
    with the folder, is removed: nothing is made where it leads. Raises OSError.
    """
    if path.is_symlink():
        path.unlink(missing_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)


@contextmanager
def turn(path: Path, *, exclusive: bool, wait_s: float) -> Iterator[bool]:
    """Whether this process has the turn, asked for up to `wait_s` seconds.

    Raises OSError if the file cannot be made.
    """
    fd = lock_file(path)
    try:
        yield _fcntl is None or _taken(fd, exclusive, time.monotonic() + wait_s)
    finally:
        os.close(fd)


def _taken(fd: int, exclusive: bool, until: float) -> bool:
    kind = _fcntl.LOCK_EX if exclusive else _fcntl.LOCK_SH
    while True:
        try:
            _fcntl.lockf(fd, kind | _fcntl.LOCK_NB)
            return True
        except (BlockingIOError, PermissionError):
            if time.monotonic() > until:
                return False
            time.sleep(0.003)
