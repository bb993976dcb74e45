"""Handing questions in as batches, once each, whatever dies on the way.

An intent is written before anything is sent. A hand-over that was cut off is looked for at the
provider before anything is handed in again: adopted if it is found, handed in again only if
the provider has none, and left to a person where the provider cannot tell.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..errors import CallError
from ..failure_classes import FAILURES
from ..markup import count
from ..models.batches import BatchDoor, BatchItem, BatchRefused
from ..models.failures import DEADLINE_S
from .batch_ledger import BatchLedger, Intent, item_id
from .batch_rows import BatchRows, Group, cut, groups
from .clock import Clock
from .question import Question
from .stop_signal import Stop

__all__ = ["BatchPace", "HandOver"]

_TRIES = 5  # of a hand-over that was refused for a while


@dataclass(frozen=True, slots=True)
class BatchPace:
    """wait_s: how long a pass may wait for answers, over all passes of one executor; first_s,
    longest_s: between two looks; settled_s: age at which a batch that the provider does not list
    never came to be.
    """

    wait_s: float = 0.0
    first_s: float = 0.5
    longest_s: float = 60.0
    settled_s: float = 120.0


@dataclass(slots=True)
class HandOver:
    """Brings every question into a batch.

    deadline_s: of one hand-over with its retries; doors: by endpoint and request form; open:
    intents that hold questions of this pass, by their ids; person: what a person has to decide;
    short: whether the budget keeps questions back.
    """

    ledger: BatchLedger
    rows: BatchRows
    clock: Clock
    pace: BatchPace
    stop: Stop
    deadline_s: float | None = DEADLINE_S
    doors: dict[tuple[str, str], BatchDoor] = field(default_factory=dict)
    open: dict[str, Intent] = field(default_factory=dict)
    person: str = ""
    short: bool = False

    async def place(self, left: Mapping[str, Question]) -> None:
        """Find the batches that hold our questions; hand in the questions that none holds."""
        self.person, self.short = "", False
        waiting = await asyncio.to_thread(self.ledger.waiting, left)
        placed: set[str] = set()
        for found in waiting:
            intent = found if found.batch else await self._sought(found)
            if intent is not None:
                self.open[intent.id] = intent
                placed |= set(intent.keys) - intent.collected
        for key in placed.intersection(left):
            self.rows.hold(left[key], sent=True)
        unplaced = [key for key in left if key not in placed]
        done = await asyncio.to_thread(self.ledger.answered, unplaced)
        if done:  # handed in again, they would be paid for again
            self.person = (
                f"another process collected the answers to {count(len(done), 'question')} at this"
                " moment; run again to take them."
            )
        free = [left[key] for key in unplaced if key not in done]
        for group, questions in groups(free):
            for part in cut(self._affordable(questions), self.doors[group[:2]]):
                if self.stop.code is None:
                    await self._hand_in(group, part)

    def _affordable(self, questions: Sequence[Question]) -> list[Question]:
        """Those that the budget allows; the rest waits for what the answers leave of it, or for a
        larger one.
        """
        fit = []
        for question in questions:
            if not self.rows.hold(question):
                self.short = True
                break
            fit.append(question)
        return fit

    async def _hand_in(self, group: Group, part: Sequence[Question]) -> None:
        intent = Intent.of(*group, [question.key for question in part], self.clock.wall())
        door = self.doors[group[:2]]
        items = [BatchItem(item_id(each.key), each.call.request) for each in part]
        await asyncio.to_thread(self.ledger.intend, intent)
        began = self.clock.now()
        for attempt in range(1, _TRIES + 1):
            try:
                batch = await door.hand_in(items, intent.id, group[2])
            except BatchRefused as refusal:
                error = refusal.error
                pause = error.retry_after_s or random.uniform(0.0, 2.0**attempt)
                late = self.clock.now() + pause - began >= (self.deadline_s or math.inf)
                if FAILURES[error.failure] == "transient" and attempt < _TRIES and not late:
                    await self.stop.sleep(self.clock, pause)
                    if self.stop.code is None:
                        continue
                await asyncio.to_thread(self.ledger.closed, intent, f"refused: {error}")
                self.halt(f"{group[0]} took no batch: {error}")
                return
            except CallError:  # nobody knows whether it came through
                found = await self._sought(intent)
                if found is not None:
                    self.open[intent.id] = found
                return
            await self._handed_in(intent, batch)
            return

    async def _handed_in(self, intent: Intent, batch: str) -> Intent:
        await asyncio.to_thread(self.ledger.handed_in, intent, batch)
        known = self.open[intent.id] = replace(intent, batch=batch)
        return known

    async def _sought(self, intent: Intent) -> Intent | None:
        """An intent whose hand-over was cut off, as far as the provider shows it; None if no
        batch came to be.
        """
        door = self.doors[intent.endpoint, intent.api]
        taken = await asyncio.to_thread(self.ledger.taken)
        ids = frozenset(map(item_id, intent.keys))
        try:
            found = await door.seek(intent.id, intent.at, ids, taken)
        except CallError as error:
            if FAILURES[error.failure] == "setup":
                self.halt(f"{intent.endpoint} does not show its batches: {error}")
            return intent
        if found.state == "found":
            return await self._handed_in(intent, found.id)
        if found.state == "untold":
            self.person = (
                f"a batch of {len(intent.keys):,} may have been handed in, and {intent.endpoint} "
                f"does not list its batches ({found.detail}); look it up in the provider's "
                f"console, then run `promptops batches adopt {intent.id} ID`, or `promptops "
                f"batches forget {intent.id}` if it lists none."
            )
        elif found.state == "absent" and self.clock.wall() - intent.at > self.pace.settled_s:
            await asyncio.to_thread(self.ledger.closed, intent, "never made")
            return None
        return intent

    def halt(self, reason: str) -> None:
        """Ask nothing more of any provider."""
        self.stop.set("circuit_open", reason)
