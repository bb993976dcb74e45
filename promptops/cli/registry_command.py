"""`promptops registry check | merge | diff`: the file itself, for CI, git and reviewers."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .. import git
from ..errors import RegistryCorrupt, RegistryError
from ..markup import count
from .annotations import annotation, index_of, of_changes
from .options import EXITS, as_json, dry_run, explained, say, tell
from .options import registry as registry_option
from .text_table import show as table

if TYPE_CHECKING:
    from ..registry.document import Document
    from ..registry.editor import Editor

__all__ = ["registry"]


@click.group(epilog=EXITS)
def registry() -> None:
    """Check, merge or compare registry files."""


_annotate = click.option(
    "--annotate",
    is_flag=True,
    help="Print remarks at the file's lines, in the form of a GitHub workflow.",
)


@registry.command(epilog=EXITS, short_help="Verify versions, chains and figures.")
@_annotate
@click.option(
    "--all",
    "every",
    is_flag=True,
    help="Recompute the evidence of past deployments too, not only of what serves.",
)
@registry_option
@as_json
def check(every: bool, annotate: bool, path: str, as_json: bool) -> None:
    """Verify every version, chain and promoted figure of the file.

    For CI: exit code 1 if anything is wrong. It also reports which release of the loader
    each version with a request form of its own needs, and which versions their provider accepts
    only through Responses.
    """
    from ..registry import document
    from ..registry.form_notes import form_notes

    try:
        with open(path, "rb") as file:
            read = document.parse(file.read(), path)
    except RegistryCorrupt as error:
        say(str(error), {"faults": [str(error)], "environments": [], "notes": []}, as_json)
        if annotate:
            click.echo(annotation("error", path, 1, str(error)))
        sys.exit(1)
    found = list(document.check(read))
    named = list(found)
    rows = (
        []
        if "exported" in read
        else list(_environments(path, read, {name for name, _ in found}, every))
    )
    named += [(row["prompt"], fault) for row in rows for fault in row.pop("faults")]
    faults = [fault for _, fault in named]
    notes = [*form_notes(read), *(note for row in rows for note in row.pop("notes"))]
    if as_json:
        say("", {"faults": faults, "environments": rows, "notes": notes}, True)
    elif rows:
        table(rows)
    for told in (*notes, *faults):
        tell(told)
    if annotate and faults:
        index = index_of(path, read)
        for name, fault in named:
            click.echo(annotation("error", path, index.mentioned(name, fault), fault))
    versions = sum(
        len(prompt["versions"])
        for prompt in read["prompts"].values()
        if isinstance(prompt, dict) and "versions" in prompt
    )
    click.echo(
        f"{path}: {count(len(read['prompts']), 'prompt')}, {count(versions, 'version')},"
        f" {count(len(faults), 'fault') if faults else 'no faults'}",
        err=True,
    )
    sys.exit(1 if faults else 0)


@registry.command(epilog=EXITS, short_help="Merge three files, as git's merge driver.")
@click.argument("base", type=click.Path(exists=True, dir_okay=False))
@click.argument("ours", type=click.Path(exists=True, dir_okay=False))
@click.argument("theirs", type=click.Path(exists=True, dir_okay=False))
@dry_run
@as_json
@explained
def merge(base: str, ours: str, theirs: str, dry_run: bool, as_json: bool) -> None:
    """Merge three files into OURS; git's merge driver with %O %A %B. Exit code 1 if a person
    must decide.

    \b
    git config merge.promptops.driver "promptops registry merge %O %A %B"
    echo "promptops.json merge=promptops" >> .gitattributes
    """
    import shutil
    import tempfile

    from ..registry.merge_branches import merge_files

    with tempfile.TemporaryDirectory(prefix="promptops-") as folder:
        into = shutil.copyfile(ours, os.path.join(folder, "ours.json")) if dry_run else ours
        merged = merge_files(base, into, theirs)
    if as_json:
        say(
            "",
            {"notes": list(merged.notes), "conflicts": list(merged.conflicts), "dry_run": dry_run},
            True,
        )
    for text in (*merged.notes, *merged.conflicts):
        click.echo(text, err=True)
    sys.exit(1 if merged.conflicts else 0)


@registry.command(epilog=EXITS, short_help="Show what changed, as Markdown.")
@click.argument("old")
@click.argument("new", required=False)
@_annotate
@registry_option
@as_json
def diff(old: str, new: str | None, annotate: bool, path: str, as_json: bool) -> None:
    """Show what changed from OLD to NEW as Markdown for a pull request: words, settings, verdicts,
    what they cost.

    OLD and NEW are files, or git revisions of the registry (main, HEAD~1); NEW is the file as it
    is, unless named.

    \b
    promptops registry diff origin/main
    """
    from ..registry.changes import changes, markdown
    from .verify import different

    sides = [_read(old, path), _read(new or path, path)]
    if annotate:
        file = new if new is not None and os.path.isfile(new) else path
        for remark in of_changes(changes(sides[0], sides[1]), file, sides[1]):
            click.echo(remark)
        return
    if as_json:
        say("", [_change(change) for change in changes(sides[0], sides[1])], True)
        return
    evidence = Path(new) if new and os.path.isfile(new) else Path(path)
    click.echo(markdown(sides[0], sides[1], evidence.resolve(), different), nl=False)


def _environments(
    path: str, read: Document, broken: set[str], every: bool
) -> Iterator[dict[str, Any]]:
    """One row per environment, with the faults of its evidence; `broken` prompts were reported
    already, and are not read further.
    """
    from ..registry.editor import Editor

    editor = Editor(path)
    for name in sorted(read["prompts"]):
        if name in broken:
            yield {
                "prompt": name,
                "env": None,
                "serves": None,
                "figures": "not read: the prompt is not sound",
                "faults": [],
                "notes": [],
            }
            continue
        for env in sorted(read["prompts"][name].get("environments", {})):
            yield _environment(editor, read, (name, env), every)


def _environment(
    editor: Editor, read: Document, place: tuple[str, str], every: bool
) -> dict[str, Any]:
    """The row of one (prompt, environment); every: whether its earlier evidence is checked too."""
    from .verify import check as checked
    from .verify import grounds, summary, today

    name, env = place

    try:
        links = editor.history(name, env)
    except (
        KeyError,
        TypeError,
        AttributeError,
    ) as error:  # sealed by hand, without a field that every deployment has
        fault = f"a deployment of {name} in {env} is malformed ({type(error).__name__}: {error})"
        return {
            "prompt": name,
            "env": env,
            "serves": None,
            "figures": "not read",
            "faults": [fault],
            "notes": [],
        }
    last = grounds(links)
    faults, figures = checked(editor, links, last)
    found = [(last, figures)]
    for link in _earlier(links, last) if every else ():
        more, past = checked(editor, links, link)
        faults += more
        found.append((link, past))
    faults += [
        f"{link.label} in {env} of {name}: {figure.name} was promoted as {figure.recorded},"
        f" is {figure.recomputed}"
        for link, those in found
        for figure in those
        if not figure.same
    ]
    return {
        "prompt": name,
        "env": env,
        "serves": links[-1].label,
        "figures": summary(last, figures),
        "faults": faults,
        "notes": [] if faults else today(editor, read, last),
    }


def _earlier(links: Any, last: Any) -> Iterator[Any]:
    """Deployments whose evidence is not that of what serves, each bundle once."""
    seen = {last.evidence, None}
    for link in links:
        if link.evidence not in seen:
            seen.add(link.evidence)
            yield link


def _read(side: str, path: str) -> Document:
    """The registry of a file or of a git revision. Raises RegistryError if it is neither."""
    from ..registry import document

    if os.path.isfile(side):
        return document.parse(Path(side).read_bytes(), side)
    folder, name = os.path.split(path)
    try:
        content = git.blob(folder, side, name)
        if content is None and git.is_commit(folder, side):
            return document.empty()  # a revision from before the file
    except OSError as error:
        raise RegistryError(f"{side} is not a file, and git cannot be asked ({error}).") from None
    if content is None:
        raise RegistryError(
            f"{side!r} is neither a file nor a git revision; give a registry file, or a revision"
            " such as main."
        )
    return document.parse(content, f"{side}:{name}")


def _change(change: Any) -> dict[str, Any]:
    """A change, JSON-ready."""
    return {
        "prompt": change.name,
        "versions": [
            {
                "number": e.number,
                "id": e.id,
                "note": e.note,
                "author": e.author,
                "diff": str(d) if d else None,
            }
            for e, _, d in change.versions
        ],
        "deployments": [
            {
                "env": link.env,
                "kind": link.kind,
                "serves": link.label,
                "at": link.at,
                "author": link.author,
                "forced": link.forced,
                "evidence": link.evidence,
            }
            for link in change.deployments
        ],
        "went_back": [{"env": env, "from": was, "to": now} for env, was, now in change.back],
        "policy": [side.document() for side in change.policy] if change.policy else None,
        "faults": list(change.faults),
    }
