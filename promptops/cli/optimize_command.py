"""`promptops optimize study.toml`: search on train and val, confirm on test, print or save the
winner.

Exit code 0: found and confirmed, 1: not shown, 2: misuse, 130: interrupted, and what was answered
is kept.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

__all__ = ["optimize"]


@click.command()
@click.argument("study", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--save", is_flag=True, help="Save the winner as a version [default: print it].")
@click.option("--note", default="", help="Note of the saved version.")
@click.option("--dry-run", is_flag=True, help="Check the file and print calls, tokens and cost.")
@click.option(
    "--root",
    type=click.Path(file_okay=False, path_type=Path),
    help="Project folder [default: found upwards from STUDY].",
)
def optimize(study: Path, save: bool, note: str, dry_run: bool, root: Path | None) -> None:
    """Search for a better version of a prompt by what STUDY (a TOML file) declares, and confirm it
    on the test split: exit 0 found and confirmed, 1 not shown, 2 misuse.

    \b
    format = 2
    prompt = "support-triage"
    baseline = "v1"                 # the seed; or "env:prod"
    dataset = "data/support_tickets.jsonl"
    scorers = ["equals(column='category')"]
    [optimize]
    method = "few_shot"             # or "instructions", "gepa"
    budget_calls = 500
    k = 24                          # a setting of the method
    """
    from ..markup import plain
    from ..testing.search_file import DeclaredSearch

    declared = DeclaredSearch.read(study)
    lab = declared.lab(root or study.resolve().parent, named=root is not None)
    if dry_run:
        found, budget = declared.estimate(lab)
        click.echo(f"The seed on each row of train and val: {found!r}")
        click.echo(budget)
        return
    search = declared.run(lab)
    for sentence in search.headroom.sentences() if search.headroom is not None else ():
        click.echo(plain(sentence))
    click.echo(plain(repr(search)))
    if search.search.best.number == 0:
        click.echo("Nothing on val is better than the seed; the test split stays unused.")
        sys.exit(1)
    comparison = search.confirm().compare(candidate=search.best, baseline=search.search.seed_value)
    verdict = comparison.verdict
    statement = comparison.statement()
    click.echo(plain(f"On test: {statement}"))
    for reason in verdict.reasons:
        if reason != statement:
            click.echo(plain(f"  {reason}"))
    if verdict.decision != "promote":
        sys.exit(1)
    if save:
        click.echo(f"saved as {search.save(note=note).label}")
    else:
        click.echo(json.dumps(search.best.template, indent=2, ensure_ascii=False))
