"""Live calls as people look at them: a row per version and arm, what was deployed meanwhile, and
the same by hour as a figure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..analysis import words
from ..analysis.intervals import wilson
from ..markup import esc
from .grid import GridColumn, grid
from .live_hours import hours_html
from .theme import NEUTRAL, page, style_figure

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from ..lab.live_view import LiveView

__all__ = ["NO_CALLS", "figure", "html", "parts"]

NO_CALLS = (
    "<p>No live calls are recorded here yet: in the application, <code>client ="
    " promptops.observe(client)</code> with PROMPTOPS_RECORD set to a folder.</p>"
)
_HEADS = (
    *("version", "calls", "failures", "p50", "p95", "cost", "votes", "good"),
    *("scored", "quality"),
)


def html(live: LiveView) -> str:
    """The cell's view."""
    return page(parts(live))


def parts(live: LiveView) -> str:
    """The same as part of a page: the card, and the pictures by hour."""
    rows = live.versions
    where = f" in {live.asked['env']}" if live.asked["env"] else ""
    title = f"<b class='v'>{esc(live.asked['prompt'])}{esc(where)}</b>"
    since = f"<p class='dim'>since {esc(live.asked['since'][:16].replace('T', ' '))} UTC</p>"
    if not rows:
        return f"<div class='card'>{title}{since}{NO_CALLS}</div>"
    served = "".join(
        f"<li>{esc(str(each['at'])[:16])}: {esc(each['label'])} ({esc(each['kind'])})</li>"
        for each in live.deployments
    )
    deployed = (
        f"<p class='dim'>Deployed meanwhile</p><ul class='dim'>{served}</ul>" if served else ""
    )
    notes = "".join(f"<li>{esc(note)}</li>" for note in live.notes)
    columns = [GridColumn(name, number=place > 0) for place, name in enumerate(_HEADS)]
    table = grid(columns, [list(map(esc, _cells(row))) for row in rows], caption="calls by version")
    card = f"<div class='card'>{title}{since}{table}{deployed}<ul>{notes}</ul></div>"
    return card + hours_html(live)


def figure(live: LiveView) -> Figure:
    """p95 latency by hour, a line per version, deployments as markers."""
    import plotly.graph_objects as go

    drawn = go.Figure()
    lines: dict[str, list[dict[str, Any]]] = {}
    for row in live.hours:
        lines.setdefault(_name(row), []).append(row)
    for name, rows in lines.items():
        drawn.add_scatter(
            x=[row["hour"] for row in rows],
            y=[row["p95_ms"] for row in rows],
            customdata=[[row["calls"], row["failures"]] for row in rows],
            hovertemplate="%{y:.0f} ms, %{customdata[0]} calls, %{customdata[1]} failures",
            name=esc(name),
            mode="lines+markers",
        )
    for each in live.deployments:
        drawn.add_vline(x=each["at"], line={"color": NEUTRAL, "dash": "dot"})
        at = {"x": each["at"], "y": 1, "yref": "paper", "yanchor": "bottom"}
        drawn.add_annotation(text=esc(each["label"]), showarrow=False, **at)
    drawn.update_yaxes(title={"text": "p95 latency, ms"})
    return style_figure(drawn, title=esc(f"{live.asked['prompt']}: live calls by hour"))


def _cells(row: dict[str, Any]) -> list[str]:
    return [
        _name(row),
        f"{row['calls']:,}",
        _share(row["failures"], row["calls"]),
        _latency(row["p50_ms"]),
        _latency(row["p95_ms"]),
        "–" if row["cost_usd"] is None else words.money(row["cost_usd"]),
        f"{row['votes']:,}",
        _share(round((row["good"] or 0) * row["votes"]), row["votes"]),
        f"{row['scored']:,}",
        _quality(row),
    ]


def _name(row: dict[str, Any]) -> str:
    if row["version_id"] is None:
        return "unknown"
    label = f"v{row['version']}" if row["version"] else str(row["version_id"])[:11]
    return f"{label} ({row['arm']})" if row.get("arm") else label


def _latency(value: float | None) -> str:
    return words.duration(None if value is None else value / 1000)


def _share(count: int, of: int) -> str:
    """A share with its 95 % interval."""
    if not of:
        return "–"
    return f"{words.percent(count / of)} ({words.interval(*wilson(count, of))})"


def _quality(row: dict[str, Any]) -> str:
    """The mean score with its 95 % interval, of independent answers."""
    if row["score"] is None:
        return "–"
    half = 1.96 * (row["spread"] or 0.0) / row["scored"] ** 0.5
    low, high = max(0.0, row["score"] - half), min(1.0, row["score"] + half)
    return f"{row['score']:.3f} ({low:.3f} to {high:.3f})" if row["scored"] > 1 else ""
