"""How a team's store is laid out, so that a name says what is in a file before it is read.

`segments/MEMBER/SEGMENT.BYTES.HASH.jsonl`: a finished segment as it was recorded;
`batches/MEMBER/BATCH/manifest.json` with its Parquet files, the manifest last;
`tombstones/ID.json` and `ID.swept`: a purge, and what was searched for its rows;
`known/MEMBER.json`: which purges a member's parcels came after;
`members/MEMBER.json`: who somebody is, and when they looked last; `share.json`: its form.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

__all__ = [
    "FORM",
    "Contents",
    "Parcel",
    "apart",
    "batch_of",
    "contents_of",
    "is_name",
    "known_file",
    "note_file",
    "other_name",
    "segment_file",
]

FORM = "share.json"
# a segment's or batch's name, and a purge's: a moment in hex digits, and what makes it unique
_NAME = re.compile(r"[0-9a-f]{16}-[0-9]{1,10}-[0-9a-f]{8}")
_PURGE = re.compile(r"[0-9a-f]{16}-[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class Parcel:
    """A segment or a batch in the shared folder. name: of the segment's file, or of the batch's
    manifest; marks: segment -> bytes of it that are here; hash: of a segment's bytes; size: bytes,
    all its files together.
    """

    name: str
    member: str
    marks: Mapping[str, int]
    size: int
    hash: str = ""
    files: tuple[str, ...] = ()  # of a batch, by their full names

    @property
    def is_batch(self) -> bool:
        """Whether it is Parquet."""
        return not self.hash

    @property
    def born_ns(self) -> int:
        """When its first row may have been recorded, in nanoseconds since 1970."""
        return min((_moment(name) for name in self.marks), default=0)


@dataclass(slots=True)
class Contents:
    """What is in the shared folder. manifests: of batches whose marks are not known yet."""

    segments: list[Parcel] = field(default_factory=list)
    batches: dict[str, dict[str, int]] = field(default_factory=dict)  # manifest -> file -> bytes
    tombstones: list[str] = field(default_factory=list)  # ids, oldest first
    swept: list[str] = field(default_factory=list)
    members: list[str] = field(default_factory=list)
    form: bool = False


def contents_of(listing: Mapping[str, int]) -> Contents:
    """The listing, read by the names alone; files of other origin are left out."""
    found = Contents(form=FORM in listing)
    for name, size in sorted(listing.items()):
        parts = name.split("/")
        if parts[0] == "segments" and len(parts) == 3:
            parcel = _segment(name, parts[1], parts[2], size)
            if parcel is not None:
                found.segments.append(parcel)
        elif parts[0] == "batches" and len(parts) == 4 and is_name(parts[2]):
            found.batches.setdefault("/".join([*parts[:3], "manifest.json"]), {})[name] = size
        elif parts[0] == "tombstones" and len(parts) == 2:
            identity, _, kind = parts[1].rpartition(".")
            if _PURGE.fullmatch(identity) and kind in ("json", "swept"):
                (found.tombstones if kind == "json" else found.swept).append(identity)
        elif parts[0] == "members" and len(parts) == 2:
            found.members.append(parts[1].removesuffix(".json"))
    # the manifest comes last: without it the batch is still being written
    found.batches = {name: files for name, files in found.batches.items() if name in files}
    return found


def segment_file(member: str, segment: str, size: int, digest: str) -> str:
    """The name of a segment's file."""
    return f"segments/{member}/{segment}.{size}.{digest[:32]}.jsonl"


def note_file(member: str) -> str:
    """The name of the file in which a member says who it is."""
    return f"members/{member}.json"


def known_file(member: str) -> str:
    """The name of the file in which a member says which purges its parcels came after."""
    return f"known/{member}.json"


def batch_of(name: str, files: Mapping[str, int], marks: Mapping[str, int]) -> Parcel:
    """A batch whose manifest was read."""
    return Parcel(name, name.split("/")[1], marks, sum(files.values()), files=tuple(files))


def other_name(segment: str, digest: str) -> str:
    """The name of a segment's bytes where its own name is that of others. A machine that went back
    to a snapshot, or was resumed twice from one, continues one segment in two ways.
    """
    return f"{segment.rpartition('-')[0]}-{digest[:8]}"


def apart(parcels: Iterable[Parcel]) -> list[Parcel]:
    """The parcels, each segment under a name of its own: of several with one name, the longest
    keeps it. The others may be its beginning, as of a project that was copied while it was used.
    """
    every = list(parcels)
    longest: dict[str, int] = {}
    for parcel in every:
        for name, size in parcel.marks.items():
            longest[name] = max(size, longest.get(name, 0))
    taken: dict[str, str] = {}
    return [parcel if parcel.is_batch else _apart(parcel, longest, taken) for parcel in every]


def _apart(parcel: Parcel, longest: Mapping[str, int], taken: dict[str, str]) -> Parcel:
    ((name, size),) = parcel.marks.items()
    other = other_name(name, parcel.hash)
    keeps = size == longest[name] and taken.setdefault(name, parcel.hash) == parcel.hash
    if keeps or not is_name(other):
        return parcel
    return replace(parcel, marks={other: size})


def is_name(text: object) -> bool:
    """Whether it is the name of a segment or a batch, as a store gives it: never a path."""
    return isinstance(text, str) and _NAME.fullmatch(text) is not None


def _segment(name: str, member: str, file: str, size: int) -> Parcel | None:
    parts = file.split(".")
    if len(parts) != 4 or parts[3] != "jsonl" or not is_name(parts[0]) or not parts[2]:
        return None
    if parts[1] != str(size):
        return None  # torn: its writer shares it again, under the same name
    return Parcel(name, member, {parts[0]: int(parts[1])}, size, parts[2], (name,))


def _moment(segment: str) -> int:
    return int(segment.partition("-")[0], 16)
