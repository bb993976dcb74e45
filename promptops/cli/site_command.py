"""`promptops site FOLDER`: the project as static pages, for the pages of a code host."""

from __future__ import annotations

from pathlib import Path

import click

from ..markup import count
from .options import EXITS, registry

__all__ = ["site"]


@click.command(epilog=EXITS)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--studies",
    "most",
    default=20,
    show_default=True,
    type=click.IntRange(min=0),
    help="How many studies get a page, newest first, beside those that evidence rests on.",
)
@registry
def site(folder: Path, most: int, path: str) -> None:
    """Write static pages into FOLDER: what serves where, its history and evidence, studies, alarms
    and scores over time. Reading them needs no server and no script.

    FOLDER is empty or an earlier site; anything else is refused. The same project gives the same
    bytes. The pages contain answers of the studies: publish them only where the dataset may be
    published.
    """
    from ..study.project import Project
    from ..views.site import site_files
    from .site_folder import write_folder

    project = Project.open(Path(path).parent)
    try:
        files = site_files(project, most)
    finally:
        project.close()
    write_folder(folder, files)
    size = sum(len(text.encode()) for text in files.values()) / 1e6
    click.echo(f"{folder / 'index.html'}: {count(len(files), 'page')}, {size:.1f} MB")
