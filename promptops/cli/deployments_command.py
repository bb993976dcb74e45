"""`promptops history`, `promote`, `rollback` and `canary`: what serves where, and changing it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import Refused
from ..markup import plain
from .canary_guard import guarding, run_guard
from .completing import environments, prompts, studies, versions
from .options import EXITS, acting, as_json, dry_run, notes, registry, rehearsed, say
from .options import author as who
from .text_table import show as table

if TYPE_CHECKING:
    from ..evidence import Evidence
    from ..registry.deployment import DeploymentEntry

__all__ = ["canary", "history", "promote", "rollback"]

_env = click.option(
    "--env",
    required=True,
    help="The environment: prod, staging, dev, ...",
    shell_complete=environments,
)
_STEPS = ("widen", "finish", "abort", "guard")
_reason = click.option("--reason", default="", help="Why; it stays in the history.")


@click.command(epilog=EXITS)
@click.argument("name", shell_complete=prompts)
@click.option("--env", help="One environment [default: all].", shell_complete=environments)
@registry
@as_json
def history(name: str, env: str | None, path: str, as_json: bool) -> None:
    """Show what served NAME, since when, who decided it, why, and on which evidence; newest
    last.
    """
    from ..registry.editor import Editor
    from ..registry.file import RegistryFile, prompt_of

    editor = Editor(path)
    environments = sorted(prompt_of(RegistryFile(path).read(), name).get("environments", {}))
    links = [
        link for each in ([env] if env else environments) for link in editor.history(name, each)
    ]
    if as_json:
        table([_row(link) for link in links], as_json=True)
        return
    rows = [
        {
            "env": link.env,
            "at": link.at[:16].replace("T", " "),
            "kind": f"{link.kind}, forced" if link.forced else link.kind,
            "serves": (
                f"{link.label} + v{link.canary.number} {link.canary.percent:g} %"
                if link.canary
                else link.label
            ),
            "by": link.author,
            "for": _lasted(link.duration_s),
            "evidence": link.evidence[:8] if link.evidence else None,
            "why": link.why or None,
        }
        for link in links
    ]
    table(rows, empty=f"{name} was never deployed{f' in {env!r}' if env else ''}")


@click.command(epilog=EXITS)
@click.argument("name", shell_complete=prompts)
@click.argument("version", shell_complete=versions)
@_env
@click.option(
    "--study",
    help="The study that carries it: a name, an id, or the beginning of one.",
    shell_complete=studies,
)
@click.option(
    "--force", is_flag=True, help="Bypass the gate (requires --reason; recorded permanently)."
)
@_reason
@click.option(
    "--override",
    default="",
    metavar="REASON",
    help="Why to promote what was rolled back, replaced or refused before.",
)
@click.option("--percent", type=float, help="As a canary, for this share of the keys.")
@acting
@registry
@dry_run
@as_json
def promote(
    name: str,
    version: str,
    env: str,
    study: str | None,
    path: str,
    dry_run: bool,
    as_json: bool,
    **step: Any,
) -> None:
    """Make ENV serve VERSION of NAME, if the registry's policy allows it.

    Evidence comes from --study; an ungated environment needs none. Promoting what serves already
    changes nothing; what was rolled back, replaced or refused on the same measurements needs
    --override.
    """
    named = step.pop("author")
    try:
        with notes():
            if study is None:
                done = _promoted(
                    path, dry_run, None, name, version, env, author=who(named, path), **step
                )
            else:
                done = _through_lab(path, dry_run, study, name, version, env, author=named, **step)
            if done.note:  # in here, so that it is not printed as a note too
                raise Refused(f"{env} of {name} is unchanged: {done.note}", [done.note])
    except Refused as error:
        reasons = [_flagged(reason) for reason in error.reasons]
        if as_json:
            say("", {"changed": False, "refused": reasons}, True)
        raise Refused(_flagged(str(error)), reasons) from None
    _tell(done, dry_run, as_json)


@click.command(epilog=EXITS)
@click.argument("name", shell_complete=prompts)
@_env
@click.option(
    "--to",
    help="The version to go back to: 3, v3 or an id [default: the last good one].",
    shell_complete=versions,
)
@click.option("--if-serving", help="Act only while this version serves.")
@_reason
@acting
@registry
@dry_run
@as_json
def rollback(name: str, env: str, path: str, dry_run: bool, as_json: bool, **step: Any) -> None:
    """Make ENV serve an earlier version of NAME at once. It needs no evidence, and is recorded."""
    from ..registry.editor import Editor

    step["author"] = who(step["author"], path)
    with rehearsed(path, dry_run) as where:
        done = Editor(where).rollback(name, env, **step)
    if done is None:
        say(
            f"nothing to do: {step['if_serving']} does not serve {env} of {name}",
            {"changed": False},
            as_json,
        )
        return
    _tell(done, dry_run, as_json)


@click.command(epilog=EXITS)
@click.argument("step", metavar="widen|finish|abort|guard")
@click.argument("name", shell_complete=prompts)
@click.argument("percent", required=False, type=float)
@_env
@_reason
@guarding
@acting
@registry
@dry_run
@as_json
def canary(
    name: str,
    step: str,
    percent: float | None,
    env: str,
    reason: str,
    author: str,
    path: str,
    dry_run: bool,
    as_json: bool,
    **guards: object,
) -> None:
    """Widen NAME's canary in ENV to PERCENT, finish it (everyone gets it), abort it (nobody does),
    or guard it: judge it by its live calls.

    \b
    promptops promote support-triage v5 --env prod --study NAME --percent 10
    promptops canary widen support-triage 50 --env prod
    promptops canary finish support-triage --env prod
    promptops canary guard support-triage --env prod --abort
    """
    from ..registry.editor import Editor

    if name in _STEPS and step not in _STEPS:  # the name may come first
        name, step = step, name
    if step not in _STEPS:
        raise click.UsageError(f"{step!r} is not a step; a step is {', '.join(_STEPS)}")
    if step == "guard" and percent is None:
        run_guard(path, name, env, author=author, dry_run=dry_run, as_json=as_json, **guards)
        return
    if (step == "widen") != (percent is not None):
        raise click.UsageError("widen takes the new share in percent; finish and abort take none")
    logged = {"author": who(author, path), "reason": reason}
    with rehearsed(path, dry_run) as where:
        editor = Editor(where)
        if percent is not None:
            done = editor.widen(name, env, percent, **logged)
        else:
            done = (
                editor.finish(name, env, **logged)
                if step == "finish"
                else editor.abort(name, env, **logged)
            )
    _tell(done, dry_run, as_json)


def _flagged(text: str) -> str:
    """What the lab says, with its keyword as the flag of this command."""
    return text.replace('override="reason"', '--override "reason"')


def _promoted(
    path: str,
    rehearse: bool,
    evidence: Evidence | None,
    name: str,
    version: str,
    env: str,
    **step: Any,
) -> DeploymentEntry:
    from ..registry.editor import Editor

    with rehearsed(path, rehearse) as where:
        return Editor(where).promote(name, version, env, evidence=evidence, **step)


def _through_lab(
    path: str, rehearse: bool, study: str, name: str, version: str, env: str, **step: Any
) -> DeploymentEntry:
    """With the study's evidence, and the verdict recorded in the store, which a rehearsal leaves
    out.
    """
    from ..registry.editor import Editor
    from ..registry.file import RegistryFile, prompt_of
    from ..registry.history import find
    from ..study.promotion_basis import ask

    lab = _lab(path, step["author"])
    number = find(prompt_of(RegistryFile(path).read(), name), name, version).number
    saved, found = lab.prompt(name)[number], lab.study(study)
    named = step.pop("author")
    if rehearse:
        now = Editor(path).serving(name, env)
        if now is not None and now.id == saved.id:
            return replace(now, changed=False)
        word = step["override"].strip() or (step["reason"].strip() if step["force"] else "")
        asked = ask(
            lab.project,
            saved,
            env,
            found.recorded,
            word=word,
            percent=step["percent"],
            force=step["force"],
        )
        step |= {"found": asked.found, "author": who(named, path)}
        return _promoted(path, True, asked.request.evidence, name, version, env, **step)
    entry: DeploymentEntry = lab.promote(saved, env=env, study=found, **step).entry
    return entry


def _lab(path: str, author: str) -> Any:
    """The lab whose registry this is.

    Raises UsageError if the lab that is found writes another file.
    """
    from ..lab import Lab

    root = None if os.environ.get("PROMPTOPS_REGISTRY") else Path(path).parent
    lab = Lab(root, author=author)
    if os.path.realpath(lab.project.registry.path) != os.path.realpath(path):
        raise click.UsageError(
            f"--study needs the lab's own registry, {lab.project.registry.path}; leave"
            " --registry out"
        )
    return lab


def _tell(done: DeploymentEntry, rehearsal: bool, machine: bool) -> None:
    if done.canary:
        now = (
            f"{done.env} of {done.prompt} gives v{done.canary.number} to {done.canary.percent:g} %,"
            f" the rest stays on {done.label}"
        )
    else:
        now = f"{done.env} of {done.prompt} serves {done.label}"
    state = f"would change: {now}" if rehearsal else f"{now} now"
    line = (
        f"{state}, by {done.author or 'unknown'}"
        if done.changed
        else f"nothing to do: {now} already, since {done.at}"
    )
    forced = (
        "".join(f"\nforced past: {' '.join(point.split())}" for point in done.unmet)
        if done.changed and done.forced
        else ""
    )
    broken = done.note if done.changed and done.kind == "rollback" else ""
    warning = f"\nwarning: {' '.join(broken.split())}" if broken else ""
    row = {**_row(done), "changed": done.changed, "dry_run": rehearsal}
    say(plain(line + forced + warning), row | ({"warning": broken} if broken else {}), machine)


def _row(link: DeploymentEntry) -> dict[str, Any]:
    """A deployment, JSON-ready, with its version's label and how long it served in seconds."""
    row = json.loads(json.dumps(asdict(link)))
    del row["changed"], row["note"]
    return {**row, "override": link.override, "label": link.label, "duration_s": link.duration_s}


def _lasted(seconds: float | None) -> str | None:
    """A duration as people say it."""
    if seconds is None:
        return None
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
