"""A dataset as two lines of text, as a small table and as a DataFrame: what it holds, how it
splits, and what was guessed.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from ..canonical import canonical
from ..errors import MissingExtra
from ..markup import UNTYPESET, esc, plain, plain_repr, shorten
from .example import RESERVED
from .split import SPLITS

if TYPE_CHECKING:
    from pandas import DataFrame

    from .dataset import Dataset

__all__ = ["as_frame", "as_html", "as_text"]

_NESTED = ("tags", "history", "checks")
_ROWS, _COLUMNS, _WIDTH = 5, 7, 140
_LINE = "color:var(--jp-ui-font-color2,#59636e)"
_CELL = (
    "text-align:left;vertical-align:top;font-size:13px;padding:4px 10px 4px 0;border-bottom:1px"
    " solid var(--jp-border-color2,#d8dee4)"
)


@plain_repr
def as_text(dataset: Dataset) -> str:
    """One line of figures, and a second of what was guessed where anything was."""
    inputs = [name for name in dataset.columns if name not in RESERVED]
    shown = ", ".join(shorten(name, 30) for name in inputs[:6]) + (
        f" and {len(inputs) - 6} more" if len(inputs) > 6 else ""
    )
    golden = sum(example.expected is not None for example in dataset)
    parts = [
        _count(len(dataset), "example"),
        f"inputs {shown or 'none'}",
        _golden(golden, len(dataset)),
        _splits(dataset),
    ]
    clusters, tags = dataset.clusters, {tag for each in dataset.tags.values() for tag in each}
    if clusters:
        parts.append(_count(len(set(clusters.values())), "cluster"))
    if tags:
        parts.append(_count(len(tags), "tag"))
    line = f"<dataset {shorten(dataset.name, 60)}: {'; '.join(part for part in parts if part)}>"
    if not dataset.notes:
        return line
    more = f" (+{len(dataset.notes) - 1} more in .notes)" if len(dataset.notes) > 1 else ""
    return f"{line}\n  note: {shorten(dataset.notes[0], 160)}{more}"


def as_html(dataset: Dataset) -> str:
    """The same with the first rows as a table. All text of the dataset is escaped."""
    clusters = dataset.clusters
    golden = sum(example.expected is not None for example in dataset)
    facts = [
        _count(len(dataset), "example"),
        _golden(golden, len(dataset)),
        _splits(dataset),
        _count(len(set(clusters.values())), "cluster") if clusters else "",
        f"fingerprint {dataset.fingerprint[:11]}",
    ]
    notes = "".join(f"<li>{esc(shorten(sentence, 400))}</li>" for sentence in dataset.notes)
    notes = f"<ul style='margin:4px 0 4px 18px;padding:0;{_LINE}'>{notes}</ul>" if notes else ""
    return (
        f"<div class='{UNTYPESET}' style='font-family:system-ui,sans-serif'><p"
        f" style='margin:2px 0'><b>{esc(shorten(dataset.name, 80))}</b> <span"
        f" style='{_LINE}'>{esc(' · '.join(fact for fact in facts if fact))}</span></p>"
        f"{_table(dataset)}{notes}</div>"
    )


def _table(dataset: Dataset) -> str:
    if not len(dataset):
        return f"<p style='{_LINE}'>No example is left here.</p>"
    wanted = [name for name in dataset.columns if name not in RESERVED]
    columns = [
        "id",
        *wanted[: _COLUMNS - 1],
        *(name for name in ("expected", "split", "tags") if name in dataset.columns),
    ]
    shown = {
        name: [_shown(_value(example, name)) for example in dataset.head(_ROWS)] for name in columns
    }
    head = "".join(f"<th style='{_CELL}'>{esc(shorten(name, 40))}</th>" for name in columns)
    styles = {name: f"{_CELL};{_width(cells)}" for name, cells in shown.items()}
    body = "".join(
        "<tr>"
        + "".join(f"<td style='{styles[name]}'>{esc(shown[name][row])}</td>" for name in columns)
        + "</tr>"
        for row in range(min(len(dataset), _ROWS))
    )
    rest = [_count(len(dataset) - _ROWS, "more row")] if len(dataset) > _ROWS else []
    hidden = len(wanted) - (_COLUMNS - 1)
    rest += [_count(hidden, "more column")] if hidden > 0 else []
    below = f"<p style='margin:2px 0;{_LINE}'>and {' and '.join(rest)}</p>" if rest else ""
    table = (
        "<table"
        f" style='border-collapse:collapse'><thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
        f"</table>"
    )
    return f"<div style='overflow-x:auto'>{table}</div>{below}"


def _width(cells: list[str]) -> str:
    """Short cells stay on one line, long ones get room and break anywhere."""
    longest = max(map(len, cells))
    return (
        "white-space:nowrap"
        if longest <= 16
        else f"min-width:{min(longest * 3, 300)}px;overflow-wrap:anywhere"
    )


def _value(example: Any, name: str) -> Any:
    return getattr(example, name) if name in RESERVED else example.inputs.get(name)


def _shown(value: object) -> str:
    if value is None or value == ():
        return "–"
    if isinstance(value, tuple):
        return shorten(", ".join(value), _WIDTH)
    return shorten((value if isinstance(value, str) else canonical(value))[: 20 * _WIDTH], _WIDTH)


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def _golden(golden: int, n: int) -> str:
    if golden == n:
        return "all with an expected answer" if n else ""
    return f"{golden:,} with an expected answer" if golden else "none with an expected answer"


def _splits(dataset: Dataset) -> str:
    counts = Counter(example.split for example in dataset)
    return ", ".join(plain(f"{counts[split]:,} {split}") for split in SPLITS if counts[split])


def as_frame(dataset: Dataset) -> DataFrame:
    """A pandas DataFrame of all columns. Raises MissingExtra if pandas is not there."""
    try:
        import pandas
    except ImportError:
        raise MissingExtra("a dataset's frame") from None
    return pandas.DataFrame(
        {
            name: pandas.Series(dataset[name], dtype=object if name in _NESTED else None)
            for name in dataset.columns
        }
    )
