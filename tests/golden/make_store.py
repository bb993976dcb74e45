"""Writes a golden store of this release's schema: `python -m tests.golden.make_store store-v2`.

It has a study in the archive, one in the DuckDB file and its segment, one in a segment that is not
merged yet, and beside it an export of all three. What is there is never made again, since people
have such files.
"""

from __future__ import annotations

import gzip
import json
import shutil
import sys
from pathlib import Path

from promptops.store import Store
from tests.store.test_keeping import content, fill

GOLDEN = Path(__file__).parent


def main(name: str) -> None:
    """The folder, and in NAME.json what this release reads from it."""
    target = GOLDEN / name
    if target.exists():
        raise SystemExit(f"{target} exists; golden files are never made again, name a new folder.")
    store = Store(target)
    fill(store, "s1")
    store.close()
    store.archive()
    fill(store, "s2", 3)
    store.close()
    store.merge()
    database = (target / "store.duckdb").read_bytes()
    fill(store, "s3", 2)
    store.close()
    export = target / "all.export"
    store.export(export)
    export.with_suffix(".export.gz").write_bytes(gzip.compress(export.read_bytes(), mtime=0))
    export.unlink()
    found = json.dumps(content(store), indent=1, default=str)
    store.close()
    (target / "store.duckdb").unlink()
    (target / "store.duckdb.gz").write_bytes(gzip.compress(database, mtime=0))
    for left in ("scratch", "aside"):
        shutil.rmtree(target / left, ignore_errors=True)
    for lock in target.rglob("*.lock"):
        lock.unlink()
    (GOLDEN / f"{name}.json").write_text(found + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
