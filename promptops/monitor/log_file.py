"""Logs as they lie: plain, or compressed by what rotated them."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import BufferedReader
from pathlib import Path
from typing import IO, Any

__all__ = ["COMPRESSED", "DAMAGED", "lines_in", "opened", "unpacked"]

COMPRESSED: dict[str, Callable[..., Any]] = {
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
}
# by what cannot be unpacked, or not yet: another program is still compressing it
DAMAGED = (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile)
_LONGEST = 64 << 20  # bytes of a line; a file of 60 kB can unpack to one


def opened(path: Path) -> IO[bytes]:
    """The file, unpacked while it is read."""
    found: IO[bytes] = COMPRESSED.get(path.suffix, open)(path, "rb")
    return found


def lines_in(file: IO[bytes]) -> Iterator[bytes]:
    """Its lines; one that unpacks to more than any row comes in pieces. Raises one of DAMAGED where
    it cannot be unpacked.
    """
    most = -1 if isinstance(file, BufferedReader) else _LONGEST
    while line := file.readline(most):
        yield line


def unpacked(file: IO[bytes]) -> Iterator[bytes]:
    """The lines up to where it can be unpacked."""
    with suppress(*DAMAGED):
        yield from lines_in(file)
