"""Places of our own files that hold something else: a pipe would keep its reader for good, and a
device or a file of many gigabytes has no end. An unpacked archive or a pull request can put any of
them in a file's place.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from pathlib import Path
from typing import BinaryIO

__all__ = ["NOT_A_FILE", "copy_plain", "is_odd", "open_plain", "read_plain"]

NOT_A_FILE = "it is a pipe, socket or device, not a file"
_MOST = 64 << 20  # bytes: far more than a person writes, or one of our small files has


def is_odd(path: Path) -> bool:
    """Whether a pipe, socket or device is at the path, also behind a symlink."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def open_plain(path: str | os.PathLike[str]) -> BinaryIO:
    """The file, open for reading its bytes. Raises OSError, also if it is not a plain file."""
    fd = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    mode = os.fstat(fd).st_mode
    if not stat.S_ISREG(mode):
        os.close(fd)
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        raise OSError(errno.EINVAL, NOT_A_FILE, str(path))
    return os.fdopen(fd, "rb")


def read_plain(path: str | os.PathLike[str], *, most: int = _MOST) -> bytes:
    """The bytes of a file that is found by its place, not named by a person.

    Raises OSError, also if it is not a plain file or has more than `most` bytes.
    """
    with open_plain(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise OSError(
                errno.EFBIG, f"it has {size:,} bytes, more than the {most:,} that are read", path
            )
        return file.read(most)


def copy_plain(source: str, target: str) -> str:
    """Copy a file, for `shutil.copytree`; what is not a plain file becomes an empty one, which
    reads no better than the original.
    """
    if is_odd(Path(source)):
        Path(target).touch()
    else:
        shutil.copyfile(source, target)
    return target
