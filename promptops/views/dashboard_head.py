"""The header of the dashboard: whose lab it is, what serves in each environment, what is alarmed,
and who is looking.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..analysis import words
from ..markup import esc
from ..monitor.drift_rows import alarm_counts
from .theme import BAD, chip, colour, in_text, page

if TYPE_CHECKING:
    from ..study.project import Project

__all__ = ["head_html"]

_PROMPTS = 6  # with what they serve; the tab Registry has all


def head_html(project: Project, *, writes: bool) -> str:
    """The project's name, what serves, open alarms, the author, and whether it is read-only."""
    may = (
        f"as {esc(project.author)}"
        if writes
        else "<b>read-only</b>: nothing here labels, saves or promotes"
    )
    name = f"<b>{esc(project.root.name)}</b> <span class='dim'>{may}</span>"
    return page(f"<p class='po-head'>{name}{_serving(project)}{_alarms(project)}</p>")


def _serving(project: Project) -> str:
    names = project.registry.names()
    parts = []
    for prompt in names[:_PROMPTS]:
        chips = " ".join(
            chip(f"{env}: v{number}", colour(number))
            for env, number in project.registry.environments(prompt).items()
        )
        parts.append(f"<span>{esc(prompt)} {chips or 'serves nowhere yet'}</span>")
    if len(names) > _PROMPTS:
        parts.append(f"<span class='dim'>and {len(names) - _PROMPTS:,} more</span>")
    return "".join(parts)


def _alarms(project: Project) -> str:
    """Open alarms of the drift monitors, those that are acknowledged apart; "" without one."""
    new, known = alarm_counts(project)
    if new:
        verb = "is" if new == 1 else "are"
        finding = f"▼ {words.count(new, 'monitor')} {verb} alarmed: see Watch"
        return f"<span style='color:{in_text(BAD)}'>{esc(finding)}</span>"
    if known:
        finding = f"{words.count(known, 'monitor')} with an acknowledged alarm: see Watch"
        return f"<span class='dim'>{esc(finding)}</span>"
    return ""
