"""Opening what a store recorded: a connection that sees every row, also while another program uses
the DuckDB file.

No file stays open between calls. A file that another program uses is a warning, and the rows come
from segments and archive instead; a damaged one is set aside and rebuilt.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from ..errors import StoreError
from ..garbage import collecting_rarely
from ..spool.segment import raise_schema, schema_of
from .connect import MEMORY, WRITERS, Busy, Damaged, attach, still_damaged
from .database import Database, Outdated, one_at_a_time
from .key_hashes import KeyHashes
from .merge_segments import Sources, merge, sources_of
from .read import Deployments, show_deployments
from .recent_runs import RecentRuns
from .recorder import Spool, say
from .renewal import create
from .schema import SCHEMA, TABLES
from .scratch import scratch_folder
from .shortage import Shortage, is_shortage
from .upkeep import archive_sealed, statistics

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection as Connection

__all__ = ["FILE", "NEWER", "Access", "Fresh", "unmasked"]

FILE = "store.duckdb"
Fresh = bool | Literal["others"]
ARCHIVE_BYTES = 128 << 20  # so much in merged segments is moved to the archive on the way,
ARCHIVE_SEGMENTS = 200  # or so many of them: each session of each kernel leaves one
# merged before the file is opened again, which keeps DuckDB's memory small
SITTING_BYTES = 32 << 20
NEWER = (
    "the store {} was written by a newer release: it is read as far as this one knows it, and"
    " neither checked nor written."
)

T = TypeVar("T")


class Access:
    """The connections of one store. main: its DuckDB file; recent: the runs that this process
    recorded a moment ago. deployments: see `Store`.
    """

    def __init__(self, folder: Path, spool: Spool, deployments: Deployments | None = None) -> None:
        self.folder = folder
        self.main = Database(folder / FILE)
        self.recent = RecentRuns()
        self._hashes = KeyHashes()
        self._spool = spool
        self._deployments = deployments
        self._scratch: Database | None = None
        self._scratch_pid = 0
        self._scratch_of: tuple[object, ...] = ()
        self._said: set[str] = set()

    def sources(self) -> Sources:
        """Where rows are now: this process's segment, those of others, and the archive."""
        self._spool.restore()
        found = sources_of(self.folder, self._spool.own)
        for path, fault in found.unreadable.items():
            self.say(f"{path} is left out: {fault}; run the store's repair().")
        return found

    def answer(
        self,
        query: str,
        ask: Callable[[Connection], T],
        fresh: Fresh = True,
        *,
        private: bool = False,
    ) -> T:
        """What `ask` gives of a connection. A file that turns out damaged while it is read is set
        aside, rebuilt from segments and archive, and asked once more.

        Raises StoreError if the rebuilt file cannot be read either.
        """
        try:
            with self.reading(query, fresh, private=private) as con:
                return ask(con)
        except Damaged as damage:
            self.main.set_aside(str(damage))
        try:
            with self.reading(query, private=private) as con:
                return ask(con)
        except Damaged as damage:
            raise still_damaged(self.main.path, damage) from None

    @contextmanager
    def reading(
        self, query: str, fresh: Fresh = True, *, private: bool = False
    ) -> Iterator[Connection]:
        """A connection that sees all that was recorded, or is merged, closed at the end. private:
        see `Database.reading`.
        """
        with self._enough(), one_at_a_time(), ExitStack() as stack:
            con = self._opened(stack, fresh, private)
            # our own queries name their tables; a user's may list them
            if private or not query or "deployments" in query.lower():
                show_deployments(con, query, self._deployments)
            yield con

    @contextmanager
    def _enough(self) -> Iterator[None]:
        """Memory that is short as one sentence, whichever way the rows are read."""
        try:
            yield
        except Exception as error:
            if isinstance(error, StoreError) or not is_shortage(error):
                raise
            raise Shortage(self.main.path, error) from None

    def surely_lacks(self, keys: Iterable[str]) -> bool:
        """Whether surely no run with one of these keys is recorded, by us (beyond `recent`) or by
        others. False says nothing: the database knows.
        """
        with one_at_a_time():
            sources = self.sources()
            state = self.main.state()
            if state is None or self._lacks(sources, "others") or self.newer():
                return False
            try:
                return self._hashes.lack(keys, state, self._count, self._keys)
            except (OSError, Busy, Damaged):
                return False

    def _count(self) -> int:
        return int(self._read("SELECT count(*) FROM runs")[0][0])

    def _keys(self) -> list[tuple[str]]:
        return self._read("SELECT key FROM runs")

    def _read(self, sql: str) -> list[Any]:
        """Rows of the file as it is."""
        with self.main.reading() as con:
            found: list[Any] = con.execute(sql).fetchall()
        return found

    def newer(self) -> bool:
        """Whether a newer release wrote the store; reported once."""
        if schema_of(self.folder) <= SCHEMA:
            return False
        self.say(NEWER.format(self.folder))
        return True

    def merge(self) -> int:
        """As `Store.merge`: what cannot be merged now is a warning, and waits."""
        if self.newer() or not (self.folder.exists() or self.sources().sizes()):
            return 0  # the first row makes the folder
        before = self.main.covered
        try:
            with self._enough():
                return self.merged(self.sources())
        except Busy as busy:
            self.say_busy(busy)
        except (OSError, Damaged) as error:
            self.main.covered = before
            self.say(
                f"{self.main.path} cannot be written ({error}); its rows stay in the segments."
            )
        return 0

    @collecting_rarely()
    def merged(self, sources: Sources) -> int:
        """Merge into the DuckDB file. Raises Busy or OSError."""
        raise_schema(self.folder)
        new, before = 0, None
        while before is None or (before != self.main.covered and sources.beyond(self.main.covered)):
            before = self.main.covered
            with self.main.writing() as con:
                new += merge(con, sources, SITTING_BYTES)
        if (
            len(sources.segments) > ARCHIVE_SEGMENTS
            or sum(segment.size for segment in sources.segments) >= ARCHIVE_BYTES
        ):
            archive_sealed(self.folder, self.main.covered)
        return new

    def stats(self) -> dict[str, object]:
        """As `Store.stats`."""

        def counted(con: Connection) -> dict[str, object]:
            def number(sql: str) -> int:
                return int(con.execute(sql).fetchall()[0][0])

            rows = {table: number(f"SELECT count(*) FROM {table}") for table in TABLES}
            dropped = number("SELECT coalesce(sum(dropped), 0) FROM internal.ledger")
            return {"rows": rows, "damaged_records": dropped}

        return {**self.answer("", counted), **statistics(self.main.path, self.sources())}

    def say_busy(self, busy: Busy) -> None:
        """Warn that another program uses the file; once."""
        self.say(
            f"{self.main.path} is in use by {busy}; nothing is lost and nobody waits: rows are"
            " read from the segments until it lets go."
        )

    def say(self, text: str) -> None:
        """Warn of it; once."""
        if text not in self._said:
            self._said.add(text)
            say(text)

    def drop_scratch(self) -> None:
        """Remove the private copy that stood in for the file, if there is one."""
        if self._scratch is not None and self._scratch_pid == os.getpid():
            shutil.rmtree(self._scratch.path.parent, ignore_errors=True)
        self._scratch = None

    def _opened(self, stack: ExitStack, fresh: Fresh, private: bool) -> Connection:
        sources = self.sources()
        if self.newer():
            return self._of_newer(stack, sources, private)
        if not sources.sizes() and not self.main.path.exists():
            return self._in_memory(stack, sources, private)
        for _ in range(3):
            try:
                if self._lacks(sources, fresh):
                    self.merged(sources)
                merged = self.main.covered
                con = stack.enter_context(self.main.reading(private=private))
                if all(self.main.covered.get(name, 0) >= size for name, size in merged.items()):
                    return con
                stack.close()  # it went back: a WAL was lost, what it held is merged again
            except Outdated:
                try:
                    self._renewed()
                except Shortage:
                    raise
                except (Busy, OSError, Damaged):
                    break
            except Damaged:
                self.main.covered = {}
            except Busy as busy:
                self.say_busy(busy)
                break
            except Shortage:  # every other way to the rows takes more memory
                raise
            except OSError:
                break
            sources = self.sources()
        return self._elsewhere(stack, sources, private)

    def _renewed(self) -> None:
        """Bring an older DuckDB file to this release's tables. Raises Busy, Damaged or OSError."""
        raise_schema(self.folder)
        with self.main.writing():
            pass

    def _lacks(self, sources: Sources, fresh: Fresh) -> bool:
        """Whether the file has to be brought up to date before it is read."""
        covered = self.main.covered
        if fresh != "others" or not covered or sources.keep is not None:
            return sources.beyond(covered) and (bool(fresh) or not covered)
        alone = {**covered, self._spool.own[0]: sys.maxsize}
        return not self.recent.suffices(covered) or sources.beyond(alone)

    def _elsewhere(self, stack: ExitStack, sources: Sources, private: bool) -> Connection:
        """The rows without the DuckDB file: a private one that is built from segments and archive,
        and kept up to date.
        """
        try:
            made = self._made(sources)
            if self._scratch_of != made:
                self.drop_scratch()
            if (
                self._scratch is None or self._scratch_pid != os.getpid()
            ):  # a forked child leaves its parent's alone
                self._scratch_pid, self._scratch_of = os.getpid(), made
                self._scratch = Database(scratch_folder(self.folder, self) / FILE, shared=False)
            for found in (
                sources,
                self.sources(),
            ):  # twice: a segment may be archived between listing and reading
                if found.beyond(self._scratch.covered):
                    with self._scratch.writing() as con:
                        merge(con, found)
            return stack.enter_context(self._scratch.reading(private=private))
        except (OSError, Busy, Damaged):  # a full disk, a folder that cannot be written
            self.drop_scratch()
            return self._in_memory(stack, sources, private)

    def _made(self, sources: Sources) -> tuple[object, ...]:
        """What is another after each purge, whose rows a copy would give back."""
        with suppress(OSError):
            inode = self.main.path.stat().st_ino
            return inode, *(batch.folder.name for batch in sources.batches)
        return tuple(batch.folder.name for batch in sources.batches)

    def _in_memory(self, stack: ExitStack, sources: Sources, private: bool) -> Connection:
        """The rows without any file: before the first is recorded, or where none can be written."""
        writer = WRITERS[-1]
        con = None if private else writer.borrow(MEMORY)
        if con is None:
            con = attach(MEMORY)
            stack.callback(con.close)
            create(con)
        else:
            stack.push(lambda kind, *_, con=con: writer.give_back(con, sound=kind is None))
            writer.copy_blank(con, create)
        for found in (sources, self.sources()):
            merge(con, found)
        return con

    def _of_newer(self, stack: ExitStack, sources: Sources, private: bool) -> Connection:
        try:
            return stack.enter_context(self.main.reading(private=private))
        except (OSError, Busy, Damaged):
            return self._in_memory(stack, sources, private)


def unmasked(column: object) -> object:
    """A masked array without its mask."""
    import numpy as np

    if not isinstance(column, np.ma.MaskedArray):
        return column
    if column.dtype == object:
        return column.filled(None)
    return (
        column.data
        if not np.ma.getmaskarray(column).any()
        else np.where(np.ma.getmaskarray(column), np.nan, column.data)
    )
