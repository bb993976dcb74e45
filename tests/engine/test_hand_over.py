"""A hand-over that is refused for a while waits no longer than an ordinary call would."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from promptops.engine.hand_over import BatchPace, HandOver
from promptops.engine.stop_signal import Stop
from promptops.errors import CallError
from promptops.models.batches import BatchRefused


class Hours:
    """A clock that passes at once what is slept."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    def wall(self) -> float:
        return 1.8e9 + self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds


class Door:
    """Asks for a wait with each refusal."""

    most, most_bytes = 100, 10**6

    def __init__(self, wait_s: float) -> None:
        self.wait_s, self.tries = wait_s, 0

    async def hand_in(self, items: Sequence[object], intent: str, model: str) -> str:
        self.tries += 1
        limited = CallError("slow down", failure="rate_limit", retry_after_s=self.wait_s)
        raise BatchRefused(limited)


class Books:
    """A ledger and the budget, of which nothing is known before."""

    def __init__(self) -> None:
        self.why = ""

    def waiting(self, keys: object) -> list[Any]:
        return []

    def answered(self, keys: object) -> list[str]:
        return []

    def intend(self, intent: object) -> None:
        return None

    def closed(self, intent: object, why: str) -> None:
        self.why = why

    def hold(self, question: object) -> bool:
        return True


@pytest.mark.parametrize(("wait_s", "tries", "waited"), [(100, 5, 400), (86_400, 1, 0)])
def test_a_wait_past_the_deadline_is_not_waited_for(
    wait_s: float, tries: int, waited: float
) -> None:
    books, clock, stop, door = Books(), Hours(), Stop(), Door(wait_s)
    over = HandOver(books, books, clock, BatchPace(), stop)  # type: ignore[arg-type]
    over.doors["e", "chat"] = door  # type: ignore[assignment]
    call = SimpleNamespace(request={}, chat={}, api="chat")
    model = SimpleNamespace(label="e", api="chat")
    question = SimpleNamespace(key="k1:1", call=call, model=model, endpoint="e", model_name="m")
    asyncio.run(over.place({question.key: question}))  # type: ignore[dict-item]
    assert (door.tries, clock.time) == (tries, waited)
    assert stop.code == "circuit_open"
    assert "took no batch: slow down" in stop.reason
    assert books.why.startswith("refused: slow down")
