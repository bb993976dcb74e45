"""The store of a project: every run, score and study that was ever recorded, in one folder beside
it.

What `append` returned for is kept, whatever dies. Any number of processes write and read at once,
and none waits for
another: a DuckDB file that somebody else holds is a warning, and the rows come from the segments
instead. Opening a Store costs nothing; nothing is held open between calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ..markup import paragraph
from .opened_store import Fresh
from .read import Params, ask_user
from .schema import TABLES
from .store_upkeep import StoreUpkeep
from .upkeep import statistics

if TYPE_CHECKING:
    from pandas import DataFrame

    from ..run import Run

__all__ = ["Store"]


class Store(StoreUpkeep):
    """folder: made by the first `append`, with an ignore file of its own; deployments: gives the
    rows of the table of that name whenever a query asks for it.

    Tables and columns are documented in the database: `select * from duckdb_columns()`.
    """

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
        said where that cuts.

        It reaches no file, extension or setting. Raises StoreError, which says why there is no
        answer.
        """
        return self._answer(query, lambda con: ask_user(con, query, limit, timeout_s), private=True)

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
