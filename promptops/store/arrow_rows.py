"""Records as Arrow tables: the one way into Parquet, and into DuckDB for rows of any form (see
`staged_rows`), that is fast: 160,000 rows/s, where a row at a time is 150.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

from ..errors import StoreError
from ..spool.lines import plain_json, scan
from ..spool.segment import Piece
from .packs import NO_PACK, Pack, Part, Row, alike, joined, opened, spread, together
from .schema import FORMER, TABLES, renamed
from .segment_records import PACK, encode

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ArrowRows", "Keep", "arrow_of", "documents_of", "named_today"]

Keep = Callable[
    [str, int, str, bytes], bool
]  # (segment, position, table, JSON row) -> whether the row is kept


class ArrowRows:
    """The rows of stretches of segments, table by table, in the order in which they were
    recorded.
    """

    def __init__(self) -> None:
        self._rows: dict[str, list[Row]] = {}
        self._packs: dict[str, list[Pack]] = {}
        self._ours = True
        # of the records met so far: those that hold no rows of their table, which are left out
        self.wrong = 0

    def add(self, piece: Piece, keep: Keep | None = None, *, ours: bool = False) -> None:
        """Take what the piece holds. keep: which of it, where rows were purged; ours: whether this
        process wrote it.
        """
        self._ours = self._ours and ours
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
            table, count, columns = opened(document)
        except NO_PACK:
            self.wrong += 1
            return
        if table not in TABLES:
            return  # of a newer release
        today = renamed(table, columns)
        if today.keys() != columns.keys():
            columns, document = today, plain_json({"columns": today})
        self._packs.setdefault(table, []).append(Pack.of(table, count, columns, document))

    def parts(self) -> Iterator[Part]:
        """All that was taken."""
        for table in TABLES:
            # only releases before packs, and purges, leave single rows of a table that is packed
            if table in self._rows:
                yield Part(table, documents=self._rows[table], ours=self._ours)
            for packs in together(self._packs.get(table, ())):
                yield Part(table, packs=packs if alike(packs) else [joined(table, packs)])

    def tables(self) -> Iterator[tuple[str, pa.Table]]:
        """(table, pyarrow table) of all that was taken."""
        import pyarrow as pa

        for table, parts in groupby(self.parts(), attrgetter("table")):
            found = [self.built(part) for part in parts]
            yield table, pa.concat_tables(found) if len(found) > 1 else found[0]

    def built(self, part: Part) -> pa.Table:
        """A part as a pyarrow table; what is not a row of the table is counted as wrong."""
        documents = part.documents
        if part.packs:
            whole = part.packs[0] if len(part.packs) == 1 else joined(part.table, part.packs)
            found = _built(part.table, whole)
            if found is not None:
                return found
            documents = list(spread(whole.count, whole.columns()))  # some of it does not fit
        found, wrong = arrow_of(part.table, documents)
        self.wrong += wrong
        return found


def documents_of(piece: Piece) -> Iterator[tuple[str, int, bytes]]:
    """(table, position of its record in the segment, JSON) of every row."""
    for tag, spans in piece.scan.rows.items():
        for start, stop in spans:
            if tag == PACK:
                with suppress(*NO_PACK):
                    table, rows, columns = opened(piece.data[start:stop])
                    yield from ((table, piece.start + start, row) for row in spread(rows, columns))
            else:
                yield tag, piece.start + start, piece.data[start:stop]


def _built(table: str, pack: Pack) -> object:
    """The pyarrow table of a pack; None if a value does not fit its column, or a key is missing.

    Read by pyarrow's own JSON reader: `pa.array` and `pa.scalar` would import pandas, which takes a
    fifth of a second.
    """
    import pyarrow as pa

    schema, key = TABLES[table].arrow(), TABLES[table].key
    held = [field for field in schema if field.name in pack.shape]
    if not pack.shape.keys() >= set(key):
        return None
    struct = pa.struct([(f.name, pa.list_(f.type) if pack.shape[f.name] else f.type) for f in held])
    try:
        read = _read(pack.document + b"\n", pa.schema([("columns", struct)]))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
    found = read.column("columns").chunk(0)
    # not by `take`, which would import pyarrow.compute: 0.08 s
    arrays = {
        f.name: (
            found.field(f.name).values
            if pack.shape[f.name]
            else pa.repeat(found.field(f.name)[0], pack.count)
        )
        for f in held
    }
    if any(arrays[name].null_count for name in key):
        return None
    return pa.table(
        [arrays[f.name] if f.name in arrays else pa.nulls(pack.count, f.type) for f in schema],
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
        sound = [document for document in documents if _as_written(table, document) is not None]
        rows = _readable(table, sound)
    return rows, len(documents) - len(rows)


def _readable(table: str, documents: Sequence[Row]) -> pa.Table:
    """The sound rows. One in a form that Arrow does not read, such as a key that is there twice, is
    read as `encode` writes it, or left out.
    """
    import pyarrow as pa

    try:
        return _parsed(table, documents)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        pass
    if len(documents) > 1:
        half = len(documents) // 2
        parts = documents[:half], documents[half:]
        return pa.concat_tables([_readable(table, part) for part in parts])
    [document] = documents
    written = _as_written(table, document)
    return _readable(table, [written] if written not in (None, document) else [])


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


def _as_written(table: str, document: Row) -> bytes | None:
    """The row as this release writes it; None if it would not have written one like it."""
    try:
        row = renamed(table, json.loads(bytes(document)))
        data = encode(table, [{name: row.get(name) for name in TABLES[table].names}], bytes)
    except (ValueError, StoreError, RecursionError, AttributeError):
        return None
    return next(written for *_, written in documents_of(Piece("", 0, data, scan(data, last=True))))
