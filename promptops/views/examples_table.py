"""One page of a study's examples as a table, and the difference of two answers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..analysis import words
from ..markup import esc, shorten
from .theme import BAD, GOOD, UNSURE, in_text, page

if TYPE_CHECKING:
    from ..dataset.correcting import Correction
    from ..study.example_rows import GridCell
    from ..study.examples import ExampleRow, Page, StudyExamples

__all__ = ["diff_html", "golden_text", "read_golden", "table_html"]
_ARMS = 6  # versions that have a column of their own
_AROUND = 200  # characters of a changed line that are shown on either side of the change


def table_html(found: Page, at: int, examples: StudyExamples) -> str:
    """A page of examples by versions, the baseline first and the candidate last; the row at place
    `at` is selected.
    """
    if not found.rows:
        what = (
            "No example is like that: choose other filters."
            if found.all
            else "No run is recorded yet: evaluate first."
        )
        return f"<p class='dim'>{what}</p>"
    paired = examples.baseline is not None
    golden = any(row.expected for row in found.rows)
    arms = [cell.version for cell in _cells(found.rows[0])]
    head = (
        "<tr><th class='num'>#</th><th>example</th><th class='po-cut'>input</th>"
        + ("<th class='po-cut po-more'>golden answer</th>" if golden else "")
        + "".join(f"<th class='po-cut po-arms'>{esc(shorten(arm, 30))}</th>" for arm in arms)
        + ("<th class='num'>change</th>" if paired else "")
        + "</tr>"
    )
    rows = "".join(
        _row(row, place, selected=place == at, golden=golden, paired=paired)
        for place, row in enumerate(found.rows)
    )
    width = 90 // (1 + golden + len(arms))  # of each column of texts
    every = len(found.rows[0].cells)
    shown = " and ".join(shorten(arm, 30) for arm in arms)
    few = f" · {shown} of {every} versions" if len(arms) < every else ""
    span = f"{found.first + 1:,} to {found.first + len(found.rows):,} of {found.total:,}"
    cut = f" (of {found.all:,} in the study)" if found.total < found.all else ""
    return (
        f"<p class='dim'>{span} {'example' if found.total == 1 else 'examples'}{cut}, biggest loss"
        f" first{esc(few)} · press ? for keys</p><div class='po-list'>"
        f"<table role='grid' style='--po-cut:{width}%'><thead>{head}</thead>"
        f"<tbody>{rows}</tbody></table></div>"
    )


def _row(row: ExampleRow, place: int, *, selected: bool, golden: bool, paired: bool) -> str:
    cells = f"<td class='po-cut po-more'>{esc(shorten(row.expected, 60))}</td>" if golden else ""
    cells += "".join(_answer(cell) for cell in _cells(row))
    if paired:
        cells += f"<td class='num'>{_moved(row.gain)}</td>"
    return (
        f"<tr data-press='row:{place}' aria-selected='{str(selected).lower()}'"
        " style='cursor:pointer'><td class='num"
        f" dim'>{place + 1}</td><td><b>{esc(shorten(row.example_id, 40))}</b></td><td"
        f" class='po-cut'>{esc(shorten(row.asked, 110))}</td>{cells}</tr>"
    )


def _cells(row: ExampleRow) -> Sequence[GridCell]:
    """Of all versions; of many only the baseline's and the candidate's, as no text of the others
    would have room.
    """
    return row.cells if len(row.cells) <= _ARMS else (row.cells[0], row.cells[-1])


def _answer(cell: GridCell) -> str:
    """The outcome, which names a failure, and the answer that it was given for."""
    text = esc(shorten(cell.output, 90))
    return f"<td class='po-cut po-arms'>{_outcome(cell)}&ensp;{text}</td>"


def _outcome(cell: GridCell) -> str:
    if cell.value is None:
        return f"<span style='color:{in_text(UNSURE)}'>{esc(cell.failure or 'unscored')}</span>"
    value = words.number(cell.value, 2) if 0 < cell.value < 1 else f"{cell.value:.0f}"
    failure = f" <span class='dim'>{esc(cell.failure)}</span>" if cell.failure else ""
    colour = BAD if cell.value < 1e-12 else GOOD if cell.value > 1 - 1e-12 else ""
    return (
        f"<b style='color:{in_text(colour)}'>{esc(value)}</b>"
        if colour
        else f"<span>{esc(value)}</span>"
    ) + failure


def _moved(gain: float | None) -> str:
    if gain is None:
        return "–"
    if abs(gain) <= 1e-12:
        return "<span class='dim'>=</span>"
    return (
        f"<span style='color:{in_text(GOOD if gain > 0 else BAD)}'>{'▲' if gain > 0 else '▼'}"
        f" {esc(words.signed(gain, 2))}</span>"
    )


def diff_html(made: Correction) -> str:
    """The lines that go and come, each cut around what differs if it is long."""
    if not made.diff:
        return ""
    old, new = _cut(made.before, made.after), _cut(made.after, made.before)
    lines = [
        *(f"- {line}" for line in old.splitlines()),
        *(f"+ {line}" for line in new.splitlines()),
    ]
    why = (
        f"<p class='dim'>It is beside the dataset's file because {esc(made.why)}.</p>"
        if made.why
        else ""
    )
    return page(
        f"<p class='dim'>{esc(made.path.name)}:{made.line}</p>"
        f"<pre>{esc(chr(10).join(lines))}</pre>{why}"
    )


def _cut(text: str, other: str) -> str:
    if len(text) <= 2 * _AROUND:
        return text
    at = next((place for place, (a, b) in enumerate(zip(text, other, strict=False)) if a != b), 0)
    first, last = max(at - _AROUND, 0), at + _AROUND
    return ("…" if first else "") + text[first:last] + ("…" if last < len(text) else "")


def golden_text(expected: object) -> str:
    """A golden answer as a field shows it: text as it is, anything else as JSON."""
    return (
        expected
        if isinstance(expected, str)
        else ""
        if expected is None
        else json.dumps(expected, ensure_ascii=False)
    )


def read_golden(text: str, before: object) -> object:
    """What was typed, as the kind of value that it was: an object stays an object, text stays
    text.
    """
    if isinstance(before, str):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text
