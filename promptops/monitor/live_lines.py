"""Rows of live calls in a log: lines of JSON that an application wrote to its standard output,
beside the lines of others.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

__all__ = ["LiveLines"]

_MARK = '{"promptops"'


class LiveLines:
    """(table, row) of each whole line; cut: the number of truncated rows, as a full disk or a log
    agent leaves them. Raises OSError if the log cannot be read.
    """

    def __init__(self, path: Path, tables: Collection[str]) -> None:
        self._path, self._tables = path, tables
        self.cut = 0

    def __iter__(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        self.cut = 0
        with self._path.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                start = line.find(_MARK)  # a log agent may write a time before it
                if start < 0:
                    continue
                try:
                    row = json.loads(line[start:])
                except (ValueError, RecursionError):
                    self.cut += 1
                    continue
                table = row.pop("promptops")
                if table in self._tables:
                    yield table, row
