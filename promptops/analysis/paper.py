"""A comparison as a paper or a report needs it: the paragraph on methods, and a LaTeX table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..markup import one_line
from . import words
from .facts import LEVEL

if TYPE_CHECKING:
    from .compare import ComparisonFacts
    from .facts import Difference

__all__ = ["latex_rows", "latex_table", "latex_text", "methods_of", "table_of"]

_MARKS = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{mark: f"\\{mark}" for mark in "&%$#_{}"},
}


def latex_text(text: str) -> str:
    """A text as LaTeX prints it, on one line."""
    return "".join(_MARKS.get(mark, mark) for mark in one_line(text))


def latex_rows(rows: Sequence[Sequence[str]]) -> list[str]:
    """Cells as rows of a table; cells are LaTeX already."""
    return [" & ".join(cells) + r" \\" for cells in rows]


def latex_table(columns: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table with the rules of booktabs. columns: of tabular, as "lrr"."""
    lines = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", *latex_rows([head]), r"\midrule"]
    return "\n".join([*lines, *latex_rows(rows), r"\bottomrule", r"\end{tabular}"])


def methods_of(found: ComparisonFacts) -> str:
    """The paragraph on methods: what was paired, how it was tested, and what was fixed before."""
    figures, grounds = found.primary, found.grounds
    split = f" of the split {grounds.split}" if grounds.split else ""
    of = f" of the dataset {grounds.dataset}" if grounds.dataset else ""
    prints = f" (content fingerprint {grounds.fingerprint[:12]})" if grounds.fingerprint else ""
    times = "once" if figures.repeats == 1 else f"{figures.repeats} times"
    parts = [
        f"We compared {found.candidate.label} with {found.baseline.label} on"
        f" {words.count(figures.n, 'example')}{split}{of}{prints}, each answered {times} by both,"
        f" paired by example. The primary measure was {found.primary_name}."
        f" The difference was tested by {_spelled(figures.test_method)} (one-sided, alpha ="
        f" {found.alpha:g}) on the per-example means, with a {LEVEL:.0%} interval by"
        f" {_spelled(figures.interval_method)}."
    ]
    if figures.clusters is not None:
        parts.append(f"Examples fall into {figures.clusters:,} clusters, which are the units.")
    if found.ties == "half":
        parts.append("Ties counted as half.")
    if figures.unscored:
        parts.append(
            f"{words.count(figures.unscored, 'pair')} could not be scored on one side, and were"
            " left out, never counted as 0."
        )
    if grounds.tested:
        parts.append("Examples, measure and rule were fixed before any of these answers was made.")
    if grounds.looked:
        parts.append(
            "The study was looked at while it ran; its verdict rests on e-values, which allow that."
        )
    if grounds.served:
        parts.append(f"This split had served {words.count(grounds.served, 'verdict')} before.")
    return one_line(" ".join(parts))


def _spelled(method: str) -> str:
    return method if method.startswith(("the ", "a ", "an ")) else f"the method {method!r}"


def table_of(found: ComparisonFacts) -> str:
    """The measures as a table: n, both arms, the gain with its interval, and p."""
    head = (
        "Measure",
        "$n$",
        latex_text(found.baseline.label),
        latex_text(found.candidate.label),
        "Gain",
        f"{100 * LEVEL:.0f}\\,\\% interval",
        "$p$",
    )
    return latex_table("lrrrrrr", head, [_cells(figures) for figures in found.differences])


def _cells(figures: Difference) -> tuple[str, ...]:
    shares = not figures.lower_is_better

    def shown(value: float | None, sign: str = "") -> str:
        if value is None:
            return "--"
        return f"${100 * value:{sign}.1f}$" if shares else f"${value:{sign}.4g}$"

    name = latex_text(figures.name) + (r" (\%)" if shares else _unit(figures.unit))
    interval = f"[{shown(figures.low, '+')}, {shown(figures.high, '+')}]"
    known = figures.low is not None and figures.high is not None
    return (
        name,
        f"{figures.n:,}",
        shown(figures.baseline),
        shown(figures.candidate),
        shown(figures.gain, "+"),
        interval if known else "--",
        f"${figures.p_better:.3g}$",
    )


def _unit(unit: str) -> str:
    return f" ({latex_text(unit)})" if unit else ""
