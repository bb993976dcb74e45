"""`promptops list`, `show` and `diff`: what the registry holds, read only."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from ..markup import plain
from .completing import prompts, versions
from .options import EXITS, as_json, registry, say
from .text_table import show as table

if TYPE_CHECKING:
    from ..registry.editor import Editor
    from ..registry.history import SavedEntry

__all__ = ["diff", "list_", "show"]


@click.command("list", epilog=EXITS)
@registry
@as_json
def list_(path: str, as_json: bool) -> None:
    """List the prompts: their versions, and what serves where."""
    from ..registry.editor import Editor

    editor = Editor(path)
    found = {name: _serving(editor, name) for name in editor.names()}
    rows: list[dict[str, object]] = []
    environments = sorted({env for serving in found.values() for env in serving})
    for name, serving in found.items():
        versions = editor.versions(name)
        row: dict[str, object] = {
            "prompt": name,
            "versions": len(versions),
            "latest": f"v{versions[-1].number}" if versions else None,
        }
        rows.append(
            {**row, "environments": serving}
            if as_json
            else {**row, **{env: serving.get(env) for env in environments}}
        )
    table(
        rows,
        as_json=as_json,
        empty=f"no prompt in {path} yet: save one with lab.prompt('name').save(...)",
    )


@click.command(epilog=EXITS)
@click.argument("name", shell_complete=prompts)
@click.argument("version", required=False, shell_complete=versions)
@click.option("--edit", is_flag=True, help="Open VERSION in $EDITOR, and save what comes back.")
@click.option("--note", default="", help="With --edit: what changed, in a few words.")
@registry
@as_json
def show(name: str, version: str | None, path: str, as_json: bool, edit: bool, note: str) -> None:
    """Show the versions of NAME, or the whole of VERSION (3, v3, or the beginning of an id).

    With --edit, VERSION (default: the latest) opens as Markdown, and what is saved there
    becomes the next version.
    """
    from ..registry.editor import Editor
    from ..registry.history import SavedEntry, find

    prompt = _prompt(path, name)
    if edit:
        from .edit_version import edited

        latest = f"v{SavedEntry(name, prompt['versions'][-1]).number}" if prompt["versions"] else ""
        click.echo(edited(path, find(prompt, name, version or latest), name, note))
        return
    served = _served(Editor(path), name)
    if version is None:
        rows = [
            {**_facts(entry), "serves": ", ".join(served.get(f"v{entry.number}", [])) or None}
            for entry in (SavedEntry(name, stored) for stored in prompt["versions"])
        ]
        short = [
            {**row, "id": row["id"][:11], "created": (row["created"] or "")[:10] or None}
            for row in rows
        ]
        table(rows if as_json else short, as_json=as_json)
        return
    entry = find(prompt, name, version)
    content = entry.version.document()
    facts = {**_facts(entry), "serves": ", ".join(served.get(f"v{entry.number}", [])) or None}
    if as_json:
        say("", {**facts, **content}, True)
        return
    click.echo(_text(facts, content))


@click.command(epilog=EXITS)
@click.argument("name", shell_complete=prompts)
@click.argument("old", shell_complete=versions)
@click.argument("new", shell_complete=versions)
@click.option("--markdown", is_flag=True, help="As Markdown, for a pull request.")
@registry
@as_json
def diff(name: str, old: str, new: str, markdown: bool, path: str, as_json: bool) -> None:
    """Show what changed from version OLD of NAME to version NEW: words, settings, variables."""
    from ..registry.history import find

    prompt = _prompt(path, name)
    sides = [find(prompt, name, wanted) for wanted in (old, new)]
    found = sides[0].version.diff(sides[1].version)
    if as_json:
        messages = [{"role": role, "pieces": pieces} for role, pieces in found.changed()]
        settings = [
            {"name": setting, "old": before, "new": after}
            for setting, before, after in found.settings
        ]
        say(
            "",
            {"old": found.old_id, "new": found.new_id, "messages": messages, "settings": settings},
            True,
        )
        return
    if markdown:
        click.echo(found.markdown())
        return
    styles = {
        "same": "{}",
        "removed": click.style("[-{}-]", fg="red"),
        "added": click.style("{{+{}+}}", fg="green"),
    }
    for role, pieces in found.changed():
        click.echo(
            f"{click.style(role, bold=True)}:"
            f" {''.join(styles[tag].format(plain(text)) for tag, text in pieces)}"
        )
    for setting, before, after in found.settings:
        click.echo(
            f"{click.style(setting, bold=True)}: {plain(before or '(none)')} ->"
            f" {plain(after or '(none)')}"
        )
    if not found:
        click.echo("no difference")


def _prompt(path: str, name: str) -> dict[str, Any]:
    """The prompt as the file holds it. Raises UnknownPrompt, naming near ones."""
    from ..registry.file import RegistryFile, prompt_of

    return prompt_of(RegistryFile(path).read(), name)


def _served(editor: Editor, name: str) -> dict[str, list[str]]:
    """Version's label -> where it serves: "prod", or "dev (20 %)" as a canary."""
    out: dict[str, list[str]] = {}
    for env in editor.environments(name):
        now = editor.serving(name, env)
        if now is not None:
            out.setdefault(now.label, []).append(env)
            if now.canary:
                out.setdefault(f"v{now.canary.number}", []).append(
                    f"{env} ({now.canary.percent:g} %)"
                )
    return out


def _serving(editor: Editor, name: str) -> dict[str, str]:
    """Environment -> "v2", or "v2 + v3 10 %" while a canary runs."""
    out = {}
    for env in editor.environments(name):
        now = editor.serving(name, env)
        if now is not None:
            canary = f" + v{now.canary.number} {now.canary.percent:g} %" if now.canary else ""
            out[env] = f"{now.label}{canary}"
    return out


def _facts(entry: SavedEntry) -> dict[str, Any]:
    version = entry.version
    return {
        "version": f"v{entry.number}",
        "id": entry.id,
        "model": version.model,
        "variables": ", ".join(map(repr, version.variables)) or None,
        "created": entry.created or None,
        "author": entry.author or None,
        "note": entry.note or None,
    }


def _text(facts: dict[str, object], content: dict[str, Any]) -> str:
    """A version as people read it: facts, settings, then each message under its role."""
    import json

    bold = sys.stdout.isatty()
    lines = [  # each on its own line: a note of several must not say what serves
        f"{key}\t{' '.join(plain(value).split())}"
        for key, value in facts.items()
        if value is not None
    ]
    lines += [
        f"{key}\t{json.dumps(value, ensure_ascii=False)}"
        for key, value in sorted(content["settings"].items())
    ]
    lines += [
        f"{key}\t{json.dumps(content[key], ensure_ascii=False)}"
        for key in ("tools", "response_format")
        if content[key]
    ]
    for message in content["messages"]:
        rest = {key: value for key, value in message.items() if key not in ("role", "content")}
        text = message.get("content")
        shown = (
            text
            if isinstance(text, str)
            else ""
            if text is None
            else json.dumps(text, ensure_ascii=False, indent=2)
        )
        lines += [
            "",
            click.style(f"[{message['role']}]", bold=True) if bold else f"[{message['role']}]",
            plain(shown),
        ]
        lines += [json.dumps(rest, ensure_ascii=False)] if rest else []
    return "\n".join(lines)
