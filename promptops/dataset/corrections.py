"""Corrected golden answers beside a file that cannot hold them: `tickets.xlsx.corrections.jsonl`.

One JSON object per line: `{"id": "t-17", "was": "bug", "expected": "billing"}`. `Dataset.read`
reads it with the file. A correction counts as long as the file's own value is still the one
recorded in `was`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..canonical import canonical
from ..errors import DatasetError
from . import strict
from .example import Example
from .rows import say_count

__all__ = ["SUFFIX", "applied", "overlay_of", "read", "same", "with_entry"]

SUFFIX = ".corrections.jsonl"
Entry = Mapping[str, Any]  # id, was, expected


def overlay_of(path: Path) -> Path:
    """The file of corrections that belongs to a dataset's file; it need not be there."""
    return path.with_name(path.name + SUFFIX)


def read(path: Path, data: bytes | None = None) -> dict[str, Entry]:
    """Example id -> its correction; none if there is no file. data: the file's bytes, where they
    were read already. Raises DatasetError naming file, line and fault.
    """
    if data is None:
        if not path.is_file():
            return {}
        data = path.read_bytes()
    found: dict[str, Entry] = {}
    for number, line in enumerate(_text(data, path).split("\n"), 1):
        if not line.strip():
            continue
        entry = _entry(line, f"{path.name}:{number}")
        if entry["id"] in found:
            raise DatasetError(
                f"{path.name}:{number} corrects {entry['id'][:60]!r} a second time; keep one."
            )
        found[entry["id"]] = entry
    return found


def applied(
    examples: Sequence[Example], entries: Mapping[str, Entry], path: Path, notes: list[str]
) -> tuple[Example, ...]:
    """The examples with their corrections; says how many came from `path`, and which did not
    count.
    """
    if not entries:
        return tuple(examples)
    out, used, stale = [], [], []
    for example in examples:
        entry = entries.get(example.id)
        if entry is not None and not same(example.expected, entry["expected"]):
            if same(example.expected, entry["was"]):
                used.append(repr(example.id))
                example = replace(example, expected=entry["expected"])
            else:
                stale.append(repr(example.id))
        out.append(example)
    lost = [repr(id) for id in entries.keys() - {example.id for example in examples}]
    say_count(
        notes, used, f"golden answers that were read from {path.name}: {{n}} (first: {{first}})."
    )
    say_count(
        notes,
        stale,
        f"corrections of {path.name} that do not count, since the golden answer in the file itself"
        " was changed too: {n} (first: {first}); remove their lines.",
    )
    say_count(
        notes,
        sorted(lost),
        f"corrections of {path.name} of rows that are not there: {{n}} (first: {{first}}).",
    )
    return tuple(out)


def with_entry(data: bytes | None, entry: Entry) -> tuple[int, str, str, bytes]:
    """(line, the old line, the new line, all bytes) with this entry in the place of the one of its
    id, or at the end. data: None if there is no file yet.
    """
    new = json.dumps(entry, ensure_ascii=False, allow_nan=False)
    lines = (data or b"").decode().split("\n")
    for number, line in enumerate(lines):
        if line.strip() and _entry(line, "")["id"] == entry["id"]:
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
    ):
        raise DatasetError(
            f'{where} is not a correction; expected {{"id": ..., "was": ..., "expected": ...}}:'
            " fix or remove the line."
        )
    return entry
