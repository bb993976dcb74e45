"""What a comparison says label by label: a confusion table per arm, and recall, precision and F1 of
both arms side by side.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..analysis import words
from ..analysis.classes import OTHER
from ..markup import esc
from .grid import GridColumn, grid

if TYPE_CHECKING:
    from ..analysis.classes import Classes, ClassFigures
    from ..lab.comparison import Comparison

__all__ = ["classes_html"]

_SHOWN = 12  # labels of a table, the commonest first; the others are counted together
_REST = "(other labels)"


def classes_html(comparison: Comparison) -> str:
    """The tables, folded; "" if the primary matches no golden label of few."""
    found = comparison.classes
    if found is None:
        return ""
    arms = [comparison.baseline.label, comparison.candidate.label]
    accuracy = ", ".join(f"{arm} {words.percent(found.balanced[arm])}" for arm in arms)
    tables = "".join(_confusion(found, arm) for arm in arms)
    return (
        f"<details><summary>Label by label ({words.count(len(found.labels), 'label')}; balanced"
        f" accuracy: {esc(accuracy)})</summary>{_figures(found, arms)}{tables}</details>"
    )


def _figures(found: Classes, arms: list[str]) -> str:
    """A row per label: how often it is golden, then recall, precision and F1 of each arm."""
    by_place = {(row.arm, row.label): row for row in found.rows}
    columns: list[GridColumn | str] = ["label", GridColumn("golden", number=True)]
    for arm in arms:
        for name in ("recall", "precision", "F1"):
            columns.append(GridColumn(f"{name}, {arm}", number=True))
    rows = []
    for label in found.labels[:_SHOWN]:
        mine = [by_place[arm, label] for arm in arms]
        cells = [cell for row in mine for cell in _shares(row)]
        rows.append([esc(label), _count(mine[0].golden), *cells])
    return grid(columns, rows, caption="Recall, precision and F1 of each golden label")


def _shares(row: ClassFigures) -> list[str]:
    shares = (
        (row.recall, row.recall_interval),
        (row.precision, row.precision_interval),
        (row.f1, row.f1_interval),
    )
    out = []
    for share, interval in shares:
        span = f"<span class='ci'>{esc(words.interval(*interval))}</span>" if interval else ""
        out.append("–" if share is None else f"{esc(words.percent(share))}{span}")
    return out


def _confusion(found: Classes, arm: str) -> str:
    """Golden labels as rows, what the arm answered as columns."""
    names = list(found.labels[:_SHOWN])
    rest = _REST if len(found.labels) > _SHOWN else ""
    answers = [*names, *([rest] if rest else []), OTHER]
    columns = [GridColumn(f"golden, {arm}"), *(GridColumn(name, number=True) for name in answers)]
    lines = [(name, [name]) for name in names]
    if rest:
        lines.append((rest, list(found.labels[_SHOWN:])))
    rows = []
    for shown, labels in lines:
        counts = _counted(found.confusion[arm], labels, names, rest)
        cells = [
            f"<b>{_count(counts[name])}</b>" if name == shown else _count(counts[name])
            for name in answers
        ]
        rows.append([esc(shown), *cells])
    caption = f"Golden labels against the answers of {arm}"
    return f"<p>{esc(arm)}: golden labels down, its answers across.</p>" + grid(
        columns, rows, caption=caption
    )


def _count(examples: float) -> str:
    """Whole, or with a decimal where repeats of one example gave several labels."""
    return f"{examples:,.0f}" if examples == round(examples) else f"{examples:,.1f}"


def _counted(
    table: Mapping[str, Mapping[str, float]], labels: list[str], names: list[str], rest: str
) -> dict[str, float]:
    """Answer -> how often it was given for these golden labels, what is not shown together."""
    counts = dict.fromkeys([*names, *([rest] if rest else []), OTHER], 0.0)
    for label in labels:
        for answer, count in table.get(label, {}).items():
            counts[answer if answer in counts else rest or OTHER] += count
    return counts
