"""A text file's bytes in memory, opened by the readers as they open a path.

So what is read, changed and proved is one copy of the file.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import IO, Any, TypeAlias

__all__ = ["File", "Held"]


@dataclass(frozen=True, slots=True)
class Held:
    """name: the file's, with its ending; data: its bytes."""

    name: str
    data: bytes

    @property
    def stem(self) -> str:
        return PurePath(self.name).stem

    @property
    def suffix(self) -> str:
        return PurePath(self.name).suffix

    def open(
        self, mode: str = "r", *, encoding: str | None = None, newline: str | None = None
    ) -> IO[Any]:
        """The bytes ("rb") or their text, as `Path.open` gives them."""
        held = io.BytesIO(self.data)
        if mode == "rb":
            return held
        return io.TextIOWrapper(held, encoding=encoding, newline=newline)


File: TypeAlias = Path | Held
