"""Tables in memory and binary tables on disk as rows: pandas, polars, Arrow, Hugging Face, XLSX,
Parquet.

Objects are reported by what they can do, not by importing their libraries. Cells become JSON
values; what had to be changed for that (dates, decimals, class numbers) is reported, column by
column.
"""

from __future__ import annotations

import datetime
import decimal
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..canonical import MAX_DEPTH
from ..errors import DatasetError, MissingExtra
from ..markup import shorten
from .csv_file import header_of
from .expansion import least_of, most_of, refused, within, within_cells
from .parquet_file import own_rows
from .rows import Row, Source, in_file, say_count

if TYPE_CHECKING:
    from zipfile import ZipFile

__all__ = ["Plain", "open_frame", "open_parquet", "open_xlsx"]


# what a spreadsheet shows where a formula has no value
_FAULTS = frozenset(("#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NUM!", "#NULL!"))
_UNCOMPUTED = object()  # a formula that no spreadsheet program has computed yet
_BATCH = 256  # rows of a Parquet file that are expanded at a time


class Plain:
    """Cells as JSON values; notes once per column what it changed.

    Raises DatasetError for what JSON cannot hold.
    """

    def __init__(self, notes: list[str]) -> None:
        self._said = notes
        self._told: set[tuple[str, str]] = set()

    def __call__(self, value: Any, column: str, where: str, depth: int = 0) -> object:
        kind = type(value)
        if value is None or kind is str or kind is int or kind is float or kind is bool:
            return value
        if depth > MAX_DEPTH:
            raise DatasetError(
                f"{where}: the column {column!r} is nested too deep to be data; flatten it."
            )
        if isinstance(value, Mapping):
            return {str(name): self(cell, column, where, depth + 1) for name, cell in value.items()}
        if isinstance(value, (list, tuple)):
            return [self(cell, column, where, depth + 1) for cell in value]
        if hasattr(value, "tolist"):  # numpy: an array, or one of its numbers
            return self(value.tolist(), column, where, depth + 1)
        for kinds, name in _AS_TEXT:
            if isinstance(value, kinds):
                self._say(
                    column,
                    f"the {name} in column {column!r} were read as text, such as {_text(value)!r}.",
                )
                return _text(value)
        if isinstance(
            value, (str, bool, int, float)
        ):  # a subclass, such as an enumeration's member
            return self(_base(value), column, where)
        raise DatasetError(
            f"{where}: the column {column!r} holds {shorten(kind.__name__, 40)}, which is not text,"
            " number, list or dict; convert or drop it."
        )

    def _say(self, column: str, sentence: str) -> None:
        if (column, sentence[:20]) not in self._told:
            self._told.add((column, sentence[:20]))
            self._said.append(sentence)


_AS_TEXT: tuple[tuple[tuple[type, ...], str], ...] = (
    ((datetime.date, datetime.time), "dates and times"),  # a datetime is a date
    ((decimal.Decimal,), "decimals"),
    ((uuid.UUID,), "UUIDs"),
)


def _text(value: Any) -> str:
    return str(value.isoformat()) if hasattr(value, "isoformat") else str(value)


def _base(value: Any) -> object:
    return next(
        kind(value)
        for kind in (bool, int, float, str)
        if isinstance(value, kind) and kind is not type(value)
    )


def open_frame(x: object) -> Source | None:
    """The rows of a DataFrame, an Arrow table or a Hugging Face dataset; None for anything else."""
    notes: list[str] = []
    if hasattr(x, "collect") and hasattr(x, "collect_schema"):  # a polars LazyFrame
        x = x.collect()
    if hasattr(x, "iter_rows") and hasattr(x, "columns"):
        return _table("DataFrame", x.iter_rows(named=True), notes)
    if hasattr(x, "iterrows") and hasattr(x, "columns"):
        return _table("DataFrame", _pandas(x, notes), notes)
    if hasattr(x, "to_batches") and hasattr(x, "column_names"):
        return _table(
            "table", (row for batch in x.to_batches() for row in batch.to_pylist()), notes
        )
    if hasattr(x, "features") and hasattr(x, "__iter__"):
        return _table(_hub_name(x), _hub(x, notes), notes)
    if (
        isinstance(x, Mapping)
        and x
        and all(hasattr(part, "features") and hasattr(part, "__iter__") for part in x.values())
    ):
        notes.append(
            f"the parts {', '.join(map(str, x))} were read together, the part's name as the split."
        )
        parts = (
            {**row, "split": str(name)} for name, part in x.items() for row in _hub(part, notes)
        )
        return _table(_hub_name(next(iter(x.values()))), parts, notes)
    return None


