"""`promptops evaluate study.toml`: a study and its policy as one reviewed file, so that a prompt
change is tested like code.

Nothing in the file is executed: scorers are names of the catalogue with constants. Exit code 0: the
policy holds, 1: it does not (also when the data cannot tell), 2: misuse, 3: handed in as batches
that the same command collects, or not recorded if it was to run offline, 130: interrupted, and
what was answered is kept.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import PromptOpsError, StudyError
from .text_table import show

if TYPE_CHECKING:
    from ..lab.comparison import Comparison
    from ..testing.study_folder import Evaluated, StudyFolder

__all__ = ["evaluate"]

_file = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("study", type=click.Path(path_type=Path))
@click.option("--junit", type=_file, help="Write JUnit XML here.")
@click.option("--markdown", type=_file, help="Write Markdown for the pull request here.")
@click.option("-o", "--output", "report", type=_file, help="Write an HTML report of one study.")
@click.option("--trend", type=_file, help="Write a page of scores over time here.")
@click.option(
    "--budget-usd", type=click.FloatRange(0), help="Stop before spending more, over all studies."
)
@click.option(
    "--since", type=click.Choice(["last"]), help="Show what changed since the study before."
)
@click.option(
    "--root",
    type=click.Path(file_okay=False, path_type=Path),
    help="Project folder [default: found upwards from STUDY].",
)
@click.option("--batch", is_flag=True, help="Ask by the providers' batches, at half price.")
@click.option(
    "--wait", "wait_", metavar="TIME", help="With --batch: wait up to this long, as in 2h or 90m."
)
@click.option("--offline", is_flag=True, help="Ask nothing: recorded answers only, or exit 3.")
@click.option("--dry-run", is_flag=True, help="Check the file and show what would be asked.")
def evaluate(study: Path, report: Path | None, root: Path | None, **chosen: Any) -> None:
    """Evaluate what STUDY (a TOML file, or a folder of them) declares, and check it against its
    policy: exit 0 holds, 1 does not, 2 misuse, 3 answers are still missing (handed in as batches,
    or not recorded with --offline), 130 interrupted (after 3 and 130, run the same command again).

    Of a folder the worst exit code counts, and a file that cannot run does not stop the others.

    \b
    format = 2
    prompt = "support-triage"
    candidate = "v3"                # a version, or an environment: "env:staging"
    baseline = "env:prod"           # likewise
    dataset = "data/tickets.jsonl"  # or tasks: {sums = "a.csv", dates = "b.csv"}
    split = "test"                  # optional
    scorers = ["json_equals", "json_has('user_id')"]
    [policy]
    goal = "not_worse"
    margin = 0.05
    """
    from ..testing.study_file import Declared
    from ..testing.study_folder import StudyFolder, study_files

    many, wait = study.is_dir(), chosen["wait_"]
    if wait is not None and not chosen["batch"]:
        raise click.UsageError("--wait is for batches; add --batch")
    batch = (wait or True) if chosen["batch"] else False
    files = study_files(study) if many else [study]
    folder = StudyFolder(files, chosen["budget_usd"], batch, chosen["offline"])
    if many and report is not None:
        raise click.UsageError("-o writes the report of one study; name its file")
    if not many:
        Declared.read(study)  # what is wrong with the only file is misuse
    if chosen["dry_run"]:
        sys.exit(_rehearsed(folder, root, many))
    found = []
    for one in folder.run(root, since=chosen["since"] is not None):
        if one.fault and one.study is None and not many and not one.lacking:
            raise StudyError(one.fault)
        found.append(one)
        _tell(one, many)
    _written(found, chosen)
    if report is not None and found[0].study is not None:
        found[0].study.report(report)
    if many:
        show([one.row() for one in found])
    sys.exit(max(one.exit_code for one in found))


def _rehearsed(folder: StudyFolder, root: Path | None, many: bool) -> int:
    """Show what each file would ask; the exit code."""
    code = 0
    for path, declared, lab in folder.labs(root):
        name = f"{path.name}: " if many else ""
        try:
            if isinstance(declared, str) or lab is None:
                raise StudyError(str(declared))
            click.echo(f"{name}{declared.estimate(lab, batch=bool(folder.batch))!r}")
        except PromptOpsError as error:
            if not many:
                raise
            code = 2
            click.echo(f"{name}could not run: {error}", err=True)
    return code


def _written(found: Sequence[Evaluated], chosen: Mapping[str, Any]) -> None:
    """Write the files that were asked for."""
    from ..testing.study_folder import junit_of, markdown_of
    from .atomic_write import write

    if chosen["junit"] is not None:
        write(chosen["junit"], junit_of(found))
    if chosen["markdown"] is not None:
        from ..views.pull_request_text import pull_request_text

        write(chosen["markdown"], f"{markdown_of(found, pull_request_text)}\n")
    ran = next((each.study for each in found if each.study is not None), None)
    if chosen["trend"] is not None and ran is not None:
        from ..views.trend_page import trend_page

        write(chosen["trend"], trend_page(ran.recorded.project))


def _tell(one: Evaluated, many: bool) -> None:
    from ..markup import plain

    if one.comparison is None:
        waits = one.study is not None or one.lacking
        why = one.fault if waits else f"could not run: {one.fault}"
        click.echo(plain(f"{one.file}: {why}" if many else why))
    elif many:
        click.echo(plain(one.file))
    if one.comparison is not None:
        _tell_comparison(one.comparison)
    if one.since:
        click.echo(plain(f"  {one.since}"))


def _tell_comparison(comparison: Comparison) -> None:
    from ..markup import plain

    verdict = comparison.verdict
    held = {"promote": "holds", "reject": "does not hold", "inconclusive": "is not shown to hold"}[
        verdict.decision
    ]
    if verdict.policy.estimand == "tasks":
        _tell_tasks(comparison)
    click.echo(plain(f"{verdict.policy.goal.replace('_', ' ')} {held}: {comparison.statement()}"))
    text: list[Any] = [reason for reason in verdict.reasons if reason != comparison.statement()]
    for sentence in [*text, *(f"Next: {step}" for step in verdict.next)]:
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


def _tell_tasks(comparison: Comparison) -> None:
    """A row per task, before the verdict over them; nothing if there are no tasks, which the
    verdict says.
    """
    from ..errors import StatisticsError

    try:
        found = comparison.tasks()
    except StatisticsError:
        return
    show(found.frame.reset_index().to_dict("records"))
