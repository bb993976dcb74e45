"""The store of a project, whose one door takes in every file that this product hands out."""

from __future__ import annotations

import os
from pathlib import Path

from ..store import Store

__all__ = ["ProjectStore"]


class ProjectStore(Store):
    """`Store`, with the labels of reports beside the exports of stores."""

    def import_(self, path: str | os.PathLike[str]) -> dict[str, int]:
        """Take in a file that `export` wrote, or the labels that a reviewer downloaded from a report; returns table -> rows that
        were new, so nothing the second time.

        Raises StoreError where an export is damaged, newer or none, StudyError where a line is no label of a study that is
        here; either way nothing is taken in.
        """
        from .labelling import holds_labels, import_labels

        source = Path(path)
        if not holds_labels(source):
            return super().import_(source)
        new = import_labels(self, source)
        return {"labels": new} if new else {}
