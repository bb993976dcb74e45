"""A comparison as people look at it: the verdict in plain words, the differences with their
intervals, what got worse.

Static HTML with inline SVG, so that a saved notebook and a report show the same as the live cell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..analysis import words
from ..analysis.arms import MEASURES
from ..analysis.facts import Difference
from ..markup import esc
from ..markup import markdown as _md
from . import svg
from .class_view import classes_html
from .grid import Column, breaking, grid
from .theme import BAD, GOOD, NEUTRAL, VERDICTS, page, style_figure

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from ..analysis.decide import Verdict
    from ..lab.comparison import Comparison

__all__ = ["body", "card", "details", "forest", "html", "markdown"]

_LEAST = 5  # examples of a tag that is shown
_SLICES = 12  # tags shown: the biggest losses and the biggest gains
_MEANING = (
    "By luck alone: how often two equally good versions would differ as much. "
    "Finds 4 in 5: the smallest difference that this many examples show four times in five."
)
_SHOWN = 8  # lost examples listed in a cell


def html(comparison: Comparison) -> str:
    """The cell's view of a comparison."""
    return page(body(comparison))


def body(comparison: Comparison) -> str:
    """The same without the style around it."""
    return card(comparison.verdict, comparison.statement()) + details(comparison)


def details(comparison: Comparison) -> str:
    """Everything below the verdict: differences, who won where, the figures, what got worse, what
    to keep in mind.
    """
    figures = comparison.primary
    b, a = comparison.candidate.label, comparison.baseline.label
    title = f"{figures.wins} examples better and {figures.losses} worse with {b}"
    return "".join(
        (
            f"<h3>Difference {esc(b)} − {esc(a)}</h3>",
            svg.forest(
                _rows(comparison),
                title=comparison.statement(),
                left=f"{_cut(a)} better",
                right=f"{_cut(b)} better",
            ),
            svg.disagreement(
                figures.wins,
                figures.losses,
                figures.ties,
                title=title,
                left="got worse",
                right="got better",
            ),
            _table(comparison),
            f"<p class='dim ci'>{_MEANING}</p>",
            classes_html(comparison),
            _flips(comparison),
            _slices(comparison),
            _notes(comparison),
        )
    )


def card(verdict: Verdict, statement: str) -> str:
    """The verdict, why, and what to do next."""
    colour, sign = VERDICTS[verdict.decision]
    reasons = "".join(
        f"<li>{esc(reason)}</li>" for reason in verdict.reasons if reason != statement
    )
    steps = "".join(f"<li><b>Next:</b> {esc(step)}</li>" for step in verdict.next)
    against = f" over {esc(verdict.baseline)}" if verdict.baseline else " as a first deployment"
    listed = f"<ul>{reasons}{steps}</ul>" if reasons or steps else ""
    return (
        f"<div class='card' style='--po-accent:{colour}'><b class='v'>{sign}"
        f" {esc(verdict.decision)}</b> <span class='dim'>{esc(verdict.candidate)}{against}, goal"
        f" {esc(verdict.policy.goal.replace('_', ' '))}</span><p>{esc(statement)}</p>{listed}</div>"
    )


def _rows(comparison: Comparison) -> list[svg.Row]:
    rails = [rail for rail in comparison.policy.guardrails if rail.tag is None]
    margins = {rail.metric: rail.margin for rail in rails}
    rows = []
    for figures in comparison.differences:
        scale = 100.0
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
        said = f"{words.signed(figures.gain * scale)} ({words.interval(low, high, scale=1)})"
        rows.append(
            svg.Row(
                name,
                figures.gain * scale,
                low,
                high,
                None if margin is None else 100 * margin,
                said,
                figures.name == comparison.primary_name,
            )
        )
    rows.sort(key=lambda row: not row.primary)
    return rows


def _table(comparison: Comparison) -> str:
    names = (
        comparison.candidate.label,
        comparison.baseline.label,
        "difference, points",
        "improved : regressed",
        "p (one-sided)",
        "detectable (80 % power)",
        "n",
    )
    columns: list[Column | str] = ["metric", *(Column(name, number=True) for name in names)]
    return grid(
        columns,
        [_line(comparison, figures) for figures in comparison.differences],
        caption=comparison.statement(),
    )


def _line(comparison: Comparison, figures: Difference) -> tuple[str, ...]:
    name = breaking(figures.name)
    return (
        f"<b>{name}</b>" if figures.name == comparison.primary_name else name,
        _mean(figures, figures.candidate, figures.candidate_interval),
        _mean(figures, figures.baseline, figures.baseline_interval),
        _gain(figures),
        f"{figures.wins:,} : {figures.losses:,}",
        (
            words.number(min(figures.p_better, figures.p_worse), 2)
            if figures.wins + figures.losses
            else "–"
        ),
        _mde(figures),
        f"{figures.n:,}"
        + (f"<span class='ci'>{figures.unscored:,} unscored</span>" if figures.unscored else ""),
    )


def _mean(figures: Difference, value: float, interval: tuple[float, float] | None) -> str:
    if figures.name == "cost":
        return esc(words.money(value))
    if figures.name in MEASURES:
        return esc(f"{words.number(value)} {figures.unit}")
    span = f"<span class='ci'>{esc(words.interval(*interval))}</span>" if interval else ""
    return f"{esc(words.percent(value))}{span}"


