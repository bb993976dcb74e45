"""What a purge hid in segments that it could not rewrite, kept twice: in one list for the store,
and beside each segment.

Either is enough: a list that was damaged or deleted brings no purged row back, and the doctor names
it and writes it again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..spool.segment import SEGMENTS, SUFFIX
from .manifest import Unreadable, checksum_of, read_json, written
from .shortage import Shortage, is_shortage

__all__ = ["HIDDEN", "add_hidden", "drop_hidden", "hidden_faults", "hidden_of", "mend_hidden"]

HIDDEN = "purged.json"
_COPY = ".purged"  # NAME.purged beside the segment NAME.jsonl
_IDS = ("runs", "examples", "studies")
Entry = dict[str, Any]  # segment, bytes, and the ids of each kind


def hidden_of(folder: Path) -> list[Entry]:
    """All that is hidden, by whichever of the two says so."""
    places = [folder / HIDDEN, *(_beside(folder, name) for name in _copies(folder))]
    return _union(_entries(path)[0] for path in places)


def add_hidden(folder: Path, entry: Entry) -> None:
    """Write it beside its segment first, then in the store's list."""
    listed = _union([hidden_of(folder), [entry]])
    _copy(folder, entry["segment"], listed)
    _list(folder, listed)


def drop_hidden(folder: Path, segments: set[str]) -> None:
    """Forget what was hidden in segments that are gone."""
    listed = hidden_of(folder)
    rest = [entry for entry in listed if entry["segment"] not in segments]
    if len(rest) < len(listed):
        _list(folder, rest)
    for name in segments:
        with suppress(OSError):
            _beside(folder, name).unlink(missing_ok=True)


def hidden_faults(folder: Path) -> list[str]:
    """One line for each of the two that is missing, damaged, or says less than the other."""
    path, stand = folder / HIDDEN, _standing(folder)
    listed, fault = _entries(path)
    lines = [f"{path} cannot be read: {fault}; run repair()."] if fault else []
    beside: list[Entry] = []
    for name in _copies(folder):
        entries, damage = _entries(_beside(folder, name))
        beside += entries
        if damage:
            lines.append(f"{_beside(folder, name)} cannot be read: {damage}; run repair().")
    if not fault and any(e not in listed and e["segment"] in stand for e in beside):
        lines.append(
            f"{path} lacks rows that a purge hid in a segment: it was removed or changed; they stay"
            " hidden, and repair() writes it again."
        )
    lacking = {e["segment"] for e in listed if e["segment"] in stand} - set(_copies(folder))
    if lacking and not fault and isinstance(read_json(path), list):
        lacking = set()  # of release 0.1, which kept one list: nothing of it is missing
    return lines + [
        f"{_beside(folder, name)} is missing, which repeats what {path} says; repair() writes it"
        " again."
        for name in sorted(lacking)
    ]


def mend_hidden(folder: Path) -> list[str]:
    """Write both again where they differ or do not read; one line for each thing done."""
    if not hidden_faults(folder):
        return []
    listed, stand = hidden_of(folder), _standing(folder)
    done = []
    for path in (folder / HIDDEN, *(_beside(folder, name) for name in _copies(folder))):
        if _entries(path)[1]:
            target = path.with_name(f"{path.name}.damaged-{os.urandom(3).hex()}")
            os.replace(path, target)
            done.append(f"set aside {target}")
    for name in sorted({entry["segment"] for entry in listed} & stand):
        _copy(folder, name, listed)
    _list(folder, listed)
    return [*done, f"wrote {folder / HIDDEN} again: {len(listed):,} purges of segments"]


def _beside(folder: Path, segment: str) -> Path:
    return folder / SEGMENTS / f"{segment}{_COPY}"


def _copies(folder: Path) -> list[str]:
    """Names of the segments that have a copy beside them."""
    try:
        listed = os.listdir(folder / SEGMENTS)
    except OSError as error:
        if is_shortage(error):  # what a purge removed would be shown again
            raise Shortage(folder, error) from None
        return []
    return sorted(name[: -len(_COPY)] for name in listed if name.endswith(_COPY))


def _standing(folder: Path) -> set[str]:
    try:
        listed = os.listdir(folder / SEGMENTS)
    except OSError as error:
        if is_shortage(error):
            raise Shortage(folder, error) from None
        return set()
    return {name[: -len(SUFFIX)] for name in listed if name.endswith(SUFFIX)}


def _entries(path: Path) -> tuple[list[Entry], str]:
    """What the file says, and what is wrong with it: it says nothing then."""
    try:
        found = read_json(path)
        listed = found
        if isinstance(found, dict):
            listed = found.get("purges")
            if found.get("checksum") != checksum_of(listed):
                raise Unreadable("its content no longer has its checksum")
        if not isinstance(listed, list) or not all(map(_is_entry, listed)):
            raise Unreadable("expected a list of what was hidden in which segment")
    except FileNotFoundError:
        return [], ""
    except Unreadable as fault:
        return [], str(fault)
    return listed, ""


def _is_entry(value: object) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("segment"), str)
        and type(value.get("bytes")) is int
        and all(
            isinstance(value.get(ids), list) and all(isinstance(id, str) for id in value[ids])
            for ids in _IDS
        )
    )


def _union(lists: Iterable[list[Entry]]) -> list[Entry]:
    found = {json.dumps(entry, sort_keys=True): entry for entries in lists for entry in entries}
    return list(found.values())


def _list(folder: Path, listed: list[Entry]) -> None:
    written(folder / HIDDEN, json.dumps({"purges": listed, "checksum": checksum_of(listed)}))


def _copy(folder: Path, segment: str, listed: list[Entry]) -> None:
    own = [entry for entry in listed if entry["segment"] == segment]
    text = json.dumps({"purges": own, "checksum": checksum_of(own)})
    written(_beside(folder, segment), text)
