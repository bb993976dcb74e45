"""How a face reaches its view: the one place where `lab` knows of `views`.

Views are the layer above and import the faces openly. A face shows itself by calling a function
of this module, which imports `views.faces` when it is first called, so that `import promptops.lab`
loads no view.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..dataset import Dataset
    from ..views.faces import Dashboard as Dashboard
    from ..views.faces import PlaygroundView as PlaygroundView

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
    "playground",
    "progress",
    "report",
]


def html(face: object) -> str:
    """A face as a table, card or page of static HTML."""
    from ..views import faces

    return faces.html(face)


def display(face: object) -> None:
    """A face as a widget in the cell, with its static page beside it."""
    from ..views import faces

    faces.display(face)


def headline(study: Any) -> str:
    """One line on a study: its verdict, or how far it is while it runs."""
    from ..views import faces

    return faces.headline(study)


def follow(progress: Any) -> None:
    """A line of progress in a script until the study is done."""
    from ..views import faces

    faces.follow(progress)


def progress(progress: Any) -> str:
    """One line on how far a study is."""
    from ..views import faces

    return faces.progress(progress)


def markdown(comparison: Any) -> str:
    """A comparison for a pull request."""
    from ..views import faces

    return faces.markdown(comparison)


def figure(comparison: Any) -> object:
    """The forest plot of a comparison, as a plotly figure."""
    from ..views import faces

    return faces.figure(comparison)


def evidence_figure(monitor: Any) -> object:
    """The evidence of a drift monitor over its days, as a plotly figure."""
    from ..views import faces

    return faces.evidence_figure(monitor)


def judge_rows(report: Any) -> list[object]:
    """A judge's figures as rows: figure, value, low, high, n, says."""
    from ..views import faces

    return faces.judge_rows(report)


def live_figure(live: Any) -> object:
    """Live calls by hour and version, as a plotly figure."""
    from ..views import faces

    return faces.live_figure(live)


def report(face: object, path: Path) -> Path:
    """One self-contained HTML file; returns its path."""
    from ..views import faces

    return faces.report(face, path)


def dashboard(lab: Any) -> Dashboard:
    """Everything of a lab in one widget."""
    from ..views import faces

    return faces.dashboard(lab)


def playground(
    lab: Any, prompt: str, dataset: Dataset | None, models: Sequence[str]
) -> PlaygroundView:
    """The playground of a prompt as a widget."""
    from ..views import faces

    return faces.playground(lab, prompt, dataset, models)
