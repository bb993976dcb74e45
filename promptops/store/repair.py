"""The doctor: says what is wrong, and repairs it without losing a row that is recorded anywhere.

Where the file disagrees with sound segments and archive, they are right, and it is built again.
Where they are damaged themselves, rows that only the file still holds are recorded once more first.
What is replaced is set aside, never deleted.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from ..markup import count
from ..spool.ends import ends_of, forget_ends
from .archive import alone, recover
from .connect import Busy, Damaged, attach
from .database import ASIDE, Database
from .hidden import hidden_faults, mend_hidden
from .integrity import check_archive, check_database, check_ends, check_segments, unrecorded
from .links import link_faults, moved_links, own_folder
from .merge_segments import Sources, merge
from .patience import PATIENT_S
from .renewal import create
from .shortage import is_shortage

__all__ = ["aside_of", "build", "mended_own", "repair_store", "rescued", "verify_store"]

Append = Callable[[str, Sequence[Mapping[str, object]]], None]


def verify_store(
    folder: Path, database: Database, sources: Callable[[], Sources], least: Mapping[str, int]
) -> list[str]:
    """One line per finding. Other processes may write meanwhile, and archive before and after.

    least: segment -> bytes that stood there before all was merged, so that the file must hold them.
    """
    with _undisturbed(folder) as mine:
        if not mine:  # what is moved while it is read looks like a row that is missing
            return [
                f"{folder} is being archived or purged by another promptops process, which did"
                f" not end in {PATIENT_S:.0f} s: it could not be checked; run verify() again."
            ]
        # in this order: each holds at least what those before it speak of
        merged, ends, listed = database.covered, ends_of(folder), sources()
        own = [*link_faults(folder), *hidden_faults(folder)]
        empty = not (listed.sizes() or ends or listed.unreadable)
        if empty and not database.path.exists():
            return own
        return [
            *own,
            *check_ends(ends, listed),
            *check_segments(listed, merged),
            *check_archive(listed),
            *check_database(database, sources, least),
        ]


@contextmanager
def _undisturbed(folder: Path) -> Iterator[bool]:
    """Whether no file of the archive comes or goes until the block ends; a purge that runs is
    waited for. Nobody else is expected in a folder that cannot be written, or is not there.
    """
    mine = True
    with ExitStack() as stack:
        with suppress(OSError):
            mine = stack.enter_context(alone(folder, PATIENT_S))
        yield mine


@contextmanager
def _keeping_others_out(folder: Path) -> Iterator[None]:
    """As `_undisturbed`, for what changes files. Raises Busy if another process goes on."""
    with _undisturbed(folder) as mine:
        if not mine:
            raise Busy("another promptops process, which writes the archive")
        yield


def repair_store(
    folder: Path, database: Database, sources: Callable[[], Sources], append: Append
) -> list[str]:
    """One line for each thing done. append: records rows in this process's own segment."""
    done: list[str] = []
    if not folder.exists():  # nothing was recorded yet
        return done
    try:
        done += moved_links(folder)
        done += mended_own(folder, sources)
        before = set(aside_of(folder))
        with database.writing() as con:
            merge(con, sources())
        done += [f"set aside {path}" for path in aside_of(folder) if path not in before]
        done += rescued(folder, database, sources, append)
        done += _mourned(folder, sources)
        with _keeping_others_out(folder):
            if done or check_database(database, sources, {}) or _beyond(database, sources):
                moved = database.replaced(lambda path: build(path, sources()), aside=True)
                done += [f"set aside {path}" for path in moved] + [
                    f"rebuilt {database.path} from segments and archive"
                ]
    except Busy as busy:
        done.append(f"{database.path} is in use by {busy}; close it there, then repair again")
    except OSError as error:
        if is_shortage(error):
            raise
        done.append(f"{database.path} cannot be repaired: {error}")
    except Damaged as damage:
        done += _begun_again(folder, database, sources, damage)
    return done


def mended_own(folder: Path, sources: Callable[[], Sources]) -> list[str]:
    """Make again what this package keeps about its rows: manifests of the archive, lists of what a
    purge hid. One line for each thing done. Raises OSError, and Busy while another process archives
    or purges.
    """
    if not sources().unreadable and not hidden_faults(folder):
        return []
    with _keeping_others_out(folder):
        faults = sources().unreadable
        return [*mend_hidden(folder), *(recover(path, folder / ASIDE) for path in faults)]


def _begun_again(
    folder: Path, database: Database, sources: Callable[[], Sources], damage: Damaged
) -> list[str]:
    """Set a file aside that cannot even be read, and build it from segments and archive."""
    before = set(aside_of(folder))
    try:
        database.set_aside(str(damage))
        with database.writing() as con:
            merge(con, sources())
    except (Busy, OSError, Damaged) as error:
        if is_shortage(error):
            raise
        return [f"{database.path} cannot be repaired: {error}"]
    return [
        *(f"set aside {path}" for path in aside_of(folder) if path not in before),
        f"rebuilt {database.path} from segments and archive",
    ]


def rescued(
    folder: Path, database: Database, sources: Callable[[], Sources], append: Append
) -> list[str]:
    """Record once more what segments and archive lost and the file still holds; set damaged batches
    of the archive aside. Raises Busy while another process archives or purges.
    """
    with _keeping_others_out(folder):  # else rows that another process purges now would come back
        merged, ends, listed = database.covered, ends_of(folder), sources()
        bad = [batch for batch in listed.batches if batch.damaged()]
        faults = (check_ends(ends, listed), check_segments(listed, merged))
        if not bad and not _less(listed, merged) and not any(map(any, faults)):
            return []
        done, saved = [], 0
        with database.reading() as con:
            now = sources()  # while nobody can merge
            sound = replace(now, batches=tuple(batch for batch in now.batches if batch not in bad))
            for table, rows in unrecorded(con, sound):
                append(table, rows)
                saved += len(rows)
        if saved:
            done.append(
                f"recorded {count(saved, 'row')} once more, which only {database.path} still held"
            )
        for batch in bad:
            target = own_folder(folder / ASIDE) / f"archive-{batch.folder.name}"
            os.rename(batch.folder, target)
            done.append(f"set aside {target}")
        return done


def _mourned(folder: Path, sources: Callable[[], Sources]) -> list[str]:
    """Report the segments that were cut or lost after their writers ended, for the last time:
    nothing more can be repaired.
    """
    ends, listed = ends_of(folder), sources()
    sizes = listed.sizes()
    lines = list(check_ends(ends, listed))
    forget_ends(folder, {name: size for name, size in ends.items() if sizes.get(name, 0) < size})
    return lines


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


def _beyond(database: Database, sources: Callable[[], Sources]) -> bool:
    """Whether the file holds bytes of segments that were cut or removed."""
    merged = database.covered  # first: what is listed behind it holds at least as much
    return _less(sources(), merged)


def _less(sources: Sources, merged: Mapping[str, int]) -> bool:
    sizes = sources.sizes()
    return any(size > sizes.get(name, 0) for name, size in merged.items())
