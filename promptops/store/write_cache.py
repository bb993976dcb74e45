"""What this process wrote into the tables of few rows, so that "is it recorded already?" mostly
needs no database.

A row of these (a version, a dataset, a study's head) is written once and looked for again and
again: by each cell that saves or evaluates. Nothing is guessed: where somebody else has recorded
too, or rows were purged, the database is asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .merge_segments import Sources
from .schema import TABLES

__all__ = ["WriteCache"]

_KEYS = {name: TABLES[name].key for name in ("datasets", "studies", "versions")}


class WriteCache:
    """The keys of those tables' rows that this process recorded, as far as they are certainly still
    there.
    """

    def __init__(self) -> None:
        self._rows: set[tuple[object, ...]] = set()
        self._tables: set[str] = set()

    def add(self, table: str, rows: Sequence[Mapping[str, object]]) -> None:
        """These were recorded."""
        self._tables.add(table)
        if table in _KEYS:
            self._rows.update((table, *(row[name] for name in _KEYS[table])) for row in rows)

    def keeps(self, table: str) -> bool:
        """Whether every row that this process recorded in the table is known here."""
        return table in _KEYS

    def remember(self, table: str, key: Sequence[object]) -> None:
        """The database has such a row. Only of what no purge of another process takes away again:
        versions, and that there are runs at all.
        """
        if table == "versions" and len(key) == len(_KEYS[table]):
            self._rows.add((table, *key))
        elif table == "runs" and not key:
            self._tables.add(table)

    def forget(self) -> None:
        """They may be gone."""
        self._rows.clear()
        self._tables.clear()

    def holds(
        self, table: str, key: Sequence[object], sources: Sources, alone: bool
    ) -> bool | None:
        """Whether such a row is recorded, or any row of the table (no key); None if only the
        database can say.

        alone: nobody else ever recorded here.
        """
        if sources.keep is not None or (key and table not in _KEYS):
            return None  # what was purged may be hidden in this process's own segment
        mine = (table, *key) in self._rows if key else table in self._tables
        return True if mine else False if alone else None
