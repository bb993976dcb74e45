"""Which view shows which face. Each view is imported when it is first needed, and so are the faces:
a script that follows a study imports neither the others nor their views.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from ..dataset import Dataset
    from ..lab.comparison import Comparison
    from ..lab.judge_report import JudgeReport
    from ..lab.lab import Lab
    from ..lab.live_view import LiveView
    from ..lab.monitor import Monitor
    from ..lab.study import Study
    from ..lab.study_progress import StudyProgress
    from .dashboard import Dashboard as Dashboard
    from .playground import PlaygroundView as PlaygroundView

__all__ = [
    "dashboard",
    "display",
    "evidence_figure",
    "figure",
    "follow",
    "headline",
    "html",
    "judge_rows",
    "live_figure",
    "markdown",
    "progress",
    "report",
]


def html(face: object) -> str:
    """A face as static HTML. Raises TypeError for a value that has no view."""
    from .face_pages import html

    return html(face)


def display(face: object) -> None:
    """A face as a widget in the cell, with its static page beside it."""
    from ..lab.optimization import Optimization
    from ..lab.study import Study
    from ..lab.study_examples import Examples

    if isinstance(face, Study):
        from .live import show

        show(face)
    elif isinstance(face, Optimization):
        from .optimize_view import show_search

        show_search(face)
    elif isinstance(face, Examples):
        from .examples_view import ExamplesView

        ExamplesView(Study(face.of), face).present()
    else:
        raise TypeError(f"no widget shows a {type(face).__name__}.")


def headline(study: Study) -> str:
    """One line on a study: its verdict, or how far it is while it runs."""
    if study.status == "running" and study.progress.calls is not None:
        from .progress_view import line

        return f"running: {line(study.progress.calls, reused=study.progress.reused)}"
    from .study_view import headline

    return f"{study.status}. {headline(study)}"


def follow(progress: StudyProgress) -> None:
    """A line of progress in a script until the study is done."""
    from .progress_view import follow

    follow(progress)


def progress(progress: StudyProgress) -> str:
    """One line on how far a study is."""
    from .progress_view import state

    return state(progress)


def markdown(comparison: Comparison) -> str:
    """A comparison for a pull request."""
    from .comparison_markdown import markdown

    return markdown(comparison)


def figure(comparison: Comparison) -> Figure:
    """The forest plot of a comparison, as a plotly figure."""
    from .comparison_forest import forest

    return forest(comparison)


def evidence_figure(monitor: Monitor) -> object:
    """The evidence of a drift monitor over its days, as a plotly figure."""
    from .drift_view import figure

    return figure(monitor)


def judge_rows(report: JudgeReport) -> list[object]:
    """A judge's figures as rows: figure, value, low, high, n, says."""
    from .judge_view import rows

    return list(rows(report))


def live_figure(live: LiveView) -> object:
    """Live calls by hour and version, as a plotly figure."""
    from .live_calls import figure

    return figure(live)


def report(face: object, path: Path) -> Path:
    """One self-contained HTML file of a study or of a table's comparison; returns its path."""
    from ..lab.compare_table import TableComparison
    from ..lab.study import Study

    if isinstance(face, TableComparison):
        from .table_view import write_report as write_table

        return write_table(face, path)
    if isinstance(face, Study):
        from .report import write_report

        return write_report(face, path)
    raise TypeError(f"no report shows a {type(face).__name__}.")


def dashboard(lab: Lab) -> Dashboard:
    """Everything of a lab in one widget."""
    from .dashboard import dashboard

    return dashboard(lab)


def playground(
    lab: Lab, prompt: str, dataset: Dataset | None, models: Sequence[str]
) -> PlaygroundView:
    """The playground of a prompt as a widget."""
    from .playground import PlaygroundView

    return PlaygroundView(lab, prompt, dataset, models)