def _gain(figures: Difference) -> str:
    if figures.name in MEASURES:
        if not figures.baseline:
            return "–"
        scale = -100 / figures.baseline
        ends = sorted(v * scale + 0.0 for v in (figures.low, figures.high) if v is not None)
        span = (
            f"<span class='ci'>{esc(words.interval(ends[0], ends[1], scale=1))}</span>"
            if len(ends) == 2
            else ""
        )
        return f"{esc(words.signed(figures.gain * scale))} %{span}"
    span = (
        f"<span class='ci'>{esc(words.interval(figures.low, figures.high))}</span>"
        if figures.low is not None
        else ""
    )
    return f"{esc(words.points(figures.gain).removesuffix(' points'))}{span}"


def _mde(figures: Difference) -> str:
    if figures.mde is None:
        return "–"
    if figures.name in MEASURES:
        return f"{100 * figures.mde / figures.baseline:.1f} %" if figures.baseline else "–"
    return esc(words.points(figures.mde).removesuffix(" points"))


def _flips(comparison: Comparison) -> str:
    flips = comparison.flips()
    lost, won = flips[flips["gain"] < 0], flips[flips["gain"] > 0]
    if not len(flips):
        return "<p class='dim'>Not one example changed.</p>"
    shown = ", ".join(f"<code>{esc(example)}</code>" for example in lost["example_id"].head(_SHOWN))
    more = f" and {len(lost) - _SHOWN:,} more" if len(lost) > _SHOWN else ""
    listed = f": {shown}{more}" if len(lost) else ""
    return (
        f"<p><span style='color:{BAD}'>▼</span> {words.count(len(lost), 'example')} got"
        f" worse{listed}. <span style='color:{GOOD}'>▲</span> {words.count(len(won), 'example')}"
        " got better. <span class='dim'>All of them: comparison.flips()</span></p>"
    )


def _slices(comparison: Comparison) -> str:
    """The tags where it changed most, as a forest plot; what goes against the whole is reported."""
    if not comparison.grounds.tags:
        return ""
    found = comparison.slices()
    rows = [row for row in found.rows if row.n >= _LEAST and row.wins + row.losses]
    if not rows:
        return ""
    chosen = rows if len(rows) <= _SLICES else [*rows[: _SLICES // 2], *rows[-_SLICES // 2 :]]
    lines = [
        svg.Row(
            row.tag,
            100 * row.gain,
            _hundred(row.low),
            _hundred(row.high),
            None,
            f"{words.signed(100 * row.gain)}{' *' if row.marked else ''}, n = {row.n:,}",
            row.marked,
        )
        for row in chosen
    ]
    listed = "".join(f"<li>{esc(sentence)}</li>" for sentence in found.simpson)
    a, b = comparison.baseline.label, comparison.candidate.label
    picture = svg.forest(
        lines, title="difference by tag", left=f"{_cut(a)} better", right=f"{_cut(b)} better"
    )
    return (
        f"<details><summary>By tag, exploratory ({words.count(len(found.rows), 'tag')}; * marks a"
        f" false discovery rate of 10 %)</summary>{picture}"
        + (f"<ul>{listed}</ul>" if listed else "")
        + "</details>"
    )


def _hundred(value: float | None) -> float | None:
    return None if value is None else 100 * value


def _notes(comparison: Comparison) -> str:
    listed = "".join(f"<li>{esc(note)}</li>" for note in comparison.notes)
    return f"<ul class='dim'>{listed}</ul>" if listed else ""


def forest(comparison: Comparison) -> Figure:
    """The differences with intervals and margins as a plotly figure; its title states the
    finding.
    """
    import plotly.graph_objects as go

    rows = _rows(comparison)[::-1]
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
                hovertemplate=esc(row.said) + "<extra></extra>",
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
    figure.update_xaxes(title="percentage points (measures: percent saved), 90 % interval")
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


def markdown(comparison: Comparison) -> str:
    """The comparison for a pull request."""
    verdict = comparison.verdict
    _, sign = VERDICTS[verdict.decision]
    lines = [
        (
            f"**{sign} {verdict.decision}** {_md(comparison.candidate.label)} over"
            f" {_md(comparison.baseline.label)}: {_md(comparison.statement())}"
        ),
        "",
    ]
    lines += [f"- {_md(reason)}" for reason in verdict.reasons if reason != comparison.statement()]
    lines += [f"- Next: {_md(step)}" for step in verdict.next]
    lines += [
        "",
        (
            f"| measure | {_md(comparison.candidate.label)} | {_md(comparison.baseline.label)} |"
            " difference (90 %) | improved : regressed | n |"
        ),
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for figures in comparison.differences:
        in_measures = figures.name in MEASURES
        means = [
            _level(figures, v) if in_measures else words.percent(v)
            for v in (figures.candidate, figures.baseline)
        ]
        gain = (
            _change(figures)
            if in_measures
            else f"{words.points(figures.gain)} ({words.interval(figures.low, figures.high)})"
        )
        lines.append(
            f"| {_md(figures.name)} | {means[0]} | {means[1]} | {gain} | {figures.wins} :"
            f" {figures.losses} | {figures.n} |"
        )
    lines += ["", *(f"- {_md(note)}" for note in comparison.notes)]
    return "\n".join(lines)


def _level(figures: Difference, value: float) -> str:
    """A cost, a latency or a number of tokens in its unit."""
    return words.money(value) if figures.name == "cost" else f"{words.number(value)} {figures.unit}"


def _change(figures: Difference) -> str:
    """Of a cost, a latency or tokens: by how much they rose, in its unit, and in percent where
    there is something to compare with.
    """
    rise = -figures.gain
    said = f"{'−' if rise < 0 else '+'}{_level(figures, abs(rise))}"
    return f"{said} ({words.signed(100 * rise / figures.baseline)} %)" if figures.baseline else said


def _cut(text: str) -> str:
    return text if len(text) <= 22 else text[:21] + "…"
