"""Questions about what happened to a study while it ran."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...store import Store

__all__ = ["last_event", "started_with"]


def last_event(store: Store, study: str) -> tuple[str, str] | None:
    """(event, detail) of a study's last event; None without one."""
    rows = store.rows(
        "select event, detail from study_events where study_id = ? order by event_at desc limit 1",
        [study],
    )
    return (str(rows[0][0]), str(rows[0][1] or "")) if rows else None


def started_with(store: Store, study: str, detail: str) -> bool:
    """Whether a study was ever started with this detail."""
    return bool(
        store.rows(
            "select 1 from study_events where study_id = ? and event = 'started' and detail = ?"
            " limit 1",
            [study, detail],
        )
    )
