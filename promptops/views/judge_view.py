"""A judge's report: one sentence, one picture with intervals, the confusion table, and one table of
all figures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..analysis import words
from ..markup import esc
from .grid import GridColumn, grid
from .svg import Bar, strip
from .theme import BAD, GOOD, NEUTRAL, UNSURE, in_text, page

if TYPE_CHECKING:
    from ..lab.judge_report import JudgeReport

__all__ = ["html", "rows"]

Figure = tuple[str, float | None, float | None, float | None, int, str]
_GRADES = {
    "firm": "firm",
    "tentative": "tentative",
    "poor": "too little to rest on",
    "unknown": "not known",
}


def rows(report: JudgeReport) -> list[Figure]:
    """(figure, value, low, high, n, what it says) of everything that was measured, and of what was
    not, why.
    """
    return [*_agreement(report), *_spread(report), *_bias(report), *_rest(report)]


def _agreement(report: JudgeReport) -> list[Figure]:
    kappa, alpha = report.kappa, report.alpha
    if kappa is None or alpha is None:
        return [
            (
                "agreement with people",
                None,
                None,
                None,
                0,
                "no labels: study.review.label(...) or keep_labels(...)",
            )
        ]
    return [
        (
            "equal answers",
            kappa.observed,
            None,
            None,
            kappa.n,
            f"{words.percent(kappa.expected)} would be equal by chance",
        ),
        (
            "Cohen's kappa",
            kappa.value,
            kappa.low,
            kappa.high,
            kappa.n,
            "agreement beyond chance, three answers",
        ),
        (
            "Krippendorff's alpha",
            alpha.alpha,
            alpha.low,
            alpha.high,
            alpha.items,
            f"interval scale: {_GRADES[alpha.grade]}",
        ),
    ]


def _spread(report: JudgeReport) -> list[Figure]:
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
        ("variance: judge", found.judge, None, None, found.samples, one),
        ("variance: generation", found.generation, None, None, found.repeats, many),
    ]


def _bias(report: JudgeReport) -> list[Figure]:
    out: list[Figure] = []
    if report.position is not None:
        found = report.position
        text = f"{found.same} of {found.pairs} pairs judged alike in both orders; 0.5 is no bias"
        if not found.swapped:
            text = "one order only: position and merit cannot be distinguished"
        out.append(
            (
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
        out.append(("length", long.r, long.low, long.high, long.n, text))
    if report.own is not None:
        own = report.own
        text = (
            f"error on its own model's answers less that on others; {own.own} and {own.others}"
            " answers"
        )
        out.append(("self-preference", own.value, own.low, own.high, own.own + own.others, text))
    return out


def _rest(report: JudgeReport) -> list[Figure]:
    out: list[Figure] = []
    if report.planted is not None:
        found = report.planted
        share = found.resisted / found.planted if found.planted else None
        out.append(
            (
                "injections resisted",
                share,
                None,
                None,
                found.planted,
                f"{found.resisted}/{found.planted}, {found.unscored} of them unscored",
            )
        )
    if report.difference is not None and report.arms is not None:
        new, base = report.arms
        out.append(
            (
                "difference by the judge",
                report.difference,
                None,
                None,
                report.scored,
                f"{new} less {base}, as it says",
            )
        )
        if report.corrected is not None:
            fixed = report.corrected
            text = (
                f"prediction-powered inference; bias {words.signed(fixed.bias, 3)} on"
                f" {fixed.labelled} labelled examples"
            )
            out.append(
                (
                    "difference, corrected",
                    fixed.value,
                    fixed.low,
                    fixed.high,
                    fixed.labelled + fixed.unlabelled,
                    text,
                )
            )
    out.append(
        (
            "answers unscored",
            float(report.unscored),
            None,
            None,
            report.scored + report.unscored,
            "no verdict could be read: never a default",
        )
    )
    if report.calls is not None:
        out.append(
            (
                "calls of the judge",
                float(report.calls),
                None,
                None,
                report.calls,
                f"apart from generation, {words.money(report.cost_usd)}",
            )
        )
    return out


def html(report: JudgeReport) -> str:
    """The report for a notebook."""
    figures = rows(report)
    tint = GOOD if report.calibrated else UNSURE
    head = (
        f"<div class='card' style='--po-accent:{in_text(tint)}'><b"
        f" class='v'>{esc(report.name)}</b><p>{esc(report.verdict)}</p></div>"
    )
    bars = [
        Bar(
            name,
            value,
            low,
            high,
            _tint(name, low, high),
            f"{_number(value)} ({_number(low)} to {_number(high)})",
        )
        for name, value, low, high, _, _ in figures
        if value is not None and low is not None and high is not None
    ]
    picture = (
        strip(
            bars,
            title=f"{report.name} measured",
            axis="value, with 95 % interval",
            low=-1.0,
            high=1.0,
        )
        if bars
        else ""
    )
    lines = [
        (
            esc(name),
            _number(value)
            + (
                f"<span class='ci'>{_number(low)} to {_number(high)}</span>"
                if low is not None and high is not None
                else ""
            ),
            f"{n:,}",
            esc(text),
        )
        for name, value, low, high, n, text in figures
    ]
    columns: list[GridColumn | str] = [
        "figure",
        GridColumn("value", number=True),
        GridColumn("n", number=True),
        "what it says",
    ]
    table = grid(columns, lines, caption=f"everything that was measured of {report.name}")
    return page(f"{head}{picture}{_confusion(report)}{table}")


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
