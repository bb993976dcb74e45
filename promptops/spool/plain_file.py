"""Places of the store's files that hold something else: a pipe would keep its reader for good, and
a device has no end. An unpacked archive can put either in a file's place.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

__all__ = ["NOT_A_FILE", "is_odd", "open_plain"]

NOT_A_FILE = "it is a pipe, socket or device, not a file"


def is_odd(path: Path) -> bool:
    """Whether a pipe, socket or device is at the path, also behind a symlink."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def open_plain(path: Path) -> BinaryIO:
    """The file, open for reading its bytes. Raises OSError, also if it is not a plain file."""
    fd = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, NOT_A_FILE, str(path))
    return os.fdopen(fd, "rb")
