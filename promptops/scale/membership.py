"""What one store remembers of its team: who it is there, where that is, and what it did already."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

__all__ = ["Membership"]

FILE = "team.json"


@dataclass(slots=True)
class Membership:
    """address: of the team's store; member: this store's id there; applied: tombstones that were
    carried out here; batches: manifest -> its marks, which never change; looked_ns: when it looked
    last.
    """

    address: str
    member: str = field(default_factory=lambda: os.urandom(6).hex())
    applied: list[str] = field(default_factory=list)
    batches: dict[str, dict[str, int]] = field(default_factory=dict)
    looked_ns: int = 0

    @classmethod
    def of(cls, folder: Path) -> Membership | None:
        """What the store in this folder remembers; None where it shares nothing."""
        try:
            found = json.loads((folder / FILE).read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return None
        return cls(**{name: found[name] for name in cls.__slots__ if name in found})

    def keep(self, folder: Path) -> None:
        """Write it down, whole or not at all."""
        temporary = folder / f".{FILE}.{os.getpid()}"
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(asdict(self), file)
        os.replace(temporary, folder / FILE)
