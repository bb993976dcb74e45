"""Corrected golden answers beside a file that cannot hold them: `tickets.xlsx.corrections.jsonl`.

One JSON object per line: `{"id": "t-17", "was": "bug", "expected": "billing"}`. `Dataset.read`
reads it with the file. A correction counts as long as the file's own value is still the one
recorded in `was`. One that was saved here also names its `column`, since a file may hold the
answers of two people, and in `asks` hashes of the row's inputs, since the next export of a file may
give other rows the same ids.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from ..canonical import canonical
from ..errors import DatasetError
from . import strict
from .example import Example
from .roles import Roles
from .rows import say_count

__all__ = ["SUFFIX", "applied", "entry_of", "new_entry", "overlay_of", "read", "same", "with_entry"]

SUFFIX = ".corrections.jsonl"
_HASHED = 20  # inputs of a row
Entry = Mapping[str, Any]  # id, was, expected; column, asks
Entries = Mapping[tuple[str, str | None], Entry]  # by id and column


def overlay_of(path: Path) -> Path:
    """The file of corrections that belongs to a dataset's file; it need not be there."""
    return path.with_name(path.name + SUFFIX)


def read(path: Path, data: bytes | None = None) -> dict[tuple[str, str | None], Entry]:
    """(example id, column) -> its correction; empty without a file. data: the file's bytes,
    where they were read already. Raises DatasetError naming file, line and fault.
    """
    if data is None:
        if not path.is_file():
            return {}
        data = path.read_bytes()
    found: dict[tuple[str, str | None], Entry] = {}
    for number, line in enumerate(_text(data, path).split("\n"), 1):
        if not line.strip():
            continue
        entry = _entry(line, f"{path.name}:{number}")
        key = entry["id"], entry.get("column")
        if key in found:
            raise DatasetError(
                f"{path.name}:{number} corrects {entry['id'][:60]!r} a second time; keep one."
            )
        found[key] = entry
    return found


def entry_of(entries: Entries, id: str, roles: Roles) -> Entry | None:
    """The correction of an example; one that names no column is of any."""
    return entries.get((id, roles.expected)) or entries.get((id, None))


def new_entry(example: Example, expected: object, roles: Roles) -> Entry:
    """A correction of an example as the file has it."""
    entry = {"id": example.id, "was": example.expected, "expected": expected}
    if roles.expected is not None:
        entry["column"] = roles.expected
    return {**entry, "asks": dict(islice(_asks(example, roles).items(), _HASHED))}


def applied(
    examples: Sequence[Example], entries: Entries, path: Path, roles: Roles, notes: list[str]
) -> tuple[Example, ...]:
    """The examples with their corrections; says how many came from `path`, and which did not
    count.
    """
    if not entries:
        return tuple(examples)
    out, used, stale, others = [], [], [], []
    for example in examples:
        entry = entry_of(entries, example.id, roles)
        if entry is not None and not same(example.expected, entry["expected"]):
            if not _asks(example, roles).items() >= _common(entry, roles).items():
                others.append(repr(example.id))
            elif same(example.expected, entry["was"]):
                used.append(repr(example.id))
                example = replace(example, expected=entry["expected"])
            else:
                stale.append(repr(example.id))
        out.append(example)
    known = {example.id for example in examples}
    here = {id for id, column in entries if column in (None, roles.expected)}
    beside = sorted(repr(id) for id, column in entries if column not in (None, roles.expected))
    name = f"corrections of {path.name}"
    for found, sentence in (
        (used, f"golden answers that were read from {path.name}: {{n}} (first: {{first}})."),
        (
            stale,
            f"{name} that do not count, since the golden answer in the file itself was changed"
            " too: {n} (first: {first}); remove their lines.",
        ),
        (
            others,
            f"{name} that do not count, since their rows ask something else by now: {{n}} (first:"
            " {first}); remove their lines, or correct the answers again.",
        ),
        (
            sorted(map(repr, here - known)),
            f"{name} of rows that are not there: {{n}} (first: {{first}}).",
        ),
        (beside, f"{name} of another column: {{n}} (first: {{first}})."),
    ):
        say_count(notes, found, sentence)
    return tuple(out)


def _asks(example: Example, roles: Roles) -> dict[str, str]:
    """Hashes of an example's inputs, by their columns."""
    return {
        column: hashlib.sha256(canonical([example.inputs.get(name)]).encode()).hexdigest()[:8]
        for name, column in roles.inputs.items()
    }


def _common(entry: Entry, roles: Roles) -> dict[str, str]:
    """The hashes of an entry, of columns that are inputs in this reading too."""
    columns = set(roles.inputs.values())
    return {column: seen for column, seen in entry.get("asks", {}).items() if column in columns}


def with_entry(data: bytes | None, entry: Entry) -> tuple[int, str, str, bytes]:
    """(line, the old line, the new line, all bytes) with this entry in the place of the one of its
    id and column, or at the end. data: None before the first one.
    """
    new = json.dumps(entry, ensure_ascii=False, allow_nan=False)
    lines = (data or b"").decode().split("\n")
    for number, line in enumerate(lines):
        old = _entry(line, "") if line.strip() else {"id": None}
        if old["id"] == entry["id"] and old.get("column") in (None, entry.get("column")):
            lines[number] = new
            return number + 1, line.rstrip("\r"), new, "\n".join(lines).encode()
    kept = lines[:-1] if not lines[-1].strip() else lines
    return len(kept) + 1, "", new, "\n".join([*kept, new, ""]).encode()


def same(one: object, other: object) -> bool:
    """Whether two golden answers are one value; 1 and true are not."""
    return canonical([one]) == canonical([other])


def _text(data: bytes, path: Path) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise DatasetError(f"{path.name} is not UTF-8; save it as UTF-8, or remove it.") from None


def _entry(line: str, where: str) -> Entry:
    try:
        entry = strict.parse(line)
    except ValueError as error:
        raise DatasetError(f"{where}: {error}; fix or remove the line.") from None
    if (
        not isinstance(entry, dict)
        or not isinstance(entry.get("id"), str)
        or not {"was", "expected"} <= entry.keys()
        or not isinstance(entry.get("column", ""), str)
        or not isinstance(entry.get("asks", {}), dict)
    ):
        raise DatasetError(
            f'{where} is not a correction; expected {{"id": ..., "was": ..., "expected": ...}}:'
            " fix or remove the line."
        )
    return entry
