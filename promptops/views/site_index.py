"""The first page of a site: open alarms, what serves in each environment, the latest steps, and the
studies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..analysis import words
from ..errors import PromptOpsError
from ..markup import esc
from ..monitor.drift_file import MonitorFile, every
from ..monitor.drift_rows import alarm_rows
from .grid import GridColumn, grid, short
from .site_frame import aside, link, moment, prompt_file, site_page
from .site_lists import StudyRow, deployments, studies_table
from .theme import BAD, GOOD, UNSURE, chip, colour, in_text

if TYPE_CHECKING:
    from ..registry.deployment import DeploymentEntry
    from ..study.project import Project

__all__ = ["index_html"]

_STEPS = 12  # the latest ones on the first page; each prompt's page has all of its own
_ABREAST = 4  # environments that get a column of their own


def index_html(project: Project, studies: list[StudyRow], foot: str) -> str:
    """The page. foot: text."""
    names = project.registry.names()
    histories = {name: deployments(project, name) for name in names}
    served = len({env for found in histories.values() for env in found})
    size = ", ".join(
        (
            words.count(len(names), "prompt"),
            words.count(served, "environment"),
            words.count(len(studies), "study", "studies"),
        )
    )
    body = (
        f"<h1>{aside(project.root.name)}</h1><p class='dim'>{esc(size)}</p>{_alarms(project)}"
        f"<h2>What serves</h2>{_serving(project, histories)}"
        f"<h2>Latest changes</h2>{_steps(histories)}"
        f"<h2>Studies</h2>{studies_table(studies)}"
    )
    return site_page(f"{project.root.name}: prompts", body, foot=foot)


def _alarms(project: Project) -> str:
    """The open alarms, each with its cause; or that none is open if something is watched."""
    files, parts = [], []
    for path in every(project):
        try:
            files.append(MonitorFile.read(path))
        except PromptOpsError as error:
            parts.append(f"<p class='po-alarm'>{aside(error)}</p>")
    going = {alarm["id"] for file in files for alarm in file.alarms if alarm["closed"] is None}
    open_ = [row for row in alarm_rows(files) if row["alarm"] in going]
    prompts = {file.name: str(file.declaration["prompt"]) for file in files}
    listed = "".join(
        f"<li>{link(prompt_file(prompts[row['monitor']]), row['monitor'])}, since"
        f" {esc(row['since'])}: {aside(row['scorer'])} {100 * row['before']:.0f} →"
        f" {100 * row['now']:.0f} %. {aside(row['says'])} <span"
        f" class='dim'>({aside(row['state'])})</span></li>"
        for row in open_
    )
    if open_:
        parts.append(
            f"<div class='po-alarm'><b style='color:{in_text(BAD)}'>▼"
            f" {esc(words.count(len(open_), 'alarm'))}</b><ul>{listed}</ul></div>"
        )
    elif files:
        text = f"No alarm is open in {words.count(len(files), 'monitor')}."
        parts.append(f"<p style='color:{in_text(GOOD)}'>{esc(text)}</p>")
    return "".join(parts)


def _serving(project: Project, histories: dict[str, dict[str, list[DeploymentEntry]]]) -> str:
    """A row per prompt; a column per environment while there are few."""
    if not histories:
        return "<p class='dim'>No prompt is saved yet.</p>"
    environments = sorted({env for found in histories.values() for env in found})
    abreast = 0 < len(environments) <= _ABREAST
    columns: list[GridColumn | str] = ["prompt"]
    columns += environments if abreast else ["serves"]
    rows = []
    for name, found in histories.items():
        now = {env: _now(links[-1]) for env, links in found.items() if links}
        cells = (
            [now.get(env, "<span class='dim'>–</span>") for env in environments]
            if abreast
            else [" ".join(f"{esc(e)} {cell}" for e, cell in now.items()) or "nowhere yet"]
        )
        rows.append((link(prompt_file(name), name), *cells))
    return grid(columns, rows, caption="prompts and what serves where", wide=True)


def _now(entry: DeploymentEntry) -> str:
    """What serves, and since which day."""
    share = ""
    if entry.canary is not None:
        label = f"v{entry.canary.number}"
        share = (
            f" {chip(label, colour(entry.canary.number))}"
            f" <span style='color:{in_text(UNSURE)}'>{entry.canary.percent:g} %</span>"
        )
    return (
        f"<span class='po-whole'>{chip(entry.label, colour(entry.number))}{share}"
        f" <span class='dim'>{esc(entry.at[:10])}</span></span>"
    )


def _steps(histories: dict[str, dict[str, list[DeploymentEntry]]]) -> str:
    entries = [entry for found in histories.values() for links in found.values() for entry in links]
    latest = sorted(entries, key=lambda entry: (entry.at, entry.prompt, entry.env), reverse=True)
    if not latest:
        return "<p class='dim'>Nothing was deployed yet.</p>"
    rows = [
        (
            link(prompt_file(entry.prompt), entry.prompt),
            short(entry.env),
            chip(entry.label, colour(entry.number)),
            esc(entry.kind)
            + (f" <b style='color:{in_text(BAD)}'>forced</b>" if entry.forced else ""),
            aside(entry.author),
            aside(entry.why),
            moment(entry.at),
        )
        for entry in latest[:_STEPS]
    ]
    columns = ["prompt", "environment", "version", "step", "by", "why", "at (UTC)"]
    return grid(columns, rows, caption="the latest deployments, newest first")
