"""`promptops lab`: JupyterLab on a copy of the tour, with the data that it uses."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import click

from .serving import jupyterlab

__all__ = ["copy_tour", "lab", "tour_files"]

PACKAGE = Path(__file__).resolve().parent.parent


def tour_files(package: Path = PACKAGE) -> dict[str, bytes]:
    """What the tour consists of, by path: an archive in the installed package, in a checkout the
    files beside it.
    """
    if (archive := package / "tour.zip").exists():
        with zipfile.ZipFile(archive) as opened:
            return {name: opened.read(name) for name in opened.namelist()}
    found = {
        path.relative_to(package.parent).as_posix(): path.read_bytes()
        for folder in ("data", "notebooks")
        for path in sorted((package.parent / folder).rglob("*"))
        if path.is_file()
        and not any(part.startswith((".", "__")) for part in path.relative_to(package.parent).parts)
    }
    if not found:
        raise click.ClickException(
            "the tour is not in this installation; install promptops-toolkit again."
        )
    return found


def copy_tour(folder: Path) -> Path:
    """Notebooks and data under `folder`; files that are there already stay as they are."""
    for name, content in tour_files().items():
        target = folder / name
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
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
