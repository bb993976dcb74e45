"""The comparison of a table as people look at it: the usual view, what was guessed, and one page
with the changed examples.

The page needs no network, no server and no script; every text in it is data and is escaped.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..markup import esc
from ..plain_file import write_target
from .changed_examples import Changed, changed_examples
from .comparison_view import body
from .folds import PAGE, flip, listed, opened
from .theme import ROOT, STYLE, page

if TYPE_CHECKING:
    from ..lab.compare_table import TableComparison

__all__ = ["html", "report_html", "write_report"]

MOST = 400  # changed examples on the page


def html(comparison: TableComparison) -> str:
    """The cell's view."""
    return page(body(comparison) + _said(comparison))


def write_report(comparison: TableComparison, path: Path) -> Path:
    """Write the page, atomically; returns its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_target(path, report_html(comparison))
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
        f" class='{ROOT}'><h1>{esc(title)}</h1>{body(comparison)}{_said(comparison)}"
        f"{_flips(comparison)}</div></main></body></html>\n"
    )


def _said(comparison: TableComparison) -> str:
    listed = "".join(f"<li>{esc(sentence)}</li>" for sentence in comparison.table_notes)
    return f"<ul class='dim'>{listed}</ul>" if listed else ""


def _flips(comparison: TableComparison) -> str:
    total = len(comparison.flips())
    if not total:
        return ""
    found = changed_examples(comparison, MOST)
    lost, won = ([each for each in found if (each.gain > 0) is up] for up in (False, True))
    shown = listed(
        [_flip(comparison, each, opened=opened(place)) for place, each in enumerate(lost)],
        [_flip(comparison, each) for each in won],
    )
    cut = f" <span class='dim'>(the {MOST:,} first of {total:,})</span>" if total > MOST else ""
    return f"<h2>Changed examples, biggest losses first{cut}</h2>{shown}"


def _flip(comparison: TableComparison, found: Changed, *, opened: bool = False) -> str:
    golden = (
        f"<p class='dim'>golden answer</p><pre>{esc(found.expected)}</pre>"
        if found.expected
        else ""
    )
    arms = "".join(
        f"<div><p class='dim'>{esc(arm.label)}</p>"
        f"<pre>{esc(answer) or '<i>no answer</i>'}</pre></div>"
        for arm, answer in zip(
            (comparison.baseline, comparison.candidate), found.answers, strict=True
        )
    )
    body = f"<pre>{esc(found.asked)}</pre>{golden}<div class='two'>{arms}</div>"
    return flip(found.example, found.asked, body, gain=found.gain, opened=opened)
