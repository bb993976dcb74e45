"""Timers for what is mostly over before a timer is worth setting.

A call is allowed minutes and takes milliseconds, and each timer of an event loop that is set and
taken back costs as much as reading a short answer. So a timer is set only for what is still there
when a short while has passed: one timer for all of them says when to look.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["LateTimers"]

T = TypeVar("T")


class LateTimers(Generic[T]):
    """Used on one event loop. after_s: what ends before that is given no timer, and what is given
    one is so much late at most; set_timer: sets one.
    """

    def __init__(self, after_s: float, set_timer: Callable[[T], object]) -> None:
        self._after_s, self._set_timer = after_s, set_timer
        self._young: dict[T, None] = {}
        self._look: asyncio.TimerHandle | None = None

    def begin(self, watched: T) -> None:
        """It begins now."""
        self._young[watched] = None
        if self._look is None:
            self._look = asyncio.get_running_loop().call_later(self._after_s, self._set)

    def end(self, watched: T) -> None:
        """It is over; a timer that was set is the caller's."""
        self._young.pop(watched, None)

    def _set(self) -> None:
        young, self._young, self._look = self._young, {}, None
        for watched in young:
            self._set_timer(watched)
