"""What is known of batches that were handed in: written before a batch is sent, read by the next
process.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from ..canonical import tagged
from ..run import Run

__all__ = ["BatchLedger", "Intent", "item_id"]


@dataclass(frozen=True, slots=True)
class Intent:
    """A batch that is about to be handed in, or was.

    id: `b-` and hex digits of the digest of its items and its moment, sent along to the provider;
    endpoint, api, model: where; keys: of its questions, in order; at: Unix seconds; batch: the
    provider's id, "" while the hand-over is not known to have come through; collected: keys whose
    outcome was recorded.
    """

    id: str
    endpoint: str
    api: str
    model: str
    keys: tuple[str, ...]
    at: float
    batch: str = ""
    collected: frozenset[str] = frozenset()

    @classmethod
    def of(cls, endpoint: str, api: str, model: str, keys: Sequence[str], at: float) -> Intent:
        """A new one."""
        ids = [item_id(key) for key in keys]
        digest = tagged("b1", [endpoint, api, model, ids, f"{at:.6f}"])[3:]
        return cls(f"b-{digest}", endpoint, api, model, tuple(keys), at)


class BatchLedger(Protocol):
    """Keeps intents and what became of them, durably."""

    def turn(self) -> AbstractAsyncContextManager[None]:
        """Until it is left, no other pass of any process hands in a batch."""
        ...

    def waiting(self, keys: Collection[str]) -> list[Intent]:
        """Intents that are not closed and hold one of these keys uncollected, oldest first."""
        ...

    def answered(self, keys: Collection[str]) -> Collection[str]:
        """Those of these questions that have their answer by now, as another pass collected it
        after this one had looked.
        """
        ...

    def recorded(self, keys: Collection[str]) -> dict[str, Run]:
        """Those answers themselves, by question."""
        ...

    def taken(self) -> frozenset[str]:
        """The providers' ids of all batches that are known."""
        ...

    def intend(self, intent: Intent) -> None:
        """Write an intent, before anything is sent."""
        ...

    def handed_in(self, intent: Intent, batch: str) -> None:
        """Its hand-over came through."""
        ...

    def collected(self, intent: Intent, keys: Sequence[str]) -> None:
        """The outcomes of these questions are recorded."""
        ...

    def closed(self, intent: Intent, why: str) -> None:
        """No batch came to be of it."""
        ...


def item_id(key: str) -> str:
    """The id of a question in a batch: its key, in letters, digits and `-`."""
    return key.replace(":", "-")
