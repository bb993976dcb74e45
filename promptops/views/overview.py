"""A lab at a glance: where it lives, its prompts and what serves, its studies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..markup import esc
from .theme import chip, colour, page

if TYPE_CHECKING:
    from ..lab.collections import Studies
    from ..lab.lab import Lab

__all__ = ["lab_html", "prompts_html", "studies_html"]


def lab_html(lab: Lab) -> str:
    """A lab: where it lives, and its prompts."""
    home = lab._home
    where = f"<p><b>Lab</b> <span class='dim'>{esc(home.root)} ({esc(home.why)}) · registry {esc(home.registry.name)} · store {esc(home.store.name)}/</span></p>"
    return page(where + _prompts(lab))


def prompts_html(lab: Lab) -> str:
    """Every prompt with what serves where."""
    return page(_prompts(lab))


def _prompts(lab: Lab) -> str:
    names = lab._registry.names()
    if not names:
        return "<p class='dim'>No prompt yet: <code>lab.prompt('name').save('text with {{variable}}', model='...')</code></p>"
    rows = []
    for name in names:
        environments = lab._environments(name)
        chips = " ".join(chip(f"{env}: v{number}", colour(number)) for env, number in environments.items())
        rows.append(
            f"<tr><td><b>{esc(name)}</b></td><td class='num'>{len(lab.prompt(name)):,}</td><td>{chips or '<span class=dim>nowhere yet</span>'}</td></tr>"
        )
    return (
        f"<table><thead><tr><th>prompt</th><th class='num'>versions</th><th>serves</th></tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )


def studies_html(studies: Studies) -> str:
    """The studies, newest first."""
    frame = studies.frame.head(50)
    if not len(frame):
        return page("<p class='dim'>No study yet: <code>lab.evaluate([v1, v2], dataset, scorers=[...])</code></p>")
    rows = "".join(
        f"<tr><td><b>{esc(row.name)}</b></td><td>{esc(row.prompt or '–')}</td><td class='num'>{row.arms} × {row.examples:,}</td><td>{esc(row.dataset)}</td>"
        f"<td class='num'>{row.runs:,}</td><td>{esc(row.status or '–')}</td><td class='dim'>{esc(str(row.created_at)[:16])}</td></tr>"
        for row in frame.itertuples(index=False)
    )
    head = "<tr><th>study</th><th>prompt</th><th class='num'>versions × examples</th><th>dataset</th><th class='num'>runs</th><th>state</th><th>made (UTC)</th></tr>"
    return page(f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>")
