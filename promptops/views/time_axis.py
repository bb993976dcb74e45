"""What served when, on an axis of time that is to scale: a segment per deployment, as long as it
served.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ..markup import esc
from . import svg
from .theme import colour, ink

if TYPE_CHECKING:
    from ..registry.deployment import DeploymentEntry

__all__ = ["time_axis"]

_LEAST = 4.0  # pixels of a segment, so that a minute's deployment is seen beside a year's
_TOP, _BAR = 6, 22
_TICKS = 3


def time_axis(entries: Sequence[DeploymentEntry], title: str, now: datetime | None = None) -> str:
    """The deployments of one environment from the first to now; "" without two of them.

    Args:
        entries: oldest first.
        title: what the picture shows, for those who cannot see it.
        now: the end of the axis (UTC); the present by default.
    """
    if len(entries) < 2:
        return ""
    starts = [_moment(entry.at) for entry in entries]
    end = max(now or datetime.now(UTC), starts[-1] + timedelta(seconds=1))
    span = (end - starts[0]).total_seconds() or 1.0
    bounds = [*starts, end]
    out, at = [], 2.0
    scale = max(svg.WIDTH - 4 - _LEAST * len(entries), 1.0) / span
    for entry, start, stop in zip(entries, bounds, bounds[1:], strict=False):
        width = _LEAST + max((stop - start).total_seconds(), 0.0) * scale
        out.append(_segment(entry, at, width, start))
        at += width
    for step in range(_TICKS + 1):
        moment = starts[0] + timedelta(seconds=span * step / _TICKS)
        place = 2 + (svg.WIDTH - 4) * step / _TICKS
        anchor = "start" if step == 0 else "end" if step == _TICKS else "middle"
        label = "now" if step == _TICKS and now is None else _written(moment, span)
        inner = "" if step in (0, _TICKS) else " class='po-inner'"
        out.append(
            f"<text{inner} x='{place:.0f}' y='{_TOP + _BAR + 16}' text-anchor='{anchor}'"
            f" font-size='11' opacity='.8'>{label}</text>"
        )
    return svg.wrap("".join(out), svg.WIDTH, _TOP + _BAR + 24, title)


def _segment(entry: DeploymentEntry, at: float, width: float, start: datetime) -> str:
    tint = colour(entry.number)
    text = f"{entry.label}, {entry.kind}, {start:%Y-%m-%d %H:%M} UTC"
    name = (
        f"<text x='{at + 6:.1f}' y='{_TOP + 15}' fill='{ink(tint)}'"
        f" font-weight='600'>{esc(entry.label)}</text>"
        if width > 14 + 8 * len(entry.label)
        else ""
    )
    return (
        f"<rect x='{at:.1f}' y='{_TOP}' width='{max(width - 1, 1):.1f}' height='{_BAR}' rx='3'"
        f" fill='{tint}'><title>{esc(text)}</title></rect>{name}"
    )


def _moment(at: str) -> datetime:
    return datetime.fromisoformat(at.replace("Z", "+00:00")).replace(tzinfo=UTC)


def _written(moment: datetime, span: float) -> str:
    """As exact as the span needs."""
    if span < 600:  # minutes alone would recur
        return f"{moment:%d %b %H:%M:%S}"
    if span < 172_800:  # two days
        return f"{moment:%d %b %H:%M}"
    return f"{moment:%d %b %Y}"
