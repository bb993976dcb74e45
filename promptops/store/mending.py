"""The doctor: says what is wrong, and mends it without losing a row that stands anywhere.

Where the file disagrees with sound segments and archive, they are right, and it is built anew. Where they are damaged
themselves, rows that only the file still holds are recorded once more first. What is replaced is set aside, never deleted.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from .checks import check_archive, check_database, check_segments, unrecorded
from .connect import Busy, Damaged, attach
from .database import ASIDE, Database, create
from .merge import Sources, merge

__all__ = ["aside_of", "build", "repair_store", "rescued", "verify_store"]

Append = Callable[[str, Sequence[Mapping[str, Any]]], None]


def verify_store(database: Database, sources: Sources) -> list[str]:
    """One line a finding; everything is merged already."""
    if not sources.sizes() and not database.path.exists():
        return []
    return [*check_segments(sources, database.covered), *check_archive(sources), *check_database(database, sources)]


def repair_store(folder: Path, database: Database, sources: Callable[[], Sources], append: Append) -> list[str]:
    """One line for each thing done. append: records rows in this process's own segment."""
    done: list[str] = []
    try:
        before = set(aside_of(folder))
        with database.writing() as con:
            merge(con, sources())
        done += [f"set aside {path}" for path in aside_of(folder) if path not in before]
        done += rescued(folder, database, sources(), append)
        if done or check_database(database, sources()) or _beyond(database, sources()):
            moved = database.replaced(lambda path: build(path, sources()), aside=True)
            done += [f"set aside {path}" for path in moved] + [f"rebuilt {database.path} from segments and archive"]
    except Busy as busy:
        done.append(f"{database.path} is held by {busy}; close it there, then repair again")
    except (OSError, Damaged) as error:
        done.append(f"{database.path} cannot be mended: {error}")
    return done


def rescued(folder: Path, database: Database, sources: Sources, append: Append) -> list[str]:
    """Record once more what segments and archive lost and the file still holds; set damaged batches of the archive aside."""
    bad = [batch for batch in sources.batches if batch.damaged()]
    if not bad and not _beyond(database, sources) and not any(check_segments(sources, database.covered)):
        return []
    sound = replace(sources, batches=tuple(batch for batch in sources.batches if batch not in bad))
    done, count = [], 0
    with database.reading() as con:
        for table, rows in unrecorded(con, sound):
            append(table, rows)
            count += len(rows)
    if count:
        done.append(f"recorded {count:,} rows once more, which only {database.path} still held")
    for batch in bad:
        (folder / ASIDE).mkdir(mode=0o700, exist_ok=True)
        target = folder / ASIDE / f"archive-{batch.folder.name}"
        os.rename(batch.folder, target)
        done.append(f"set aside {target}")
    return done


def build(path: Path, sources: Sources) -> None:
    """A new DuckDB file of all that segments and archive hold."""
    con = attach(path)
    try:
        create(con)
        merge(con, sources)
    finally:
        con.close()


def aside_of(folder: Path) -> list[Path]:
    """What was set aside, oldest first."""
    try:
        return sorted((folder / ASIDE).iterdir())
    except OSError:
        return []


def _beyond(database: Database, sources: Sources) -> bool:
    """Whether the file holds bytes of segments that were cut or removed."""
    sizes = sources.sizes()
    return any(size > sizes.get(name, 0) for name, size in database.covered.items())
