"""Writes tests/golden/format1/: every kind of file that release 0.1 writes, and what it reads back.

Kept for the record. It runs on 0.1 only, refuses on any later format, and never overwrites: files
that users have in git are not made a second time. `python -m tests.golden.make_format1 FOLDER`.

The wall clock, the random bytes, the host name and the author are fixed. Process ids in the names
of segments, the order of concurrent calls and measured latencies are not: files of a second run
differ in these, and in the digests over them.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import socket
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

START_NS = 1_772_442_000_000_000_000  # 2026-03-02T09:00:00Z
STEP_NS = 1_000_000_000  # each look at the clock is a second later than the one before


def freeze() -> None:
    """Fix what differs between runs, before promptops is imported and binds the clock."""
    ticks = itertools.count(START_NS, STEP_NS)
    chance = random.Random(14)
    time.time_ns = lambda: next(ticks)
    time.time = lambda: next(ticks) / 1e9
    os.urandom = lambda size: chance.randbytes(size)
    socket.gethostname = lambda: "golden"
    os.environ.update(
        PROMPTOPS_USER="Zoë Ångström",
        GIT_AUTHOR_DATE="2026-03-02T08:00:00Z",
        GIT_COMMITTER_DATE="2026-03-02T08:00:00Z",
        TZ="UTC",
    )
    for name in ("PROMPTOPS_REGISTRY", "PROMPTOPS_ENV", "OPENAI_API_KEY"):
        os.environ.pop(name, None)


def refuse_later_formats() -> None:
    """The formats of 0.1, or no files at all."""
    from promptops import evidence
    from promptops.registry import document, needs
    from promptops.store.schema import SCHEMA

    found = (document.FORM, evidence.FORM, needs.FORM, SCHEMA)
    if found != (1, "e1", "r1", 1):
        raise SystemExit(
            f"this release writes the formats {found}; the files of format 1 are made by promptops "
            "0.1 only: check out that release, or leave the committed files as they are."
        )


def record(source: Path) -> dict[str, Any]:
    """What this release reads from the files."""
    from promptops.lab import Lab
    from promptops.store import Store
    from tests.golden import format1_reader as reader

    with tempfile.TemporaryDirectory() as scratch:
        folder = reader.copied(Path(scratch) / "project", source)
        asked = reader.questions(folder)
        said = reader.served(folder / reader.REGISTRY, asked)
        store = Store(folder / reader.STORE)
        found = {
            "questions": [q | {"expected": a} for q, a in zip(asked, said, strict=True)],
            "versions": reader.versions(folder),
            "chains": reader.chains(folder),
            "policies": reader.policies(folder),
            "verified": reader.verified(folder),
            "columns": reader.columns_of_today(),
            "tables": reader.tables(store, reader.columns_of_today()),
        }
        store.close()
        lab = Lab(folder)
        found["studies"] = [reader.figures(lab, *compared) for compared in reader.COMPARED]
        found["study_file"] = reader.study_file(folder)
        lab.store.close()
    return found


def main(target: Path) -> None:
    """Make the folder and the record of what it says."""
    if target.exists():
        raise SystemExit(f"{target} exists; golden files are never made again, name a new folder.")
    freeze()
    refuse_later_formats()
    from tests.golden import format1_project

    warnings.simplefilter("ignore")
    format1_project.make(target)
    text = json.dumps(record(target), indent=1, ensure_ascii=False, sort_keys=True)
    (target / "expected.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
