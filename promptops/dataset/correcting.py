"""A corrected golden answer for a dataset's file: one value changes, and every other byte stays the
same.

The change is made in memory and read back by the reader of the file: it is not made unless all
other rows read as before. What cannot be changed this way goes into the file's corrections (see
`corrections`), and what is uncertain is refused. Nothing outside the project's folder is written.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..canonical import canonical
from ..errors import DatasetError
from ..markup import UNTYPESET, esc, plain_repr
from ..plain_file import replacing
from ..redact import Redactor
from ..spool.locks import alone
from . import corrections
from .cells import fault_of
from .example import Example
from .held import Held
from .opening import open_source, open_text
from .read_file import ReadFile, read
from .roles import RequestedRoles
from .spans import Unsafe, decoded, place_of, written

__all__ = ["Correction", "correct"]


@dataclass(frozen=True, slots=True)
class Correction:
    """expected: the golden answer as the file will give it; path: the file that changes; line:
    where, from 1; before, after: the lines that differ, equal where there is nothing to change;
    why: what kept it out of the dataset's own file, "" if it goes there. `write()` makes the
    change; until then nothing is changed.
    """

    example_id: str
    expected: Any
    path: Path
    line: int
    before: str
    after: str
    why: str
    _dataset: Path
    _old: bytes | None
    _new: bytes

    @property
    def diff(self) -> str:
        """The place and the lines that go and come; "" if nothing changes."""
        if self.before == self.after:
            return ""
        gone = [f"- {line}" for line in self.before.splitlines()]
        come = [f"+ {line}" for line in self.after.splitlines()]
        return "\n".join([f"{self.path.name}:{self.line}", *gone, *come])

    def write(self) -> Correction:
        """Make the change, whole or not at all.

        Raises DatasetError if the file has changed since.
        """
        if self.before != self.after:
            try:
                with alone(self._dataset):  # between the comparison and the change too
                    _replace(self.path, self._old, self._new)
            except OSError as error:
                raise DatasetError(
                    f"{self.path.name} was not changed: another program has locked or removed"
                    f" {self._dataset.name} ({error}); correct the answer again."
                ) from None
        return self

    def __fspath__(self) -> str:
        return str(self.path)

    @plain_repr
    def __repr__(self) -> str:
        if not self.diff:
            return f"<{self.path.name}:{self.line} says so already>"
        why = f"\nIt is beside the dataset's file because {self.why}." if self.why else ""
        return self.diff + why

    def _repr_html_(self) -> str:
        return f"<pre class='{UNTYPESET}'>{esc(repr(self))}</pre>"  # a diff, line by line


@dataclass(frozen=True, slots=True)
class _DatasetFile:
    """A dataset's file as it is now. data: its bytes if it is text; entries: its corrections."""

    path: Path
    data: bytes
    asked: RequestedRoles
    reading: ReadFile
    overlay: Path
    beside: bytes | None
    entries: corrections.Entries

    def shown(self, row: int) -> Example:
        """A row as `Dataset.read` gives it, with its correction."""
        one = [self.reading.examples[row]]
        roles = self.reading.roles
        return corrections.applied(one, self.entries, self.overlay, roles, [])[0]

    def line(self, row: int) -> int:
        """Where a row begins, from 1."""
        return self.reading.rows[row][0]


def correct(
    path: Path,
    asked: RequestedRoles,
    example: Example,
    expected: object,
    *,
    root: Path,
    mine: Mapping[str, object],
) -> Correction:
    """What would make `expected` the golden answer of a row. Writes nothing.

    asked: which column is what; example: the row as it was evaluated; root: the project's folder;
    mine: example id -> the golden answer that the caller has written meanwhile. Raises DatasetError
    if the file is outside the project, or the row is not what it was.
    """
    file = _opened(path, asked, root)
    value = _value(expected, file, example.id)
    row = _row(file, example)
    now = file.shown(row)
    if corrections.same(now.expected, value):
        line = file.line(row)
        return Correction(now.id, value, file.path, line, "", "", "", file.path, None, b"")
    _same(file, row, example, mine)
    roles = file.reading.roles
    if corrections.entry_of(file.entries, now.id, roles) is None:
        try:
            return _in_place(file, row, value)
        except Unsafe as unsafe:
            why = str(unsafe)
    else:
        why = f"{file.overlay.name} has a correction of this row already"
    if file.overlay.is_symlink():
        raise DatasetError(
            f"{file.overlay.name} is a link, and is not written through; make it a file of its own."
        )
    entry = corrections.new_entry(file.reading.examples[row], value, roles)
    line, before, after, new = corrections.with_entry(file.beside, entry)
    return Correction(
        now.id, value, file.overlay, line, before, after, why, file.path, file.beside, new
    )


def _opened(path: Path, asked: RequestedRoles, root: Path) -> _DatasetFile:
    real = path.resolve() if path.is_absolute() else path
    if not real.is_relative_to(root.resolve()):
        raise DatasetError(
            f"{path.name} is outside the project {root}, where nothing is written; "
            "copy it into the project and evaluate on the copy, or correct it by hand."
        )
    if not real.is_file():
        raise DatasetError(
            f"the file {real} no longer exists; pass path= with where the dataset's file is now."
        )
    overlay = corrections.overlay_of(real)
    beside = overlay.read_bytes() if overlay.is_file() else None
    entries = corrections.read(overlay, beside) if beside is not None else {}
    data = real.read_bytes()
    source = open_text(Held(real.name, data)) or open_source(real)
    return _DatasetFile(real, data, asked, read(source, asked), overlay, beside, entries)