def _table(name: str, rows: Iterable[Mapping[Any, Any]], notes: list[str]) -> Source:
    return Source(name, _plain_rows(enumerate(rows), _row, notes), _row, notes=notes)


def _row(position: int) -> str:
    return f"row {position}"


def _plain_rows(
    rows: Iterable[tuple[int, Mapping[Any, Any]]], at: Callable[[int], str], notes: list[str]
) -> Iterator[Row]:
    plain = Plain(notes)
    for place, row in rows:
        yield place, {str(name): plain(cell, str(name), at(place)) for name, cell in row.items()}


def _pandas(frame: Any, notes: list[str]) -> Iterator[Mapping[object, object]]:
    if frame.columns.nlevels > 1:
        raise DatasetError(
            "the DataFrame's columns have several levels; give each one name before it is read."
        )
    if any(frame.index.names):  # an index with a name is a column that was set aside
        notes.append(
            f"the index {', '.join(str(name) for name in frame.index.names)!r} was read as a"
            " column."
        )
        frame = frame.reset_index()
    header_of([str(name) for name in frame.columns], "the DataFrame")
    cells = frame.astype(object)
    yield from cells.where(frame.notna(), None).to_dict("records")


def _hub(data: Any, notes: list[str]) -> Iterator[Mapping[object, object]]:
    """Rows of a Hugging Face dataset, class numbers as their names."""
    names = {
        column: feature.names
        for column, feature in (data.features or {}).items()
        if hasattr(feature, "int2str")
    }
    for column, classes in names.items():
        sentence = (
            f"the class numbers in column {column!r} were read as their names"
            f" ({shorten(', '.join(classes), 60)})."
        )
        if sentence not in notes:
            notes.append(sentence)
    for row in data:
        yield {
            column: (
                names[column][cell]
                if column in names and isinstance(cell, int) and 0 <= cell < len(names[column])
                else cell
            )
            for column, cell in row.items()
        }


def _hub_name(data: Any) -> str:
    return str(getattr(getattr(data, "info", None), "dataset_name", None) or "dataset")


def open_parquet(path: Path) -> Source:
    """Rows of a Parquet file, batch by batch. Raises DatasetError, MissingExtra."""
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise MissingExtra("reading Parquet") from None
    try:
        file = parquet.ParquetFile(path)
    except (ArrowException, OSError) as error:
        raise DatasetError(
            f"{path.name} is not a Parquet file ({shorten(error, 80)}); export it again, or as"
            f" JSONL."
        ) from None
    notes: list[str] = []
    packed = path.stat().st_size
    if least_of(file.metadata) > most_of(packed):
        raise refused(path.name, packed, most_of(packed))
    batches = file.iter_batches(_BATCH)
    read = within((row for b in batches for row in b.to_pylist()), packed, path.name)
    rows = own_rows(file.schema_arrow.metadata, read, path.name) or read
    return Source(
        path.stem,
        _plain_rows(enumerate(rows), in_file(path.name), notes),
        in_file(path.name),
        notes=notes,
    )


