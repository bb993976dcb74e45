"""What `lab.import_from` gives back: what came over, as this lab's own things."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..exchange import merged, read_export
from ..exchange.bring_in import BroughtIn, bring_in
from .prompt import SavedVersion
from .study import Study

if TYPE_CHECKING:
    from ..dataset import Dataset
    from ..exchange import Left
    from ..study.project import Project

__all__ = ["Import", "import_from"]


class Import:
    """The versions, dataset, scorers and study that a file of another tool gave.

    versions: saved versions; dataset: None where the file has no examples; scorers: what its runs
    were scored by, and `checks()` where its rows carry checks; study: None without answers; notes:
    what a reader should know; left: each thing that was not brought over, with its line.
    """

    def __init__(self, project: Project, found: BroughtIn) -> None:
        self.versions = [
            SavedVersion(project, entry.prompt, number, entry.version, note=entry.note)
            for entry, number in found.saved
        ]
        self.dataset: Dataset | None = found.dataset
        self.scorers: list[Any] = list(found.scorers)
        self.study = None if found.study is None else Study(found.study)
        self.notes: tuple[str, ...] = found.notes
        self.left: tuple[Left, ...] = found.found.left
        self.brought, self.found = found.found.brought, found.found.found

    def __repr__(self) -> str:
        more = f" {len(self.left)} things were not brought over: see .left." if self.left else ""
        return f"<import: {self.notes[0]}{more}>"


def import_from(project: Project, paths: tuple[str | Path, ...], prompt: str | None) -> Import:
    """See `Lab.import_from`."""
    found = merged([read_export(Path(path)) for path in paths])
    return Import(project, bring_in(project, found, prompt))
