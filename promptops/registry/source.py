"""The bytes at a path, whatever is there: read whole with the signature that they had, or refused
in one sentence.
"""

from __future__ import annotations

import os
from stat import S_ISREG

from ..errors import RegistryCorrupt, RegistryNotFound
from .document import MAX_BYTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    Fault = RegistryNotFound | RegistryCorrupt

__all__ = ["contents", "encoded", "fault", "look", "signature"]


def signature(found: os.stat_result) -> tuple[int, int, int, int]:
    """What differs once the file was replaced or written to: modification and change times, size,
    inode.
    """
    return (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino)


def look(path: str) -> tuple[int, int, int, int] | None:
    """The signature now; None if there is no file."""
    try:
        return signature(os.stat(path))
    except (OSError, ValueError):
        return None


def encoded(path: str) -> str | bytes:
    """The path as the system takes it, which spares encoding it at every look."""
    try:
        return os.fsencode(path)
    except ValueError:  # no system's path; looking says so
        return path


def contents(path: str) -> tuple[object, bytes]:
    """The signature and bytes of one file.

    Raises OSError, or RegistryCorrupt if it is not a file or too large.
    """
    for _ in range(3):
        if not S_ISREG(os.stat(path).st_mode):
            raise RegistryCorrupt(
                f"{path} is not a file; put the registry there, or set PROMPTOPS_REGISTRY."
            )
        with open(path, "rb", buffering=0) as file:
            before = os.fstat(file.fileno())
            if before.st_size > MAX_BYTES:
                raise RegistryCorrupt(
                    f"{path} is {before.st_size:,} bytes, more than the limit of {MAX_BYTES:,};"
                    " check what wrote it."
                )
            data = file.readall()
            after = os.fstat(file.fileno())
        if signature(before) == signature(after):
            break  # else it was written to in place meanwhile
    return signature(after), data


def fault(error: Exception, path: str) -> Fault:
    """What is wrong with the file, as a new error: the one that was raised would keep what it had
    read alive.
    """
    if isinstance(error, RegistryCorrupt):
        return RegistryCorrupt(str(error))
    if isinstance(error, FileNotFoundError):
        return RegistryNotFound(
            f"no registry file at {path}; restore it from git, or set PROMPTOPS_REGISTRY."
        )
    return RegistryCorrupt(
        f"{path} cannot be read ({type(error).__name__}: {error}); check its permissions, or"
        " restore it from git."
    )
