"""Many versions as people look at them: intervals first, then which differences are shown, then quality against cost."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..analysis import words
from ..markup import esc
from . import svg
from .theme import BAD, GOOD, NEUTRAL, chip, label_colour, page

if TYPE_CHECKING:
    from ..analysis.leaderboard import Leaderboard, Standing

__all__ = ["html"]


def html(board: Leaderboard) -> str:
    """The cell's view."""
    tints = {standing.label: label_colour(standing.label, place) for place, standing in enumerate(board.standings)}
    bars = [
        svg.Bar(
            s.label,
            s.primary.mean,
            s.primary.low,
            s.primary.high,
            tints[s.label],
            f"{words.percent(s.primary.mean)} ({words.interval(s.primary.low, s.primary.high)})",
        )
        for s in board.standings
    ]
    picture = svg.strip(bars, title=board.statement(), axis=f"{board.primary}, mean with 95 % interval")
    notes = "".join(f"<li>{esc(note)}</li>" for note in board.notes)
    return page(
        f"<p><b>{esc(board.statement())}</b></p>{picture}{_table(board, tints)}{_duels(board)}{_pareto(board, tints)}<ul class='dim'>{notes}</ul>"
    )


def _table(board: Leaderboard, tints: dict[str, str]) -> str:
    others = [name for name in board.standings[0].scores if name != board.primary]
    head = f"<th class='num'>rank</th><th>version</th><th class='num'>{esc(board.primary)}</th>" + "".join(
        f"<th class='num'>{esc(name)}</th>" for name in others
    )
    head += "<th class='num'>cost an example</th><th class='num'>latency</th><th class='num'>n</th>"
    rows = "".join(_row(standing, others, tints[standing.label]) for standing in board.standings)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _row(standing: Standing, others: list[str], tint: str) -> str:
    cells = "".join(
        f"<td class='num'>{esc(words.percent(standing.scores[name].mean)) if name in standing.scores else '–'}</td>" for name in others
    )
    cost, latency = standing.measures.get("cost"), standing.measures.get("latency")
    return (
        f"<tr><td class='num'>{standing.rank}</td><td>{chip(standing.label, tint)}</td>"
        f"<td class='num'>{esc(words.percent(standing.primary.mean))}<span class='ci'>{esc(words.interval(standing.primary.low, standing.primary.high))}</span></td>{cells}"
        f"<td class='num'>{esc(words.money(cost))}</td><td class='num'>{esc(words.duration(latency / 1000 if latency is not None else None))}</td><td class='num'>{standing.primary.n:,}</td></tr>"
    )


def _duels(board: Leaderboard) -> str:
    if not board.duels:
        return ""
    rows = []
    for duel in board.duels:
        tint = {"better": GOOD, "worse": BAD}.get(duel.verdict, NEUTRAL)
        said = {"better": "shown to be better", "worse": "shown to be worse", "open": "not settled"}[duel.verdict]
        rows.append(
            f"<tr><td>{esc(duel.b)} against {esc(duel.a)}</td><td class='num'>{esc(words.points(duel.gain))}<span class='ci'>{esc(words.interval(duel.low, duel.high))}</span></td>"
            f"<td class='num'>{duel.wins:,} : {duel.losses:,}</td><td class='num'>{esc(words.number(duel.adjusted, 2))}</td><td style='color:{tint}'>{said}</td></tr>"
        )
    head = "<tr><th>pair</th><th class='num'>difference (90 % interval)</th><th class='num'>better : worse</th><th class='num'>p, Holm-adjusted</th><th>on all pairs together</th></tr>"
    return f"<h3>Which differences are shown</h3><table><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>"


def _pareto(board: Leaderboard, tints: dict[str, str]) -> str:
    points = [
        svg.Point(s.label, s.measures["cost"], s.primary.mean, s.primary.low, s.primary.high, tints[s.label], bool(s.front))
        for s in board.standings
        if s.measures.get("cost") is not None and math.isfinite(s.measures["cost"])
    ]
    if len(points) < 2 or not any(point.x for point in points):
        return ""
    best = ", ".join(point.name for point in points if point.front)
    return f"<h3>Quality against cost: {esc(best)} on the front</h3>" + svg.scatter(
        points, title="quality against cost", x_axis="USD an example", y_axis=board.primary
    )
