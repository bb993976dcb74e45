"""Connections to a DuckDB file, each with the file attached as `store`: none of them outlives the
call that opened it.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

__all__ = ["READERS", "Busy", "Connection", "Damaged", "attach", "fault_of", "is_damage"]

# No replacement scans: a name in a query is a table, never a Python variable of our own.
CONFIG = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
}
# Said of a sound file on a disk that is full or not ours, or of one that a newer DuckDB wrote.
_NOT_THE_FILES = (
    "Permission denied|Read-only file system|No space left|Cannot open file|File too large|Disk"
    " quota|version number"
)
# rows; a merge rewrites the group that is not full, which would be 120 MB of runs at DuckDB's own
# 122,880
ROW_GROUP = 16_384
Connection = Any  # duckdb.DuckDBPyConnection


class Busy(Exception):
    """Another process holds the file; the text names it."""


class Damaged(Exception):
    """The file does not open, or holds fewer or more rows than it says; the text says which."""


def attach(path: Path | str, *, read_only: bool = False) -> Connection:
    """A private connection that has the file attached as `store`, and uses it.

    Raises Busy, Damaged or OSError.
    """
    import duckdb

    con = duckdb.connect(":memory:", config=dict(CONFIG))
    try:
        if not read_only:
            con.execute(
                "SET threads = 1"
            )  # merging is no faster with more, takes more memory, and a study is running beside it
        spill = (
            "" if str(path) == ":memory:" else _quoted(Path(path).parent / "spill")
        )  # else it would be .tmp in the working directory
        con.execute(f"SET temp_directory = '{spill}'")
        options = (
            "READ_ONLY" if read_only else f"STORAGE_VERSION 'v1.0.0', ROW_GROUP_SIZE {ROW_GROUP}"
        )
        _use(con, path, options if str(path) != ":memory:" else "")
    except duckdb.Error as error:
        con.close()
        raise fault_of(error, path) from None
    except BaseException:
        con.close()
        raise
    return con


def _use(con: Connection, path: Path | str, options: str) -> None:
    con.execute(f"ATTACH '{_quoted(path)}' AS store" + (f" ({options})" if options else ""))
    con.execute("USE store")


def _quoted(path: Path | str) -> str:
    return str(path).replace("'", "''")


class _Reader:
    """One in-memory DuckDB of this process, to which a file is attached while it is read and no
    longer: making a DuckDB takes ten milliseconds, attaching a file one. Used under
    `one_at_a_time`.
    """

    def __init__(self) -> None:
        self._made: tuple[str, Connection] | None = (
            None  # where it spills to, which cannot change once it did; the instance
        )
        self._lent = False

    def borrow(self, path: Path) -> Connection | None:
        """A connection of its own with the file attached as `store`, to be given back; None where
        it is lent already.

        Raises Busy, Damaged or OSError.
        """
        import duckdb

        if self._lent:
            return None
        spill = _quoted(path.parent / "spill")
        if self._made is None or self._made[0] != spill:
            self._made = spill, duckdb.connect(":memory:", config=dict(CONFIG))
            self._made[1].execute(f"SET temp_directory = '{spill}'")
        con = self._made[1].cursor()
        try:
            _use(con, path, "READ_ONLY")
        except duckdb.Error as error:
            self._give_up(con)
            raise fault_of(error, path) from None
        except BaseException:
            self._give_up(con)
            raise
        self._lent = True
        return con

    def give_back(self, con: Connection) -> None:
        """Detach the file."""
        self._lent = False
        try:
            con.execute("USE memory")
            con.execute("DETACH store")
            con.close()
        except BaseException as error:  # the file must not stay open
            self._give_up(con)
            import duckdb

            if not isinstance(error, duckdb.Error):
                raise

    def _give_up(self, con: Connection) -> None:
        """End the instance, and with it every hold on a file."""
        made, self._made = self._made, None
        for each in (con, *(made[1:] if made else ())):
            with suppress(Exception):
                each.close()


# The last is this process's; before it, in a forked child, its parents': their threads are gone,
# and ending them would wait forever.
READERS = [_Reader()]
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: READERS.append(_Reader()))


def fault_of(error: Exception, path: Path | str) -> Exception:
    """Whose fault it was: another process's, the file's, or nobody's that setting the file aside
    would help.
    """
    import duckdb

    text = str(error)
    if "Unique file handle conflict" in text or "already attached" in text:
        return Busy("a DuckDB connection of this process")
    if "Could not set lock" in text or "being used by another process" in text:
        found = re.search(r"held in (\S+) \(PID (\d+)\)", text)
        return Busy(f"{Path(found[1]).name} (process {found[2]})" if found else "another program")
    passing = isinstance(
        error, (duckdb.OutOfMemoryException, duckdb.InterruptException)
    )  # no fault of the file's
    if passing or re.search(_NOT_THE_FILES, text):
        return OSError(text.splitlines()[0])
    return Damaged(f"{Path(path).name} cannot be used: {text.splitlines()[0]}")


def is_damage(error: Exception) -> bool:
    """Whether DuckDB says so of a file whose bytes cannot be read, and not of a query."""
    import duckdb

    of_the_file = (
        duckdb.IOException,
        duckdb.FatalException,
        duckdb.InternalException,
        duckdb.SerializationException,
    )
    # a failed checksum has no class of its own
    return isinstance(error, of_the_file) or type(error) is duckdb.Error
