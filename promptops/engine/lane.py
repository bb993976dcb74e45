"""The questions of one endpoint, in the order in which they are asked."""

from __future__ import annotations

import asyncio
from collections import deque

from .question import Question
from .retries import Caller

__all__ = ["Lane"]


# questions that may wait between two attempts beside those in flight: as many as refusals make,
# memory still flat
_SURPLUS = 1024


class Lane:
    """One endpoint: its caller, its questions that wait for room, its tasks."""

    __slots__ = ("backlog", "caller", "tasks")

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.backlog: deque[Question] = deque()
        self.tasks: set[asyncio.Task[None]] = set()

    @property
    def room(self) -> bool:
        pace = self.caller.pace
        return len(self.tasks) + pace.held < pace.limit + min(self.caller.waiting, _SURPLUS)
