"""Where a dataset was read from: its file, which column was what, how the file is written, and the
line of each row. A correction of a golden answer finds its one row by this, and never by a name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .roles import Roles
from .rows import Form

__all__ = ["Origin"]


@dataclass(frozen=True, slots=True)
class Origin:
    """path: absolute, or the bare name of a file that lay outside the project when it was recorded;
    roles: the columns as they were read; form: None for XLSX and Parquet; lines: example id ->
        line.
    """

    path: Path
    roles: Roles
    form: Form | None = None
    lines: Mapping[str, int] = field(default_factory=dict)

    def at(self, id: str) -> str:
        """Where a row stood when it was read, as `tickets.csv:7`; the file's name where unknown."""
        line = self.lines.get(id)
        return self.path.name if line is None else f"{self.path.name}:{line}"

    def document(self, root: Path, ids: Sequence[str]) -> dict[str, Any] | None:
        """JSON-ready, with the lines of `ids` in their order; the path from the project's root, so
        that the folder may move, and of a file outside it no more than the name. None if the
        path is not text.
        """
        root = root.resolve()
        inside = self.path.is_relative_to(root)
        path = self.path.relative_to(root).as_posix() if inside else self.path.name
        try:
            path.encode()
        except UnicodeEncodeError:
            return None
        form = self.form
        return {
            "path": path,
            "outside": not inside,
            "roles": self.roles.document(),
            "form": None if form is None else form.document(),
            "lines": [self.lines.get(id) for id in ids],
        }

    @classmethod
    def from_text(cls, text: str, root: Path, places: Mapping[str, int]) -> Origin | None:
        """The origin whose `document` is this JSON; None for anything of another shape, as a store
        that was imported may hold. places: example id -> its place in the dataset.
        """
        try:
            found = json.loads(text)
            path = Path(found["path"] if found["outside"] is True else root / str(found["path"]))
            lines = found["lines"]
            known = {id: int(lines[at]) for id, at in places.items() if lines[at] is not None}
            form = None if found["form"] is None else Form(**found["form"])
            return cls(path, Roles.from_document(found["roles"]), form, known)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError, RecursionError):
            return None
