"""`promptops audit FILES`: every claimed improvement in a history of runs, judged."""

from __future__ import annotations

import json
from pathlib import Path

import click

__all__ = ["audit"]


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--scorer", help="The score to judge by [default: the first that both runs have].")
@click.option("--alpha", default=0.05, show_default=True, help="Error rate over the whole history.")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write one HTML page here, or JSON or LaTeX by the extension (.json, .tex).",
)
@click.option("--json", "as_json", is_flag=True, help="Print every figure as JSON.")
def audit(
    files: tuple[Path, ...], scorer: str | None, alpha: float, output: Path | None, as_json: bool
) -> None:
    """Judge every claimed improvement in a history of runs.

    FILES: runs of promptfoo, lm-eval, Inspect, OpenAI Evals, Langfuse, MLflow, Braintrust, or
    folders of them. Needs no key and no set-up, and records nothing. Exit code 0 whatever holds.
    """
    from ..exchange.audit import audit_files
    from ..exchange.audit_page import audit_page
    from ..markup import plain
    from ..plain_file import open_target

    if not 0 < alpha < 1:
        raise click.BadParameter(
            f"{alpha} is not between 0 and 1; give a level such as 0.05", param_hint="--alpha"
        )
    found = audit_files(files, alpha=alpha, scorer=scorer)
    document = json.dumps(found.document(), ensure_ascii=False, indent=2)
    if as_json:
        click.echo(document)
    else:
        click.echo(found.summary())
        for line in [*(claim.sentence() for claim in found.claims), *found.notes]:
            click.echo(plain(line))
        for left in found.left:
            click.echo(plain(str(left)))
    if output is not None:
        texts = {".json": document + "\n", ".tex": found.to_latex() + "\n"}
        with open_target(output) as file:
            file.write((texts.get(output.suffix.lower()) or audit_page(found)).encode("utf-8"))
        click.echo(f"audit: {output}", err=as_json)
