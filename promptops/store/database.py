"""Opening the DuckDB file: one process at a time writes it, no connection outlives a call, and
nobody waits for a stranger.

Processes of our own take turns by a lock file, for moments; a file held by a foreign tool is
`Busy` at once. A file or WAL that cannot be trusted is set aside, never deleted: its rows are in
the segments and the archive.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..markup import count
from ..spool.locks import turn
from .connect import READERS, WRITERS, Damaged, NotOurTurn, attach, fault_of, is_damage
from .links import fault_at, own_folder
from .recorder import say
from .renewal import create, is_current, renew
from .shortage import Shortage, is_shortage
from .sitting import KEEPERS, one_at_a_time

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection as Connection

__all__ = ["Database", "Outdated", "check_counts", "one_at_a_time"]

ASIDE = "aside"
WAIT_S = 5.0  # for another process of our own; its merges go in steps of about a second


class Outdated(Damaged):
    """The file lacks tables or columns of this release, or has them by former names; opening it for
    writing renews it.
    """


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """DuckDB's errors as Busy, Damaged, Shortage or OSError."""
    import duckdb

    try:
        yield
    except (duckdb.Error, MemoryError) as error:
        raise fault_of(error, path) from error


@contextmanager
def _damage_translated(path: Path) -> Iterator[None]:
    """What DuckDB raises of a file that opens and cannot be read, as Damaged, and of memory that
    is short, as Shortage; a fault of the query passes as it is.
    """
    import duckdb

    try:
        yield
    except (duckdb.Error, MemoryError) as error:
        if not (is_damage(error) or is_shortage(error)):
            raise
        raise fault_of(error, path) from error


class Database:
    """One DuckDB file of the store's form. covered: segment -> bytes that it is known to hold."""

    def __init__(self, path: Path, *, shared: bool = True) -> None:
        self.path = path
        self.covered: Mapping[str, int] = {}
        self._shared = shared
        self._seen: tuple[int, ...] = ()

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection for merging; the tables are there. A damaged file is set aside and a new one
        begun.

        Raises Busy if another process holds the file, OSError if it cannot be written.
        """
        with self._alone():
            con, sound = self._sound(), False
            try:
                with _translated(self.path):
                    yield con
                    self.covered = _ledger(con)
                sound = True
            finally:
                _let_go(con, sound=sound)
                self._private()
            self._seen = self._identity()

    def state(self) -> tuple[int, ...] | None:
        """What changes with the file; None if it is not as it was when `covered` was read."""
        identity = self._identity()
        return identity if identity == self._seen else None

    @contextmanager
    def reading(self, *, private: bool = False) -> Iterator[Connection]:
        """A read-only connection; `covered` is what it holds. private: its settings may be changed,
        as a user's query needs it.

        Raises Busy, Damaged (Outdated where a writer would renew it), or OSError if there is no
        file.
        """
        with one_at_a_time(), ExitStack() as stack:
            self._plain()
            keeper, found = KEEPERS[-1], self._identity()
            kept = None if private else stack.enter_context(keeper.again(self.path, found))
            if kept is None:
                keeper.let_go()
                con = self._opened(stack, private)
            else:
                con = kept
            identity = self._identity()
            if identity != self._seen:
                check_counts(con)
                with _translated(self.path):
                    current = is_current(con)
                if not current:
                    raise Outdated("it is in the form of an older release")
                with _translated(self.path):
                    self.covered = _ledger(con)
                self._seen = identity
            with _damage_translated(self.path):
                yield con
            if kept is None and keeper.wanted and READERS[-1].has_lent(con):
                keeper.keep(self.path, identity, con, stack.pop_all().close)

    def _opened(self, stack: ExitStack, private: bool) -> Connection:
        """A read-only connection, which the stack closes, and after it ends the file's turn."""
        stack.enter_context(self._turn(exclusive=False))
        reader = READERS[-1]
        lent = None if private else reader.borrow(self.path)
        if lent is None:
            con = attach(self.path, read_only=True)
            stack.callback(_close, con)
            return con
        stack.callback(reader.give_back, lent)
        return lent

    def replaced(self, build: Callable[[Path], None], *, aside: bool) -> list[Path]:
        """Put the file that `build` makes at the path it is given in this one's place; aside: keep
        the old one, and return where.

        Raises Busy, or what `build` raises, and changes nothing then.
        """
        fresh = self.path.with_name(f"{self.path.name}.new")
        with self._alone():
            con = self._sound()  # nobody else has it open
            try:
                fresh.unlink(missing_ok=True)
                build(fresh)
                fresh.chmod(0o600)
            finally:
                _let_go(con)
            moved = [
                self._moved(path) for path in (self._wal, self.path) if aside and path.exists()
            ]
            self._wal.unlink(missing_ok=True)  # its rows are in the new file
            os.replace(fresh, self.path)
            self.covered, self._seen = {}, ()
        return moved

    def set_aside(self, why: str) -> None:
        """Move a file that cannot be read out of the way; the next reading rebuilds it."""
        with self._alone():
            self._set_aside(why)

    def _set_aside(self, why: str) -> None:
        """Move the file and its WAL out of the way. Nothing is deleted."""
        moved = [self._moved(path) for path in (self._wal, self.path) if os.path.lexists(path)]
        if moved:
            say(
                f"{why}; it was set aside as {', '.join(str(path) for path in moved)}, and is"
                " rebuilt from segments and archive."
            )
        self.covered, self._seen = {}, ()

    # -- opening

    @property
    def _wal(self) -> Path:
        return self.path.with_name(self.path.name + ".wal")

    def _sound(self) -> Connection:
        """Open for writing; where the WAL spoils it, without the WAL; where the file is spoilt,
        again.
        """
        try:
            return self._checked()
        except Damaged as damage:
            if self._wal.exists():
                say(
                    f"{damage}; its WAL was set aside as {self._moved(self._wal)}, and what it held"
                    " is merged from the segments again."
                )
                try:
                    return self._checked()
                except Damaged as still:
                    damage = still
            self._set_aside(str(damage))
            return self._checked()

    def _plain(self) -> None:
        """Raises Damaged for a symlink, or a pipe that DuckDB would wait for: set aside, then."""
        for path in (self.path, self._wal):
            if fault := fault_at(path):
                raise Damaged(f"{path}: {fault}")

    def _checked(self) -> Connection:
        self._plain()
        identity, writer = self._identity(), WRITERS[-1]
        con = writer.borrow(self.path) or attach(self.path)
        try:
            self._private()
            with _translated(self.path):
                if not con.execute(
                    "SELECT 1 FROM duckdb_schemas() WHERE database_name = 'store' AND schema_name ="
                    " 'internal'"
                ).fetchall():
                    if writer.has_lent(con):
                        writer.copy_blank(con, create)
                    else:
                        create(con)
                elif identity != self._seen:  # else it was checked, and nobody has touched it since
                    check_counts(con)
                    renew(con)
        except BaseException:
            _let_go(con)
            raise
        return con

    def _moved(self, path: Path) -> Path:
        folder = own_folder(self.path.parent / ASIDE)
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
        target = folder / f"{stamp}-{os.urandom(3).hex()}-{path.name}"
        os.replace(path, target)
        return target

    def _identity(self) -> tuple[int, ...]:
        found = []
        for path in (self.path, self._wal):
            try:
                stat = path.stat()
                found += [stat.st_ino, stat.st_size, stat.st_mtime_ns]
            except OSError:
                found += [0, 0, 0]
        return tuple(found)

    def _private(self) -> None:
        """DuckDB makes its files by the umask; ours are for their owner alone."""
        for path in (self.path, self._wal):
            try:
                if path.stat().st_mode & 0o077:
                    path.chmod(0o600)
            except OSError:
                continue

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """The file for this process alone, to write or replace it."""
        with one_at_a_time():
            KEEPERS[-1].let_go()
            with self._turn(exclusive=True):
                yield

    @contextmanager
    def _turn(self, *, exclusive: bool) -> Iterator[None]:
        """The file's turn among our own processes.

        Raises Busy if one of them keeps it too long.
        """
        if not self._shared:
            yield
            return
        with ExitStack() as stack:
            try:
                mine = stack.enter_context(
                    turn(self.path.with_name("turn.lock"), exclusive=exclusive, wait_s=WAIT_S)
                )
            except OSError:
                if exclusive:
                    raise
                mine = True  # a folder that cannot be written: nobody writes there
            if not mine:
                raise NotOurTurn("another promptops process")
            yield


