"""Connections to a DuckDB file, each with the file attached as `store`: no hold on a file outlives
the call that opened it, or the sitting of such calls (see `sitting`).

Making a DuckDB takes ten milliseconds and attaching a file one, so this process keeps two: one to
read files with, one to write them with.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import StoreError
from .shortage import Shortage, is_shortage

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection as Connection

__all__ = [
    "MEMORY",
    "READERS",
    "WRITERS",
    "Busy",
    "NotOurTurn",
    "Damaged",
    "attach",
    "fault_of",
    "is_damage",
    "still_damaged",
]

# No replacement scans: a name in a query is a table, never a Python variable of our own.
CONFIG = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
}
# Raised for a sound file on a disk that is full or not ours, or of one that a newer DuckDB wrote.
_NOT_THE_FILES = (
    "Permission denied|Read-only file system|No space left|Cannot open file|File too large|Disk"
    " quota|version number"
)
# rows; a merge rewrites the group that is not full, which would be 120 MB of runs at DuckDB's own
# 122,880
ROW_GROUP = 16_384
MEMORY = ":memory:"


class Busy(Exception):
    """Another process holds the file; the text names it."""


class NotOurTurn(Busy):
    """A process of our own has the file's turn, and hands it on soon."""


class Damaged(Exception):
    """The file does not open, or holds fewer or more rows than it says; the text says which."""


def attach(path: Path | str, *, read_only: bool = False) -> Connection:
    """A private connection that has the file attached as `store`, and uses it.

    Raises Busy, Damaged or OSError.
    """
    import duckdb

    con = duckdb.connect(MEMORY, config=dict(CONFIG))
    try:
        _set_up(con, path, read_only)
        _use(con, path, read_only)
    except duckdb.Error as error:
        con.close()
        raise fault_of(error, path) from None
    except BaseException:
        con.close()
        raise
    return con


def _set_up(con: Connection, path: Path | str, read_only: bool) -> None:
    if not read_only:
        # merging does not get faster with more, takes more memory, and a study is running beside it
        con.execute("SET threads = 1")
        # what a merged step took goes back to the system: DuckDB's own threshold is 512 MB, so that
        # all that a long merge takes and frees would stay with the process
        con.execute("SET allocator_bulk_deallocation_flush_threshold = '1MB'")
    _spill(con, path)


def _spill(con: Connection, path: Path | str) -> None:
    """Where what exceeds the memory goes; else it would be .tmp in the working directory."""
    where = "" if str(path) == MEMORY else _quoted(Path(path).parent / "spill")
    con.execute(f"SET temp_directory = '{where}'")


def _use(con: Connection, path: Path | str, read_only: bool) -> None:
    options = "READ_ONLY" if read_only else f"STORAGE_VERSION 'v1.0.0', ROW_GROUP_SIZE {ROW_GROUP}"
    file = "" if str(path) == MEMORY else f" ({options})"
    con.execute(f"ATTACH '{_quoted(path)}' AS store{file}")
    con.execute("USE store")


def _quoted(path: Path | str) -> str:
    """The path within a statement.

    Raises OSError if it is not text in UTF-8, which DuckDB would refuse in every statement.
    """
    text = str(path)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise OSError(
                f"the folder's name {os.fsencode(text)!r} is not UTF-8, which DuckDB cannot open;"
                " rename it"
            ) from None
    return text.replace("'", "''")


