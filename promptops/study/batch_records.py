"""Batches as the store keeps them: the intent before anything is sent, and what became of it."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..engine.batch_ledger import Intent
from ..errors import StudyError
from ..run import Run, utc
from ..spool.locks import keep, lock_file
from .queries.batch_steps import batch_steps, batches_made, handed_in_ids
from .records import find_runs, known_runs

if TYPE_CHECKING:
    from ..store import Store

__all__ = ["StoredBatches", "find_batch", "open_batches"]

_LOCK = "batches.lock"


@dataclass(frozen=True, slots=True)
class StoredBatches:
    """The batch ledger of a store. study: for which they are handed in, "" if for none; afresh:
    whether earlier answers to the same questions do not count.
    """

    store: Store
    study: str = ""
    afresh: bool = False

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Until it is left, no other pass of any process hands in a batch."""
        file = lock_file(self.store.folder / _LOCK)
        taking = asyncio.ensure_future(asyncio.to_thread(keep, file))
        try:
            await asyncio.shield(taking)
        except asyncio.CancelledError:
            taking.add_done_callback(lambda _: os.close(file))
            raise
        try:
            yield
        finally:
            os.close(file)

    def waiting(self, keys: Collection[str]) -> list[Intent]:
        """Intents that are not closed and hold one of these keys uncollected, oldest first."""
        wanted = set(keys)
        return [
            intent
            for intent, _ in open_batches(self.store)
            if not wanted.isdisjoint(set(intent.keys) - intent.collected)
        ]

    def answered(self, keys: Collection[str]) -> Collection[str]:
        """Those of these questions that have their answer by now."""
        return () if self.afresh else find_runs(self.store, keys)

    def recorded(self, keys: Collection[str]) -> dict[str, Run]:
        """The answers to these questions that are recorded by now."""
        return {} if self.afresh else known_runs(self.store, keys)

    def taken(self) -> frozenset[str]:
        """The providers' ids of all batches that are known."""
        if not self.store.has("batch_events"):
            return frozenset()
        return handed_in_ids(self.store)

    def intend(self, intent: Intent) -> None:
        """Write an intent, before anything is sent."""
        row = {
            "id": intent.id,
            "study_id": self.study,
            "endpoint": intent.endpoint,
            "api": intent.api,
            "model": intent.model,
            "keys": json.dumps(intent.keys),
            "n_questions": len(intent.keys),
            "made_at": utc(intent.at),
        }
        self.store.append("batches", [row])

    def handed_in(self, intent: Intent, batch: str) -> None:
        """Its hand-over came through."""
        self._event(intent, "handed_in", batch)

    def collected(self, intent: Intent, keys: Sequence[str]) -> None:
        """The outcomes of these questions are recorded."""
        whole = set(intent.keys) <= intent.collected.union(keys)
        self._event(intent, "collected", "" if whole else json.dumps(sorted(keys)))

    def closed(self, intent: Intent, why: str) -> None:
        """No batch came to be of it."""
        self._event(intent, "closed", why)

    def _event(self, intent: Intent, event: str, detail: str) -> None:
        row = {"batch_id": intent.id, "event_at": utc(), "batch_event": event, "detail": detail}
        self.store.append("batch_events", [row])


def open_batches(store: Store) -> list[tuple[Intent, str]]:
    """Batches that were not collected in whole, oldest first, each with its study's id."""
    if not store.has("batches"):
        return []
    events: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for id, event, detail in batch_steps(store):
        events[id].append((event, detail))
    found = []
    for id, study, endpoint, api, model, keys, at in batches_made(store):
        intent = Intent(
            str(id), str(endpoint), str(api), str(model), tuple(json.loads(keys)), float(at)
        )
        opened = _after(intent, events[intent.id])
        if opened is not None:
            found.append((opened, str(study or "")))
    return found


def _after(intent: Intent, events: Sequence[tuple[str, str]]) -> Intent | None:
    """An intent with what became of it; None if nothing more is to be expected."""
    for event, detail in events:
        if event == "closed" or (event == "collected" and not detail):
            return None
        if event == "handed_in":
            intent = replace(intent, batch=detail)
        elif event == "collected":
            intent = replace(intent, collected=intent.collected.union(json.loads(detail)))
    return None if set(intent.keys) <= intent.collected else intent


def find_batch(store: Store, id: str) -> Intent:
    """An open batch by its id or the beginning of it.

    Raises:
        StudyError: if no open batch matches, or several do.
    """
    found = [intent for intent, _ in open_batches(store) if intent.id.startswith(id)]
    if len(found) == 1:
        return found[0]
    listed = ", ".join(intent.id for intent, _ in open_batches(store)) or "none"
    raise StudyError(f"{id!r} names {len(found)} open batches; those that are open: {listed}.")


def when(at: float) -> str:
    """A moment in local time, for people."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))
