"""The store of a project: every run, score and study that was ever recorded, in one folder beside
it.

What `append` returned for is kept, whatever dies. Any number of processes write and read at once,
and none waits for
another: a DuckDB file that somebody else holds is a warning, and the rows come from the segments
instead. Opening a Store costs nothing; no file stays open between calls.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from ..errors import StoreError
from ..markup import paragraph
from ..redact import Redactor
from ..spool.segment import check_schema, raise_schema, schema_of
from .connect import MEMORY, WRITERS, Busy, Connection, Damaged, attach
from .database import Database, Outdated, create, one_at_a_time
from .export import export_rows, new_rows, pieces_of
from .export_parquet import export_parquet
from .merge_segments import Sources, merge, sources_of
from .purged_hours import hours_of
from .purges import Doomed, Named, Purged, doomed_by
from .read import Deployments, Params, ask_user, show_deployments
from .recent_runs import RecentRuns
from .recorder import Spool, say
from .records import encode, encode_columns
from .repair import mended_own, repair_store, rescued, verify_store
from .schema import SCHEMA, TABLES
from .scratch import scratch_folder
from .shapes import odd
from .team import Team, Tombstone
from .upkeep import archive_sealed, purge_rows, statistics
from .write_cache import Known

if TYPE_CHECKING:
    from pandas import DataFrame

    from ..run import Run

__all__ = ["Store"]

FILE = "store.duckdb"
Fresh = bool | Literal["others"]
ARCHIVE_BYTES = 128 << 20  # so much in merged segments is moved to the archive on the way,
ARCHIVE_SEGMENTS = 200  # or so many of them: each session of each kernel leaves one
SITTING_BYTES = (
    32 << 20
)  # merged before the file is opened again, which keeps DuckDB's memory small
_NEWER = (
    "the store {} was written by a newer release: it is read as far as this one knows it, and"
    " neither checked nor written."
)

T = TypeVar("T")


def _linear(pattern: bytes) -> Any:
    import re2

    return re2.compile(pattern)


class Store:
    """folder: made by the first `append`, with an ignore file of its own; deployments: gives the
    rows of the table of that name whenever a query asks for it.

    Tables and columns are documented in the database: `select * from duckdb_columns()`.
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

    # -- writing

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

    # -- reading

    def has(self, table: str, *key: Any) -> bool:
        """Whether a row with this key (see `schema.TABLES`) is recorded; without a key, whether any
        row of the table is.

        What this process wrote itself is not looked for.
        """
        self.look(now=False)
        sources, covered = self._sources(), self._main.covered
        alone = {*sources.sizes(), *covered} <= {self._spool.own[0]} and bool(
            covered or not self._main.path.exists()
        )
        known = self._known.holds(table, key, sources, alone)
        if known is None:
            where = " AND ".join(
                ["true", *(f'"{name}" = ?' for name in TABLES[table].key[: len(key)])]
            )
            fresh: Fresh = "others" if key and self._known.keeps(table) else True
            known = bool(
                self.rows(f"SELECT 1 FROM {table} WHERE {where} LIMIT 1", key, fresh=fresh)
            )
            if known:
                self._known.remember(table, key)
        return known

    def remember_runs(self, runs: Sequence[Run]) -> None:
        """These were recorded by this process just now: `recent_runs` has them from here on."""
        name, size, waiting = self._spool.own
        self._recent.add(runs, name, size + len(waiting))

    def recent_runs(self, keys: Iterable[str]) -> dict[str, Run]:
        """key -> the latest run with it, of those that this process recorded and still remembers;
        texts are as the model gave them (see `clean`). The rest is found by
        `rows(..., fresh="others")`.
        """
        return {} if self._sources().keep is not None else self._recent.of(keys)

    def rows(
        self, sql: str, params: Params = None, *, fresh: Fresh = True
    ) -> list[tuple[Any, ...]]:
        """The rows of our own SQL over all that is recorded. params: a list for `?`, a dict for
        `$name`.

        fresh: False where what is merged is enough, as for rows that were seen a moment ago: then
            nothing is merged first; "others" where only runs that `recent_runs` has may be missing.
        """
        return self._answer(sql, lambda con: con.execute(sql, params).fetchall(), fresh)

    def frame(self, sql: str, params: Params = None) -> DataFrame:
        """As `rows`, as a DataFrame."""
        frame: DataFrame = self._answer(sql, lambda con: con.execute(sql, params).df())
        return frame

    def columns(self, sql: str, params: Params = None) -> dict[str, Any]:
        """As `rows`, as one numpy array per column, for many rows: null is NaN in numbers, None in
        texts.
        """
        found = self._answer(sql, lambda con: con.execute(sql, params).fetchnumpy())
        return {name: _unmasked(column) for name, column in found.items()}

    def sql(self, query: str, limit: int = 10_000, timeout_s: float = 30.0) -> DataFrame:
        """The answer to a query of the user's own: one statement that reads; at most `limit` rows,
        with a note where that cuts.

        It reaches no file, extension or setting. Raises StoreError, which says why there is no
        answer.
        """
        return self._answer(query, lambda con: ask_user(con, query, limit, timeout_s), private=True)

    # -- upkeep

    def merge(self) -> int:
        """Merge what is not in the DuckDB file yet; returns how many rows were new. A file that
        another program uses is a warning: it is merged another time.
        """
        if self._newer():
            return 0
        before = self._main.covered
        try:
            return self._merged(self._sources())
        except Busy as busy:
            self._say_busy(busy)
        except (OSError, Damaged) as error:
            self._main.covered = before
            self._say(
                f"{self._main.path} cannot be written ({error}); its rows stay in the segments."
            )
        return 0

    def archive(self) -> int:
        """Move finished segments that are merged to the permanent Parquet archive; returns how
        many.
        """
        self.merge()
        return 0 if self._newer() else archive_sealed(self.folder, self._main.covered)

    def verify(self) -> list[str]:
        """One line for each thing that is wrong; an empty list says that every row, id, count and
        checksum was read and holds.
        """
        least = self._sources().sizes()
        self.merge()
        return (
            [_NEWER.format(self.folder)]
            if self._newer()
            else verify_store(self.folder, self._main, self._sources, least)
        )

    def repair(self) -> list[str]:
        """Mend what can be: set a damaged file aside and rebuild it.

        One line for each thing done, and for what stays wrong.
        """
        done = (
            []
            if self._newer()
            else repair_store(self.folder, self._main, self._sources, self.append)
        )
        return [*done, *(f"still wrong: {line}" for line in self.verify())]

    def purge(
        self,
        examples: Iterable[str] = (),
        *,
        live: Iterable[str] = (),
        study: str | None = None,
        before: str | None = None,
        table: Literal["live"] | None = None,
    ) -> Purged:
        """Remove for good the runs of these examples, live calls, a study with the runs that only
        it uses, and what began before a moment: from file, segments and archive. The result says
        what was removed, and what is left and where.

        Args:
            examples: their ids.
            live: ids of live rows, or the provider's ids of their answers; with their feedback and
                scores.
            study: its id.
            before: UTC, ISO 8601. Of live rows, the figures by hour stay, in `live_hours`.
            table: "live" takes live rows from before the moment, and no runs.

        Raises:
            StoreError: nothing was named, or another program holds the DuckDB file.
        """
        chosen, calls = (
            sorted({each} if isinstance(each, str) else set(each)) for each in (examples, live)
        )
        moments = (None, before) if table == "live" else (before, None)
        named = Named(tuple(chosen), tuple(calls), study, *moments)
        if not named or table not in (None, "live"):
            raise StoreError(
                "nothing was named to purge; pass example ids, live=, study= or before=, and"
                ' table="live" for live rows alone.'
            )
        self.look(now=True)
        bury = self._team.bury if self._team is not None else lambda stone: None
        return self._purged(
            named,
            lambda con: doomed_by(con, named),
            lambda doomed: bury(Tombstone.now(named, doomed.runs)),
        )

    def purge_copies(self, named: Named, doomed: Doomed) -> Purged:
        """Remove such rows from copies that are not this store's own; what is left there. A store
        by itself knows of none.
        """
        return Purged()

    def _purged(
        self,
        named: Named,
        find: Callable[[Connection], Doomed],
        announce: Callable[[Doomed], object] | None = None,
    ) -> Purged:
        hours: list[dict[str, Any]] = []

        def found(con: Connection) -> Doomed:
            doomed = find(con)
            hours[:] = hours_of(con, doomed, named)
            return doomed

        def beyond(doomed: Doomed) -> Purged:
            if hours:
                self.append("live_hours", hours)
            return self.purge_copies(named, doomed)

        check_schema(self.folder)
        self._drop_scratch()
        try:
            mended_own(self.folder, self._sources)
            self._merged(self._sources())
            rescued(self.folder, self._main, self._sources, self.append)
            self.seal()
            self._merged(self._sources())
            return purge_rows(self.folder, self._main, found, announce, beyond)
        except Busy as busy:
            raise StoreError(
                f"{self._main.path} is in use by {busy}; close it there, then purge again."
            ) from None

    # -- a team's store

    def join(self, team: Team) -> None:
        """Share what is recorded with the others who write to a team's folder or bucket."""
        self._team = team

    def look(self, *, now: bool = True) -> None:
        """Bring what others shared into this store. Does nothing without a team's store; where that
        cannot be reached, a warning says so. now: also where the last look is recent.
        """
        if self._team is not None:
            self._team.look(now=now)

    def share(self) -> None:
        """Hand over to the team what was recorded here, as `look` brings what they recorded."""
        if self._team is not None:
            self._team.share()

    def seal(self) -> None:
        """End this process's segment; the next `append` begins another. Rows that wait in memory
        keep it open.
        """
        self._spool.seal()
        self._forget()

    def obey(self, stone: Tombstone) -> Purged:
        """Remove what another member of the team purged, as far as it is here. Raises StoreError as
        `purge` does.
        """
        return self._purged(stone.named, stone.doomed)

    def export(self, path: str | os.PathLike[str], study: str | None = None) -> dict[str, int]:
        """Write everything, or one study with all that belongs to it, to one file; returns table ->
        rows. A name that ends in `.parquet` makes one flat table of runs with their studies and
        scores, for other tools to read; any other makes a file that `import_` takes in.
        """
        with self._reading("") as con:
            if Path(path).suffix == ".parquet":
                return {"runs": export_parquet(con, Path(path), study)}
            return export_rows(con, Path(path), study, self._redactor.clean)

    def import_(self, path: str | os.PathLike[str]) -> dict[str, int]:
        """Take in a file that `export` wrote; returns table -> rows that were new, so nothing the
        second time.

        Runs of it say so for good, and are not reused as a model's answers: a file can say
        anything. Set `reuse_imported` on the store where it is your own.

        Raises StoreError, and takes in nothing, where the file is damaged, newer, no export, or has
        a row that no store writes.
        """
        source = Path(path)
        counts: dict[str, int] = {}
        with self._reading("") as con:
            for piece in pieces_of(source):  # all of it is sound before anything is taken
                for table, rows in new_rows(con, piece):
                    self._checked_rows(source, table, rows)
            for piece in pieces_of(source):
                for table, rows in new_rows(con, piece):
                    if table == "runs":
                        rows = [
                            {**row, "imported_from": row["imported_from"] or source.name}
                            for row in rows
                        ]
                    self.append(table, rows)
                    counts[table] = counts.get(table, 0) + len(rows)
        return counts

    def _checked_rows(self, source: Path, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        for row in rows:
            fault = self.oddity(table, row)
            if fault is not None:
                named = " ".join(str(row[name])[:40] for name in TABLES[table].key)
                raise StoreError(
                    f"{source} is not taken in: the row {named} of {table} is not one that a store"
                    f" writes: {fault}; export it again where it was made."
                )

    def oddity(self, table: str, row: Mapping[str, Any]) -> str | None:
        """Why a row of a file is not taken in; None where it has the shape of its table."""
        return odd(table, row)

    def stats(self) -> dict[str, Any]:
        """Figures: rows of each table, bytes of file, segments and archive, rows that wait in
        memory, damaged records.
        """
        with self._reading("") as con:
            rows = {
                table: int(con.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0])
                for table in TABLES
            }
            dropped = int(
                con.execute("SELECT coalesce(sum(dropped), 0) FROM internal.ledger").fetchall()[0][
                    0
                ]
            )
        return {
            "rows": rows,
            "damaged_records": dropped,
            **statistics(self._main.path, self._sources()),
        }

    def __repr__(self) -> str:
        return f"<store {self.folder}>"

    def _repr_html_(self) -> str:
        return paragraph(self)

    # -- opening

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
            return self._in_memory(stack, sources, private)
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
            return self._in_memory(stack, sources, private)

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
        for found in (sources, self._sources()):
            merge(con, found)
        return con

    def _of_newer(self, stack: ExitStack, sources: Sources, private: bool) -> Connection:
        try:
            return stack.enter_context(self._main.reading(private=private))
        except (OSError, Busy, Damaged):
            return self._in_memory(stack, sources, private)

    def _newer(self) -> bool:
        """Whether a newer release wrote the store; reported once."""
        if schema_of(self.folder) <= SCHEMA:
            return False
        self._say(_NEWER.format(self.folder))
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


def _unmasked(column: Any) -> Any:
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
