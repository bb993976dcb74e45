"""Questions about batches that were handed in: what they ask, and what became of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...store import Store

__all__ = ["batch_steps", "batches_made", "handed_in_ids"]


def handed_in_ids(store: Store) -> frozenset[str]:
    """The providers' ids of all batches that were handed in."""
    rows = store.rows("select detail from batch_events where batch_event = 'handed_in'")
    return frozenset(str(row[0]) for row in rows)


def batch_steps(store: Store) -> list[tuple[str, str, str]]:
    """(batch, event, detail) of everything that happened to batches, oldest first."""
    asked = "select batch_id, batch_event, detail from batch_events order by event_at"
    return [(str(id), str(event), str(detail or "")) for id, event, detail in store.rows(asked)]


def batches_made(store: Store) -> list[tuple[str, str | None, str, str, str, str, float]]:
    """(id, study, endpoint, api, model, keys as JSON, made at as seconds) of every batch, oldest
    first.
    """
    return list(
        store.rows(
            "select id, study_id, endpoint, api, model, keys, epoch(made_at) from batches"
            " order by made_at"
        )
    )
