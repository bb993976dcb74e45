"""The small documents of a team's folder: read by shape, never by faith.

Every member can write there, and so can a sync client, an editor or a full disk. What does not read
is a fault that names the file; everything else there goes on to serve.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import isfinite
from typing import TYPE_CHECKING, Any

from ..errors import StoreError
from ..store.team import Tombstone
from .team_layout import FORM, is_name

if TYPE_CHECKING:
    from .shared_files import SharedFiles

__all__ = [
    "KnownPurges",
    "kept_days",
    "known_in",
    "marks_in",
    "note_of",
    "searched_in",
    "tombstone_in",
]

_NOTE = {"who": str, "host": str, "looked_at": str, "holds": int}
_FOREVER = 100_000.0  # days; beyond that, no store has a date


@dataclass(slots=True)
class KnownPurges:
    """Which purges a member had carried out before it handed over each of its parcels: what such a
    purge names was recorded again since, and stays, whatever the clocks say.

    stones: ids of purges; parcels: name -> a bit for each of them, the first the lowest.
    """

    stones: list[str] = field(default_factory=list)
    parcels: dict[str, int] = field(default_factory=dict)

    def of(self, parcel: str) -> frozenset[str] | None:
        """The purges that a parcel's rows came after; None if nothing is noted of it."""
        bits = self.parcels.get(parcel)
        if bits is None:
            return None
        return frozenset(stone for place, stone in enumerate(self.stones) if bits >> place & 1)

    def note(self, parcel: str, stones: Collection[str]) -> None:
        """Add a parcel with the purges that its rows came after."""
        self.stones += sorted({*stones}.difference(self.stones))
        places = [place for place, stone in enumerate(self.stones) if stone in stones]
        self.parcels[parcel] = sum(1 << place for place in places)

    def document(self) -> dict[str, object]:
        """As it is written into the shared folder."""
        return {
            "stones": self.stones,
            "parcels": {name: f"{bits:x}" for name, bits in self.parcels.items()},
        }


def known_in(files: SharedFiles, name: str) -> KnownPurges:
    """What a member noted in this file, nothing if it is not there. Raises StoreError if it does
    not read.
    """
    try:
        found = _value(files, name)
    except FileNotFoundError:
        return KnownPurges()
    try:
        stones, parcels = found["stones"], found["parcels"].items()
        if _texts(stones):
            return KnownPurges(stones, {parcel: int(bits, 16) for parcel, bits in parcels})
    except (TypeError, KeyError, AttributeError, ValueError):
        pass
    raise _fault(files, name, "it does not say which purges its parcels came after")


def marks_in(files: SharedFiles, name: str) -> dict[str, int]:
    """segment -> bytes of it that the batch of this manifest holds.

    Raises StoreError if it does not read, FileNotFoundError if it is gone.
    """
    found = _value(files, name)
    marks = found.get("segments") if isinstance(found, dict) else None
    if not isinstance(marks, dict) or not all(
        is_name(segment) and _count(size) for segment, size in marks.items()
    ):
        raise _fault(files, name, "it does not say which segments it holds")
    return marks


def tombstone_in(files: SharedFiles, identity: str) -> Tombstone:
    """One purge. Raises StoreError if it does not read, FileNotFoundError if it is gone."""
    name = f"tombstones/{identity}.json"
    found = _value(files, name)
    if not isinstance(found, dict) or found.get("id") != identity or not _says_what(found):
        raise _fault(files, name, "it does not say what was purged")
    return Tombstone.of(found)


def searched_in(files: SharedFiles, identity: str) -> frozenset[str]:
    """The parcels that a purge searched. Raises as `tombstone_in` does."""
    name = f"tombstones/{identity}.swept"
    found = _value(files, name)
    if not _texts(found):
        raise _fault(files, name, "it is not a list of names")
    return frozenset(found)


def note_of(files: SharedFiles, name: str) -> Mapping[str, Any]:
    """What a member says of itself; fields of another kind than they should have are left out."""
    try:
        found = _value(files, name)
    except (StoreError, FileNotFoundError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {
        key: found[key]
        for key, kind in _NOTE.items()
        if type(found.get(key)) is kind and (kind is str or _count(found[key]))
    }


def kept_days(files: SharedFiles) -> float | None:
    """For how many days the team keeps its runs; None means no limit, also without the file.

    Raises StoreError if it does not read.
    """
    try:
        found = _value(files, FORM)
    except FileNotFoundError:  # removed since it was listed: the next look writes it again
        return None
    if not isinstance(found, dict):
        raise _fault(files, FORM, "it is not a map")
    days = found.get("keep_days")
    if days is None:
        return None
    if type(days) not in (int, float) or not isfinite(days) or not 0 <= days <= _FOREVER:
        raise _fault(files, FORM, "keep_days is not a number of days")
    return float(days)


def _says_what(found: Mapping[str, object]) -> bool:
    named = found.get("examples"), found.get("runs"), found.get("live", [])
    moments = found.get("before", ""), found.get("live_before")
    study = found.get("study", 0)
    return (
        all(_texts(each) for each in named)
        and (study is None or isinstance(study, str))
        and isinstance(found.get("at"), str)
        and all(each is None or _moment(each) for each in moments)
    )


def _moment(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(datetime.fromisoformat(value))
    except ValueError:
        return False


def _value(files: SharedFiles, name: str) -> Any:
    try:
        return json.loads(files.read(name))
    except (ValueError, RecursionError):
        raise _fault(files, name, "it is not JSON") from None


def _fault(files: SharedFiles, name: str, why: str) -> StoreError:
    return StoreError(
        f"{name} in the team's store {files.address} cannot be read: {why}; restore it, or remove"
        " it where its writer does not know it either."
    )


def _count(value: object) -> bool:
    return type(value) is int and 0 <= value < 1 << 62


def _texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)
