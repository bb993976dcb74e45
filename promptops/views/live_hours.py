"""Live calls by hour as pictures on one axis of time: calls, failures, quality and
latency, a line per version, and what was deployed meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from . import svg
from .theme import NEUTRAL, chip, colour
from .time_picture import Frame, dot, line, words

if TYPE_CHECKING:
    from ..lab.live_view import LiveView

__all__ = ["hours_html"]

Row = Mapping[str, Any]
Value = Callable[[Row], "float | None"]
_FRAME = Frame(height=150, top=26, bottom=30)
_DOTS = 48  # more hours than these are drawn as lines alone


def hours_html(live: LiveView) -> str:
    """The four pictures; "" if there is nothing to see over time."""
    rows = live.hours
    hours = sorted({row["hour"] for row in rows})
    if len(hours) < 2:
        return ""
    marks = [(each["at"], each["label"]) for each in live.deployments]
    panels: list[tuple[str, str, Sequence[tuple[Value, bool]]]] = [
        ("calls per hour", "", [(lambda row: row["calls"], False)]),
        ("failures", "%", [(_failures, False)]),
        ("latency, ms: p50, and p95 dashed", "", [(_ms("p50_ms"), False), (_ms("p95_ms"), True)]),
    ]
    if any(row["scored"] for row in rows):
        panels.insert(2, ("quality: mean score", "%", [(_quality, False)]))
    lines = _by_version(rows)
    out = []
    span = hours[0], hours[-1] + timedelta(hours=1)  # the last hour's end
    for title, unit, values in panels:
        out.append(_panel(title, unit, lines, values, span, marks))
    legend = " ".join(chip(name, tint) for name, tint, _ in lines)
    both = "".join(f"<div>{picture}</div>" for picture in out)
    return f"<h3>By hour</h3><p>{legend}</p><div class='po-cols'>{both}</div>"


def _by_version(rows: Sequence[Row]) -> list[tuple[str, str, list[Row]]]:
    """(name, colour, rows) of each version, the lowest number first."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        name = f"v{row['version']}" if row["version"] else str(row["version_id"] or "unknown")[:11]
        found.setdefault(name, []).append(row)
    ordered = sorted(found.items(), key=lambda each: (each[1][0]["version"] or 1 << 30, each[0]))
    return [(name, colour(mine[0]["version"]), mine) for name, mine in ordered]


def _panel(
    title: str,
    unit: str,
    lines: Sequence[tuple[str, str, list[Row]]],
    values: Sequence[tuple[Value, bool]],
    span: tuple[datetime, datetime],
    marks: Sequence[tuple[datetime, str]],
) -> str:
    first, last = span
    whole = (last - first).total_seconds() or 1.0

    def x(at: datetime) -> float:
        return _FRAME.x(min(max((at - first).total_seconds() / whole, 0.0), 1.0))

    drawn = [
        (name, tint, dashed, [(row["hour"], value(row)) for row in mine])
        for name, tint, mine in lines
        for value, dashed in values
    ]
    known = [number for *_, points in drawn for _, number in points if number is not None]
    top = 100.0 if title.startswith("quality") else _tidy(max([*known, 5.0 if unit else 1.0]))
    out = [words(2, 14, title, "start")]
    for share in (0.0, 0.5, 1.0):
        out.append(_FRAME.level(_FRAME.y(share), f"{share * top:,.4g}{' ' + unit if unit else ''}"))
    for at, name in marks:
        if first <= at.replace(tzinfo=None) <= last:
            out.append(_FRAME.mark(x(at.replace(tzinfo=None)), NEUTRAL, name))
    for _, tint, dashed, points in drawn:
        seen = [(x(at), _FRAME.y(number / top)) for at, number in points if number is not None]
        out.append(line(seen, tint, dashed=dashed))
        if whole <= _DOTS * 3600 and not dashed:
            out += [dot(*place, tint) for place in seen]
    out.append(_FRAME.ends(f"{first:%d %b %H:%M}", f"{last:%d %b %H:%M} UTC"))
    text = "; ".join(f"{name} {_now(points, unit)}" for name, _, _, points in drawn)
    return svg.wrap("".join(out), _FRAME.width, _FRAME.height, f"{title} by hour: {text}")


def _now(points: Sequence[tuple[datetime, float | None]], unit: str) -> str:
    known = [number for _, number in points if number is not None]
    return f"{known[-1]:,.4g}{' ' + unit if unit else ''} at last" if known else "unknown"


def _failures(row: Row) -> float:
    return 100.0 * float(row["failures"]) / float(row["calls"])


def _quality(row: Row) -> float | None:
    return None if row["score"] is None else 100.0 * float(row["score"])


def _ms(name: str) -> Value:
    return lambda row: row[name]


def _tidy(most: float) -> float:
    """The least of 1, 2, 4, 5, 10, ... that holds it."""
    power = 1.0
    while power * 10 < most:
        power *= 10
    return next(power * step for step in (1, 2, 4, 5, 10) if power * step >= most)
