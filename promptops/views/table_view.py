"""The comparison of a table as people look at it: the usual view, what was guessed, and one page
with the changed examples.

The page needs no network, no server and no script; every text in it is data and is escaped.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..markup import esc
from .comparison_view import body
from .folds import PAGE, chosen, flip, listed, opened
from .theme import ROOT, STYLE, page

if TYPE_CHECKING:
    from ..lab.compare_table import TableComparison

__all__ = ["html", "report_html", "write_report"]

MOST = 400  # changed examples on the page
_TEXT = 4_000  # characters of one answer


def html(comparison: TableComparison) -> str:
    """The cell's view."""
    return page(body(comparison) + _said(comparison))


def write_report(comparison: TableComparison, path: Path) -> Path:
    """Write the page, atomically; returns its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.writing")
    temporary.write_text(report_html(comparison), encoding="utf-8")
    os.replace(temporary, path)
    return path


def report_html(comparison: TableComparison) -> str:
    """The whole page."""
    title = f"{comparison.candidate.label} against {comparison.baseline.label}"
    policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta'
        f' http-equiv="Content-Security-Policy" content="{policy}">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{esc(title)}:'
        f" promptops comparison</title>{STYLE}{PAGE}</head>"
        "<body><main><div"
        f" class='{ROOT}'><h1>{esc(title)}</h1>{body(comparison)}{_said(comparison)}{_flips(comparison)}</div></main></body></html>\n"
    )


def _said(comparison: TableComparison) -> str:
    listed = "".join(f"<li>{esc(sentence)}</li>" for sentence in comparison.table_notes)
    return f"<ul class='dim'>{listed}</ul>" if listed else ""


def _flips(comparison: TableComparison) -> str:
    frame = comparison.flips()
    if not len(frame):
        return ""
    examples = {example.id: example for example in comparison.table.dataset}
    first: list[tuple[str, float]] = chosen(
        list(zip(frame["example_id"], frame["gain"], strict=True)), MOST
    )
    lost, won = (
        [(examples[example], gain) for example, gain in first if (gain > 0) is up]
        for up in (False, True)
    )
    shown = listed(
        [_flip(comparison, *each, opened=opened(place)) for place, each in enumerate(lost)],
        [_flip(comparison, *each) for each in won],
    )
    cut = (
        f" <span class='dim'>(the {MOST:,} first of {len(frame):,})</span>"
        if len(frame) > MOST
        else ""
    )
    return f"<h2>Changed examples, biggest losses first{cut}</h2>{shown}"


def _flip(comparison: TableComparison, example: Any, gain: float, *, opened: bool = False) -> str:
    b, a = comparison.candidate.label, comparison.baseline.label
    golden = (
        f"<p class='dim'>expected</p><pre>{_shown(example.expected)}</pre>"
        if example.expected is not None
        else ""
    )
    arms = "".join(
        "<div><p"
        f" class='dim'>{esc(label)}</p><pre>{'<br>'.join(map(_shown, comparison.table.cells[label].get(example.id, ())))}</pre></div>"
        for label in (b, a)
    )
    inputs = "\n".join(f"{name}: {value}" for name, value in example.inputs.items())
    return flip(
        example.id,
        inputs,
        f"<pre>{_shown(inputs)}</pre>{golden}<div class='two'>{arms}</div>",
        gain=gain,
        opened=opened,
    )


def _shown(value: Any) -> str:
    if value is None:
        return "<i>no answer</i>"
    return esc((value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))[:_TEXT])
