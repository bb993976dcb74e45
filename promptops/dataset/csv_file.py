"""CSV files of any delimiter and encoding as rows of text, each with the line on which it begins.

The first line is the header. A row with more or fewer cells than the header is a fault, never
shifted; the apostrophe that keeps a spreadsheet from computing a cell (see `markup.cell`) is taken
off, and that is reported.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator

from ..errors import DatasetError
from ..markup import shorten, uncell
from .encoding import lines_of, sniff
from .held import File
from .long_cells import LONGEST, long_cells, records
from .rows import Form, Row, Source, in_file, say_count

__all__ = ["header_of", "open_csv"]

_DELIMITERS = (",", ";", "\t", "|")
_RARE = ("\x1f", "¦", "^", "~", ":")
_NONE = "\x1f"  # for a file of one column: a delimiter that occurs nowhere in text
_SAMPLE = 1 << 16  # characters that the delimiter is guessed from
_WORDS = {"\t": "tabs", _NONE: "nothing (one column)"}


def open_csv(path: File) -> Source:
    """Rows of a delimited text file. Raises DatasetError naming file, line and fault."""
    encoding, notes = sniff(path)
    skipped, delimiter = _delimiter(path, encoding)
    if delimiter != ",":
        notes.append(
            f"the cells of {path.name} are separated by {_WORDS.get(delimiter, repr(delimiter))}."
        )
    rows = _rows(path, encoding, delimiter, skipped, notes)
    form = Form("csv", encoding, delimiter, skipped)
    return Source(path.stem, rows, in_file(path.name), text=True, notes=notes, form=form)


def header_of(cells: list[str], where: str) -> list[str]:
    """Column names without surrounding white space; "" for unnamed columns.

    Raises DatasetError if a name occurs twice.
    """
    names = [cell.strip() for cell in cells]
    seen: set[str] = set()
    for name in filter(None, names):
        if name in seen:
            raise DatasetError(
                f"{where} names the column {shorten(name, 40)!r} twice; rename one (is that line"
                " the header?)."
            )
        seen.add(name)
    return names


def _delimiter(path: File, encoding: str) -> tuple[int, str]:
    """(lines to skip, delimiter).

    A first line `sep=;`, as Excel writes it, decides and is skipped.
    """
    lines: list[str] = []
    size = 0
    for _, line in lines_of(path, encoding, newline=""):
        lines.append(line)
        size += len(line)
        if size > _SAMPLE:
            break
    if not lines:
        raise DatasetError(f"{path.name} is empty; expected a header line and a row per example.")
    first = lines[0].strip("\r\n")
    if first.startswith("# "):
        raise DatasetError(
            f"{path.name}:1 is a comment ({first[:40]!r}); remove it, so that line 1 names the"
            " columns (a column's own name may begin with # but not with a blank after it)."
        )
    if first[:4].lower() == "sep=" and len(first) == 5:
        return 1, first[4]
    tabs = path.suffix.lower() in (".tsv", ".tab") and "\t" in first
    for candidates in (("\t",),) if tabs else (_DELIMITERS, _RARE):
        scored = [
            (_agreement(lines, mark, size > _SAMPLE), -order, mark)
            for order, mark in enumerate(candidates)
        ]
        agreement, _, mark = max(scored)
        if agreement[0] > 0:
            return 0, mark
    _refuse_title(path, lines)
    return 0, _NONE


def _refuse_title(path: File, lines: list[str]) -> None:
    """Raises DatasetError if a line of one cell (a title, a comment) precedes the table."""
    for mark in _DELIMITERS:
        agreement, width = _agreement(lines[1:], mark, cut=False)
        enough = len(lines) > 3 or _names_a_role(lines[1:2], mark)
        if enough and agreement == 1.0 and width > 1:
            raise DatasetError(
                f"{path.name}:1 is a single cell ({lines[0].strip()[:40]!r}) above rows of"
                f" {width:,}; remove the title or comment, so that line 1 names the columns (or"
                " quote the cells that hold the separator)."
            )


def _names_a_role(lines: list[str], mark: str) -> bool:
    """Whether a line is a header: a cell of it is a name that a dataset knows."""
    cells = {cell.strip().strip('"') for line in lines for cell in line.split(mark)}
    return bool(cells & {"expected", "input", "question", "id", "split", "answer", "output"})


def _agreement(lines: list[str], mark: str, cut: bool) -> tuple[float, int]:
    """(share of sampled rows as wide as the header, width); (0, 0) if the header has one
    cell.
    """
    try:
        found = [record for record in records(lines, mark) if record]
    except csv.Error:
        return 0.0, 0
    if cut and len(found) > 2:
        found.pop()  # the sample may end within it
    width = len(found[0]) if found else 0
    if width < 2:
        return 0.0, 0
    rest = found[1:] or found
    return sum(len(record) == width for record in rest) / len(rest), width


def _rows(
    path: File, encoding: str, delimiter: str, skipped: int, notes: list[str]
) -> Iterator[Row]:
    found = _records(path, encoding, delimiter, skipped)
    line, cells = next(found, (1, []))
    header = header_of([uncell(cell) for cell in cells], f"{path.name}:{line}")
    named = [(index, name) for index, name in enumerate(header) if name]
    if not named:
        raise DatasetError(f"{path.name} has no header; its first line names the columns.")
    if len(named) == 1 and len(header) > 2:
        raise DatasetError(
            f"{path.name}:{line} names one of {len(header):,} columns ({named[0][1][:40]!r}):"
            " remove the title above the header, or name the columns."
        )
    unnamed, restored = False, []
    for line, cells in found:
        if len(cells) != len(header):
            cells = _fitted(cells, header, delimiter, f"{path.name}:{line}")
        row = {name: uncell(cells[index]) for index, name in named}
        if any(cell[:1] == "'" for cell in cells) and list(row.values()) != [
            cells[index] for index, _ in named
        ]:
            restored.append(f"line {line}")
        unnamed = unnamed or (
            len(named) < len(header)
            and any(cell for cell, name in zip(cells, header, strict=True) if not name)
        )
        yield line, row
    if unnamed:
        notes.append(
            f"a column of {path.name} without a name was left out; name it in the first line to"
            " keep it."
        )
    say_count(
        notes,
        restored,
        "rows where the apostrophe that keeps a spreadsheet from computing a cell was taken off:"
        " {n} (first: {first}).",
    )


def _fitted(cells: list[str], header: list[str], delimiter: str, where: str) -> list[str]:
    """A row as wide as the header. Only blank cells beyond it are cut. Raises DatasetError else."""
    if len(cells) > len(header) and not any(cells[len(header) :]):
        return cells[: len(header)]
    hint = (
        f"put cells that hold {_WORDS.get(delimiter, repr(delimiter))} between double quotes"
        if len(cells) > len(header)
        else "add the missing ones"
    )
    raise DatasetError(
        f"{where} has {len(cells)} cells under {len(header)} columns"
        f" ({shorten(', '.join(header), 80)}); {hint}."
    )


def _records(
    path: File, encoding: str, delimiter: str, skipped: int
) -> Iterator[tuple[int, list[str]]]:
    """(line on which it begins, cells) of every record that is not blank."""
    lines = lines_of(path, encoding, newline="")
    for _ in range(skipped):
        next(lines)
    reader = csv.reader((line for _, line in lines), delimiter=delimiter, strict=True)
    begin = skipped + 1
    while True:
        try:
            with long_cells():
                cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise DatasetError(f"{path.name}:{begin}: {_fault(error)}; fix the row.") from None
        if cells and any(cells):
            yield begin, cells
        begin = skipped + reader.line_num + 1


def _fault(error: csv.Error) -> str:
    text = str(error)
    if "unexpected end" in text:
        return (
            'a double quote opens a cell here and nothing closes it (write "" for a quote within a'
            " quoted cell)"
        )
    if "expected after" in text:
        return 'text follows a closing double quote (write "" for a quote within a quoted cell)'
    if "field limit" in text:
        return f"a cell is longer than {LONGEST:,} characters"
    return text
