"""A judge's report: one sentence, one picture with intervals, the confusion table, and one table of
all figures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..analysis import words
from ..markup import esc
from .grid import GridColumn, grid
from .svg import Bar, strip
from .theme import BAD, GOOD, NEUTRAL, UNSURE, in_text, page

if TYPE_CHECKING:
    from ..lab.judge_report import JudgeReport

__all__ = ["html", "rows"]

_GRADES = {
    "firm": "firm",
    "tentative": "tentative",
    "poor": "too little to rest on",
    "unknown": "not known",
}


class JudgeFigure(NamedTuple):
    """One thing that was measured of a judge. text: what it says; value: None if it was not
    measured; low, high: its 95 % interval, where it has one.
    """

    name: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    text: str


def rows(report: JudgeReport) -> list[JudgeFigure]:
    """Everything that was measured, and of what was not, why."""
    return [
        *_agreement(report),
        *_spread(report),
        *_bias(report),
        *_injections(report),
        *_differences(report),
        *_answers(report),
    ]


def _agreement(report: JudgeReport) -> list[JudgeFigure]:
    kappa, alpha = report.kappa, report.alpha
    if kappa is None or alpha is None:
        return [
            JudgeFigure(
                "agreement with people",
                None,
                None,
                None,
                0,
                "no labels: study.review.label(...) or keep_labels(...)",
            )
        ]
    return [
        JudgeFigure(
            "equal answers",
            kappa.observed,
            None,
            None,
            kappa.n,
            f"{words.percent(kappa.expected)} would be equal by chance",
        ),
        JudgeFigure(
            "Cohen's kappa",
            kappa.value,
            kappa.low,
            kappa.high,
            kappa.n,
            "agreement beyond chance, three answers",
        ),
        JudgeFigure(
            "Krippendorff's alpha",
            alpha.alpha,
            alpha.low,
            alpha.high,
            alpha.items,
            f"interval scale: {_GRADES[alpha.grade]}",
        ),
    ]


def _spread(report: JudgeReport) -> list[JudgeFigure]:
    found = report.variance
    one = (
        "one sample per answer: JudgeModel(samples=3) would tell"
        if found.samples < 2
        else "between samples of one answer"
    )
    many = (
        "repeats and samples are needed"
        if found.generation is None
        else "between answers of one version"
    )
    return [
        JudgeFigure("variance: judge", found.judge, None, None, found.samples, one),
        JudgeFigure("variance: generation", found.generation, None, None, found.repeats, many),
    ]


def _bias(report: JudgeReport) -> list[JudgeFigure]:
    out: list[JudgeFigure] = []
    if report.position is not None:
        found = report.position
        text = f"{found.same} of {found.pairs} pairs judged alike in both orders; 0.5 is no bias"
        if not found.swapped:
            text = "one order only: position and merit cannot be distinguished"
        out.append(
            JudgeFigure(
                "position: towards the first",
                found.share,
                found.low,
                found.high,
                found.first + found.second,
                text,
            )
        )
    if report.length is not None:
        long = report.length
        text = (
            "correlation of its error with log length; 0 is no bias"
            if long.beyond
            else "with its score; without labels longer may be better"
        )
        out.append(JudgeFigure("length", long.r, long.low, long.high, long.n, text))
    if report.own is not None:
        own = report.own
        text = (
            f"error on its own model's answers less that on others; {own.own} and {own.others}"
            " answers"
        )
        out.append(
            JudgeFigure("self-preference", own.value, own.low, own.high, own.own + own.others, text)
        )
    return out


def _injections(report: JudgeReport) -> list[JudgeFigure]:
    found = report.planted
    if found is None:
        return []
    share = found.resisted / found.planted if found.planted else None
    text = f"{found.resisted}/{found.planted}, {found.unscored} of them unscored"
    if found.unasked:
        text += f", {found.unasked} without a reply"
    return [JudgeFigure("injections resisted", share, None, None, found.planted, text)]


def _differences(report: JudgeReport) -> list[JudgeFigure]:
    """Between two versions: as the judge scored them, and corrected by the labels."""
    if report.difference is None or report.arms is None:
        return []
    new, base = report.arms
    by_judge = JudgeFigure(
        "difference by the judge",
        report.difference,
        None,
        None,
        report.scored,
        f"{new} less {base}, as it says",
    )
    fixed = report.corrected
    if fixed is None:
        return [by_judge]
    text = (
        f"prediction-powered inference; bias {words.signed(fixed.bias, 3)} on"
        f" {fixed.labelled} labelled examples"
    )
    n = fixed.labelled + fixed.unlabelled
    return [
        by_judge,
        JudgeFigure("difference, corrected", fixed.value, fixed.low, fixed.high, n, text),
    ]


def _answers(report: JudgeReport) -> list[JudgeFigure]:
    """What the judge left unscored, and what it was asked."""
    unscored = JudgeFigure(
        "answers unscored",
        float(report.unscored),
        None,
        None,
        report.scored + report.unscored,
        "no verdict could be read: never a default",
    )
    if report.calls is None:
        return [unscored]
    text = f"apart from generation, {words.money(report.cost_usd)}"
    calls = JudgeFigure("calls of the judge", float(report.calls), None, None, report.calls, text)
    return [unscored, calls]


def html(report: JudgeReport) -> str:
    """The report for a notebook."""
    figures = rows(report)
    tint = GOOD if report.calibrated else UNSURE
    head = (
        f"<div class='card' style='--po-accent:{in_text(tint)}'><b"
        f" class='v'>{esc(report.name)}</b><p>{esc(report.verdict)}</p></div>"
    )
    columns: list[GridColumn | str] = [
        "figure",
        GridColumn("value", number=True),
        GridColumn("n", number=True),
        "what it says",
    ]
    lines = [(esc(f.name), _shown(f), f"{f.n:,}", esc(f.text)) for f in figures]
    table = grid(columns, lines, caption=f"everything that was measured of {report.name}")
    return page(f"{head}{_picture(report.name, figures)}{_confusion(report)}{table}")


def _picture(name: str, figures: list[JudgeFigure]) -> str:
    """The figures that have an interval, one bar each; "" if none has."""
    bars = [
        Bar(
            f.name,
            f.value,
            f.low,
            f.high,
            _tint(f.name, f.low, f.high),
            f"{_number(f.value)} ({_number(f.low)} to {_number(f.high)})",
        )
        for f in figures
        if f.value is not None and f.low is not None and f.high is not None
    ]
    if not bars:
        return ""
    axis = "value, with 95 % interval"
    return strip(bars, title=f"{name} measured", axis=axis, low=-1.0, high=1.0)


def _shown(figure: JudgeFigure) -> str:
    """A value, and its interval where it has one."""
    interval = (
        f"<span class='ci'>{_number(figure.low)} to {_number(figure.high)}</span>"
        if figure.low is not None and figure.high is not None
        else ""
    )
    return _number(figure.value) + interval


def _tint(name: str, low: float, high: float) -> str:
    """Agreement above chance is good; a bias whose interval excludes none is bad."""
    if name.startswith(("Cohen", "Krippendorff")):
        return GOOD if low > 0 else UNSURE
    if name.startswith("difference"):
        return GOOD if low > 0 else BAD if high < 0 else NEUTRAL
    none = 0.5 if name.startswith("position") else 0.0
    return BAD if low > none or high < none else NEUTRAL


def _confusion(report: JudgeReport) -> str:
    if report.kappa is None:
        return ""
    names = (
        {0.0: "other better", 0.5: "tie", 1.0: "this better"}
        if report.position is not None
        else {0.0: "fail", 0.5: "partly", 1.0: "pass"}
    )
    answers = [names[answer] for answer in report.kappa.answers]
    columns: list[GridColumn | str] = [
        "",
        *(GridColumn(f"people: {answer}", number=True) for answer in answers),
    ]
    rows = [
        (f"judge: {esc(answer)}", *(f"{count:,}" for count in counts))
        for answer, counts in zip(answers, report.kappa.table, strict=True)
    ]
    return (
        "<h3>Judge against people,"
        f" answers</h3>"
        f"{grid(columns, rows, caption='answers of the judge against those of people')}"
    )


def _number(value: float | None) -> str:
    if value is None:
        return "not known"
    return (
        f"{value:,.0f}"
        if abs(value) >= 10
        else f"{value:.3f}".rstrip("0").rstrip(".").replace("-", "−")
    )
