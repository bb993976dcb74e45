"""`promptops evaluate study.toml`: a study and its policy as one reviewed file, so that a prompt
change is tested like code.

Nothing in the file is executed: scorers are names of the catalogue with constants. Exit code 0: the
policy holds, 1: it does not (also where the data cannot tell), 2: misuse, 130: interrupted, and
what was answered is kept.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ..lab.comparison import Comparison

__all__ = ["evaluate"]


@click.command()
@click.argument("study", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--junit", type=click.Path(dir_okay=False, path_type=Path), help="Write JUnit XML here."
)
@click.option(
    "--markdown",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write Markdown for the pull request here.",
)
@click.option(
    "-o",
    "--output",
    "report",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write an HTML report here.",
)
@click.option(
    "--root",
    type=click.Path(file_okay=False, path_type=Path),
    help="The project's folder (default: found upwards from STUDY).",
)
@click.option("--dry-run", is_flag=True, help="Check the file and say what would be asked.")
def evaluate(
    study: Path,
    junit: Path | None,
    markdown: Path | None,
    report: Path | None,
    root: Path | None,
    dry_run: bool,
) -> None:
    """Evaluate what STUDY (a TOML file) declares, and hold it to its policy: exit 0 holds, 1 does
    not, 2 misuse, 130 interrupted (the same command goes on).

    \b
    prompt = "support-triage"
    candidate = "v3"                # a version, or an environment: "env:staging"
    baseline = "env:prod"           # likewise
    dataset = "data/support_tickets.jsonl"
    split = "test"                  # optional
    scorers = ["similar_to('expected', at_least=0.9)", {name = "json_has", args = ["user_id"]}]
    [policy]
    goal = "not_worse"
    margin = 0.05
    """
    from ..testing.study_file import Declared, junit_xml
    from .atomic_write import write

    declared = Declared.read(study)
    lab = declared.lab(root or study.resolve().parent, named=root is not None)
    if dry_run:
        click.echo(repr(declared.estimate(lab)))
        return
    comparison, found = declared.run(lab)
    if junit is not None:
        write(junit, junit_xml(comparison, found.name))
    if markdown is not None:
        write(markdown, comparison.markdown() + "\n")
    if report is not None:
        found.report(report)
    _tell(comparison)
    sys.exit(0 if comparison.verdict.decision == "promote" else 1)


def _tell(comparison: Comparison) -> None:
    from ..markup import plain

    verdict = comparison.verdict
    held = {"promote": "holds", "reject": "does not hold", "inconclusive": "is not shown to hold"}[
        verdict.decision
    ]
    click.echo(plain(f"{verdict.policy.goal.replace('_', ' ')} {held}: {comparison.statement()}"))
    said: list[Any] = [reason for reason in verdict.reasons if reason != comparison.statement()]
    for sentence in [*said, *(f"Next: {step}" for step in verdict.next)]:
        click.echo(plain(f"  {sentence}"))
    worse = comparison.flips()
    ids = [str(example) for example in worse[worse["gain"] < 0]["example_id"]]
    if ids:
        click.echo(
            plain(
                "  Got worse:"
                f" {', '.join(ids[:30])}{f' and {len(ids) - 30:,} more' if len(ids) > 30 else ''}"
            )
        )
