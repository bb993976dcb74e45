"""The store of a project: every run, score and study that was ever recorded, in one folder.

What `append` returned for is kept, whatever dies. Any number of processes write and read at once,
and none waits for another (see `access`). Opening a Store costs nothing; no file stays open.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from ..markup import paragraph
from ..redact import Redactor
from .access import NEWER, Access, Fresh, unmasked
from .export import export_rows
from .export_parquet import export_parquet
from .purges import Doomed, Named, Purged, doomed_by
from .purging import Purging
from .read import Deployments, Params, ask_user, asked
from .recorder import Spool
from .repair import repair_store, verify_store
from .row_ids import encoded, encoded_columns
from .schema import TABLES
from .shapes import odd
from .take_in import take_in
from .team import Team, Tombstone
from .upkeep import archive_sealed
from .write_cache import WriteCache

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection as Connection
    from pandas import DataFrame

    from ..run import Run

__all__ = ["Store"]

T = TypeVar("T")


def _linear(pattern: bytes) -> object:
    import re2

    return re2.compile(pattern)


class Store:
    """The store of runs. folder: created by the first `append`, with its own ignore file;
    deployments: a function that gives the rows of that table when a query uses it.

    Tables and columns are documented in the database: `select * from duckdb_columns()`.
    """

    def __init__(
        self, folder: str | os.PathLike[str], deployments: Deployments | None = None
    ) -> None:
        self.folder = Path(folder)
        self._redactor = Redactor(compile=_linear)
        self._spool = Spool(self.folder)
        self.access = Access(self.folder, self._spool, deployments)
        self._known = WriteCache()
        self.reuse_imported = False  # whether runs that came in with a file answer equal questions
        self.like_datasets: dict[tuple[str, str, frozenset[str]], bool] = {}  # see like_data.py
        self._team: Team | None = None

    def _answer(self, query: str, ask: Callable[[Connection], T], fresh: Fresh = True) -> T:
        self.look(now=False)
        return self.access.answer(query, ask, fresh)

    # -- writing

    def append(self, table: str, rows: Sequence[Mapping[str, object]]) -> None:
        """Record rows of one table: durable against the death of this process on return, on the
        disk within 50 ms.

        Safe from any thread, from an event loop and after a fork. Texts are capped, and secrets in
        them removed. If the disk is full or the folder gone, rows wait in memory, with a warning.
        Raises StoreError, and records nothing, if a row does not fit the table or the store was
        written by a newer release.
        """
        self.append_all({table: rows})

    def append_all(self, tables: Mapping[str, Sequence[Mapping[str, object]]]) -> None:
        """`append` for several tables in one write: if the process dies, all or none are there."""
        if lines := encoded(tables, self._redactor):
            self._spool.append(lines)
            for table, rows in tables.items():
                self._known.add(table, rows)

    def append_columns(self, table: str, columns: Mapping[str, object]) -> None:
        """Record many rows of `scores` or `study_runs` at once, column by column: a list holds a
        value per row, anything else is what all rows share. Durable and refused as in `append`.
        """
        self._spool.append(encoded_columns(table, columns, self._redactor))
        self._known.add(table, ())

    def keep_secret(self, value: str) -> None:
        """Never store this text: it is replaced wherever it is in a row from now on."""
        self._redactor.keep_secret(value)

    def clean(self, text: str) -> str:
        """The text as it would be recorded: without secrets."""
        return self._redactor(text.encode("utf-8", "replace").decode())

    def identifiers(self, texts: Sequence[str]) -> list[str]:
        """Ids of examples, or names of clusters and tags, as they would be recorded."""
        return self._redactor.identifiers(texts)

    def flush(self) -> None:
        """Sync what was recorded to the disk now.

        Raises StoreError if rows still wait in memory.
        """
        self._spool.flush()

    def close(self) -> None:
        """Close the segment; the store remains usable."""
        self._spool.seal()
        self._forget()
        self.access.drop_scratch()

    # -- reading

    def has(self, table: str, *key: object) -> bool:
        """Whether a row with this key (see `schema.TABLES`) is recorded; without a key, whether any
        row of the table is. What this process wrote itself is not looked for.
        """
        known = self.recalls(table, *key)
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

    def recalls(self, table: str, *key: object) -> bool | None:
        """As `has`, of what this process wrote; None if only the database can say."""
        self.look(now=False)
        sources, covered = self.access.sources(), self.access.main.covered
        alone = {*sources.sizes(), *covered} <= {self._spool.own[0]} and bool(
            covered or not self.access.main.path.exists()
        )
        return self._known.holds(table, key, sources, alone)

    def remember_runs(self, runs: Sequence[Run]) -> None:
        """These were recorded by this process just now: `recent_runs` has them from here on."""
        name, size, waiting = self._spool.own
        self.access.recent.add(runs, name, size + len(waiting))

    def recent_runs(self, keys: Iterable[str]) -> dict[str, Run]:
        """key -> the latest run with it, of those that this process recorded and still remembers;
        texts are as the model gave them (see `clean`). The rest is found by
        `rows(..., fresh="others")`.
        """
        return {} if self.access.sources().keep is not None else self.access.recent.of(keys)

    def rows(
        self, sql: str, params: Params = None, *, fresh: Fresh = True
    ) -> list[tuple[Any, ...]]:
        """The rows of our own SQL over all that is recorded. params: a list for `?`, a dict for
        `$name`.

        fresh: False if what is merged is enough, as for rows that were seen a moment ago: then
            nothing is merged first; "others" where only runs that `recent_runs` has may be missing.
        """
        return self._answer(sql, lambda con: asked(con, sql, params).fetchall(), fresh)

    def frame(self, sql: str, params: Params = None) -> DataFrame:
        """As `rows`, as a DataFrame."""
        frame: DataFrame = self._answer(sql, lambda con: asked(con, sql, params).df())
        return frame

    def columns(self, sql: str, params: Params = None) -> dict[str, Any]:
        """As `rows`, as one numpy array per column, for many rows: null is NaN in numbers, None in
        texts.
        """
        found = self._answer(sql, lambda con: asked(con, sql, params).fetchnumpy())
        return {name: unmasked(column) for name, column in found.items()}

    def sql(self, query: str, limit: int = 10_000, timeout_s: float = 30.0) -> DataFrame:
        """The result of a user's query: one statement that only reads; at most `limit` rows, with a
        note if there are more.

        It cannot use files, extensions or settings. Raises StoreError with the reason if the query
        fails.
        """
        self.look(now=False)
        ask = partial(ask_user, query=query, limit=limit, timeout_s=timeout_s)
        return self.access.answer(query, ask, private=True)

    # -- upkeep

    def merge(self) -> int:
        """Merge new segments into the DuckDB file; returns how many rows were new. If another
        program uses the file, a warning is given and the rows are merged later.
        """
        return self.access.merge()

    def archive(self) -> int:
        """Move finished, merged segments to the permanent Parquet archive; returns how many were
        moved.
        """
        self.merge()
        return 0 if self.access.newer() else archive_sealed(self.folder, self.access.main.covered)

    def verify(self) -> list[str]:
        """Check every row, id, count and checksum; returns one line per fault, so an empty list
        means that all are correct.
        """
        least = self.access.sources().sizes()
        self.merge()
        return (
            [NEWER.format(self.folder)]
            if self.access.newer()
            else verify_store(self.folder, self.access.main, self.access.sources, least)
        )

    def repair(self) -> list[str]:
        """Repair what can be repaired: set a damaged file aside and rebuild it.

        Returns one line per repair, and per fault that remains.
        """
        done = (
            []
            if self.access.newer()
            else repair_store(self.folder, self.access.main, self.access.sources, self.append)
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
        """Permanently remove runs of examples, live calls, the judge calls about them, a study with
        the runs that only it uses, or all that began before a time, from file, segments and
        archive. The result states what was removed, and what is left and where.

        Args:
            examples: ids of examples.
            live: ids of live rows, or the provider's ids of their answers; their feedback and
                scores are removed too.
            study: the id of a study.
            before: a time (UTC, ISO 8601). Hourly figures of live rows are kept, in `live_hours`.
            table: "live" removes only live rows from before that time, and no runs.

        Raises:
            StoreError: if nothing was named, or the DuckDB file cannot be written now.
        """
        named = Named.asked(self.identifiers([*examples]), live, study, before, table)
        self.look(now=True)
        bury = self._team.bury if self._team is not None else lambda stone: None
        return self._purging().of(
            named,
            lambda con: doomed_by(con, named),
            lambda doomed: bury(Tombstone.now(named, doomed.runs)),
        )

    def purge_copies(self, named: Named, doomed: Doomed) -> Purged:
        """Remove such rows from copies that are not this store's own; what is left there. A store
        by itself knows of none.
        """
        return Purged()

    def _purging(self) -> Purging:
        return Purging(self.access, self.append, self.seal, self.purge_copies)

    # -- a team's store

    def join(self, team: Team) -> None:
        """Share what is recorded with the others who write to a team's folder or bucket."""
        self._team = team

    def look(self, *, now: bool = True) -> None:
        """Bring what others shared into this store. Does nothing without a team's store; where that
        cannot be reached, a warning says so. now: also when the last look is recent.
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
        return self._purging().of(stone.named, stone.doomed)

    def export(self, path: str | os.PathLike[str], study: str | None = None) -> dict[str, int]:
        """Write everything, or one study with its rows, to one file; returns table -> rows. A
        `.parquet` file contains one flat table of runs with their studies and scores, for other
        tools; a file with any other name can be read by `import_`.
        """
        target, clean = Path(path), self._redactor.clean
        if target.suffix == ".parquet":
            return {"runs": self.access.answer("", lambda con: export_parquet(con, target, study))}
        return self.access.answer("", lambda con: export_rows(con, target, study, clean))

    def import_(self, path: str | os.PathLike[str]) -> dict[str, int]:
        """Import a file that `export` wrote; returns table -> number of new rows. Its runs are
        permanently marked as imported, and are not reused as a model's answers, since the file's
        origin is unverified. Set `reuse_imported` on the store if it is your own. Raises
        StoreError, and imports nothing, if the file is damaged, newer, not an export, or has a row
        that no store writes.
        """
        return self.access.answer(
            "", lambda con: take_in(con, Path(path), self.oddity, self.append)
        )

    def oddity(self, table: str, row: Mapping[str, object]) -> str | None:
        """The reason why a row of a file is not imported; None if it fits its table."""
        return odd(table, row)

    def stats(self) -> dict[str, Any]:
        """Statistics: rows per table, bytes of file, segments and archive, rows waiting in memory,
        damaged records.
        """
        return self.access.stats()

    def __repr__(self) -> str:
        return f"<store {self.folder}>"

    def _repr_html_(self) -> str:
        return paragraph(self)

    def _forget(self) -> None:
        self._known.forget()
        self.access.recent.forget()
