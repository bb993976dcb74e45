"""A comparison as people look at it: the card that answers, the differences with their intervals,
what got worse with its texts, one table, and a row of figures.

Static HTML with inline SVG, so that a saved notebook and a report show the same as the live cell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..analysis import words
from ..markup import esc, shorten
from . import svg
from .answer_card import answer_card
from .changed_examples import Changed, changed_examples
from .class_view import classes_html
from .comparison_forest import forest_rows
from .comparison_table import comparison_table
from .figures import tiles
from .task_view import of_comparison
from .theme import BAD, GOOD, in_text, page

if TYPE_CHECKING:
    from ..lab.comparison import Comparison
    from ..study.recorded_study import RecordedStudy

__all__ = ["body", "details", "html"]

_DRAWN = 12  # measures whose differences are drawn; the table has all
_LEAST = 5  # examples of a tag that is shown
_SLICES = 12  # tags shown: the biggest losses and the biggest gains
_SHOWN = 8  # ids of lost examples that are listed
_READ = 2  # lost examples whose texts a cell shows
_TEXT = 700  # characters of a text in a cell


def html(comparison: Comparison) -> str:
    """The cell's view of a comparison."""
    return page(body(comparison))


def body(comparison: Comparison, study: RecordedStudy | None = None) -> str:
    """The same without the style around it."""
    return answer_card(comparison) + of_comparison(comparison) + details(comparison, study)


def details(
    comparison: Comparison, study: RecordedStudy | None = None, *, texts: bool = True
) -> str:
    """Everything below the card: differences, what got worse, the table, the figures, what to keep
    in mind.

    Args:
        study: the recorded study behind it, where the caller has it open.
        texts: whether the lost examples are shown with their texts (a report lists them itself).
    """
    changed = changed_examples(comparison, _READ, study) if texts else []
    left = f"<div>{_differences(comparison)}</div>"
    right = f"<div>{_changes(comparison, changed)}</div>"
    return "".join(
        (
            f"<div class='po-cols'>{left}{right}</div>",
            comparison_table(comparison),
            classes_html(comparison),
            tiles(comparison, _by_tag(comparison)),
            _notes(comparison),
        )
    )


def _differences(comparison: Comparison) -> str:
    b, a = comparison.candidate.label, comparison.baseline.label
    rows = forest_rows(comparison)
    more = (
        f"<p class='dim'>{len(rows) - _DRAWN:,} more are in the table below.</p>"
        if len(rows) > _DRAWN
        else ""
    )
    drawn = svg.forest(
        rows[:_DRAWN],
        title=comparison.statement(),
        left=f"{_cut(a)} better",
        right=f"{_cut(b)} better",
    )
    return f"<h3>Difference {esc(b)} − {esc(a)}</h3>{drawn}{more}"


def _changes(comparison: Comparison, changed: list[Changed]) -> str:
    """How many examples each side won, and the biggest losses as texts."""
    figures = comparison.primary
    b = comparison.candidate.label
    picture = svg.disagreement(
        figures.wins,
        figures.losses,
        figures.ties,
        title=f"{figures.wins} examples better and {figures.losses} worse with {b}",
        left="got worse",
        right="got better",
    )
    heading = "<h3>What got worse</h3>" if figures.losses else "<h3>What got better</h3>"
    shown = [each for each in changed if each.gain < 0] or changed[:1]
    texts = "".join(_read(comparison, each) for each in shown)
    return f"{heading}{picture}{_flips(comparison)}{texts}"


def _read(comparison: Comparison, changed: Changed) -> str:
    """One lost example, readable at once: the input, both answers, the golden answer."""
    sides = "".join(
        f"<div><span class='dim'>{esc(arm.label)}</span><pre>{_cell(answer)}</pre></div>"
        for arm, answer in zip(
            (comparison.baseline, comparison.candidate), changed.answers, strict=True
        )
    )
    golden = (
        f"<div><span class='dim'>golden answer</span><pre>{_cell(changed.expected)}</pre></div>"
        if changed.expected
        else ""
    )
    return (
        f"<div class='po-lost'><code>{esc(changed.example)}</code><pre>{_cell(changed.asked)}</pre>"
        f"<div class='po-pairs'>{golden}{sides}</div></div>"
    )


def _cell(text: str) -> str:
    return esc(shorten(text, _TEXT)) or "<i>no answer</i>"


def _flips(comparison: Comparison) -> str:
    flips = comparison.flips()
    lost, won = flips[flips["gain"] < 0], flips[flips["gain"] > 0]
    if not len(flips):
        return "<p class='dim'>Not one example changed.</p>"
    shown = ", ".join(f"<code>{esc(example)}</code>" for example in lost["example_id"].head(_SHOWN))
    more = f" and {len(lost) - _SHOWN:,} more" if len(lost) > _SHOWN else ""
    listed = f": {shown}{more}" if len(lost) else ""
    return (
        f"<p><span style='color:{in_text(BAD)}'>▼</span> {words.count(len(lost), 'example')} got"
        f" worse{listed}. <span style='color:{in_text(GOOD)}'>▲</span>"
        f" {words.count(len(won), 'example')} got better. <span class='dim'>All of them:"
        " <code>comparison.flips()</code></span></p>"
    )


def _by_tag(comparison: Comparison) -> str:
    """The tags where it changed most, as a forest plot; "" if there are none."""
    if not comparison.grounds.tags:
        return ""
    found = comparison.slices()
    rows = [row for row in found.rows if row.n >= _LEAST and row.wins + row.losses]
    if not rows:
        return ""
    chosen = rows if len(rows) <= _SLICES else [*rows[: _SLICES // 2], *rows[-_SLICES // 2 :]]
    lines = [
        svg.ForestRow(
            row.name,
            100 * row.gain,
            _hundred(row.low),
            _hundred(row.high),
            None,
            f"{words.signed(100 * row.gain)}{' *' if row.marked else ''}, n = {row.n:,}",
            row.marked,
        )
        for row in chosen
    ]
    a, b = comparison.baseline.label, comparison.candidate.label
    marked = (
        " (* marks a false discovery rate of 10 %)" if any(row.marked for row in chosen) else ""
    )
    return svg.forest(
        lines,
        title=f"difference by tag, {len(found.rows)} tags{marked}",
        left=f"{_cut(a)} better",
        right=f"{_cut(b)} better",
    ) + (f"<span class='dim ci'>{words.count(len(found.rows), 'tag')}{marked}</span>")


def _hundred(value: float | None) -> float | None:
    return None if value is None else 100 * value


def _notes(comparison: Comparison) -> str:
    listed = "".join(f"<li>{esc(note)}</li>" for note in comparison.notes)
    return f"<ul class='dim'>{listed}</ul>" if listed else ""


def _cut(text: str) -> str:
    return text if len(text) <= 22 else text[:21] + "…"
