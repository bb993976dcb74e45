"""The file that the examples of an import are written to, where nothing else is lost by it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from ..dataset import Dataset
from ..errors import DatasetError, PromptOpsError
from ..study.queries.kept_content import imported_documents

if TYPE_CHECKING:
    from ..study.project import Project

__all__ = ["write_examples"]


def write_examples(project: Project, data: Dataset, path: Path) -> None:
    """Write the examples. A file with the same ones stays as it is, and one with those of an
    earlier import, which the store holds, is replaced.

    Raises DatasetError if there is another file.
    """
    if path.is_file():
        if _holds(path, data):
            return
        if not _imported(project, path):
            raise DatasetError(
                f"{path.name} exists and holds other rows than an import wrote, so that nothing was"
                " imported; name another file with --dataset, or move this one away first."
            )
    data.write(path)


def _holds(path: Path, data: Dataset) -> bool:
    """Whether a file holds exactly these examples."""
    with tempfile.TemporaryDirectory() as folder:
        written = data.write(Path(folder) / path.name)
        if written.read_bytes() == path.read_bytes():
            return True
        return _documents(written) == _documents(path)


def _imported(project: Project, path: Path) -> bool:
    held = _documents(path)
    return held is not None and held == imported_documents(
        project.store, Dataset.read(path).fingerprint
    )


def _documents(path: Path) -> list[object] | None:
    try:
        return [example.document() for example in Dataset.read(path)]
    except PromptOpsError:
        return None
