"""Standard streams that never decide how a command ends.

- Where a reader stops early (`| head`), the command completes its studies and monitors and ends
  with its own exit code, since 1 would say that a check does not hold.
- What cannot be written for another reason, such as a full disk, is reported at the end.
- A stream that does not block, as some parents leave it, is waited for.
- A stream that is closed is opened on the null device: the next file that is opened would get its
  number, and what a library writes to standard output or error would go into that file.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..plain_text import plain_where_needed

__all__ = ["StandardOutput", "standard_streams"]


class StandardOutput(io.RawIOBase):
    """A descriptor's writing end. fault: the first error of a write, after which nothing more is
    written.
    """

    def __init__(self, file: io.FileIO) -> None:
        self._file = file
        self.fault: OSError | None = None

    def writable(self) -> bool:
        """It takes text of commands, and nothing can be read from it."""
        return True

    def fileno(self) -> int:
        """The descriptor, for what asks the terminal for its size."""
        return self._file.fileno()

    def isatty(self) -> bool:
        """Whether a person reads it."""
        return self._file.isatty()

    def write(self, data: object) -> int:
        """How much was written or, after a fault, passed over."""
        view = memoryview(data)  # type: ignore[arg-type]
        if self.fault is None:
            try:
                while (done := self._file.write(view)) is None:
                    select.select([], [self._file], [])
                return done
            except OSError as error:
                self.fault = error
        return view.nbytes


@contextmanager
def standard_streams() -> Iterator[None]:
    """Such streams in place of the process's own, which a host such as pytest gets back.

    A command that ends with 0 while its output was lost exits with 2.
    """
    _open_closed()
    before = sys.stdin, sys.stdout, sys.stderr
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout, sys.stderr = _lenient(sys.stdout, 1), _lenient(sys.stderr, 2)
    try:
        yield
    except SystemExit as ended:
        lost = _lost(sys.stdout)
        if lost is None or ended.code not in (None, 0):
            raise
        sys.stderr.write(
            f"error: standard output cannot be written ({lost.strerror}); the command was carried"
            " out, and what it says is incomplete.\n"
        )
        sys.exit(2)
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        sys.stdin, sys.stdout, sys.stderr = before


def _open_closed() -> None:
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:  # the lowest number that is free is this one
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


def _lenient(stream: Any, number: int) -> io.TextIOWrapper:
    """The stream that writes where this one did; itself if it is not the process's own, as under
    pytest.
    """
    buffer = getattr(stream, "buffer", None)
    own = isinstance(getattr(buffer, "raw", buffer), io.FileIO)
    if stream is None or own:
        if stream is not None:
            stream.flush()
        stream = io.TextIOWrapper(
            io.BufferedWriter(StandardOutput(io.FileIO(number, "w", closefd=False))),
            encoding=getattr(stream, "encoding", "utf-8"),
            errors=getattr(stream, "errors", "strict"),
            line_buffering=getattr(stream, "line_buffering", True),
            write_through=getattr(stream, "write_through", False),
        )
    plain_where_needed(stream)
    return stream  # type: ignore[no-any-return]


def _lost(stream: io.TextIOWrapper) -> OSError | None:
    """Why part of the output was not written; None if all was, or if its reader went away."""
    stream.flush()
    file = getattr(getattr(stream, "buffer", None), "raw", None)
    fault = file.fault if isinstance(file, StandardOutput) else None
    return None if fault is None or fault.errno == errno.EPIPE else fault
