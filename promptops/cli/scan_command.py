"""`promptops scan PATH...`: the prompts found in source code."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ..exchange.scan import FoundPrompt
    from ..study.project import Project

from ..markup import count
from ..redact import Redactor

__all__ = ["scan"]


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--write", is_flag=True, help="Save version 1 of each; print its replacement.")
@click.option("--env", help="With --write: the environment that serves each as the code has it.")
@click.option(
    "--check",
    is_flag=True,
    help="Exit with 1 if there are prompts that the baseline does not know.",
)
@click.option("--write-baseline", is_flag=True, help="Record what was found as known.")
@click.option(
    "--baseline",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The baseline [default: promptops-scan.json here].",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
def scan(
    paths: tuple[Path, ...],
    write: bool,
    env: str | None,
    check: bool,
    write_baseline: bool,
    baseline: Path | None,
    as_json: bool,
) -> None:
    """Find the prompts in Python, TypeScript and JavaScript source.

    A line, or the line above, with `promptops: not-a-prompt` is left out. Nothing is executed.
    Secrets are shown as [redacted], and a prompt that holds one is not saved. Exit codes: 0 done;
    1 with --check, if there are prompts that the baseline does not know, and with --write, if a
    prompt was not saved because of a secret; 2 misuse.
    """
    from ..exchange.scan import BASELINE, Baseline
    from ..exchange.scan import scan as scan_paths

    place = baseline or Path(BASELINE)
    found = scan_paths(paths)
    if env and not write:
        raise click.UsageError("--env serves what --write saves; give both.")
    if check:
        found = Baseline.read(place).new(found)
    if write_baseline:
        Baseline.write(found, place)
        click.echo(f"{place}: {count(len(found), 'prompt')} recorded as known", err=as_json)
        return
    if as_json:
        clean = Redactor()
        documents = [json.loads(clean(json.dumps(_document(p)))) for p in found]
        click.echo(json.dumps(documents, ensure_ascii=False, indent=2))
    elif write:
        if not _write(found, env):
            raise SystemExit(1)
    else:
        _tell(found, check)
    if check and found:
        raise SystemExit(1)


def _document(prompt: FoundPrompt) -> dict[str, object]:
    from ..exchange.scan.found_prompt import plain_text

    return {
        "name": prompt.name,
        "file": prompt.file,
        "line": prompt.line,
        "call": prompt.call,
        "model": prompt.model,
        "settings": dict(prompt.settings),
        "unread": list(prompt.unread),
        "variables": prompt.variables,
        "messages": [{"role": role, "text": plain_text(text)} for role, text in prompt.messages],
        "key": prompt.key,
    }


def _tell(found: Sequence[FoundPrompt], check: bool) -> None:
    from ..exchange.scan.found_prompt import plain_text
    from ..markup import one_line, plain

    clean = Redactor()
    for prompt in found:
        facts = [one_line(f"{prompt.file}:{prompt.line}"), prompt.name]
        facts += [prompt.model] if prompt.model else []
        facts += [f"{name}={value!r}" for name, value in prompt.settings.items()]
        facts += [f"{{{{{name}}}}}" for name in prompt.variables]
        click.echo(plain(clean("  ".join(facts))))
        shown = " ".join(clean(plain_text(prompt.messages[-1][1])).split())
        click.echo(plain(f"    {shown[:90]}"))
        if prompt.unread:
            click.echo(plain(f"    not literal, and not read: {', '.join(prompt.unread)}"))
    new = "new " if check else ""
    click.echo(f"{len(found):,} {new}prompt{'' if len(found) == 1 else 's'} found")


def _write(found: Sequence[FoundPrompt], env: str | None) -> bool:
    """Save each prompt, and tell its replacement; whether none was left out for a secret."""
    from ..errors import VersionError
    from ..exchange.scan import replacement
    from ..markup import one_line, plain
    from ..study.project import Project

    project, clean = Project.open(), Redactor()
    saved, refused = 0, 0
    try:
        for prompt in found:
            fault = prompt.fault()
            place = one_line(f"{prompt.file}:{prompt.line}")
            if fault:
                click.echo(plain(clean(f"{place}  {prompt.name} was not saved: {fault}")))
                continue
            note = f"from {place}"
            version = prompt.version()
            try:
                number = project.registry.save(prompt.name, version, note, project.author)
            except VersionError as error:
                refused += 1
                click.echo(plain(clean(f"{place}  {error}")))
                continue
            saved += 1
            click.echo(plain(f"{place}  saved {prompt.name} v{number}; in its place:"))
            for line in replacement(prompt, env or "prod"):
                click.echo(plain(f"    {clean(line)}"))
            if env:
                click.echo(plain(f"    {_served(project, prompt.name, number, env)}"))
    finally:
        project.close()
    click.echo(f"{saved:,} of {count(len(found), 'prompt')} saved")
    if saved and not env:
        click.echo("each serves once it is promoted: add --env prod, or `promptops promote`")
    return not refused


def _served(project: Project, name: str, number: int, env: str) -> str:
    """Serve what the code sends already, unless the environment serves something; one sentence."""
    from ..errors import PromptOpsError

    now = project.registry.serving(name, env)
    if now is not None:
        return f"{env} serves {now.label} of {name} already, and stays as it is."
    reason = "the code sent it before it was saved; nothing here judged it"
    try:
        project.registry.promote(
            name, number, env, author=project.author, reason=reason, force=True
        )
    except PromptOpsError as error:
        return f"{name} does not serve in {env}: {error}"
    return f"{env} serves it, as the code did; nothing here judged it."
