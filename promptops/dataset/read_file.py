"""A source read whole: its examples, which column was what, and the line of each row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..errors import DatasetError
from .build import build
from .example import Example
from .foreign_columns import read_rightly
from .roles import Asked, Roles, assign
from .rows import Row, Source
from .shape import flatten

__all__ = ["Reading", "read"]


@dataclass(frozen=True, slots=True)
class Reading:
    """rows: as they came, with their places; examples: one of each row, in the same order."""

    source: Source
    rows: tuple[Row, ...]
    roles: Roles
    examples: tuple[Example, ...]

    def lines(self) -> dict[str, int]:
        """Example id -> the line on which its row begins."""
        places = zip(self.examples, self.rows, strict=True)
        return {example.id: place for example, (place, _) in places}


def read(source: Source, asked: Asked, name: str | None = None) -> Reading:
    """All rows as examples; what was found is in `source.notes`. Raises DatasetError."""
    rows = tuple(source.rows)
    if not rows:
        raise DatasetError(
            f"{name or source.name} holds no examples; a dataset needs at least one row."
        )
    flat, nested = flatten(
        read_rightly(rows, asked, source.notes), source, chats=not _names("messages", asked.inputs)
    )
    roles = assign(flat, nested, asked, source.notes)
    return Reading(source, rows, roles, build(flat, roles, source))


def _names(column: str, inputs: Mapping[str, str] | Sequence[str] | None) -> bool:
    if isinstance(inputs, Mapping):
        return column in inputs.values()
    return inputs is not None and column in ([inputs] if isinstance(inputs, str) else inputs)
