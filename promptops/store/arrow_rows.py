"""Records as Arrow tables: the one way into DuckDB and Parquet that is fast (160,000 rows/s, where
a row at a time is 150).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import repeat
from typing import TYPE_CHECKING, Any

from ..errors import StoreError
from ..spool.lines import plain_json
from ..spool.segment import Piece
from .schema import FORMER, TABLES, renamed
from .segment_records import PACK, encode

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ArrowRows", "Keep", "arrow_of", "documents_of", "named_today"]

_SMALL, _TOGETHER = (
    200,
    200,
)  # rows that are worth building a pack alone; small packs built at once, at most
_Pack = tuple[int, dict[str, object]]  # how many rows; column -> a value per row, or what all share
Row = bytes | memoryview  # the JSON of one
Keep = Callable[
    [str, int, str, bytes], bool
]  # (segment, position, table, JSON row) -> whether the row is kept


class ArrowRows:
    """The rows of stretches of segments, table by table, in the order in which they were
    recorded.
    """

    def __init__(self) -> None:
        self._rows: dict[str, list[Row]] = {}
        self._packs: dict[str, list[Any]] = {}  # built
        self._small: dict[
            str, list[_Pack]
        ] = {}  # to be built together, behind the others of their table
        # of the records met by `tables`: those that hold no rows of their table, which are left out
        self.wrong = 0

    def add(self, piece: Piece, keep: Keep | None = None) -> None:
        """Take what the piece holds. keep: which of it, where rows were purged."""
        if keep is not None:
            for table, position, row in documents_of(piece):
                if table in TABLES and keep(piece.segment, position, table, row):
                    self._rows.setdefault(table, []).append(row)
            return
        view = memoryview(
            piece.data
        )  # thousands of small copies would leave the process's memory in pieces
        for tag, spans in piece.scan.rows.items():
            if tag == PACK:
                for start, stop in spans:
                    self._unpack(piece.data[start:stop])
            elif tag in TABLES:
                self._rows.setdefault(tag, []).extend(view[start:stop] for start, stop in spans)

    def _unpack(self, document: bytes) -> None:
        try:
            table, rows, columns = _opened(document)
        except _NO_PACK:
            self.wrong += 1
            return
        if table not in TABLES:
            return  # of a newer release
        today = renamed(table, columns)
        if today.keys() != columns.keys():
            columns, document = today, plain_json({"columns": today})
        small = self._small.setdefault(table, [])
        if rows < _SMALL:
            small.append((rows, columns))
        if rows >= _SMALL or len(small) >= _TOGETHER:
            self._join(table)
        if rows >= _SMALL:
            self._build(table, (rows, columns), document)

    def _join(self, table: str) -> None:
        """Build the small packs as one: each would take as long as a hundred rows."""
        packs = self._small.pop(table, [])
        count = sum(rows for rows, _ in packs)
        columns: dict[str, list[Any]] = {name: [] for _, columns in packs for name in columns}
        for rows, found in packs:
            for name, column in columns.items():
                value = found.get(name)
                column.extend(value if isinstance(value, list) else repeat(value, rows))
        built = _built(table, count, columns, plain_json({"columns": columns})) if packs else None
        if built is not None:
            self._packs.setdefault(table, []).append(built)
            return
        for pack in packs:  # some of it does not fit
            self._build(table, pack, plain_json({"columns": pack[1]}))

    def _build(self, table: str, pack: _Pack, document: bytes) -> None:
        rows, columns = pack
        found = _built(table, rows, columns, document)
        if found is None:  # some of it does not fit: row by row
            found, wrong = arrow_of(table, list(_spread(rows, columns)))
            self.wrong += wrong
        self._packs.setdefault(table, []).append(found)

    def tables(self) -> Iterator[tuple[str, pa.Table]]:
        """(table, pyarrow table) of all that was taken."""
        import pyarrow as pa

        for table in TABLES:
            self._join(table)
            parts = self._packs.get(table, [])
            # only releases before packs, and purges, leave single rows of a table that is packed
            if table in self._rows:
                found, wrong = arrow_of(table, self._rows[table])
                self.wrong += wrong
                parts = [found, *parts]
            if parts:
                yield table, pa.concat_tables(parts) if len(parts) > 1 else parts[0]


def documents_of(piece: Piece) -> Iterator[tuple[str, int, bytes]]:
    """(table, position of its record in the segment, JSON) of every row."""
    for tag, spans in piece.scan.rows.items():
        for start, stop in spans:
            if tag == PACK:
                with suppress(*_NO_PACK):
                    table, rows, columns = _opened(piece.data[start:stop])
                    yield from ((table, piece.start + start, row) for row in _spread(rows, columns))
            else:
                yield tag, piece.start + start, piece.data[start:stop]


_NO_PACK = (ValueError, TypeError, KeyError, AttributeError, RecursionError)


def _opened(pack: bytes) -> tuple[str, int, dict[str, object]]:
    """Table, number of rows and columns. Raises one of _NO_PACK if it is not a pack."""
    found = json.loads(pack)
    table, count, columns = found["table"], found["rows"], found["columns"]
    sizes = {len(column) for column in columns.values() if isinstance(column, list)} or {1}
    if not isinstance(table, str) or sizes != {count}:
        raise ValueError("no pack")
    return table, count, columns


def _spread(count: int, columns: dict[str, object]) -> Iterator[bytes]:
    """The rows of a pack as JSON."""
    for place in range(count):
        row = {
            name: column[place] if isinstance(column, list) else column
            for name, column in columns.items()
        }
        yield plain_json({name: value for name, value in row.items() if value is not None})


def _built(table: str, count: int, columns: dict[str, Any], pack: bytes) -> object:
    """The pyarrow table of a pack; None if a value does not fit its column, or a key is missing.

    Read by pyarrow's own JSON reader: `pa.array` and `pa.scalar` would import pandas, which takes a
    fifth of a second.
    """
    import pyarrow as pa

    schema, key = TABLES[table].arrow(), TABLES[table].key
    held = [field for field in schema if columns.get(field.name) is not None]
    if not {field.name for field in held}.issuperset(key):
        return None
    struct = pa.struct(
        [(f.name, pa.list_(f.type) if isinstance(columns[f.name], list) else f.type) for f in held]
    )
    try:
        found = _read(pack + b"\n", pa.schema([("columns", struct)])).column("columns").chunk(0)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
    # not by `take`, which would import pyarrow.compute: 0.08 s
    arrays = {
        f.name: (
            found.field(f.name).values
            if isinstance(columns[f.name], list)
            else pa.repeat(found.field(f.name)[0], count)
        )
        for f in held
    }
    if any(arrays[name].null_count for name in key):
        return None
    return pa.table(
        [arrays[f.name] if f.name in arrays else pa.nulls(count, f.type) for f in schema],
        schema=schema,
    )


def arrow_of(table: str, documents: Sequence[Row]) -> tuple[object, int]:
    """The pyarrow table of JSON rows, in order, and how many of them were not rows of that table
    and are left out.

    A field that this release does not know is ignored; one that is missing is null.
    """
    import pyarrow as pa

    try:
        rows = _parsed(table, documents)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        rows = None
    if (
        rows is None
        or len(rows) != len(documents)
        or any(rows.column(name).null_count for name in TABLES[table].key)
    ):
        sound = [document for document in documents if _sound(table, document)]
        return _parsed(table, sound), len(documents) - len(sound)
    return rows, 0


def _parsed(table: str, documents: Sequence[Row]) -> pa.Table:
    schema = TABLES[table].arrow()
    if not documents:
        return schema.empty_table()
    for old, new in FORMER.get(table, {}).items():
        schema = schema.append(schema.field(new).with_name(old))
    return named_today(
        table, _read(b"\n".join((*documents, b"")), schema, max(map(len, documents)))
    )


def named_today(table: str, rows: pa.Table) -> pa.Table:
    """The rows with the table's columns of today: former names are read as what they are called
    now, and what an older release did not write is null.
    """
    import pyarrow as pa

    former = FORMER.get(table, {})
    schema = TABLES[table].arrow()
    columns = []
    for field in schema:
        names = [field.name, *(old for old, new in former.items() if new == field.name)]
        found = [
            column if column.type == field.type else column.cast(field.type)
            for column in (rows.column(name) for name in names if name in rows.column_names)
        ]
        written = [column for column in found if column.null_count < len(column)] or found[:1]
        columns.append(_first_known(written) if written else pa.nulls(len(rows), field.type))
    return pa.table(columns, schema=schema)


def _first_known(columns: Sequence[object]) -> object:
    """One column of several: of each row the first value that is not null."""
    if len(columns) == 1:
        return columns[0]
    import pyarrow.compute as pc

    return pc.coalesce(*columns)


def _read(lines: bytes, schema: object, longest: int = 0) -> pa.Table:
    """JSON lines as a pyarrow table. longest: bytes of the longest line, where there are
    several.
    """
    import pyarrow as pa
    import pyarrow.json

    block = max(
        1 << 20, 2 * (longest or len(lines))
    )  # a row that is longer than a block is an error
    return pyarrow.json.read_json(
        pa.BufferReader(lines),
        memory_pool=pa.system_memory_pool(),  # Arrow's own keeps what it once had
        read_options=pyarrow.json.ReadOptions(use_threads=False, block_size=block),
        parse_options=pyarrow.json.ParseOptions(
            explicit_schema=schema, unexpected_field_behavior="ignore"
        ),
    )


def _sound(table: str, document: Row) -> bool:
    """Whether the row is one that this release would have written."""
    try:
        row = renamed(table, json.loads(bytes(document)))
        encode(table, [{name: row.get(name) for name in TABLES[table].names}], bytes)
    except (ValueError, StoreError, RecursionError, AttributeError):
        return False
    return True