def open_xlsx(path: Path) -> Source:
    """Rows of a workbook's first sheet, with their row numbers; formulas as their last values.

    Raises DatasetError, MissingExtra.
    """
    try:
        import openpyxl
    except ImportError:
        raise MissingExtra("reading XLSX") from None
    import zipfile

    notes: list[str] = []
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(part.file_size for part in archive.infolist())
            packed = path.stat().st_size
            if size > most_of(packed):
                raise refused(path.name, packed, most_of(packed))
            computed = _has_formulas(archive)
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        sheets = book.worksheets
        books = [book, openpyxl.load_workbook(path, read_only=True)] if computed else [book]
    except DatasetError:
        raise
    except Exception as error:  # openpyxl passes on whatever zipfile, XML and its own readers raise
        raise _no_workbook(path, error) from None
    if not sheets:
        raise DatasetError(
            f"{path.name} has no sheet with cells; put the examples on its first sheet."
        )
    if len(sheets) > 1:
        notes.append(
            f"of the {len(sheets)} sheets of {path.name} the first was read: {sheets[0].title!r}."
        )
    at = in_file(path.name)
    cells = within_cells(_cells(books, path), packed, path.name)
    return Source(path.stem, _plain_rows(_sheet(cells, at, notes), at, notes), at, notes=notes)


def _no_workbook(path: Path, error: Exception) -> DatasetError:
    return DatasetError(
        f"{path.name} is not a workbook that can be read ({shorten(error, 80)}); save it again as"
        " .xlsx, or as CSV."
    )


def _has_formulas(archive: ZipFile) -> bool:
    """Whether a sheet has a formula; if none has, the workbook need not be parsed twice."""
    for name in archive.namelist():
        if name.startswith("xl/worksheets/"):
            with archive.open(name) as part:
                last = b""
                while chunk := part.read(1 << 20):
                    if b"<f" in last + chunk:
                        return True
                    last = chunk[-1:]
    return False


def _cells(books: list[Any], path: Path) -> Iterator[tuple[object, ...]]:
    """The rows of the first sheet; the files are closed after the last. books: with the values,
    and with the formulas if there are any: one without a value is _UNCOMPUTED.
    """
    rows = zip(*(book.worksheets[0].iter_rows(values_only=True) for book in books), strict=False)
    try:
        while True:
            try:
                cells, *formulas = next(rows)
            except StopIteration:
                return
            except Exception as error:  # as above: a sheet is parsed while it is read
                raise _no_workbook(path, error) from None
            if formulas:
                cells = tuple(
                    _UNCOMPUTED if value is None and formula is not None else value
                    for value, formula in zip(cells, formulas[0], strict=False)
                )
            yield cells
    finally:
        for book in books:
            book.close()


def _sheet(
    rows: Iterator[tuple[Any, ...]], at: Callable[[int], str], notes: list[str]
) -> Iterator[tuple[int, dict[str, object]]]:
    header: list[str] = []
    unnamed, faulty, uncomputed = False, list[str](), list[str]()
    for number, found in enumerate(rows, 1):
        if _UNCOMPUTED in found:
            uncomputed.append(f"row {number}")
        if not _FAULTS.isdisjoint(found):
            faulty.append(f"row {number}")
        cells = tuple(None if cell in _FAULTS or cell is _UNCOMPUTED else cell for cell in found)
        if all(cell is None for cell in cells):
            continue
        if not header:
            header = header_of(["" if cell is None else str(cell) for cell in cells], at(number))
            continue
        wide = [*header, *[""] * (len(cells) - len(header))]
        full = [*cells, *[None] * (len(header) - len(cells))]
        unnamed = unnamed or any(
            cell is not None for cell, name in zip(full, wide, strict=True) if not name
        )
        yield number, {name: cell for name, cell in zip(wide, full, strict=True) if name}
    say_count(
        notes,
        faulty,
        "rows where a cell holds an error of the spreadsheet, such as #N/A, and is read as empty:"
        " {n} (first: {first}).",
    )
    say_count(
        notes,
        uncomputed,
        "rows where a formula has no value yet, and is read as empty; open the file in a"
        " spreadsheet program and save it: {n} (first: {first}).",
    )
    if unnamed:
        notes.append(
            "cells without a column name above them were left out; name their columns in the first"
            " row to keep them."
        )
