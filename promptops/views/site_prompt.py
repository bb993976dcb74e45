"""The page of a prompt in a site: what serves, each environment's history with its evidence, the
versions with what changed, its studies, monitors, and scores over time.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ..analysis import words
from ..evidence import Evidence
from ..markup import esc
from .drift_view import monitor_parts
from .environments import serving_html
from .prompt_view import template_html
from .registry_view import history_table
from .site_frame import aside, back_link, link, moment, site_page, study_file
from .site_lists import StudyRow, deployments, evidence_of, studies_table
from .site_live import live_parts
from .theme import NEUTRAL, VERDICTS, chip, colour, in_text
from .time_axis import time_axis
from .trend_page import trend_html

if TYPE_CHECKING:
    from ..registry.deployment import DeploymentEntry
    from ..registry.history import SavedEntry
    from ..study.project import Project

__all__ = ["prompt_html"]

_OPEN = 2  # the newest versions, whose text is shown without a click
_SEGMENTS = 24  # deployments on an axis of time


def prompt_html(
    project: Project, name: str, studies: list[StudyRow], newest: str, foot: str
) -> str:
    """The page. newest: the end of the axes of time; foot: text."""
    histories = deployments(project, name)
    cited = [row.id for row in studies]
    parts = [f"<h1>{esc(name)}</h1>", serving_html(project, name)]
    monitors = monitor_parts(project, name)
    if monitors:
        parts.append(f"<h2>Monitors</h2>{monitors}")
    live = live_parts(project, name) if project.location.store.is_dir() else ""
    if live:
        parts.append(f"<h2>Live calls</h2>{live}")
    parts += [_history(name, env, links, newest) for env, links in histories.items()]
    parts.append(_evidence(project, histories, cited))
    parts.append(f"<h2>Studies</h2>{studies_table(studies, '../', named=False)}")
    trend = trend_html(project, name) if studies else ""
    if trend:
        parts.append(
            "<h2>Scores over time</h2><p class='dim'>One point per study and version, with its"
            f" 95 % interval. It describes, and raises no alarm.</p>{trend}"
        )
    parts.append(_versions(project, name))
    above = back_link("../index.html", project.root.name)
    return site_page(f"{name}: {project.root.name}", "".join(parts), above=above, foot=foot)


def _history(name: str, env: str, links: list[DeploymentEntry], newest: str) -> str:
    end = datetime.fromisoformat(newest).replace(tzinfo=UTC) if newest else None
    shown = links[-_SEGMENTS:]
    title = f"{words.count(len(links), 'deployment')} of {name} in {env}, oldest first"
    drawn = time_axis(shown, title, end)
    return f"<h2>History in {esc(env)}</h2>{drawn}{history_table(name, env, links[::-1])}"


def _evidence(
    project: Project, histories: dict[str, list[DeploymentEntry]], pages: list[str]
) -> str:
    """A card per bundle that the deployments cite, newest first. pages: studies with a page."""
    cited = {
        entry.evidence: entry for links in histories.values() for entry in links if entry.evidence
    }
    newest_first = sorted(cited.items(), key=lambda item: (item[1].at, item[0]), reverse=True)
    cards = [
        _card(evidence_of(project, digest), digest, entry, pages) for digest, entry in newest_first
    ]
    return f"<h2>Evidence</h2>{''.join(cards)}" if cards else ""


def _card(
    found: Evidence | str | None, digest: str, entry: DeploymentEntry, pages: list[str]
) -> str:
    where = f"{entry.label} in {entry.env}, {entry.at[:16].replace('T', ' ')} UTC · {digest[:12]}"
    if not isinstance(found, Evidence):
        return f"<p class='po-alarm'>{esc(found)} <span class='dim'>{esc(where)}</span></p>"
    tint, sign = VERDICTS.get(found.decision, (NEUTRAL, "•"))
    reasons = "".join(f"<p>{aside(reason)}</p>" for reason in found.verdict.get("reasons", []))
    checks = "".join(
        f"<li>{esc(check.get('status', ''))}: {aside(check.get('text', ''))}</li>"
        for check in found.verdict.get("checks", [])
        if check.get("text") not in found.verdict.get("reasons", [])
    )
    notes = "".join(f"<li>{aside(note)}</li>" for note in found.notes)
    study = (
        f"study {link('../' + study_file(found.study), found.study[:14])}"
        if found.study in pages
        else f"study {esc(found.study[:14])}"
    )
    more = (
        f"<details><summary>checks and notes</summary><ul>{checks}{notes}</ul></details>"
        if checks or notes
        else ""
    )
    return (
        f"<div class='card' style='--po-accent:{in_text(tint)}'><b class='v'>{sign}"
        f" {esc(found.decision)}</b> <span class='dim'>{esc(where)} · {study}</span>"
        f"{reasons}{more}</div>"
    )


def _versions(project: Project, name: str) -> str:
    """Each version, newest first: its text, and what changed from the one before."""
    entries = project.registry.versions(name)
    parts = []
    for place in range(len(entries) - 1, -1, -1):
        before = entries[place - 1] if place else None
        parts.append(_version(entries[place], before, opened=len(entries) - place <= _OPEN))
    return f"<h2>Versions</h2>{''.join(parts)}" if parts else ""


def _version(entry: SavedEntry, before: SavedEntry | None, *, opened: bool) -> str:
    by = f" by {aside(entry.author)}" if entry.author else ""
    version = entry.version
    note = f" {aside(entry.note)}" if entry.note else ""
    head = (
        f"{chip(f'v{entry.number}', colour(entry.number))}{note} <span class='dim'>{by}</span>"
        f" {moment(entry.created or '')}"
    )
    changed = (
        f"<h3>What changed from v{before.number}</h3>{before.version.diff(version).html()}"
        if before is not None
        else ""
    )
    facts = f"<p class='dim'>{esc(version.id)} · model {esc(version.model or 'none')}</p>"
    return (
        f"<details class='po-more'{' open' if opened else ''}><summary>{head}</summary>"
        f"{facts}{template_html(version.template)}{changed}</details>"
    )
