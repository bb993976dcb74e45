"""`promptops compare TABLE --baseline A --candidate B`: which is better, on answers that exist
already. Nothing is asked of a model, and nothing is written but the report.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import MissingExtra
from .extras import lacks
from .folding import tell

if TYPE_CHECKING:
    from ..analysis.binary_compare import BinaryComparison
    from ..lab.compare_table import TableComparison
    from ..lab.task_table import Tasks

__all__ = ["compare"]

# role of a column -> its option
_COLUMNS = {"output": "output", "id": "id_", "tags": "tags", "cluster": "cluster"}
_DECIDED = {
    "promote": "is shown to be better",
    "reject": "is shown to be worse",
    "inconclusive": "is not shown to be better, nor worse",
}


@click.command()
@click.argument("tables", metavar="[TABLE]...", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--baseline",
    required=True,
    help="What serves today: a column, or a version of a long table.",
)
@click.option("--candidate", required=True, help="What might be better: a column or version.")
@click.option("--expected", help="The column of golden answers.")
@click.option(
    "--scorer",
    "scorers",
    multiple=True,
    help="A scorer, as in 'similar_to' or 'similar_to(at_least=0.9)'; the first decides.",
)
@click.option("--version", "version", help="Long table: the column that holds the two.")
@click.option("--output-column", "output", help="Long table: the column of answers.")
@click.option("--id", "id_", help="The column of example ids.")
@click.option("--tags", help="A column of topics, to see where it changed.")
@click.option("--tasks", is_flag=True, help="Each of the --tags is a task: the mean over tasks.")
@click.option("--cluster", help="A column of groups that count as one example.")
@click.option("--weights", help="A column of counts: how often each is asked.")
@click.option(
    "-o",
    "--output",
    "report",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write an HTML report here.",
)
@click.option("--markdown", is_flag=True, help="Print Markdown for a pull request.")
@click.option("--json", "as_json", is_flag=True, help="Print every figure as JSON.")
@click.option("--all", "everything", is_flag=True, help="List every example that got worse.")
def compare(
    tables: tuple[Path, ...],
    baseline: str,
    candidate: str,
    expected: str | None,
    scorers: tuple[str, ...],
    version: str | None,
    **options: Any,
) -> None:
    """Is one column of answers better than another?

    TABLE is CSV, JSONL, JSON, XLSX or Parquet: one row per example with a column for each of the
    two, or one row per answer with a column of versions. Columns of numbers from 0 to 1 are
    compared as scores. Without TABLE the two are files, each one run of another tool (Inspect,
    lm-eval, ...), compared by their own scores. Several TABLEs are a task each, as the --tags of
    one are with --tasks: a row per task, and the mean over tasks by random effects. Exit code 0
    whatever the answer: `promptops evaluate` is the gate.

    0/1 outcomes in CSV or JSONL need no more than the extra [cli]; everything else needs [run].
    """
    named = {"baseline": baseline, "candidate": candidate, "expected": expected}
    several = len(tables) > 1
    _check_tasks(options, several)
    if lacks("run"):
        table = tables[0] if tables else None
        _without_run(table, options, **named, version=version, scorers=scorers, several=several)
        return
    from ..lab.compare_table import compare as compare_table
    from ..scorers.grammar import scorer_of

    asked: dict[str, Any] = {
        **named,
        "scorer": [scorer_of(text) for text in scorers] or None,
        "version": version,
        **{role: options[key] for role, key in (*_COLUMNS.items(), ("weights", "weights"))},
    }
    if several:
        _tell_tasks({_task(path, tables): compare_table(path, **asked) for path in tables}, options)
    elif options["tasks"]:
        _show_tasks(compare_table(*tables, **asked).tasks(), options["as_json"])
    else:
        _show(compare_table(*tables, **asked), options)


def _show(found: TableComparison, options: dict[str, Any]) -> None:
    """One comparison, in the form that was asked for."""
    if options["as_json"]:
        _as_json(found)
    elif options["markdown"]:
        click.echo(found.markdown())
    else:
        _tell(found, options["everything"])
    if options["report"] is not None:
        click.echo(
            f"report: {found.report(options['report'])}",
            err=options["as_json"] or options["markdown"],
        )


def _check_tasks(options: dict[str, object], several: bool) -> None:
    """Raises UsageError for options that do not go with tasks."""
    if options["tasks"] and (several or options["tags"] is None):
        raise click.UsageError(
            "--tasks needs --tags, the column of the tasks in one table; several tables are tasks"
            " by themselves"
        )
    for name, value in (("-o", options["report"]), ("--markdown", options["markdown"])):
        if value and (several or options["tasks"]):
            raise click.UsageError(f"{name} is for one comparison; leave it out for tasks")


def _task(path: Path, among: tuple[Path, ...]) -> str:
    """The name of the task that a table is: its file's, or its path if two files are named so."""
    alike = sum(each.stem == path.stem for each in among)
    return path.stem if alike == 1 else str(path)


