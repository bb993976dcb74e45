"""What the system does not give more of, memory or open files: no fault of any file, so nothing may
be set aside, left out or called damaged for it.
"""

from __future__ import annotations

import errno
import re
import sys
from pathlib import Path

from ..errors import StoreError

__all__ = ["Shortage", "is_shortage"]

# Memory, or threads that take memory, in the words of DuckDB, of the C++ library and of the system.
_SHORT = re.compile(
    "Out of Memory|bad.alloc|Cannot allocate memory|Resource temporarily unavailable"
)
_FILES = (errno.EMFILE, errno.ENFILE)


class Shortage(StoreError):
    """The system gave no more memory or open files to read or write a file with."""

    def __init__(self, path: Path | str, error: BaseException) -> None:
        text = (str(error).strip() or type(error).__name__).splitlines()[0]
        what, how = ("take more memory", "`ulimit -v`")
        if "Too many open files" in text:
            what, how = ("open more files", "`ulimit -n`")
        super().__init__(
            f"{path} cannot be read or written, since this process may not {what} ({text});"
            f" nothing recorded is lost: raise the limit ({how}, or the container's), or end other"
            " programs, and run it again."
        )


def is_shortage(error: BaseException) -> bool:
    """Whether memory or open files were short. DuckDB has a class for memory, and others where it
    comes upon it in the middle of something, such as FatalException in a commit.
    """
    if isinstance(error, (MemoryError, Shortage)):  # pyarrow's is one too
        return True
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno == errno.ENOMEM or error.errno in _FILES
    libraries = {"duckdb": "Error", "pyarrow": "ArrowException"}
    ours = [
        getattr(sys.modules[name], kind) for name, kind in libraries.items() if name in sys.modules
    ]
    return isinstance(error, (OSError, *ours)) and bool(_SHORT.search(str(error)))
