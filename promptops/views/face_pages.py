"""The static page of each face of `promptops.lab`. Its own view is imported when it is shown."""

from __future__ import annotations

from functools import singledispatch

from ..lab.answer import Answer
from ..lab.collections import Prompts, Studies
from ..lab.compare_table import TableComparison
from ..lab.comparison import Comparison
from ..lab.deployments import Deployment, History
from ..lab.judge_report import JudgeReport
from ..lab.lab import Lab
from ..lab.leaderboard import Leaderboard
from ..lab.live_view import LiveView
from ..lab.model_grid import ModelGrid
from ..lab.monitor import Monitor
from ..lab.optimization import Optimization
from ..lab.prompt import Prompt, SavedVersion
from ..lab.study import Study
from ..lab.study_progress import StudyProgress
from ..lab.study_review import StudyReview
from ..lab.task_table import Tasks
from ..markup import esc

__all__ = ["html"]


@singledispatch
def html(face: object) -> str:
    """A face as static HTML. Raises TypeError for a value that has no view."""
    raise TypeError(f"no view shows a {type(face).__name__}; every face of promptops.lab has one.")


@html.register
def _(face: Answer) -> str:
    from .theme import page

    text = esc(face.text) or "<i>no text</i>"
    return page(f"<pre>{text}</pre><p class='dim'>{esc(face.label)} · {esc(face.facts())}</p>")


@html.register
def _(face: Prompts) -> str:
    from .overview import prompts_html

    return prompts_html(face.project)


@html.register
def _(face: Studies) -> str:
    from .overview import studies_html

    return studies_html(face)


@html.register
def _(face: Comparison) -> str:
    from .comparison_view import html

    return html(face)


@html.register
def _(face: TableComparison) -> str:
    from .table_view import html

    return html(face)


@html.register
def _(face: Deployment) -> str:
    from .registry_view import deployment_html

    return deployment_html(face)


@html.register
def _(face: History) -> str:
    from .registry_view import history_html

    return history_html(face)


@html.register
def _(face: JudgeReport) -> str:
    from .judge_view import html

    return html(face)


@html.register
def _(face: Lab) -> str:
    from .overview import lab_html

    return lab_html(face)


@html.register
def _(face: ModelGrid) -> str:
    from .model_grid_view import html

    return html(face)


@html.register
def _(face: Tasks) -> str:
    from .task_view import html

    return html(face)


@html.register
def _(face: Leaderboard) -> str:
    from .leaderboard_view import html

    return html(face)


@html.register
def _(face: Monitor) -> str:
    from .drift_view import html

    return html(face)


@html.register
def _(face: Optimization) -> str:
    from .optimize_view import html

    return html(face)


@html.register
def _(face: LiveView) -> str:
    from .live_calls import html

    return html(face)


@html.register
def _(face: Prompt) -> str:
    from .prompt_view import prompt

    return prompt(face)


@html.register
def _(face: SavedVersion) -> str:
    from .prompt_view import saved_version

    return saved_version(face)


@html.register
def _(face: Study) -> str:
    from .study_view import html

    return html(face)


@html.register
def _(face: StudyProgress) -> str:
    from .progress_view import html

    return html(face)


@html.register
def _(face: StudyReview) -> str:
    from .study_view import review_html

    return review_html(face)
