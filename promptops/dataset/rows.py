"""Rows before they become examples: cells by column, with their positions, which any error can
name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias

__all__ = ["Form", "Row", "Source", "in_file", "say_count"]

Row: TypeAlias = tuple[int, dict[str, Any]]  # a line, or a position from 0, and the cells by column


@dataclass(frozen=True, slots=True)
class Form:
    """How a text file is written. kind: "csv", "lines" (JSON, an object per line) or "list" (one
    JSON value); encoding: as the codecs name it, `-sig` with a mark; delimiter and skipped (lines
    before the header): of CSV.
    """

    kind: str
    encoding: str
    delimiter: str = ""
    skipped: int = 0

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


@dataclass(slots=True)
class Source:
    """A file's rows, before they become examples.

    name: shown to people; rows: iterated once; at: names a position in errors; text: whether every
        cell is text, as in CSV; notes: what was decided while reading, one sentence each (complete
        once the rows are read); form: of a text file.
    """

    name: str
    rows: Iterable[Row]
    at: Callable[[int], str]
    text: bool = False
    notes: list[str] = field(default_factory=list)
    form: Form | None = None


def in_file(name: str) -> Callable[[int], str]:
    """Places as `tickets.csv:7`."""
    return lambda line: f"{name}:{line}"


def say_count(notes: list[str], places: list[str], sentence: str) -> None:
    """Say a sentence about places, where there are any: `{n}` is their number, `{first}` the
    first.
    """
    if places:
        notes.append(sentence.replace("{n}", f"{len(places):,}").replace("{first}", places[0]))
