"""A comparison as Markdown for a pull request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..analysis import words
from ..analysis.arms import MEASURES
from ..markup import markdown as _md
from .answer_card import cost_per_thousand
from .comparison_table import MEASURE_HEADS
from .theme import VERDICTS

if TYPE_CHECKING:
    from ..analysis.facts import Difference
    from ..lab.comparison import Comparison

__all__ = ["markdown"]


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
            f"| metric | {_md(comparison.baseline.label)} | {_md(comparison.candidate.label)} |"
            " difference (90 % interval) | improved : regressed | n |"
        ),
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for figures in comparison.differences:
        in_measures = figures.name in MEASURES
        means = [
            _level(figures, v) if in_measures else words.percent(v)
            for v in (figures.baseline, figures.candidate)
        ]
        gain = (
            "–"
            if not figures.n
            else _change(figures)
            if in_measures
            else f"{words.points(figures.gain)} ({words.interval(figures.low, figures.high)})"
        )
        name = MEASURE_HEADS.get(figures.name, figures.name)
        lines.append(
            f"| {_md(name)} | {means[0]} | {means[1]} | {gain} | {figures.wins} :"
            f" {figures.losses} | {figures.n} |"
        )
    lines += ["", *(f"- {_md(note)}" for note in comparison.notes)]
    return "\n".join(lines)


def _level(figures: Difference, value: float) -> str:
    """A cost per 1,000 answers, a latency or a number of tokens in its unit, as Markdown: two bare
    dollars of a row would be read as the ends of a formula, with the cells between them.
    """
    if figures.name == "cost":
        return _md(cost_per_thousand(value))
    return f"{words.number(value)} {figures.unit}"


def _change(figures: Difference) -> str:
    """Of a cost, a latency or tokens: by how much they rose, in its unit, and in percent where
    there is something to compare with.
    """
    rise = -figures.gain
    text = f"{'−' if rise < 0 else '+'}{_level(figures, abs(rise))}"
    return f"{text} ({words.signed(100 * rise / figures.baseline)} %)" if figures.baseline else text
