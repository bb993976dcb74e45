"""Scores per study over time as one static page: each version's mean with its 95 % interval, and
what was deployed meanwhile. It describes, and claims no alarm.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ..errors import NotDeployed
from ..markup import count, esc
from ..study.over_time import over_time
from . import svg
from .grid import GridColumn, grid
from .theme import FONT, NEUTRAL, ON_DARK, ON_LIGHT, ROOT, STYLE, declared, label_colour
from .time_picture import Frame, dot, line, words

if TYPE_CHECKING:
    from ..study.project import Project

__all__ = ["html_page", "trend_html", "trend_page"]

_FRAME = Frame(height=260, width=720, left=74, right=24, top=34, bottom=40)
_WIDE = 14.0  # pixels per study from which its points are large
_ROWS = 3  # of names beside each other at the top
_LETTER = 6.2  # pixels of one, about
_DATES = 7  # below a picture, at most
_CSP = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def html_page(title: str, body: str) -> str:
    """A whole page in the house style, without a script. body: safe markup."""
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        f'<meta http-equiv="Content-Security-Policy" content="{_CSP}">'
        "<meta name='viewport' content='width=device-width,initial-scale=1'>"
        f"<title>{esc(title)}</title>{STYLE}<style>body{{margin:0 auto;max-width:1080px;"
        f"padding:18px 22px 60px;background:#fff;color:#1f2328;font-family:{FONT};"
        f"{declared(ON_LIGHT)}}}"
        ".po h1{font-size:22px;margin:8px 0 12px}.po h2{font-size:18px;margin:26px 0 8px}"
        ".po a{color:#0060a8}"
        "@media(prefers-color-scheme:dark){body{background:#0d1117;color:#d7dbe0;"
        f"{declared(ON_DARK)}}}"
        ".po a{color:#6cb6ff}.po{--jp-ui-font-color1:#d7dbe0;--jp-ui-font-color2:#9aa4af;"
        "--jp-border-color2:#3b424b;--jp-layout-color2:#161b22}}</style></head>"
        f"<body><main class='{ROOT}'>{body}</main></body></html>\n"
    )


def trend_page(project: Project) -> str:
    """Every prompt that was ever evaluated, on one page."""
    parts = [trend_html(project, name) for name in project.registry.names()]
    body = "".join(
        f"<h2>{esc(name)}</h2>{part}"
        for name, part in zip(project.registry.names(), parts, strict=True)
        if part
    )
    lead = (
        "<h1>Scores over time</h1><p class='dim'>One column per study, one point per version with"
        " its 95 % interval, and between the columns what was deployed. The page describes; it"
        " raises no alarm: that is what drift monitors are for, with a stated rate of false"
        " alarms.</p>"
    )
    return html_page("Scores over time", lead + (body or "<p>Nothing was evaluated yet.</p>"))


def trend_html(project: Project, prompt: str) -> str:
    """One picture per scorer, and the table; "" if the prompt was never evaluated."""
    labels = {entry.id: f"v{entry.number}" for entry in project.registry.versions(prompt)}
    frame = over_time(project, labels)
    records = [{str(k): v for k, v in row.items()} for row in frame.to_dict("records")]
    rows = [row for row in records if row["mean"] is not None and row["mean"] == row["mean"]]
    if not rows:
        return ""
    scorers = dict.fromkeys(str(row["scorer"]) for row in rows)
    marks = _deployed(project, prompt)
    parts = [_picture([r for r in rows if r["scorer"] == s], s, marks) for s in scorers]
    table = f"<details><summary>the figures as a table</summary>{_table(rows)}</details>"
    return "".join(parts) + table


def _deployed(project: Project, prompt: str) -> list[tuple[float, str]]:
    """(moment, name) of each deployment to prod, oldest first."""
    try:
        links = project.registry.history(prompt, "prod")
    except NotDeployed:
        return []
    return [(_moment(link.at), f"{link.label} in prod") for link in links]


def _moment(at: object) -> float:
    found = at if isinstance(at, datetime) else datetime.fromisoformat(str(at).replace("Z", ""))
    return found.replace(tzinfo=None).timestamp()


def _picture(rows: list[dict[str, Any]], scorer: str, marks: list[tuple[float, str]]) -> str:
    """One column per study, so that ten studies of one day are as readable as ten of a month."""
    times = [_moment(row["created_at"]) for row in rows]
    columns = sorted(set(times))
    low = min(min(row["low"], 0.0) for row in _known(rows)) if _known(rows) else 0.0
    high = max(max(row["high"], 1.0) for row in _known(rows)) if _known(rows) else 1.0

    def y(value: float) -> float:
        return _FRAME.y((value - low) / (high - low))

    out = [words(2, 16, scorer, "start")]
    for step in range(5):
        value = low + (high - low) * step / 4
        out.append(_FRAME.level(y(value), f"{100 * value:.0f} %"))
    out += _marked(columns, marks)
    versions = sorted({str(row["version"]) for row in rows}, key=lambda name: (len(name), name))
    width = (_FRAME.x(1) - _FRAME.x(0)) / len(columns)
    beside = min(7.0, 0.5 * width / len(versions))  # two intervals do not hide each other
    for row, at in zip(rows, times, strict=True):
        place = versions.index(str(row["version"]))
        tint = label_colour(str(row["version"]), place)
        x = _FRAME.x((columns.index(at) + 0.5) / len(columns))
        x += beside * (place - (len(versions) - 1) / 2)
        if row["low"] == row["low"] and row["low"] is not None:
            out.append(line([(x, y(row["low"])), (x, y(row["high"]))], tint))
        out.append(dot(x, y(row["mean"]), tint, 5 if width >= _WIDE else 2.5))
    for place, name in enumerate(versions):
        left = _FRAME.width - _FRAME.right - 64 * (len(versions) - place)
        out.append(dot(left, 12, label_colour(name, place), 5))
        out.append(words(left + 9, 16, name, "start"))
    out += _dated(columns, {_moment(row["created_at"]): str(row["created_at"]) for row in rows})
    text = f"{scorer} over {count(len(columns), 'study', 'studies')}"
    return svg.wrap("".join(out), _FRAME.width, _FRAME.height, text)


def _marked(columns: list[float], marks: list[tuple[float, str]]) -> list[str]:
    """What was deployed between two studies, on their border; names that would touch are one below
    the other.
    """
    shown, out, ends = [], [], [float("-inf")] * _ROWS
    for at, name in marks:
        if columns[0] <= at <= columns[-1]:
            shown.append((_FRAME.x(bisect_left(columns, at) / len(columns)), name))
    for x, name in shown:
        left = x if x <= 0.7 * _FRAME.width else x - _LETTER * len(name)
        row = min(range(_ROWS), key=lambda each: (ends[each] > left, each))
        ends[row] = left + _LETTER * len(name) + 8
        out.append(_FRAME.mark(x, NEUTRAL, name, row))
    return out


def _dated(columns: list[float], written: Mapping[float, str]) -> list[str]:
    """The day below some of the columns, the time of day where all studies are of one day."""
    stamps = [written[at] for at in columns]
    part = slice(0, 10) if stamps[0][:10] != stamps[-1][:10] else slice(11, 16)
    out, before = [], ""
    for place in range(0, len(columns), -(-len(columns) // _DATES)):
        name = stamps[place][part]
        if name != before:
            x = _FRAME.x((place + 0.5) / len(columns))
            out.append(words(x, _FRAME.height - 20, name, "middle"))
        before = name
    if part.start:
        out.append(words(_FRAME.x(0), _FRAME.height - 4, f"{stamps[0][:10]} UTC", "start"))
    return out


def _known(rows: list[dict[str, object]]) -> list[dict[str, Any]]:
    return [row for row in rows if row["low"] is not None and row["low"] == row["low"]]


def _table(rows: list[dict[str, Any]]) -> str:
    cells = [
        [
            esc(str(row["created_at"])[:16]),
            esc(str(row["study"])),
            esc(str(row["version"])),
            esc(str(row["scorer"])),
            f"{100 * row['mean']:.1f} %",
            _interval(row),
            f"{row['n']:,}",
        ]
        for row in reversed(rows)
    ]
    heads = ["at (UTC)", "study", "version", "scorer"]
    numbers = [GridColumn(name, number=True) for name in ("mean", "95 % interval", "examples")]
    return grid([*heads, *numbers], cells, caption="Scores per study", wide=True)


def _interval(row: Mapping[str, Any]) -> str:
    if row["low"] is None or row["low"] != row["low"]:
        return "–"
    return f"{100 * row['low']:.1f} to {100 * row['high']:.1f} %"
