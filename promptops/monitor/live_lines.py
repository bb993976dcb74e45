"""Rows of live calls as lines of JSON: in a log, beside the lines of others and as a log agent
wraps them, or in the files that the TypeScript observer keeps in a folder, one per process.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from .log_file import DAMAGED, lines_in, opened

__all__ = ["LiveLines", "first_line", "line_files"]

_MARK = '{"promptops"'
_WRAPPED = re.compile(r'\{\\+"promptops\\+"')  # within the JSON of a log agent, or of several
_CRI = re.compile(r"[^ ]{10,40} (stdout|stderr) ([FP])[^ ]{0,40} ")
_PIECE = 16_000  # bytes, about: Docker splits a line into pieces of 16 KiB
_TORN = 20  # rows of one line that are not whole; each is looked for to the line's end
_AGENTS = 4  # log agents, one behind the other
_DECODER = json.JSONDecoder()
# logrotate adds a number or a date, and compresses
_ROTATED = re.compile(r"live-[^.]+\.jsonl(?:[.-][0-9]+)*(?:\.(?i:gz|bz2|xz))?")
_FIRST = 1 << 20  # bytes of a first line by which its file is known


def line_files(folder: Path) -> list[Path]:
    """The files of the TypeScript observer in a folder, also those that were rotated."""
    found = (path for path in folder.glob("live-*.jsonl*") if _ROTATED.fullmatch(path.name))
    return sorted(path for path in found if path.is_file())


def first_line(path: Path) -> str:
    """A hash of the file's first line, by which it is known again: logrotate renames a file, or
    copies and empties it, and its process begins another under the same name. "" if that line has
    not ended.
    """
    try:
        with opened(path) as file:
            line = file.readline(_FIRST)
    except DAMAGED:
        return ""
    whole = line.endswith(b"\n") or len(line) == _FIRST
    return f"lines-{hashlib.sha256(line).hexdigest()[:32]}" if whole else ""


class LiveLines:
    """(table, row) of each whole line; cut: the number of truncated rows, as a full disk or a log
    agent leaves them; end: bytes up to which the lines have ended, where the next reader goes on;
    read: bytes that were read for the row that is given.

    start: bytes that were read before; grows: the last line may be still being written, and is left
    alone until it has ended. What Docker and Kubernetes split is put together, stream by stream.
    Raises OSError if the log cannot be read.
    """

    def __init__(
        self, path: Path, tables: Collection[str], start: int = 0, *, grows: bool = False
    ) -> None:
        self._path, self._tables, self._start, self._grows = path, tables, start, grows
        self.cut, self.end, self.read = 0, start, start

    def __iter__(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        self.cut, self.end, self.read = 0, self._start, self._start
        try:
            with opened(self._path) as file:
                file.seek(self._start)
                yield from self._of(file)
        except DAMAGED:
            self.cut += 1

    def _of(self, file: IO[bytes]) -> Iterator[tuple[str, Mapping[str, Any]]]:
        pieces: dict[str, list[str]] = {}  # stream -> what came of its unfinished line
        for line in lines_in(file):
            self.read += len(line)
            if line.endswith(b"\n"):
                self.end += len(line)
            elif self._grows:
                return
            stream, text, whole = _unwrapped(line.decode("utf-8", "replace"), bool(pieces))
            if not whole:
                pieces.setdefault(stream, []).append(text)
                continue
            if stream in pieces:
                text = "".join([*pieces.pop(stream), text])
            yield from self._rows(_innermost(text))
        for left in pieces.values():
            yield from self._rows(_innermost("".join(left)))

    def _rows(self, text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """The rows of a line; a log agent may write a time before one and fields after it."""
        start, torn = text.find(_MARK), 0
        while start >= 0 and torn < _TORN:
            try:
                row, end = _DECODER.raw_decode(text, start)
            except (ValueError, RecursionError):
                self.cut += 1
                torn, end = torn + 1, start + 1
            else:
                table = row.pop("promptops")
                if table in self._tables:
                    yield table, row
            start = text.find(_MARK, end)


def _unwrapped(line: str, unfinished: bool) -> tuple[str, str, bool]:
    """(stream, text, whether its line ends here) of a line of a log."""
    if wrapped := _CRI.match(line):  # Kubernetes
        return wrapped[1], line[wrapped.end() :].rstrip("\r\n"), wrapped[2] == "F"
    if _MARK in line:  # a row as it is: a text in it, of a user or a model, is not a row
        return "", line, True
    if not (line.startswith("{") and (unfinished or _WRAPPED.search(line))):
        return "", line, True
    try:
        outer = json.loads(line)
    except (ValueError, RecursionError):
        return "", line, True
    text = outer.get("log")
    if isinstance(text, str) and "stream" in outer:  # Docker
        whole = text.endswith("\n") or len(text.encode("utf-8", "replace")) < _PIECE
        return str(outer["stream"]), text, whole
    if "promptops" in outer:  # a row whose fields an agent put into another order
        return "", "", True
    texts = [each for each in outer.values() if isinstance(each, str)]
    for each in texts:
        if _MARK in each:
            return "", each, True
    for each in texts:  # the line of another agent, which may be a piece
        if each.startswith("{") and (unfinished or _WRAPPED.search(each)):
            return _unwrapped(each, unfinished)
    return "", line, True


def _innermost(text: str) -> str:
    """The text that several log agents have wrapped, one the lines of the other."""
    for _ in range(_AGENTS):
        if _MARK in text or not (text.startswith("{") and _WRAPPED.search(text)):
            break
        text = _unwrapped(text, False)[1]
    return text
