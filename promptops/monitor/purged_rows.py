"""Rows of a log that a purge removed before: logs overlap, since one may be cut off at its head or
fetched for the last day each hour.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import StoreError
from ..store import Store
from ..store.purged_calls import mark_of
from ..store.purges import utc_moment
from .queries.live_listing import purged_before

__all__ = ["PurgedRows"]


class PurgedRows:
    """left_out: how many such rows were found."""

    def __init__(self, store: Store) -> None:
        self._marks, self._until, self._hours = purged_before(store)
        self._any_hour = {hour for _, _, hour in self._hours}
        self._calls: set[object] = set()  # that went by their age; feedback on them goes too
        self.left_out = 0

    def hold(self, table: str, row: Mapping[str, object]) -> bool:
        """Whether a purge removed the row."""
        found = False
        if table == "live":
            if found := self._is_named(row.get("id")) or self._is_old(row):
                self._calls.add(row.get("id"))
        elif table == "feedback":
            call = row.get("run")
            found = call in self._calls or self._is_named(call) or self._is_named(row.get("id"))
            found = found or self._hour(row.get("at")) in self._any_hour
        self.left_out += found
        return found

    def _is_named(self, id_: object) -> bool:
        return bool(self._marks) and mark_of(id_) in self._marks

    def _is_old(self, row: Mapping[str, object]) -> bool:
        hour = self._hour(row.get("started_at"))
        return (row.get("prompt"), row.get("env"), hour) in self._hours

    def _hour(self, moment: object) -> str:
        """The hour of a moment that a purge by age reached, else ""."""
        if not self._until:
            return ""
        try:
            found = utc_moment(str(moment)) or ""
        except StoreError:
            return ""
        return found[:13] if found <= self._until else ""
