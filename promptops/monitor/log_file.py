"""Logs as they lie: plain, or compressed by what rotated them."""

from __future__ import annotations

import gzip
import importlib
import zlib
from collections.abc import Iterator
from contextlib import suppress
from io import BufferedReader
from pathlib import Path
from typing import IO, Any

__all__ = ["DAMAGED", "lines_in", "opened", "unpacked"]

# a Python may have been built without bzip2 and xz, so each is imported where a file needs it
_COMPRESSED = {".gz": "gzip", ".bz2": "bz2", ".xz": "lzma"}


class _Unpacking(EOFError):
    """What cannot be unpacked here."""


# by what cannot be unpacked, or not yet: another program is still compressing it
DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile)
_LONGEST = 64 << 20  # bytes of a line; a file of 60 kB can unpack to one


class _Unpacked:
    """A compressed file whose damage is one of DAMAGED, whatever its library raises."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def __enter__(self) -> _Unpacked:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def _told(self, call: Any, *given: int) -> Any:
        try:
            return call(*given)
        except Exception as error:
            # of the system, and not of the data, which have no number of an error
            if isinstance(error, DAMAGED) or getattr(error, "errno", None) is not None:
                raise
            raise _Unpacking(str(error)) from error

    def read(self, size: int = -1) -> bytes:
        found: bytes = self._told(self._file.read, size)
        return found

    def readline(self, size: int = -1) -> bytes:
        found: bytes = self._told(self._file.readline, size)
        return found

    def seek(self, place: int) -> int:
        found: int = self._told(self._file.seek, place)
        return found


def opened(path: Path) -> IO[bytes]:
    """The file, unpacked while it is read. Raises one of DAMAGED where this Python cannot."""
    name = _COMPRESSED.get(path.suffix.lower())
    if name is None:
        return path.open("rb")
    try:
        library = importlib.import_module(name)
    except ImportError as error:
        raise _Unpacking(str(error)) from error
    found: IO[bytes] = _Unpacked(library.open(path, "rb"))  # type: ignore[assignment]
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
