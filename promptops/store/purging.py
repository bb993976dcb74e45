"""Removing rows for good, from file, segments and archive of one store at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import StoreError
from ..spool.segment import check_schema, make_folder
from .access import Access
from .connect import Busy, Damaged, still_damaged
from .patience import patiently
from .purged_calls import remembered
from .purged_hours import hours_of
from .purges import Doomed, Named, Purged
from .repair import mended_own, rescued
from .upkeep import purge_rows

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection as Connection

__all__ = ["Purging"]


@dataclass(frozen=True, slots=True)
class Purging:
    """append, seal: those of the store; copies: removes such rows from copies that are not its
    own, see `Store.purge_copies`.
    """

    access: Access
    append: Callable[[str, Sequence[Mapping[str, Any]]], None]
    seal: Callable[[], None]
    copies: Callable[[Named, Doomed], Purged]

    def of(
        self,
        named: Named,
        find: Callable[[Connection], Doomed],
        announce: Callable[[Doomed], object] | None = None,
    ) -> Purged:
        """Remove what `find` names. announce: called before anything is removed.

        Raises StoreError if another program holds the file, or the folder cannot be written.
        """
        kept: dict[str, list[dict[str, Any]]] = {}

        def found(con: Connection) -> Doomed:
            doomed = find(con)
            kept["live_hours"] = hours_of(con, doomed, named)
            kept["purged_calls"] = remembered(con, doomed, named)
            return doomed

        def beyond(doomed: Doomed) -> Purged:
            for table, rows in kept.items():
                if rows:
                    self.append(table, rows)
            return self.copies(named, doomed)

        check_schema(self.access.folder)
        self.access.drop_scratch()
        try:
            make_folder(self.access.folder)  # a purge may be the first that is asked of a store
            try:
                return self._removed(found, announce, beyond)
            except Damaged as damage:  # only found while it is read: rebuilt, as by any read
                self.access.main.set_aside(str(damage))
                return self._removed(found, announce, beyond)
        except Damaged as damage:
            raise still_damaged(self.access.main.path, damage) from None
        except Busy as busy:
            raise StoreError(
                f"{self.access.main.path} is in use by {busy}; close it there, then purge again."
            ) from None
        except StoreError:
            raise
        except OSError as error:
            raise StoreError(
                f"{self.access.folder} cannot be purged ({error.strerror or error}), and holds what"
                " it held, or less; make it writable and make room, then purge again."
            ) from error

    def _removed(
        self,
        found: Callable[[Connection], Doomed],
        announce: Callable[[Doomed], object] | None,
        beyond: Callable[[Doomed], Purged],
    ) -> Purged:
        mended_own(self.access.folder, self.access.sources)
        self._merged()
        rescued(self.access.folder, self.access.main, self.access.sources, self.append)
        self.seal()
        self._merged()
        return purge_rows(self.access.folder, self.access.main, found, announce, beyond)

    def _merged(self) -> None:
        patiently(lambda: self.access.merged(self.access.sources()))
