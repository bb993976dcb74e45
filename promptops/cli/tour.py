"""`promptops lab`: JupyterLab on a copy of the tour, with the data that it uses."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import click

from .serving import jupyterlab

__all__ = ["copy_tour", "lab", "source"]


def source(*parts: str) -> Path:
    """A file or folder of the tour: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    for base in (package / "tour", package.parent):
        found = base.joinpath(*parts)
        if found.exists():
            return found
    raise click.ClickException(
        f"the tour's {'/'.join(parts)} is not in this installation; install promptops-toolkit"
        " again."
    )


def copy_tour(folder: Path) -> Path:
    """Notebooks and data under `folder`; files that are there already stay as they are."""
    for name in ("notebooks", "data"):
        for path in sorted(source(name).rglob("*")):
            target = folder / name / path.relative_to(source(name))
            if (
                path.is_file()
                and not target.exists()
                and not any(
                    part.startswith((".", "__")) for part in path.relative_to(source(name)).parts
                )
            ):
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
    return folder


@click.command()
@click.argument(
    "folder", default="promptops-tour", type=click.Path(file_okay=False, path_type=Path)
)
@click.option("--no-open", is_flag=True, help="Copy the notebooks, and print how to open them.")
def lab(folder: Path, no_open: bool) -> None:
    """Open JupyterLab on a copy of the tour in FOLDER [default: promptops-tour]."""
    copy_tour(folder)
    first = folder / "notebooks" / "01_quickstart.ipynb"
    click.echo(f"The tour is in {folder}; begin with {first}.")
    if no_open:
        click.echo(f"Open it with: {Path(sys.executable).name} -m jupyterlab {first}")
        return
    jupyterlab(first)
