"""Changing a file that others read: one writer at a time, and every reader sees the old bytes or
the new ones.

`locked` holds an advisory lock on a file of its own beside the registry, so readers never wait; the
system frees it when the holder dies. `replace` writes a temporary file, syncs it and renames it
over the old one.
"""

from __future__ import annotations

import contextlib
import os
import random
import sys
import time
from collections.abc import Iterator

from ..errors import Conflict, RegistryError
from ..plain_file import open_plain

__all__ = ["locked", "replace"]

WAIT_S = 60.0
_TEMPORARY = ".writing-"
_FLAGS = (  # a link or pipe in the place of the lock is neither written through nor waited for
    os.O_RDWR
    | os.O_CREAT
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
)


@contextlib.contextmanager
def locked(path: str, wait_s: float = WAIT_S) -> Iterator[None]:
    """Hold the write lock of `path`.

    Raises Conflict after `wait_s`, RegistryError if the folder cannot be written.
    """
    folder, name = os.path.split(path)
    lock = os.path.join(folder, f".{name}.lock")
    handle = _acquire(lock, wait_s)
    try:
        _sweep(folder, name)
        yield
    finally:
        try:
            if sys.platform != "win32":  # an open file cannot be removed there
                os.unlink(
                    lock
                )  # while it is still held: a waiter finds its file gone and opens the next one
        except FileNotFoundError:
            pass
        finally:
            os.close(handle)  # frees the lock


def replace(path: str, data: bytes) -> bool:
    """Put `data` in the place of the file, whole or not at all, keeping its mode.

    Returns False if it held the same.
    """
    path = os.path.realpath(path)  # a symbolic link stays one: what it points to is replaced
    folder, name = os.path.split(path)
    mode = 0o644
    try:
        mode = os.stat(path).st_mode & 0o777
        with open_plain(path) as file:
            if file.read() == data:
                return False
    except FileNotFoundError:
        pass
    temporary = os.path.join(
        folder, f".{name}{_TEMPORARY}{os.getpid()}-{random.getrandbits(32):08x}"
    )
    handle = os.open(
        temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o600
    )
    try:
        try:
            _write_all(handle, data)
            if sys.platform != "win32":
                os.fchmod(handle, mode)
            os.fsync(handle)
        finally:
            os.close(handle)
        _rename(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    _sync_folder(folder)
    return True


def _acquire(lock: str, wait_s: float) -> int:
    until = time.monotonic() + wait_s
    while True:
        if os.path.islink(lock):
            # it came with the folder and may lead to any file, whose content would be replaced
            with contextlib.suppress(OSError):
                os.unlink(lock)
        try:
            handle = os.open(lock, _FLAGS, 0o644)
        except IsADirectoryError:
            raise RegistryError(
                f"{lock} is a folder where the registry's lock, a file, belongs; remove it, or move"
                " it elsewhere."
            ) from None
        except OSError as error:
            raise RegistryError(
                f"{os.path.dirname(lock)} cannot be written ({error.strerror}); the registry is"
                " changed where its folder can be."
            ) from None
        try:
            if _try(handle) and _is_at(handle, lock):
                os.truncate(handle, 0)
                os.write(handle, f"{os.getpid()}".encode())
                return handle
            holder = (
                os.pread(handle, 20, 0).decode("ascii", "replace") if hasattr(os, "pread") else ""
            )
        except OSError as error:
            os.close(handle)
            raise RegistryError(
                f"{lock} cannot be locked ({error.strerror}); keep the registry on a filesystem"
                " that has locks."
            ) from None
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)
        if time.monotonic() > until:
            raise Conflict(
                f"another process ({holder or 'unknown'}) has been writing the registry for"
                f" {wait_s:.0f} s; try again, or end that process."
            )
        time.sleep(random.uniform(0.001, 0.01))


def _try(handle: int) -> bool:
    if sys.platform == "win32":
        import msvcrt

        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(handle: int, path: str) -> bool:
    """Whether the open file is still the one at `path`: the holder before removes it as it
    leaves.
    """
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path))
    except FileNotFoundError:
        return False


def _write_all(handle: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(handle, rest) :]


def _rename(temporary: str, path: str) -> None:
    for attempt in range(4):
        try:
            os.replace(temporary, path)
            return
        except (
            PermissionError
        ):  # a reader or scanner may hold the old file for a moment, where that forbids a rename
            if attempt == 3:
                raise
            time.sleep(0.01 * 2**attempt)


def _sync_folder(folder: str) -> None:
    """Make the rename durable. Some filesystems cannot; the new file is in place all the same."""
    with contextlib.suppress(OSError):
        handle = os.open(folder or ".", os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _sweep(folder: str, name: str) -> None:
    """Remove what killed writers left behind; the caller has the lock, so none of it is in use."""
    with contextlib.suppress(OSError):
        for leftover in os.listdir(folder):
            if leftover.startswith(f".{name}{_TEMPORARY}"):
                os.unlink(os.path.join(folder, leftover))
