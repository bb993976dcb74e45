"""What keeps a store in order: merging, checking, mending, purging, and files in and out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import StoreError
from ..spool.segment import check_schema
from .connect import Busy, Connection, Damaged
from .export import export_rows, new_rows, pieces_of
from .export_parquet import export_parquet
from .opened_store import NEWER, OpenedStore
from .purges import Doomed, Purged, doomed_by
from .repair import mended_own, repair_store, rescued, verify_store
from .schema import TABLES
from .shapes import odd
from .team import Team, Tombstone
from .upkeep import archive_sealed, purge_rows

if TYPE_CHECKING:
    pass

__all__ = ["StoreUpkeep"]


class StoreUpkeep(OpenedStore):
    """The work on a store that is neither recording a row nor asking for one."""

    def merge(self) -> int:
        """Merge what is not in the DuckDB file yet; returns how many rows were new. A file that is
        held by another program is a warning: it is merged another time.
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
            [NEWER.format(self.folder)]
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
        self, examples: Iterable[str] = (), *, study: str | None = None, before: str | None = None
    ) -> Purged:
        """Remove for good the runs of these examples, a study with the runs that only it uses, and
        runs from before a moment (UTC, ISO 8601): from file, segments and archive. The result says
        what was removed, and what is left and where.

        Raises StoreError where another program holds the DuckDB file.
        """
        named = [examples] if isinstance(examples, str) else list(examples)
        if not named and study is None and before is None:
            raise StoreError("nothing was named to purge; pass example ids, study= or before=.")
        self.look(now=True)
        bury = self._team.bury if self._team is not None else lambda stone: None
        return self._purged(
            lambda con: doomed_by(con, named, study, before),
            lambda doomed: bury(Tombstone.now(named, study, before, doomed.runs)),
        )

    def _purged(
        self,
        find: Callable[[Connection], Doomed],
        announce: Callable[[Doomed], object] | None = None,
    ) -> Purged:
        check_schema(self.folder)
        self._drop_scratch()
        try:
            mended_own(self.folder, self._sources)
            self._merged(self._sources())
            rescued(self.folder, self._main, self._sources, self.append)
            self.seal()
            self._merged(self._sources())
            return purge_rows(self.folder, self._main, find, announce)
        except Busy as busy:
            raise StoreError(
                f"{self._main.path} is in use by {busy}; close it there, then purge again."
            ) from None

    def join(self, team: Team) -> None:
        """Share what is recorded with the others who write to a team's folder or bucket."""
        self._team = team

    def share(self) -> None:
        """Hand over to the team what was recorded here, as `look` brings what they recorded."""
        if self._team is not None:
            self._team.share()

    def obey(self, stone: Tombstone) -> Purged:
        """Remove what another member of the team purged, as far as it is here. Raises StoreError as
        `purge` does.
        """
        return self._purged(stone.doomed)

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
