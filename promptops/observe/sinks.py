"""Where live rows go: a folder of checksummed segments, which the lab reads while they grow, or
lines of JSON on the standard output, which the platform's log agent carries.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import time
from pathlib import Path

from ..errors import StoreError
from ..plain_file import read_plain
from ..spool.lines import plain_json, record
from ..spool.locks import alone_on_pipe
from ..spool.segment import SegmentFile, segment_name

__all__ = ["HASH_KEY", "FolderSink", "NoSink", "StdoutSink", "hash_key", "project_key"]

HASH_KEY = "PROMPTOPS_HASH_KEY"
ROTATE = 16 << 20  # bytes after which a segment ends
_ROTATE_S = 3600.0  # seconds after which it ends
_KEY_FILE = "hash.key"


def hash_key() -> bytes | None:
    """The project's own key, of the environment."""
    found = os.environ.get(HASH_KEY)
    return found.encode() if found else None


def project_key(folder: Path) -> bytes | None:
    """PROMPTOPS_HASH_KEY, else a key of the folder's own, made once and shared by all that write
    there; None if the folder cannot hold one.
    """
    return hash_key() or _folder_key(folder)


class FolderSink:
    """Rows in this process's own segment under `folder`, which is made when the first is
    written. No row waits for the disk: a process that ends in a second has written its rows.
    """

    linger_s = 0.0

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._segment: SegmentFile | None = None
        self._since = 0.0
        self._size = 0
        self._secret: bytes | None = None

    def write(self, lines: list[tuple[str, dict[str, object]]]) -> tuple[int, int]:
        """All rows, or as many as the disk takes whole: what is torn off is cut off again."""
        segment = self._opened()
        data = [record(table, plain_json(row)) for table, row in lines]
        done, whole = 0, b"".join(data)
        try:
            while done < len(whole):
                done += os.write(segment.fd, whole[done:] if done else whole)
        except OSError:
            stored, size = 0, 0
            while stored < len(data) and size + len(data[stored]) <= done:
                size += len(data[stored])
                stored += 1
            self._cut(segment, self._size + size)
            if not stored:
                raise
            return stored, 0
        self._size += done
        return len(lines), 0

    def secret(self) -> bytes | None:
        """PROMPTOPS_HASH_KEY, else a key of the folder's own, made once and shared by all that
        write there.
        """
        if self._secret is None:
            self._secret = project_key(self.folder)
        return self._secret

    def forked(self) -> None:
        """Let go of the parent's segment in a child process, which opens one of its own."""
        segment, self._segment = self._segment, None
        if segment is not None and segment.fd >= 0:
            os.close(segment.fd)
            segment.fd = -1

    def close(self) -> None:
        """Close the segment, if one is open; a fault of the file system is not raised."""
        segment, self._segment = self._segment, None
        if segment is not None:
            with contextlib.suppress(OSError):
                segment.close()

    def _opened(self) -> SegmentFile:
        segment = self._segment
        if segment is not None:
            size, gone = segment.state()
            old = time.monotonic() - self._since > _ROTATE_S and size
            # by logrotate: what follows would not be read
            rotated = size < self._size or not segment.path.exists()
            if not gone and not rotated and size < ROTATE and not old:
                return segment
            self.close()
        try:
            segment = SegmentFile(self.folder, segment_name(), lasting=False)
            first = segment.first_line()
            if os.write(segment.fd, first) != len(first):
                raise OSError("the disk is full")
        except StoreError as error:
            raise OSError(str(error)) from None
        except OSError:
            if segment is not None and segment.fd >= 0 and segment is not self._segment:
                self._discard(segment)
            raise
        self._segment, self._since, self._size = segment, time.monotonic(), len(first)
        return segment

    def _discard(self, segment: SegmentFile) -> None:
        with contextlib.suppress(OSError):
            os.unlink(segment.path)
        with contextlib.suppress(OSError):
            os.close(segment.fd)
        segment.fd = -1

    def _cut(self, segment: SegmentFile, size: int) -> None:
        try:
            os.ftruncate(segment.fd, size)
            self._size = size
        except OSError:  # the next rows begin a segment of their own, behind no torn one
            self.close()

    def __str__(self) -> str:
        return str(self.folder)


class StdoutSink:
    """One line of JSON a row on the standard output of the process: `{"promptops": "live",
    ...}`.
    """

    linger_s = 0.0

    def __init__(self, descriptor: int = 1) -> None:
        self._fd = descriptor
        self._torn = False  # the last line was not written whole

    def write(self, lines: list[tuple[str, dict[str, object]]]) -> tuple[int, int]:
        """One row a time, whole: the row of another worker is never inside it on a pipe, however
        long it is.
        """
        for stored, (table, row) in enumerate(lines):
            text = json.dumps({"promptops": table, **row}, ensure_ascii=False)
            try:
                with alone_on_pipe(self._fd):
                    self._all(f"{text}\n".encode())
            except (BrokenPipeError, ValueError):
                return stored, len(lines) - stored  # nobody reads, nor will
            except OSError:
                if stored:
                    return stored, 0
                raise
        return len(lines), 0

    def _all(self, data: bytes) -> None:
        if self._torn:  # a full disk truncated the last line: begin a new one
            data = b"\n" + data
        self._torn = True
        while data:
            try:
                data = data[os.write(self._fd, data) :]
            except BlockingIOError:
                select.select([], [self._fd], [], 0.5)
        self._torn = False

    def secret(self) -> bytes | None:
        """PROMPTOPS_HASH_KEY; without it None, and no user is recorded."""
        return hash_key()

    def forked(self) -> None:
        """The output is shared with the parent, line by line."""

    def close(self) -> None:
        """The output is the process's own."""

    def __str__(self) -> str:
        return "stdout"


def _folder_key(folder: Path) -> bytes | None:
    """The folder's key; made by the first process, whole or not at all."""
    path = folder / _KEY_FILE
    for _ in range(2):
        try:
            return read_plain(path) or None
        except OSError:
            pass
        draft = folder / f".{_KEY_FILE}.{os.getpid()}.{os.urandom(4).hex()}"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(os.urandom(16).hex().encode())
            with contextlib.suppress(FileExistsError):
                os.link(draft, path)
        except OSError:
            return None  # unknown, rather than another key than the others'
        finally:
            with contextlib.suppress(OSError):
                os.unlink(draft)
    return None


class NoSink:
    """An address that is not a sink: every row is counted as dropped, and the log says why, since a
    folder of that name would hold the calls where nobody looks for them.
    """

    linger_s = 0.0

    def __init__(self, named: str) -> None:
        self._scheme = named.partition("://")[0]

    def write(self, lines: list[tuple[str, dict[str, object]]]) -> tuple[int, int]:
        """Raises ValueError, which is not tried again."""
        raise ValueError(
            f'{self} is not a place for rows; expected a folder, "stdout", "otlp" or'
            " otlp+http(s)://HOST"
        )

    def secret(self) -> bytes | None:
        """PROMPTOPS_HASH_KEY."""
        return hash_key()

    def forked(self) -> None:
        """Nothing is open."""

    def close(self) -> None:
        """Nothing is open."""

    def __str__(self) -> str:
        return f"{self._scheme}://..."  # the rest may hold a password