def _tell_tasks(found: Mapping[str, TableComparison], options: dict[str, Any]) -> None:
    """Tables as tasks, and what was guessed at reading each."""
    from ..lab.several_tasks import over_tasks
    from ..markup import plain

    _show_tasks(over_tasks(found), options["as_json"])
    if not options["as_json"]:
        for task, each in found.items():
            for note in each.table_notes:
                click.echo(plain(f"  - {task}: {note}"))


def _show_tasks(found: Tasks, as_json: bool) -> None:
    """A row per task, then what they say together."""
    from ..markup import plain
    from .text_table import show

    rows = found.frame.reset_index().to_dict("records")
    if as_json:
        import json

        document = {"statement": found.statement(), "tasks": rows, "notes": [*found.notes]}
        click.echo(json.dumps(document, ensure_ascii=False, indent=2))
        return
    show(rows)
    for note in found.notes:
        click.echo(plain(note))


def _without_run(table: Path | None, options: dict[str, Any], **asked: Any) -> None:
    """The same sentences by the standard library. Raises MissingExtra if that is not enough."""
    from ..study.binary_table import compare_binary

    if options["tasks"] or asked.pop("several"):
        raise MissingExtra("promptops compare of several tasks", "run")
    for flag, name in (("report", "-o"), ("markdown", "--markdown")):
        if options[flag]:
            raise MissingExtra(f"promptops compare {name}", "run")
    if options["weights"] is not None:
        raise MissingExtra("promptops compare --weights", "run")
    columns = {name: options[key] for name, key in _COLUMNS.items()}
    found = compare_binary(table, columns=columns, **asked)
    if options["as_json"]:
        _as_json(found)
    else:
        _tell(found, options["everything"])


def _tell(found: TableComparison | BinaryComparison, everything: bool) -> None:
    from ..markup import plain

    tell(plain(found.statement()))
    worse = found.worse()
    if worse:
        shown = worse if everything else worse[:30]
        more = (
            f" and {len(worse) - len(shown):,} more (--all lists them)"
            if len(worse) > len(shown)
            else ""
        )
        tell(
            plain(
                f"{'This one' if len(worse) == 1 else f'These {len(worse):,}'} got worse:"
                f" {', '.join(shown)}{more}"
            )
        )
    else:
        tell("No example got worse.")
    verdict = found.verdict
    decided = _DECIDED[verdict.decision]
    if verdict.decision == "reject" and found.primary.p_worse > verdict.policy.alpha:
        decided = "is rejected"  # by another requirement than its lead
    tell(f"\n{plain(found.candidate.label)} {decided}.")
    for sentence in [reason for reason in verdict.reasons if reason != found.statement()] + [
        f"Next: {step}" for step in verdict.next
    ]:
        tell(plain(f"  {sentence}"))
    for sentence in found.notes:
        tell(plain(f"  - {sentence}"))


def _as_json(found: TableComparison | BinaryComparison) -> None:
    import json

    document = {
        "candidate": found.candidate.label,
        "baseline": found.baseline.label,
        "primary": found.primary_name,
        "statement": found.statement(),
        "verdict": found.verdict.document(),
        "measures": [figures.document() for figures in found.differences],
        "worse": found.worse(),
        "notes": [*found.notes],
    }
    click.echo(json.dumps(document, ensure_ascii=False, indent=2))
