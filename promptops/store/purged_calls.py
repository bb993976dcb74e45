"""What is remembered of live rows that a purge removed: enough to leave them out of a log that has
them again, and nothing of theirs.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from .purges import Doomed, Named

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection as Connection

__all__ = ["mark_of", "remembered"]

_NEWEST = """
SELECT strftime(max(started_at), '%Y-%m-%dT%H:%M:%S.%f') FROM live
WHERE id IN (SELECT unnest($ids)) AND started_at < $before::TIMESTAMP
"""
# without the provider's ids of answers, which may come again
_IDS = """
SELECT id FROM live WHERE id IN (SELECT unnest($ids))
UNION SELECT id FROM feedback WHERE id IN (SELECT unnest($ids))
"""


def mark_of(id_: object) -> str:
    """A digest of a purged row's id, by which the row is recognised."""
    return hashlib.sha256(str(id_).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def remembered(con: Connection, doomed: Doomed, named: Named) -> list[dict[str, object]]:
    """The rows of `purged_calls`: single calls one by one, those that go by their age by the
    newest alone, since they may be millions.
    """
    ids, rows = sorted(doomed.runs), []
    before = max(filter(None, (named.before, named.live_before)), default=None)
    if before is not None:
        [(newest,)] = con.execute(_NEWEST, {"ids": ids, "before": before}).fetchall()
        rows = [{"id": f"until-{newest}", "until": newest}] if newest else []
    gone = con.execute(_IDS, {"ids": ids}).fetchall() if named.live else []
    return [*rows, *({"id": mark_of(id_)} for (id_,) in gone)]
