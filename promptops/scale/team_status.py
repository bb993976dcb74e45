"""Who shares a team's store: what each wrote, and how fresh each reader is."""

from __future__ import annotations

from dataclasses import dataclass

from ..run import utc
from .shared_files import SharedFiles
from .team_documents import kept_days, note_of
from .team_layout import Contents, batch_of, contents_of

__all__ = ["MemberStatus", "TeamStatus", "team_status"]


@dataclass(frozen=True, slots=True)
class MemberStatus:
    """One member. parcels, bytes: what they wrote; shared_at: when the newest of it began to be
    recorded (UTC), "" if they wrote nothing; looked_at: when they looked last, "" if never;
    behind: how many parcels came since.
    """

    member: str
    who: str
    host: str
    parcels: int
    bytes: int
    shared_at: str
    looked_at: str
    behind: int


@dataclass(frozen=True, slots=True)
class TeamStatus:
    """The whole team. purges: how many tombstones there are; keep_days: for how long runs are kept,
    None means no limit.
    """

    address: str
    members: tuple[MemberStatus, ...]
    parcels: int
    bytes: int
    purges: int
    keep_days: float | None


def team_status(files: SharedFiles) -> TeamStatus:
    """The state of the team's store. Reads names, sizes and the members' notes, no rows.

    Raises StoreError if it cannot be reached.
    """
    listing = files.listing()
    there = contents_of(listing)
    wrote = _written(there)
    total = sum(count for count, _, _ in wrote.values())
    members = []
    for member in sorted({*there.members, *wrote}):
        note = note_of(files, f"members/{member}.json") if member in there.members else {}
        count, size, newest = wrote.get(member, (0, 0, 0))
        members.append(
            MemberStatus(
                member,
                note.get("who", ""),
                note.get("host", ""),
                count,
                size,
                _utc_of(newest),
                note.get("looked_at", ""),
                max(0, total - note.get("holds", 0)),
            )
        )
    days = kept_days(files) if there.form else None
    size = sum(size for _, size, _ in wrote.values())
    return TeamStatus(files.address, tuple(members), total, size, len(there.tombstones), days)


def _written(there: Contents) -> dict[str, tuple[int, int, int]]:
    """member -> parcels, bytes, moment of the newest."""
    parcels = [*there.segments]
    parcels += [batch_of(name, files, {}) for name, files in there.batches.items()]
    found: dict[str, tuple[int, int, int]] = {}
    for parcel in parcels:
        count, size, newest = found.get(parcel.member, (0, 0, 0))
        found[parcel.member] = count + 1, size + parcel.size, max(newest, parcel.born_ns)
    return found


def _utc_of(moment_ns: int) -> str:
    return utc(moment_ns / 1e9) if moment_ns else ""
