"""`promptops import FILE...`: what another tool wrote, brought into this project."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ..exchange import Imported

__all__ = ["import_"]


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--prompt", help="The prompt's name, in place of the one that the file suggests.")
@click.option("--dry-run", is_flag=True, help="Show what would be brought over; write nothing.")
@click.option("--strict", is_flag=True, help="Exit with 1 if anything is not brought over.")
@click.option("--dataset", "data", type=click.Path(path_type=Path), help="Write the examples here.")
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
def import_(
    files: tuple[Path, ...],
    prompt: str | None,
    dry_run: bool,
    strict: bool,
    data: Path | None,
    as_json: bool,
) -> None:
    """Bring over what another tool wrote.

    FILE is known by its content: promptfoo configurations and results, lm-eval samples, Inspect
    logs, OpenAI Evals, Langfuse, MLflow, LangSmith, Braintrust, Prompty, dotprompt, DSPy, HELM;
    or live calls, in OTLP/JSON or the lines that `promptops.observe` writes to stdout.
    prompts:/NAME/VERSION is a prompt of MLflow's registry. Several files are runs on the same
    data. Nothing of a file is executed. Exit codes: 0 brought over (the rest is listed); 1 with
    --strict, if anything is not; 2 not a known file.
    """
    from ..exchange import merged, read_export
    from ..lab.imports import live_files

    live, others = live_files(files)
    if live:
        _live(live, dry_run, as_json and not others)
    if not others:
        return
    parts = [read_export(path) for path in others]
    found = merged(parts)
    study = None
    if not dry_run:
        found, study = _kept(found, prompt, data)
        parts = [found] if len(parts) == 1 else parts
    if as_json:
        click.echo(json.dumps(_document(found, study), ensure_ascii=False, indent=2))
    else:
        _tell(parts, found, study, dry_run)
    if strict and found.left:
        raise SystemExit(1)


def _live(files: Sequence[Path], dry_run: bool, as_json: bool) -> None:
    """Take the live calls of these files, and say how many are new."""
    from dataclasses import asdict

    from ..monitor.ingest import read_files, take_files
    from ..study.project import Project

    if dry_run:
        taken = read_files(files)
    else:
        project = Project.open()
        try:
            taken = take_files(project.store, files)
        finally:
            project.close()
    click.echo(json.dumps(asdict(taken)) if as_json else str(taken))


def _kept(found: Imported, prompt: str | None, data: Path | None) -> tuple[Imported, str | None]:
    """What came over, and its study."""
    from ..exchange.bring_in import bring_in
    from ..exchange.examples_file import write_examples
    from ..study.project import Project

    project = Project.open()
    try:
        if data is not None and found.dataset is not None:
            write_examples(project, found.dataset, data)
        kept = bring_in(project, found, prompt)
        return kept.found, None if kept.study is None else kept.study.name
    finally:
        project.close()


def _document(found: Imported, study: str | None) -> dict[str, object]:
    return {
        "form": found.form,
        "versions": [
            {"prompt": item.prompt, "label": item.label, "id": item.version.id}
            for item in found.versions
        ],
        "examples": len(found.examples),
        "checks": sum(len(example.checks) for example in found.examples),
        "runs": len(found.runs),
        "scores": list(found.scores),
        "study": study,
        "brought": found.brought,
        "found": found.found,
        "notes": list(found.notes),
        "left": [
            {
                "file": left.file,
                "line": left.line,
                "what": left.what,
                "reason": left.reason,
                "nearest": left.nearest,
            }
            for left in found.left
        ],
    }


def _tell(parts: Sequence[Imported], found: Imported, study: str | None, dry_run: bool) -> None:
    from ..markup import one_line, plain

    for part in parts:
        click.echo(plain(part.summary()))
    for note in found.notes:
        click.echo(plain(f"note: {note}"))
    for left in found.left:
        click.echo(one_line(left))
    if study is not None:
        click.echo(plain(f"recorded as the study {study}: promptops report {study}"))
    for name in dict.fromkeys(item.prompt for item in found.versions):
        count = sum(item.prompt == name for item in found.versions)
        done = "would be saved" if dry_run else "saved"
        click.echo(plain(f"{done}: {name}, {count} version{'' if count == 1 else 's'}"))
