"""Rows of live calls as lines of JSON: in a log, beside the lines of others, or in the files that
the TypeScript observer keeps in a folder, one per process.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

__all__ = ["LiveLines", "line_files"]

_MARK = b'{"promptops"'


def line_files(folder: Path) -> list[Path]:
    """The files of the TypeScript observer in a folder."""
    return sorted(path for path in folder.glob("live-*.jsonl") if path.is_file())


class LiveLines:
    """(table, row) of each whole line; cut: the number of truncated rows, as a full disk or a log
    agent leaves them; end: bytes up to which the lines have ended, where the next reader goes on.

    start: bytes that were read before; grows: the last line may be still being written, and is left
    alone until it has ended. Raises OSError if the log cannot be read.
    """

    def __init__(
        self, path: Path, tables: Collection[str], start: int = 0, *, grows: bool = False
    ) -> None:
        self._path, self._tables, self._start, self._grows = path, tables, start, grows
        self.cut, self.end = 0, start

    def __iter__(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        self.cut, self.end = 0, self._start
        with self._path.open("rb") as file:
            file.seek(self._start)
            for line in file:
                if line.endswith(b"\n"):
                    self.end += len(line)
                elif self._grows:
                    return
                start = line.find(_MARK)  # a log agent may write a time before it
                if start < 0:
                    continue
                try:
                    row = json.loads(line[start:].decode("utf-8", "replace"))
                except (ValueError, RecursionError):
                    self.cut += 1
                    continue
                table = row.pop("promptops")
                if table in self._tables:
                    yield table, row