def _let_go(con: Connection, *, sound: bool = False) -> None:
    """End a connection for writing. sound: nothing failed, so the instance that lent it stays."""
    if sound and WRITERS[-1].has_lent(con):
        WRITERS[-1].give_back(con)
        return
    _close(con)
    if WRITERS[-1].has_lent(con):
        WRITERS[-1].give_back(con, sound=False)


def _ledger(con: Connection) -> dict[str, int]:
    """Segment -> bytes that were merged of it."""
    return dict(con.execute("SELECT segment, bytes FROM internal.ledger").fetchall())


def _close(con: Connection) -> None:
    """Close without raising: a failed checkpoint leaves a WAL, which the next open replays."""
    import duckdb

    try:
        con.close()
    except duckdb.Error as error:
        say(
            f"the DuckDB file did not close cleanly ({str(error).splitlines()[0]}); the next open"
            " replays its WAL."
        )


def check_counts(con: Connection) -> None:
    """Raises Damaged if a table does not have as many rows as were merged into it."""
    import duckdb

    try:
        text = dict(con.execute("SELECT table_name, rows FROM internal.counts").fetchall())
        if not text:
            raise Damaged("the database says nothing of its rows")
        counted = con.execute(
            " UNION ALL ".join(f"SELECT '{table}', count(*) FROM {table}" for table in text)
        ).fetchall()
    except (duckdb.Error, MemoryError) as error:
        if is_shortage(error):
            raise Shortage("the store's DuckDB file", error) from None
        raise Damaged(f"the database cannot be read: {str(error).splitlines()[0]}") from None
    for table, rows in counted:
        if rows != text[table]:
            raise Damaged(
                f"the table {table} has {count(rows, 'row')}, {text[table]:,} were merged into it"
            )
