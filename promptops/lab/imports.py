"""What `lab.import_from` gives back: what came over, as this lab's own things."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DatasetError
from ..exchange import merged, read_export
from ..exchange.bring_in import BroughtIn, bring_in
from ..markup import paragraph, plain_repr
from ..monitor.ingest import Ingested, is_live_file, take_files
from .prompt import SavedVersion
from .study import Study

if TYPE_CHECKING:
    from ..dataset import Dataset
    from ..exchange import Left
    from ..study.project import Project

__all__ = ["Import", "import_from", "live_files"]


class Import:
    """The versions, dataset, scorers and study imported from a file of another tool.

    versions: saved versions; dataset: None if the file has no examples; scorers: the scorers of its
    runs, and `checks()` if its rows have checks; study: None without answers; live: how many live
    calls were read and how many of them are new, None if the files contain none; notes: what a
    reader should know; left: everything that was not imported, with its line.
    """

    def __init__(
        self, project: Project, found: BroughtIn | None, live: Ingested | None = None
    ) -> None:
        self.versions: list[SavedVersion] = []
        self.dataset: Dataset | None = None
        self.scorers: list[Any] = []
        self.study: Study | None = None
        self.live = live
        self.notes: tuple[str, ...] = () if live is None else (str(live),)
        self.left: tuple[Left, ...] = ()
        self.brought = self.found = 0 if live is None else live.rows
        if found is not None:
            self._of_export(project, found)

    def _of_export(self, project: Project, found: BroughtIn) -> None:
        self.versions = [
            SavedVersion(project, entry.prompt, number, entry.version, note=entry.note)
            for entry, number in found.saved
        ]
        self.dataset, self.scorers = found.dataset, list(found.scorers)
        self.study = None if found.study is None else Study(found.study)
        self.notes = (*found.notes, *self.notes)
        self.left = found.found.left
        self.brought += found.found.brought
        self.found += found.found.found

    @plain_repr
    def __repr__(self) -> str:
        more = f" {len(self.left)} things were not brought over: see .left." if self.left else ""
        return f"<import: {self.notes[0]}{more}>"

    def _repr_html_(self) -> str:
        return paragraph(self)


def import_from(project: Project, paths: tuple[str | Path, ...], prompt: str | None) -> Import:
    """See `Lab.import_from`."""
    live, others = live_files(paths)
    taken = take_files(project.store, live) if live else None
    if not others:
        return Import(project, None, taken)
    found = merged([read_export(path) for path in others])
    return Import(project, bring_in(project, found, prompt), taken)


def live_files(paths: Sequence[str | Path]) -> tuple[list[Path], list[Path]]:
    """The files that hold live calls, and the others; a pattern means the files that match.

    Raises:
        DatasetError: a pattern matches no file.
    """
    live: list[Path] = []
    others: list[Path] = []
    for path in paths:
        matching = [Path(path)]
        if not _is_there(matching[0]) and glob.has_magic(str(path)):
            matching = [Path(each) for each in sorted(glob.glob(str(path), recursive=True))]
            if not matching:
                raise DatasetError(f"no file matches {str(path)!r}; check the pattern.")
        for each in matching:
            there = _is_there(each) and (each.is_file() or each.is_dir())
            (live if there and is_live_file(each) else others).append(each)
    return live, others


def _is_there(path: Path) -> bool:
    """Whether the file exists; a name that no file can have does not."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False
