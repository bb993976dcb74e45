"""A source read whole: its examples, which column was what, and the line of each row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from ..errors import DatasetError
from . import corrections
from .build import build
from .example import Example
from .foreign_columns import read_rightly
from .opening import open_source
from .origin import Origin
from .roles import RequestedRoles, Roles, assign
from .rows import Row, Source
from .shape import flatten

__all__ = ["ReadDataset", "ReadFile", "read", "read_whole"]

_MOST_EMPTY = 1_000  # rows without a value that a file may hold


@dataclass(frozen=True, slots=True)
class ReadFile:
    """rows: as they came, with their places; examples: one of each row, in the same order."""

    source: Source
    rows: tuple[Row, ...]
    roles: Roles
    examples: tuple[Example, ...]

    def lines(self) -> dict[str, int]:
        """Example id -> the line on which its row begins."""
        places = zip(self.examples, self.rows, strict=True)
        return {example.id: place for example, (place, _) in places}


@dataclass(frozen=True, slots=True)
class ReadDataset:
    """What a dataset has when it was read: see `Dataset`."""

    examples: tuple[Example, ...]
    name: str
    notes: tuple[str, ...]
    roles: Mapping[str, str]
    origin: Origin | None


def read_whole(x: object, asked: RequestedRoles, name: str | None = None) -> ReadDataset:
    """A path or table read, with the corrections that are beside a file.

    Raises DatasetError naming file, line and fault, MissingExtra if a format needs one.
    """
    found = read(open_source(x), asked, name)
    source, examples, origin = found.source, found.examples, None
    if isinstance(x, (str, PathLike)):
        path = Path(x).resolve()
        origin = Origin(path, found.roles, source.form, found.lines())
        overlay = corrections.overlay_of(path)
        entries = corrections.read(overlay)
        examples = corrections.applied(examples, entries, overlay, found.roles, source.notes)
    roles = found.roles.by_column()
    return ReadDataset(examples, name or source.name, tuple(source.notes), roles, origin)


def read(source: Source, asked: RequestedRoles, name: str | None = None) -> ReadFile:
    """All rows as examples; what was found is in `source.notes`. Raises DatasetError."""
    rows = tuple(_rows(source, name or source.name))
    if not rows:
        raise DatasetError(
            f"{name or source.name} holds no examples; a dataset needs at least one row."
        )
    flat, nested = flatten(
        read_rightly(rows, asked, source.notes), source, chats=not _names("messages", asked.inputs)
    )
    roles = assign(flat, nested, asked, source.notes)
    return ReadFile(source, rows, roles, build(flat, roles, source))


def _rows(source: Source, name: str) -> Iterator[Row]:
    """The rows. Raises DatasetError if more of them are empty than anybody means: two million fit
    into a file of 6 MB, and would cost seconds and 200 MB.
    """
    empty = 0
    for line, row in source.rows:
        empty += not row
        if empty > _MOST_EMPTY:
            raise DatasetError(
                f"{name}: more than {_MOST_EMPTY:,} rows up to line {line:,} hold nothing; expected"
                " values in each, so remove the empty ones."
            )
        yield line, row


def _names(column: str, inputs: Mapping[str, str] | Sequence[str] | None) -> bool:
    if isinstance(inputs, Mapping):
        return column in inputs.values()
    return inputs is not None and column in ([inputs] if isinstance(inputs, str) else inputs)
