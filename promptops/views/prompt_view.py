"""A prompt and its saved versions as people look at them: the text with its variables marked, what
changed, where it serves.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..canonical import canonical
from ..markup import esc, shorten, without_data
from .grid import grid, short
from .theme import GOOD, VARIABLE, chip, colour, in_text, page

if TYPE_CHECKING:
    from ..lab.prompt import Prompt, SavedVersion

__all__ = ["prompt", "saved_version", "template_html"]

_MARK = re.compile(r"\{\{[ \t]*[A-Za-z_][A-Za-z0-9_]*[ \t]*\}\}")


def saved_version(version: SavedVersion) -> str:
    """One version: its text, settings, variables, note, and where it serves."""
    serving = [
        env
        for env, number in version.project.registry.environments(version.prompt).items()
        if number == version.number
    ]
    places = "".join(" " + chip(f"serves in {env}", GOOD) for env in serving)
    head = (
        f"<p>{chip(version.label, colour(version.number))} <b>{esc(version.prompt)}</b>{places}"
        f" <span class='dim'>{esc(version.id)}</span></p>"
    )
    note = f"<p>“{esc(version.note)}”</p>" if version.note else ""
    rest = [f"model {version.model or 'none'}"] + [
        f"{name} = {canonical(value)}" for name, value in version.settings.items()
    ]
    takes = ", ".join(map(repr, version.variables)) or "no variables"
    by = (
        f"saved by {version.author} on {version.created[:10]}"
        if version.author and version.created
        else ""
    )
    foot = f"<p class='dim'>{esc(' · '.join([*rest, 'takes ' + takes, *([by] if by else [])]))}</p>"
    return page(head + note + template_html(version.version.template) + foot)


def template_html(messages: list[dict[str, object]]) -> str:
    """Messages with their roles; variables are marked."""
    parts = []
    for message in messages:
        content = message.get("content")
        text = (
            content if isinstance(content, str) else "" if content is None else canonical(content)
        )
        marked = _marked(without_data(text)[:20_000])
        parts.append(
            f"<p class='dim'>{esc(message['role'])}</p><pre>{marked or '<i>spliced in</i>'}</pre>"
        )
    return "".join(parts)


def _marked(text: str) -> str:
    out, at = [], 0
    for match in _MARK.finditer(text):
        out += [
            esc(text[at : match.start()]),
            f"<b style='color:{in_text(VARIABLE)}'>{esc(match[0])}</b>",
        ]
        at = match.end()
    return "".join(out) + esc(text[at:])


def prompt(shown: Prompt) -> str:
    """The versions of a prompt as a table, newest first."""
    entries, environments = shown.versions, shown.project.registry.environments(shown.name)
    if not entries:
        return page(
            f"<p><b>{esc(shown.name)}</b> <span class='dim'>has no version yet: save('text with"
            " {{variable}}', model='...')</span></p>"
        )
    rows = []
    for version in reversed(entries):
        serving = ", ".join(env for env, number in environments.items() if number == version.number)
        text = " ".join(str(message.get("content") or "") for message in version.version.template)
        rows.append(
            (
                chip(version.label, colour(version.number)),
                short(serving) if serving else "<span class='dim'>–</span>",
                esc(version.note),
                short(version.model or "–"),
                f"<span class='dim'>{esc(shorten(text, 90))}</span>",
                f"<span class='dim po-whole'>{esc(version.created[:10])}</span>",
            )
        )
    columns = ["version", "serves in", "note", "model", "text", "saved"]
    return page(
        f"<p><b>{esc(shown.name)}</b></p>"
        f"{grid(columns, rows, caption=f'versions of {shown.name}, newest first')}"
    )
