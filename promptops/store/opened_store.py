"""Opening the store: which rows there are, and a connection that sees all of them.

Where the DuckDB file cannot be read or written, the rows come from segments and archive instead.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal, TypeVar

from ..errors import StoreError
from ..redact import Redactor
from ..spool.segment import raise_schema, schema_of
from .connect import Busy, Connection, Damaged, attach
from .database import Database, Outdated, create, one_at_a_time
from .merge_segments import Sources, merge, sources_of
from .read import Deployments, show_deployments
from .recent_runs import RecentRuns
from .recorder import Spool, say
from .records import encode, encode_columns
from .schema import SCHEMA
from .scratch import scratch_folder
from .team import Team
from .upkeep import archive_sealed
from .write_cache import Known

__all__ = ["NEWER", "Fresh", "OpenedStore"]

FILE = "store.duckdb"
Fresh = bool | Literal["others"]
ARCHIVE_BYTES = 128 << 20  # so much in merged segments is moved to the archive on the way,
ARCHIVE_SEGMENTS = 200  # or so many of them: each session of each kernel leaves one
SITTING_BYTES = (
    32 << 20
)  # merged before the file is opened again, which keeps DuckDB's memory small
NEWER = (
    "the store {} was written by a newer release: it is read as far as this one knows it, and"
    " neither checked nor written."
)
T = TypeVar("T")


def _linear(pattern: bytes) -> Any:
    import re2

    return re2.compile(pattern)


class OpenedStore:
    """What a store is open on: its segments, the DuckDB file that they are merged into, and how a
    question finds all rows whatever state that file is in.

    folder: made by the first `append`, with an ignore file of its own; deployments: gives the
    rows of the table of that name whenever a query asks for it.
    """

    def __init__(
        self, folder: str | os.PathLike[str], deployments: Deployments | None = None
    ) -> None:
        self.folder = Path(folder)
        self._deployments = deployments
        self._redactor = Redactor(compile=_linear)
        self._spool = Spool(self.folder)
        self._main = Database(self.folder / FILE)
        self._scratch: Database | None = None
        self._scratch_pid = 0
        self._known, self._recent = Known(), RecentRuns()
        self._said: set[str] = set()
        self.reuse_imported = False  # whether runs that came in with a file answer equal questions
        self._team: Team | None = None

    def append(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Record rows of one table: durable against the death of this process on return, on the
        disk within 50 ms.

        Safe from any thread, from an event loop and after a fork. Texts are capped and cleaned of
        secrets. Where the disk is full or the folder gone, rows wait in memory and a warning says
        so. Raises StoreError, and records nothing, where a row does not fit the table or the store
        was written by a newer release.
        """
        self.append_all({table: rows})

    def append_all(self, tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        """Record rows of several tables in one write, as `append` does one: a process that dies
        leaves all of them, or none.
        """
        lines = b"".join(
            encode(table, rows, self._redactor.clean) for table, rows in tables.items() if rows
        )
        if lines:
            self._spool.append(lines)
            for table, rows in tables.items():
                self._known.add(table, rows)

    def append_columns(self, table: str, columns: Mapping[str, Any]) -> None:
        """Record many rows of `scores` or `study_runs` at once, column by column: a list holds a
        value per row, anything else is what all rows share. Durable and refused as in `append`.
        """
        self._spool.append(encode_columns(table, columns, self._redactor.clean))
        self._known.add(table, ())

    def keep_secret(self, value: str) -> None:
        """Never store this text: it is replaced wherever it is in a row from now on."""
        self._redactor.keep_secret(value)

    def clean(self, text: str) -> str:
        """The text as it would be recorded: without secrets."""
        return self._redactor(text.encode("utf-8", "replace").decode())

    def flush(self) -> None:
        """Sync what was recorded to the disk now.

        Raises StoreError where rows still wait in memory.
        """
        self._spool.flush()

    def close(self) -> None:
        """Let go of the segment; the store stays usable."""
        self._spool.seal()
        self._forget()
        self._drop_scratch()

    def look(self, *, now: bool = True) -> None:
        """Bring what others shared into this store. Does nothing without a team's store; where that
        cannot be reached, a warning says so. now: also where the last look is recent.
        """
        if self._team is not None:
            self._team.look(now=now)

    def seal(self) -> None:
        """End this process's segment; the next `append` begins another. Rows that wait in memory
        keep it open.
        """
        self._spool.seal()
        self._forget()

    def _sources(self) -> Sources:
        self._spool.restore()
        found = sources_of(self.folder, self._spool.own)
        for path, fault in found.unreadable.items():
            self._say(f"{path} is left out: {fault}; run the store's repair().")
        return found

    def _answer(
        self,
        query: str,
        ask: Callable[[Connection], T],
        fresh: Fresh = True,
        *,
        private: bool = False,
    ) -> T:
        """What `ask` gives of a connection. A file that turns out damaged while it is read is set
        aside, rebuilt from segments and archive, and asked once more.

        Raises StoreError where the rebuilt file cannot be read either.
        """
        self.look(now=False)
        try:
            with self._reading(query, fresh, private=private) as con:
                return ask(con)
        except Damaged as damage:
            self._main.set_aside(str(damage))
        try:
            with self._reading(query, private=private) as con:
                return ask(con)
        except Damaged as damage:
            raise StoreError(
                f"{self._main.path} cannot be read, and neither can what was rebuilt of it"
                f" ({damage}); `promptops doctor` says which files are damaged."
            ) from None

    @contextmanager
    def _reading(
        self, query: str, fresh: Fresh = True, *, private: bool = False
    ) -> Iterator[Connection]:
        """A connection that sees all that was recorded, or is merged, closed at the end. private:
        see `Database.reading`.
        """
        with one_at_a_time(), ExitStack() as stack:
            con = self._opened(stack, fresh, private)
            show_deployments(con, query, self._deployments)
            yield con

    def _opened(self, stack: ExitStack, fresh: Fresh, private: bool) -> Connection:
        sources = self._sources()
        if self._newer():
            return self._of_newer(stack, sources, private)
        if not sources.sizes() and not self._main.path.exists():
            return self._in_memory(stack, sources)
        for _ in range(3):
            try:
                if self._lacks(sources, fresh):
                    self._merged(sources)
                merged = self._main.covered
                con = stack.enter_context(self._main.reading(private=private))
                if all(self._main.covered.get(name, 0) >= size for name, size in merged.items()):
                    return con
                stack.close()  # it went back: a WAL was lost, what it held is merged again
            except Outdated:
                try:
                    self._renewed()
                except (Busy, OSError, Damaged):
                    break
            except Damaged:
                self._main.covered = {}
            except Busy as busy:
                self._say_busy(busy)
                break
            except OSError:
                break
            sources = self._sources()
        return self._elsewhere(stack, sources, private)

    def _renewed(self) -> None:
        """Bring an older DuckDB file to this release's tables. Raises Busy, Damaged or OSError."""
        raise_schema(self.folder)
        with self._main.writing():
            pass

    def _lacks(self, sources: Sources, fresh: Fresh) -> bool:
        """Whether the file has to be brought up to date before it is read."""
        covered = self._main.covered
        if fresh != "others" or not covered or sources.keep is not None:
            return sources.beyond(covered) and (bool(fresh) or not covered)
        alone = {**covered, self._spool.own[0]: sys.maxsize}
        return not self._recent.suffices(covered) or sources.beyond(alone)

    def _merged(self, sources: Sources) -> int:
        """Merge into the DuckDB file. Raises Busy or OSError."""
        raise_schema(self.folder)
        new, before = 0, None
        while before is None or (
            before != self._main.covered and sources.beyond(self._main.covered)
        ):
            before = self._main.covered
            with self._main.writing() as con:
                new += merge(con, sources, SITTING_BYTES)
        if (
            len(sources.segments) > ARCHIVE_SEGMENTS
            or sum(segment.size for segment in sources.segments) >= ARCHIVE_BYTES
        ):
            archive_sealed(self.folder, self._main.covered)
        return new

    def _elsewhere(self, stack: ExitStack, sources: Sources, private: bool) -> Connection:
        """The rows without the DuckDB file: a private one that is built from segments and archive,
        and kept up to date.
        """
        try:
            if (
                self._scratch is None or self._scratch_pid != os.getpid()
            ):  # a forked child leaves its parent's alone
                self._scratch_pid = os.getpid()
                self._scratch = Database(scratch_folder(self.folder, self) / FILE, shared=False)
            for found in (
                sources,
                self._sources(),
            ):  # twice: a segment may be archived between listing and reading
                if found.beyond(self._scratch.covered):
                    with self._scratch.writing() as con:
                        merge(con, found)
            return stack.enter_context(self._scratch.reading(private=private))
        except (OSError, Busy, Damaged):  # a full disk, a folder that cannot be written
            self._drop_scratch()
            return self._in_memory(stack, sources)

    def _in_memory(self, stack: ExitStack, sources: Sources) -> Connection:
        con = attach(":memory:")
        stack.callback(con.close)
        create(con)
        for found in (sources, self._sources()):
            merge(con, found)
        return con

    def _of_newer(self, stack: ExitStack, sources: Sources, private: bool) -> Connection:
        try:
            return stack.enter_context(self._main.reading(private=private))
        except (OSError, Busy, Damaged):
            return self._in_memory(stack, sources)

    def _newer(self) -> bool:
        """Whether a newer release wrote the store; reported once."""
        if schema_of(self.folder) <= SCHEMA:
            return False
        self._say(NEWER.format(self.folder))
        return True

    def _forget(self) -> None:
        self._known.forget()
        self._recent.forget()

    def _drop_scratch(self) -> None:
        if self._scratch is not None and self._scratch_pid == os.getpid():
            shutil.rmtree(self._scratch.path.parent, ignore_errors=True)
        self._scratch = None

    def _say_busy(self, busy: Busy) -> None:
        self._say(
            f"{self._main.path} is in use by {busy}; nothing is lost and nobody waits: rows are"
            f" read"
            " from the segments until it lets go."
        )

    def _say(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            say(text)