def _value(expected: object, file: _DatasetFile, id: str) -> object:
    """The golden answer as a reader of the file will give it."""
    fault = fault_of(expected)
    if fault is not None:
        raise DatasetError(f"the golden answer of {id!r} {fault}.")
    if not file.reading.source.text or isinstance(expected, str):
        return None if expected == "" and file.reading.source.text else expected
    if isinstance(expected, (list, tuple, dict)):  # any member of a list is right; of its text none
        return list(expected) if isinstance(expected, tuple) else expected
    return None if expected is None else canonical(expected)


def _row(file: _DatasetFile, example: Example) -> int:
    """The number of the row of an example. Raises DatasetError if it does not exist."""
    ids = [other.id for other in file.reading.examples]
    for names in (ids, Redactor().identifiers(ids)):  # one like a key is recorded under another
        if example.id in names:
            return names.index(example.id)
    raise DatasetError(
        f"{file.path.name} has no row {example.id!r} (by now, or read as it was); evaluate on the"
        " file as it is, and correct it there."
    )


def _same(file: _DatasetFile, row: int, example: Example, mine: Mapping[str, object]) -> None:
    """Raises DatasetError unless the row is what was evaluated, or what the caller made of it
    since.
    """
    now = file.shown(row)
    if now.fingerprint == example.fingerprint:
        return
    where = f"{file.path.name}:{file.line(row)}"
    if replace(now, expected=example.expected).fingerprint != example.fingerprint:
        raise DatasetError(
            f"{where} ({example.id}) is no longer what was evaluated; evaluate on the file as it"
            " is, and correct it there."
        )
    if example.id not in mine or not corrections.same(now.expected, mine[example.id]):
        raise DatasetError(
            f"the golden answer at {where} ({example.id}) was changed by somebody since it was "
            "evaluated; look at it there, evaluate on the file as it is, and correct it then."
        )


def _in_place(file: _DatasetFile, row: int, value: object) -> Correction:
    """The change of one value in the text of the file. Raises Unsafe if it cannot be alone."""
    reading = file.reading
    form, column, line = reading.source.form, reading.roles.expected, file.line(row)
    id = reading.examples[row].id
    if form is None:
        raise Unsafe(f"a value of a {file.path.suffix.lower()} file cannot be changed by itself")
    if column is None:
        raise Unsafe(f"{file.path.name} has no column of golden answers")
    if form.kind == "csv" and isinstance(value, (list, dict)):
        raise Unsafe(f"a cell of {file.path.name} holds text, which a list or an object is not")
    held = Held(file.path.name, file.data)
    head, text, encoding = decoded(file.data, form.encoding)
    begin, end = place_of(text, held, form, (row, line), column)
    shown = "" if value is None and form.kind == "csv" else value
    piece = written(shown, text[begin:end], text, form)
    try:
        new = piece.encode(encoding)
    except UnicodeEncodeError:
        raise Unsafe(
            f"{file.path.name} is {form.encoding}, which cannot hold this answer"
        ) from None
    start = len(head) + len(text[:begin].encode(encoding))
    stop = start + len(text[begin:end].encode(encoding))
    data = file.data[:start] + new + file.data[stop:]
    _prove(file, data, row, value)
    first, last = max(text.rfind(mark, 0, begin) + 1 for mark in "\r\n"), _line_end(text, end)
    before, after = text[first:last], text[first:begin] + piece + text[end:last]
    number = text.count("\n", 0, begin) + 1 if form.kind == "list" else line
    return Correction(id, value, file.path, number, before, after, "", file.path, file.data, data)


def _prove(file: _DatasetFile, data: bytes, row: int, value: object) -> None:
    """Raises Unsafe unless the changed bytes read as the same rows, but for the one golden
    answer.
    """
    source = open_text(Held(file.path.name, data))
    try:
        after = read(source, file.asked).examples if source is not None else ()
    except DatasetError as error:
        raise Unsafe(f"the file could not be read afterwards ({str(error).rstrip('.')})") from None
    wanted = list(file.reading.examples)
    wanted[row] = replace(wanted[row], expected=value)
    if list(after) != wanted or not corrections.same(after[row].expected, value):
        raise Unsafe("other rows, or their ids, would read differently")


def _line_end(text: str, at: int) -> int:
    return min((end for mark in "\r\n" if (end := text.find(mark, at)) >= 0), default=len(text))


def _replace(path: Path, old: bytes | None, new: bytes) -> None:
    """Put a complete new file in the old one's place, with its permissions.

    Raises DatasetError if it is no longer the old one, or cannot be written.
    """
    now = path.read_bytes() if path.is_file() else None
    if now != old:
        raise DatasetError(
            f"{path.name} was changed just now by somebody else, and was left as it is; look at it,"
            " and correct again."
        )
    try:
        with replacing(path) as beside, open(beside, "wb") as file:
            file.write(new)
            file.flush()
            os.fsync(file.fileno())
    except PermissionError:
        raise DatasetError(
            f"{path.name} may not be written by you, or its folder may not; change the permissions,"
            " or correct it by hand."
        ) from None
    except OSError as error:
        raise DatasetError(
            f"{path.name} cannot be written ({error.strerror}), and is as it was; make room or give"
            " access."
        ) from None
