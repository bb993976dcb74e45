"""`promptops init`: what an existing repository needs, and nothing that it has already."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ..plain_file import read_plain
from .atomic_write import write

__all__ = ["init"]

_IGNORE = ".promptops/\n"
_CI = """# Every promotion in the registry is recomputed from its evidence, and its chain is \
checked. No key, no network.
name: prompts
on: [pull_request]
jobs:
  check:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with: { python-version: "3.12" }
      - run: python -m pip install 'promptops-toolkit[lab]'
      - run: promptops registry check
"""
_CELLS = (
    ("markdown", "# Prompts of this project\n\nVersions, studies and promotions. The registry"
                 " `promptops.json` and `promptops.evidence/` are committed; the store"
                 " `.promptops/` is not."),
    ("code", "from promptops.lab import Lab, Dataset\nfrom promptops.scorers import"
             " similar_to\n\nlab = Lab()\nlab"),
    ("code", "prompt = lab.prompt(\"my-prompt\")\nv1 = prompt.save(\"Answer this question:"
             " {{question}}\", model=\"gpt-4o-mini\", note=\"what is in the code today\")\nv1"),
    ("code", "# examples = Dataset.read(\"data/examples.csv\", expected=\"answer\")\n# study ="
             " lab.evaluate([v1], examples, [similar_to(at_least=0.9)])\n# study"),
)  # fmt: skip


@click.command()
@click.argument("folder", default=".", type=click.Path(file_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Show what would be written; write nothing.")
def init(folder: Path, dry_run: bool) -> None:
    """Set up FOLDER [default: here]: ignore file, starter notebook, CI job.

    Existing files are left unchanged.
    """
    wanted = {
        "prompts.ipynb": json.dumps(_notebook(), indent=1, ensure_ascii=False) + "\n",
        ".github/workflows/prompts.yml": _CI,
    }
    for name, text in wanted.items():
        path = folder / name
        if path.exists():
            click.echo(f"kept     {path}")
            continue
        if not dry_run:
            write(path, text)
        click.echo(f"{'would write' if dry_run else 'wrote'}    {path}")
    _ignore(folder / ".gitignore", dry_run)
    click.echo(
        f"\nNext: open {folder / 'prompts.ipynb'} in JupyterLab, save your first version, and"
        " commit promptops.json with your code."
    )


def _ignore(path: Path, dry_run: bool) -> None:
    text = read_plain(path).decode("utf-8") if path.exists() else ""
    if _IGNORE.strip() in (line.strip() for line in text.splitlines()):
        click.echo(f"kept     {path}")
        return
    if not dry_run:
        write(path, text + ("" if not text or text.endswith("\n") else "\n") + _IGNORE)
    click.echo(f"{'would add' if dry_run else 'added'}    {_IGNORE.strip()} to {path}")


def _notebook() -> dict[str, object]:
    cells: list[dict[str, object]] = [
        {
            "cell_type": kind,
            "id": f"cell-{number}",
            "metadata": {},
            "source": text,
            **({"outputs": [], "execution_count": None} if kind == "code" else {}),
        }
        for number, (kind, text) in enumerate(_CELLS)
    ]
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