class _Instance:
    """One in-memory DuckDB of this process, to which a file is attached while it is used and no
    longer. Used under `one_at_a_time`.
    """

    def __init__(self, *, read_only: bool) -> None:
        self._read_only = read_only
        # the path of the last file, whose folder it spills to; the instance
        self._made: tuple[str, Connection] | None = None
        self._lent: Connection | None = None
        self._has_blank = False

    def borrow(self, path: Path | str) -> Connection | None:
        """A connection of its own with the file attached as `store`, to be given back; None if
        it is lent already.

        Raises Busy, Damaged or OSError.
        """
        import duckdb

        if self._lent is not None:
            return None
        con = self._instance(path).cursor()
        try:
            _use(con, path, self._read_only)
        except duckdb.Error as error:
            self._give_up(con)
            raise fault_of(error, path) from None
        except BaseException:
            self._give_up(con)
            raise
        self._lent = con
        return con

    def _instance(self, path: Path | str) -> Connection:
        import duckdb

        if self._made is not None and self._made[0] != str(path):
            try:
                _spill(self._made[1], path)
                self._made = str(path), self._made[1]
            except duckdb.Error:  # it has spilt, and is bound to that folder
                self._give_up()
        if self._made is None:
            made = duckdb.connect(MEMORY, config=dict(CONFIG))
            _set_up(made, path, self._read_only)
            self._made = str(path), made
        return self._made[1]

    def prepare(self, path: Path | str, create: Callable[[Connection], None] | None = None) -> None:
        """Make now what the next `borrow` for the path needs, and the tables that the next
        `copy_blank` copies.

        Raises duckdb.Error or OSError.
        """
        if self._lent is not None:
            return
        con = self._instance(path).cursor()
        try:
            if create is not None:
                self._blank(con, create)
        except BaseException:
            self._give_up(con)
            raise
        con.close()

    def has_lent(self, con: Connection) -> bool:
        """Whether the connection is of this instance, and is to be given back to it."""
        return con is self._lent

    def give_back(self, con: Connection, *, sound: bool = True) -> None:
        """Detach the file. sound: False if its use failed; then the instance ends with it."""
        self._lent = None
        if not sound:
            self._give_up(con)
            return
        try:
            con.execute("USE memory")
            con.execute("DETACH store")
            con.close()
        except BaseException as error:  # the file must not stay open
            self._give_up(con)
            import duckdb

            if not isinstance(error, duckdb.Error):
                raise

    def copy_blank(self, con: Connection, create: Callable[[Connection], None]) -> None:
        """Give a connection that this instance lent the tables that `create` makes. They are made
        once in memory and copied from there: their comments take ten times as long to write.
        """
        self._blank(con, create)
        con.execute("USE store")
        con.execute("BEGIN")
        con.execute("COPY FROM DATABASE blank TO store")
        con.execute("COMMIT")

    def _blank(self, con: Connection, create: Callable[[Connection], None]) -> None:
        if not self._has_blank:
            con.execute("ATTACH ':memory:' AS blank")
            con.execute("USE blank")
            create(con)
            self._has_blank = True

    def _give_up(self, *lent: Connection) -> None:
        """End the instance, and with it every hold on a file."""
        made, self._made = self._made, None
        self._has_blank = False
        for each in (*lent, *(made[1:] if made else ())):
            with suppress(Exception):
                each.close()


# The last of each is this process's; before it, in a forked child, its parents': their threads are
# gone, and ending them would wait forever.
READERS = [_Instance(read_only=True)]
WRITERS = [_Instance(read_only=False)]
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: READERS.append(_Instance(read_only=True)))
    os.register_at_fork(after_in_child=lambda: WRITERS.append(_Instance(read_only=False)))


def fault_of(error: Exception, path: Path | str) -> Exception:
    """The cause of an error: another process, the file, or something that setting the file aside
    would not fix.
    """
    import duckdb

    text = str(error)
    if "Unique file handle conflict" in text or "already attached" in text:
        return Busy("a DuckDB connection of this process")
    if "Could not set lock" in text or "being used by another process" in text:
        found = re.search(r"held in (\S+) \(PID (\d+)\)", text)
        return Busy(f"{Path(found[1]).name} (process {found[2]})" if found else "another program")
    if is_shortage(error):
        return Shortage(path, error)
    if isinstance(error, duckdb.InterruptException) or re.search(_NOT_THE_FILES, text):
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
    if is_shortage(error):
        return False
    # a failed checksum has no class of its own
    return isinstance(error, of_the_file) or type(error) is duckdb.Error


def still_damaged(path: Path, damage: Damaged) -> StoreError:
    """The one sentence for a file that was set aside, rebuilt and damaged again."""
    return StoreError(
        f"{path} cannot be read, and neither can what was rebuilt of it ({damage}); `promptops"
        " doctor` says which files are damaged."
    )
