"""A lab at a glance: where it lives, its prompts and what serves, its studies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..markup import esc
from .grid import GridColumn, grid, short
from .theme import chip, colour, page

if TYPE_CHECKING:
    from ..lab.collections import Studies
    from ..lab.lab import Lab
    from ..study.project import Project

__all__ = ["lab_html", "prompts_html", "studies_html"]


def lab_html(lab: Lab) -> str:
    """A lab: where it lives, and its prompts."""
    home = lab.project.location
    where = (
        f"<p><b>Lab</b> <span class='dim'>{esc(home.root)} ({esc(home.why)}) · registry"
        f" {esc(home.registry.name)} · store {esc(home.store.name)}/</span></p>"
    )
    return page(where + _prompts(lab.project))


def prompts_html(project: Project) -> str:
    """Every prompt with what serves where."""
    return page(_prompts(project))


def _prompts(project: Project) -> str:
    names = project.registry.names()
    if not names:
        return (
            "<p class='dim'>No prompt yet: <code>lab.prompt('name').save('text with {{variable}}',"
            " model='...')</code></p>"
        )
    rows = []
    for name in names:
        environments = project.registry.environments(name)
        chips = " ".join(
            chip(f"{env}: v{number}", colour(number)) for env, number in environments.items()
        )
        rows.append(
            (
                f"<b>{esc(name)}</b>",
                f"{len(project.registry.versions(name)):,}",
                chips or "<span class='dim'>nowhere yet</span>",
            ),
        )
    return grid(
        ["prompt", GridColumn("versions", number=True), "serves"],
        rows,
        caption="prompts and where they serve",
    )


def studies_html(studies: Studies) -> str:
    """The studies, newest first; then a line for each optimisation."""
    frame, searches = studies.frame.head(50), _searches(studies)
    if not len(frame) and not searches:
        return page(
            "<p class='dim'>No study yet: <code>lab.evaluate([v1, v2], dataset,"
            " scorers=[...])</code></p>"
        )
    rows = [
        (
            f"<b>{esc(row.name)}</b>",
            short(str(row.prompt or "–")),
            f"{row.arms} × {row.examples:,}",
            short(str(row.dataset)),
            f"{row.runs:,}",
            short(str(row.status or "–")),
            f"<span class='dim po-whole'>{esc(str(row.created_at)[:16])}</span>",
        )
        for row in frame.itertuples(index=False)
    ]
    size, runs = GridColumn("versions × examples", number=True), GridColumn("runs", number=True)
    return page(
        grid(
            ["study", "prompt", size, "dataset", runs, "state", "made (UTC)"],
            rows,
            caption="studies, newest first",
        )
        + searches
    )


def _searches(studies: Studies) -> str:
    """A line for each optimisation, or ""."""
    frame = studies.searches.head(50)
    rows = [
        (
            f"<b>{esc(row.method)}</b>",
            short(str(row.prompt or "–")),
            f"{row.candidates:,}",
            short(str(row.status)),
            f"<span class='dim po-whole'>{esc(str(row.created_at)[:16])}</span>",
        )
        for row in frame.itertuples(index=False)
    ]
    columns: list[GridColumn | str] = [
        "search",
        "prompt",
        GridColumn("candidates", number=True),
        "state",
        "made (UTC)",
    ]
    return grid(columns, rows, caption="searches, newest first") if rows else ""
