"""What a compressed file may expand to: a few kilobytes can ask for hundreds of gigabytes, so rows
are counted as they come and the reading ends where no honest file would go.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..errors import DatasetError

__all__ = ["least_of", "most_of", "refused", "within", "within_cells"]

_LEAST, _MOST = 64 << 20, 4 << 30
_RATIO = 100  # columns of equal texts compress so far; beyond it is a bomb
_CELL = 8  # bytes that any value takes
_DEEP = 64  # levels that are counted


def most_of(packed: int) -> int:
    """How many bytes a compressed file of `packed` bytes may hold."""
    return min(_MOST, max(_LEAST, _RATIO * packed))


def least_of(parquet: Any) -> int:
    """How many bytes the rows take at least, by the metadata of a Parquet file: one for a cell,
    whatever it holds, and those of a value for each in a list.
    """
    groups = [parquet.row_group(number) for number in range(parquet.num_row_groups)]
    listed = sum(
        max(0, group.column(place).num_values - group.num_rows)
        for group in groups
        for place in range(group.num_columns)
    )
    cells = parquet.num_rows * max(1, parquet.num_columns)
    return int(cells + _CELL * listed)


def within(
    rows: Iterable[dict[str, object]], packed: int, name: str
) -> Iterator[dict[str, object]]:
    """The rows, as long as they stay within what the file may hold. Raises DatasetError."""
    most, size = most_of(packed), 0
    for row in rows:
        size += sum(map(_size, row.values()))
        if size > most:
            raise refused(name, packed, most)
        yield row


def within_cells(
    rows: Iterable[tuple[object, ...]], packed: int, name: str
) -> Iterator[tuple[object, ...]]:
    """As `within`, of rows without names."""
    most, size = most_of(packed), 0
    for row in rows:
        size += sum(map(_size, row))
        if size > most:
            raise refused(name, packed, most)
        yield row


def refused(name: str, packed: int, most: int) -> DatasetError:
    """The one sentence for a file that expands too far."""
    return DatasetError(
        f"{name} has {packed:,} bytes and expands to more than {most:,}, which is read no further;"
        " if that is right, write it as JSONL or CSV."
    )


def _size(value: object, depth: int = 0) -> int:
    if value is None:
        return 1
    if isinstance(value, (str, bytes)):
        return _CELL + len(value)
    if depth < _DEEP and isinstance(value, Mapping):
        return _CELL + sum(_size(each, depth + 1) for each in value.values())
    if depth < _DEEP and isinstance(value, (list, tuple)):
        return _CELL + sum(_size(each, depth + 1) for each in value)
    return _CELL
