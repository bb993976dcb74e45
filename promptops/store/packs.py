"""Packs as they are read: up to some hundred rows of one table in a record, column by column (see
`segment_records`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any, NamedTuple, NoReturn

from ..spool.lines import plain_json
from .columns import Kind
from .schema import TABLES
from .segment_records import TOGETHER

__all__ = ["NO_PACK", "Pack", "Part", "Row", "alike", "joined", "opened", "spread", "together"]

Row = bytes | memoryview  # the JSON of one
_TOGETHER = (
    20_000  # rows of packs that are read at once: each pack alone takes as long as a hundred
)
_TYPES: Mapping[Kind, frozenset[type]] = {
    "text": frozenset((str,)),
    "json": frozenset((str,)),
    "int": frozenset((int,)),
    "float": frozenset((int, float)),
    "bool": frozenset((bool,)),
    "time": frozenset((str,)),
}
_INT64 = 2**63


@dataclass(frozen=True, slots=True)
class Pack:
    """Rows of one table, column by column. shape: column -> whether it is a list, for those that
    are not null everywhere; regular: whether every value is of a type that its column has;
    document: JSON that has the columns as `columns`.
    """

    count: int
    shape: Mapping[str, bool]
    regular: bool
    document: bytes

    @classmethod
    def of(cls, table: str, count: int, columns: Mapping[str, object], document: bytes) -> Pack:
        kept = {name: value for name, value in columns.items() if value is not None}
        shape = {name: isinstance(value, list) for name, value in kept.items()}
        return cls(count, shape, _is_regular(table, kept), document)

    def columns(self) -> dict[str, Any]:
        """The columns that are not null everywhere."""
        found = json.loads(self.document)["columns"]
        return {name: found[name] for name in self.shape}


class Part(NamedTuple):
    """Rows of one table: each a record of its own, or packs, which are read together. ours:
    whether this process wrote them all, so that each is surely in the form that `encode` gives it.
    """

    table: str
    documents: Sequence[Row] = ()
    packs: Sequence[Pack] = ()
    ours: bool = False


def _refuse(number: str) -> NoReturn:
    raise ValueError(f"{number} is not a number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse(text)


_SOUND_JSON = json.JSONDecoder(parse_float=_finite, parse_constant=_refuse).decode
NO_PACK = (ValueError, TypeError, KeyError, AttributeError, RecursionError)


def opened(pack: bytes) -> tuple[str, int, dict[str, object]]:
    """Table, number of rows and columns. Raises one of NO_PACK if it is not a pack."""
    found = _SOUND_JSON(pack.decode())
    table, count, columns = found["table"], found["rows"], found["columns"]
    sizes = {len(column) for column in columns.values() if isinstance(column, list)}
    if not sizes and 0 < count <= TOGETHER:
        sizes, count = {1}, 1  # one row, again and again
    if not isinstance(table, str) or sizes != {count}:
        raise ValueError("no pack")
    return table, count, columns


def spread(count: int, columns: dict[str, object]) -> Iterator[bytes]:
    """The rows of a pack as JSON."""
    for place in range(count):
        row = {
            name: column[place] if isinstance(column, list) else column
            for name, column in columns.items()
        }
        yield plain_json({name: value for name, value in row.items() if value is not None})


def together(packs: Sequence[Pack]) -> Iterator[Sequence[Pack]]:
    """The packs in their order, so many rows at a time."""
    found: list[Pack] = []
    rows = 0
    for pack in packs:
        if found and rows + pack.count > _TOGETHER:
            yield found
            found, rows = [], 0
        found.append(pack)
        rows += pack.count
    if found:
        yield found


def alike(packs: Sequence[Pack]) -> bool:
    """Whether they may be read as they are: of one shape, and every value of its column's type."""
    return all(pack.regular and pack.shape == packs[0].shape for pack in packs)


def joined(table: str, packs: Sequence[Pack]) -> Pack:
    """The packs as one."""
    columns: dict[str, list[Any]] = {name: [] for pack in packs for name in pack.shape}
    for pack in packs:
        found = pack.columns()
        for name, column in columns.items():
            value = found.get(name)
            column.extend(value if isinstance(value, list) else repeat(value, pack.count))
    count = sum(pack.count for pack in packs)
    return Pack.of(table, count, columns, plain_json({"columns": columns}))


def _is_regular(table: str, columns: Mapping[str, object]) -> bool:
    """Whether every value is of a type that its column has, and no key is null. A column that the
    table has not is passed over.
    """
    key = TABLES[table].key
    return all(
        _fits(column.kind, columns[column.name], may_lack=column.name not in key)
        for column in TABLES[table].columns
        if column.name in columns
    )


def _fits(kind: Kind, column: object, *, may_lack: bool) -> bool:
    values: list[Any] = column if isinstance(column, list) else [column]
    types = set(map(type, values))
    if may_lack:
        types.discard(type(None))
    if not types <= _TYPES[kind]:
        return False
    numbers = [value for value in values if value is not None] if kind in ("int", "float") else []
    return not numbers or -_INT64 <= min(numbers) <= max(numbers) < _INT64
