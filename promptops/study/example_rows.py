"""The rows of a page of examples, and one example with both its answers, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..dataset import Example

if TYPE_CHECKING:
    from ..run import Attempt

__all__ = [
    "KINDS",
    "LONG",
    "SHORT",
    "GridCell",
    "Filter",
    "RecordedScore",
    "Page",
    "ExampleRow",
    "Side",
    "SideBySide",
]


# what an example may be looked for by; of one arm alone, nothing is changed, lost or won
KINDS = ("all", "changed", "lost", "won", "failing", "unscored")
SHORT = 240  # characters of a text in a row of a page
LONG = 20_000  # characters of a text side by side


@dataclass(frozen=True, slots=True)
class Filter:
    """kind: one of KINDS; text: anywhere in an output, an input or an id; tag, failure: "" for any;
    scorer: "" for the primary.
    """

    kind: str = "all"
    text: str = ""
    tag: str = ""
    failure: str = ""
    scorer: str = ""


@dataclass(frozen=True, slots=True)
class GridCell:
    """What one version answered to one example. output: cut to SHORT characters; value: mean
    outcome over repeats, None if unscored.
    """

    version: str
    output: str
    value: float | None
    failure: str


@dataclass(frozen=True, slots=True)
class ExampleRow:
    """One example of a page. new, old: mean outcome over repeats, None if unscored; outputs and
    the golden answer are cut to SHORT characters; cells: one per version, the baseline first and
    the candidate last.
    """

    example_id: str
    new: float | None
    old: float | None
    new_failure: str
    old_failure: str
    new_output: str = ""
    old_output: str = ""
    asked: str = ""
    expected: str = ""
    cells: tuple[GridCell, ...] = ()

    @property
    def gain(self) -> float | None:
        return None if self.new is None or self.old is None else self.new - self.old


@dataclass(frozen=True, slots=True)
class Page:
    """rows: those of this page; first: place of its first row, 0 first; total: rows that the filter
    lets through; all: rows there are.
    """

    rows: tuple[ExampleRow, ...]
    first: int
    total: int
    all: int


@dataclass(frozen=True, slots=True)
class RecordedScore:
    """One score of a run, as it was recorded."""

    scorer: str
    value: float | None
    passed: bool | None
    reason: str


@dataclass(frozen=True, slots=True)
class Side:
    """What one arm answered to an example. request: the messages that were sent, (role, text)
    pairs; tries: one Attempt a try.
    """

    label: str
    run_id: str
    output: str | None
    failure: str | None
    detail: str
    cost_usd: float | None
    latency_ms: float | None
    tokens_in: int | None
    tokens_out: int | None
    attempts: int
    request: tuple[tuple[str, str], ...]
    scores: tuple[RecordedScore, ...] = ()
    tries: tuple[Attempt, ...] = ()


@dataclass(frozen=True, slots=True)
class SideBySide:
    """An example as the study saw it, with the candidate's and the baseline's answer."""

    example_id: str
    example: Example | None
    new: Side | None
    old: Side | None
