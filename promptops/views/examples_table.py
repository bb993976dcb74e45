"""One page of a study's examples as a table, and the difference of two answers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..analysis import words
from ..markup import esc, shorten
from .theme import BAD, GOOD, UNSURE, in_text, page

if TYPE_CHECKING:
    from ..dataset.correcting import Correction
    from ..study.examples import Examples, Page, Row

__all__ = ["diff_html", "golden_text", "read_golden", "table_html"]
_AROUND = 200  # characters of a changed line that are shown on either side of the change


def table_html(found: Page, at: int, examples: Examples) -> str:
    """A page of rows; the one at place `at` is selected."""
    if not found.rows:
        what = (
            "No example is like that: choose other filters."
            if found.all
            else "No run is recorded yet: evaluate first."
        )
        return f"<p class='dim'>{what}</p>"
    old = examples.baseline.label if examples.baseline else None
    new = examples.candidate.label
    head = (
        f"<tr><th class='num'>#</th><th>example</th><th>asked</th><th class='num'>{esc(new)}</th>"
        + (f"<th class='num'>{esc(old)}</th><th class='num'>change</th></tr>" if old else "</tr>")
    )
    rows = "".join(
        _row(row, place, place == at, old is not None) for place, row in enumerate(found.rows)
    )
    span = f"{found.first + 1:,} to {found.first + len(found.rows):,} of {found.total:,}"
    cut = f" (of {found.all:,} in the study)" if found.total < found.all else ""
    return (
        f"<p class='dim'>{span} {'example' if found.total == 1 else 'examples'}{cut}, biggest loss"
        " first · press ? for keys</p><div class='po-list'><table"
        f" role='grid'><thead>{head}</thead><tbody>{rows}</tbody></table></div>"
    )


def _row(row: Row, place: int, selected: bool, paired: bool) -> str:
    cells = f"<td class='num'>{_said(row.new, row.new_failure)}</td>"
    if paired:
        cells += (
            f"<td class='num'>{_said(row.old, row.old_failure)}</td><td"
            f" class='num'>{_moved(row.gain)}</td>"
        )
    return (
        f"<tr data-press='row:{place}' aria-selected='{str(selected).lower()}'"
        " style='cursor:pointer'><td class='num"
        f" dim'>{place + 1}</td><td><b>{esc(row.example_id)}</b></td><td"
        f" class='po-cut'>{esc(shorten(row.asked, 110))}</td>{cells}</tr>"
    )


def _said(value: float | None, failure: str) -> str:
    if value is None:
        return f"<span style='color:{in_text(UNSURE)}'>{esc(failure or 'unscored')}</span>"
    said = words.number(value, 2) if 0 < value < 1 else f"{value:.0f}"
    return esc(said) + (f" <span class='dim'>{esc(failure)}</span>" if failure else "")


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
    """The lines that go and come, each cut around what differs where it is long."""
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


def golden_text(expected: Any) -> str:
    """A golden answer as a field shows it: text as it is, anything else as JSON."""
    return (
        expected
        if isinstance(expected, str)
        else ""
        if expected is None
        else json.dumps(expected, ensure_ascii=False)
    )


def read_golden(text: str, before: Any) -> Any:
    """What was typed, as the kind of value that it was: an object stays an object, text stays
    text.
    """
    if isinstance(before, str):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text
