"""What one store remembers of its team: who it is there, where that is, and what it did already."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ..errors import StoreError
from ..plain_file import read_plain
from .team_layout import is_name

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
        """What the store in this folder remembers; None if it shares nothing.

        Raises StoreError if the file does not read.
        """
        try:
            found = json.loads(read_plain(folder / FILE))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError, RecursionError):
            found = None
        known = (
            {name: found[name] for name in cls.__slots__ if name in found}
            if (isinstance(found, dict))
            else {}
        )
        if not _reads(known):
            raise StoreError(
                f"{folder / FILE} does not say whose store this shares; remove it, and share the"
                " store again at its address."
            )
        return cls(**known)

    def keep(self, folder: Path) -> None:
        """Write it down, whole or not at all."""
        temporary = folder / f".{FILE}.{os.getpid()}"
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(asdict(self), file)
        os.replace(temporary, folder / FILE)


def _reads(found: Mapping[str, object]) -> bool:
    """Whether each fact has its kind; what an older release did not write is made."""
    address, member = found.get("address"), found.get("member", "")
    applied, marks = found.get("applied", []), found.get("batches", {})
    return (
        isinstance(address, str)
        and isinstance(member, str)
        and member == os.path.basename(member)
        and type(found.get("looked_ns", 0)) is int
        and isinstance(applied, list)
        and all(isinstance(each, str) for each in applied)
        and isinstance(marks, dict)
        and all(isinstance(each, dict) and all(map(is_name, each)) for each in marks.values())
    )
