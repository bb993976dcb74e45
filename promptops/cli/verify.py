"""`promptops verify`: every figure that a deployment rests on, computed again from its committed
evidence, number by number.

Nothing is needed but the clone: no store, no key, no network. `check` is what `promptops registry
check` asks of every environment.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import NotDeployed, PromptOpsError
from .completing import environments, prompts
from .options import EXITS, as_json, registry, say, tell
from .text_table import show as table

if TYPE_CHECKING:
    from ..analysis.recompute import Figure
    from ..evidence import Evidence
    from ..registry.deployment import DeploymentEntry
    from ..registry.document import Document
    from ..registry.editor import Editor

__all__ = ["check", "different", "grounds", "summary", "today", "verify"]

_SHOWN = 5  # figures that differ: one that was changed changes many


@click.command(epilog=EXITS)
@click.argument("name", shell_complete=prompts)
@click.option(
    "--env",
    required=True,
    help="The environment: prod, staging, ...",
    shell_complete=environments,
)
@registry
@as_json
def verify(name: str, env: str, path: str, as_json: bool) -> None:
    """Recompute every promoted figure of what serves NAME in ENV, and report for each number
    whether it is the same.

    Exit code 1 if a figure differs, or the evidence is missing, edited, or about something else.
    """
    from ..registry.editor import Editor

    editor = Editor(path)
    links = editor.history(name, env)
    if not links:
        raise NotDeployed(f"{name} is not deployed in {env!r}; promote a version there first.")
    link = grounds(links)
    faults, figures = check(editor, links, link)
    different = [figure for figure in figures if not figure.same]
    rows = [
        {
            "figure": f.name,
            "promoted": f.recorded,
            "now": f.recomputed,
            "says": "same" if f.same else "DIFFERENT",
        }
        for f in figures
    ]
    if as_json:
        say(
            "",
            {
                "prompt": name,
                "env": env,
                "version": link.label,
                "evidence": link.evidence,
                "faults": faults,
                "figures": rows,
            },
            True,
        )
    elif rows:  # what differs is shown in full: it may differ in the tenth digit
        table(
            [
                row if f.same else {**row, "promoted": repr(f.recorded), "now": repr(f.recomputed)}
                for row, f in zip(rows, figures, strict=True)
            ]
        )
    for fault in faults:
        tell(fault)
    click.echo(f"{env} of {name}, {link.label}: {summary(link, figures)}", err=True)
    sys.exit(1 if faults or different else 0)


def grounds(links: Sequence[DeploymentEntry]) -> DeploymentEntry:
    """The deployment whose evidence what serves now rests on: the last one, or after a rollback the
    one that first brought it.
    """
    now = links[-1]
    if now.evidence is not None or now.kind != "rollback":
        return now
    return next(
        (
            link
            for link in reversed(links)
            if link.evidence is not None and _subject(link) == now.id
        ),
        now,
    )


def check(
    editor: Editor, links: Sequence[DeploymentEntry], link: DeploymentEntry
) -> tuple[list[str], list[Figure]]:
    """(faults, figures) of one deployment among its chain; each fault a sentence, each figure
    recorded and computed again.
    """
    from ..analysis.recompute import recompute
    from ..evidence import Evidence

    try:
        if link.evidence is None:
            return list(_without(editor, link)), []
        evidence = Evidence.read(Path(editor.path).resolve(), link.evidence)
        return list(_about(evidence, links, link)), recompute(evidence)
    except (PromptOpsError, TypeError, ValueError, KeyError, AttributeError) as error:
        return [f"{link.env} of {link.prompt}, {link.label}: {error}"], []


def different(evidence: Evidence) -> list[str]:
    """Which figures of a bundle do not follow from its scores, a sentence each."""
    from ..analysis.recompute import recompute

    return [
        f"{figure.name} is recorded as {figure.recorded}, and the scores give {figure.recomputed}."
        for figure in recompute(evidence)
        if not figure.same
    ][:_SHOWN]


def today(editor: Editor, read: Document, link: DeploymentEntry) -> list[str]:
    """What the gate would say of a deployment under the policy of today, which may have been
    another one then: a note, and no fault.
    """
    from ..evidence import Evidence
    from ..registry.unmarked import unmarked

    if link.evidence is None:
        return []
    evidence = Evidence.read(Path(editor.path).resolve(), link.evidence)
    where = f"{link.label} in {link.env} of {link.prompt} would not pass the gate today"
    return [f"{where}: {point}" for point in unmarked(read, link, evidence)]


def _subject(link: DeploymentEntry) -> str:
    """The id that the deployment brought: the canary's, or the version that serves."""
    return link.canary.id if link.canary else link.id


def _without(editor: Editor, link: DeploymentEntry) -> Iterator[str]:
    """What is wrong with a deployment that cites no evidence: nothing if it is ungated, forced,
    or a rollback.
    """
    if (
        link.kind != "rollback"
        and not link.forced
        and link.env not in editor.policy(link.prompt).ungated_environments
    ):
        yield (
            f"{link.env} of {link.prompt} serves {link.label} without evidence, and it is not"
            " marked as forced."
        )


def _about(
    evidence: Evidence, links: Sequence[DeploymentEntry], link: DeploymentEntry
) -> Iterator[str]:
    """Whether the evidence is about this step. A forced one is marked for what it lacks already."""
    where = f"the evidence of {link.label} in {link.env} of {link.prompt}"
    if link.forced:
        return
    if evidence.prompt != link.prompt or evidence.candidate != _subject(link):
        yield f"{where} is about other content ({evidence.prompt} {evidence.candidate[:11]})."
    if evidence.decision != "promote":
        yield f"{where} says {evidence.decision}, and the deployment is not marked as forced."
    before = _incumbent(links, link)
    if before is not None and evidence.baseline != before[0]:
        named = evidence.baseline[:11] if evidence.baseline else "nothing"
        yield f"{where} is against {named}, but {before[1]} served then."


def _incumbent(
    links: Sequence[DeploymentEntry], link: DeploymentEntry
) -> tuple[str | None, str] | None:
    """(id, label) of what served when the evidence was first used; (None, ...) before a first
    deployment; None if an export cut it off.
    """
    first = next(
        (
            each
            for each in links
            if each.evidence == link.evidence and _subject(each) == _subject(link)
        ),
        link,
    )
    index = list(links).index(first)
    if index == 0:
        return (None, "nothing") if first.position == 1 else None
    return links[index - 1].id, links[index - 1].label


def summary(link: DeploymentEntry, figures: Sequence[Figure]) -> str:
    """One phrase: how many figures there are, and whether they are the same."""
    forced = ", forced" if link.forced else ""
    if link.evidence is None:
        return (
            "no evidence to"
            f" recompute{forced or (', a rollback' if link.kind == 'rollback' else '')}"
        )
    different = sum(not figure.same for figure in figures)
    return (
        f"{different} of {len(figures)} figures DIFFER"
        if different
        else f"{len(figures)} figures, all the same"
    ) + forced
