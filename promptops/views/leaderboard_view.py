"""Many versions as people look at them: intervals first, then which differences are shown, then
quality against cost.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from ..analysis import words
from ..markup import esc
from . import svg
from .answer_card import cost_per_thousand
from .figures import priced
from .grid import GridColumn, breaking, grid, measures
from .theme import BAD, GOOD, NEUTRAL, chip, in_text, label_colour, page

if TYPE_CHECKING:
    from ..analysis.standings import Ranking, Standing

__all__ = ["html"]

_TINY = 0.001  # smaller p are reported as smaller than this


def html(board: Ranking) -> str:
    """The cell's view."""
    tints = {
        standing.label: label_colour(standing.label, place)
        for place, standing in enumerate(board.standings)
    }
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
    picture = svg.strip(
        bars, title=board.statement(), axis=f"{board.primary}, mean with 95 % interval"
    )
    notes = "".join(f"<li>{esc(note)}</li>" for note in board.notes)
    return page(
        f"<p><b>{esc(board.statement())}</b></p>{_beside(picture, _table(board, tints))}"
        f"{_beside(_duels(board), _pareto(board, tints))}<ul class='dim'>{notes}</ul>"
    )


def _beside(left: str, right: str) -> str:
    """Two columns in a wide cell; one if there is nothing for the other."""
    if not (left and right):
        return left + right
    return f"<div class='po-cols'><div>{left}</div><div>{right}</div></div>"


def _table(board: Ranking, tints: dict[str, str]) -> str:
    """The ranking with cost and latency; below it what the other scorers say of each."""
    columns: list[GridColumn | str] = [
        "version",
        GridColumn("rank", number=True),
        GridColumn(board.primary, number=True, shown=breaking(board.primary)),
        GridColumn("cost per 1,000 answers", number=True),
        GridColumn("latency, mean", number=True),
        GridColumn("n", number=True),
    ]
    ranking = grid(
        columns,
        [_row(standing, tints[standing.label]) for standing in board.standings],
        caption=board.statement(),
    )
    others = [name for name in board.standings[0].scores if name != board.primary]
    if not others:
        return ranking
    versions = [
        GridColumn(s.label, number=True, shown=chip(s.label, tints[s.label]))
        for s in board.standings
    ]
    lines = [
        (breaking(name), [_other(standing, name) for standing in board.standings])
        for name in others
    ]
    return (
        f"{ranking}<h3>The other"
        f" scorers</h3>{measures(versions, lines, caption='means of the other scorers')}"
    )


def _other(standing: Standing, name: str) -> str:
    return esc(words.percent(standing.scores[name].mean)) if name in standing.scores else "–"


def _row(standing: Standing, tint: str) -> tuple[str, ...]:
    cost, latency, primary = (
        standing.measures.get("cost"),
        standing.measures.get("latency"),
        standing.primary,
    )
    return (
        chip(standing.label, tint),
        str(standing.rank),
        (
            f"{esc(words.percent(primary.mean))}<span"
            f" class='ci'>{esc(words.interval(primary.low, primary.high))}</span>"
        ),
        esc(cost_per_thousand(cost)),
        esc(words.duration(latency / 1000 if latency is not None else None)),
        f"{primary.n:,}",
    )


def _duels(board: Ranking) -> str:
    if not board.duels:
        return ""
    rows = []
    for duel in board.duels:
        tint = {"better": GOOD, "worse": BAD}.get(duel.verdict, NEUTRAL)
        text = {
            "better": "shown to be better",
            "worse": "shown to be worse",
            "open": "not settled",
        }[duel.verdict]
        rows.append(
            (
                f"{esc(duel.b)} against {esc(duel.a)}",
                (
                    f"{esc(words.points(duel.gain))}<span"
                    f" class='ci'>{esc(words.interval(duel.low, duel.high))}</span>"
                ),
                f"{duel.wins:,} : {duel.losses:,}",
                "&lt; 0.001" if duel.adjusted < _TINY else esc(words.number(duel.adjusted, 2)),
                f"<span style='color:{in_text(tint)}'>{text}</span>",
            )
        )
    numbers = ("difference (90 % interval)", "improved : regressed", "p (two-sided, Holm)")
    columns: list[GridColumn | str] = [
        "pair",
        *(GridColumn(name, number=True) for name in numbers),
        "on all pairs together",
    ]
    return f"<h3>Which differences are shown</h3>{grid(columns, rows, caption='pairs of versions')}"


def _pareto(board: Ranking, tints: dict[str, str]) -> str:
    points = [
        svg.Point(
            s.label,
            s.measures["cost"],
            s.primary.mean,
            s.primary.low,
            s.primary.high,
            tints[s.label],
            bool(s.front),
        )
        for s in board.standings
        if s.measures.get("cost") is not None and math.isfinite(s.measures["cost"])
    ]
    if len(points) < 2 or not any(point.x for point in points):
        return ""
    best = ", ".join(point.name for point in points if point.front)
    scale, unit = priced([point.x for point in points])
    points = [replace(point, x=point.x * scale) for point in points]
    return f"<h3>Quality against cost: {esc(best)} on the front</h3>" + svg.scatter(
        points,
        title=f"quality against cost: {best} on the front",
        x_axis=unit,
        y_axis=board.primary,
    )
