"""The differences of a comparison with their intervals: the rows of its forest plot, and the plot
as a plotly figure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..analysis import words
from ..analysis.arms import MEASURES
from ..markup import esc
from . import svg
from .theme import BAD, GOOD, NEUTRAL, style_figure

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from ..lab.comparison import Comparison

__all__ = ["forest", "forest_rows"]


_AXIS = "percentage points (cost, latency, tokens: percent saved), 90 % interval"


def forest_rows(comparison: Comparison) -> list[svg.ForestRow]:
    """One row per measure that both scored, the primary first; a cost, latency or token measure
    only if a guardrail names it.
    """
    rails = [rail for rail in comparison.policy.guardrails if rail.tag is None]
    margins = {rail.metric: rail.margin for rail in rails}
    rows = []
    for figures in comparison.differences:
        scale = 100.0
        if not figures.n and figures.name != comparison.primary_name:
            continue  # no example is scored for both: there is no difference to draw
        if figures.name in MEASURES:
            if (
                figures.name not in margins
                or not figures.baseline
                or figures.baseline != figures.baseline
            ):
                continue
            scale = 100.0 / figures.baseline
        low, high = (None if v is None else v * scale for v in (figures.low, figures.high))
        margin = margins.get(figures.name)
        name = f"{figures.name} (% saved)" if figures.name in MEASURES else figures.name
        text = f"{words.signed(figures.gain * scale)} ({words.interval(low, high, scale=1)})"
        rows.append(
            svg.ForestRow(
                name,
                figures.gain * scale,
                low,
                high,
                None if margin is None else 100 * margin,
                text,
                figures.name == comparison.primary_name,
            )
        )
    rows.sort(key=lambda row: not row.primary)
    return rows


def forest(comparison: Comparison) -> Figure:
    """The differences with intervals and margins as a plotly figure; its title states the
    finding.
    """
    import plotly.graph_objects as go

    rows = forest_rows(comparison)[::-1]
    figure = go.Figure()
    for place, row in enumerate(rows):
        sure = row.low is not None and row.high is not None and (row.low > 0 or row.high < 0)
        tint = (GOOD if row.value > 0 else BAD) if sure else NEUTRAL
        arms = {
            "array": [(row.high or row.value) - row.value],
            "arrayminus": [row.value - (row.low if row.low is not None else row.value)],
            "thickness": 2,
            "width": 6,
        }
        figure.add_trace(
            go.Scatter(
                x=[row.value],
                y=[esc(row.name)],
                error_x=arms,
                mode="markers",
                marker={"color": tint, "size": 12 if row.primary else 9},
                name=esc(row.name),
                showlegend=False,
                hovertemplate=esc(row.text) + "<extra></extra>",
            )
        )
        if row.margin is not None:
            figure.add_shape(
                type="line",
                x0=-row.margin,
                x1=-row.margin,
                y0=place - 0.35,
                y1=place + 0.35,
                line={"color": BAD, "dash": "dash", "width": 2},
            )
    figure.add_vline(x=0, line_width=1)
    figure.update_xaxes(title=_AXIS)
    b, a, decision = (
        comparison.candidate.label,
        comparison.baseline.label,
        comparison.verdict.decision,
    )
    title = (
        f"{esc(b)} against {esc(a)}: {words.points(comparison.primary.gain)} on"
        f" {esc(comparison.primary_name)} — {decision}"
    )
    return style_figure(figure, title=title, height=150 + 34 * len(rows))
