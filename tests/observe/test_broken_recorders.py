"""Law: each promise of the recorder is one that a recorder could break: the checks of this folder,
against implementations that are broken on purpose, find each of them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from promptops.observe.live_queue import LiveQueue, Row
from promptops.observe.row_writer import RowWriter

SECRET = "sk-canary-01-abcdefghij0123456789"


class Sink:
    """Takes `room` rows; blocks at the first while `gate` is closed."""

    linger_s = 0.0

    def __init__(self, room: int = 1_000) -> None:
        self.room = room
        self.taken: list[dict[str, Any]] = []
        self.gate = threading.Event()
        self.gate.set()

    def write(self, lines: list[tuple[str, dict[str, Any]]]) -> tuple[int, int]:
        self.gate.wait(30)
        stored = lines[: self.room - len(self.taken)]
        self.taken += [row for table, row in stored if table == "live"]
        return len(stored), len(lines) - len(stored)

    def secret(self) -> bytes | None:
        return None

    def forked(self) -> None: ...

    def close(self) -> None: ...


class SaysNothing(LiveQueue):
    """Rows that the sink refuses are lost without being counted."""

    def _lose(self, number: int, why: str) -> None: ...


class WritesInTheCaller(LiveQueue):
    """The application's thread writes, and waits for the sink."""

    def put(self, table: str, row: Any, chars: int = 0) -> bool:
        self.sink.write([(table, row)])
        return True


class KeepsTheParents(LiveQueue):
    """A forked child goes on with the rows that wait in its parent."""

    def restart(self) -> None:
        self._thread = None


class Unredacted(RowWriter):
    """Texts go out as they came."""

    def prepared(self, table: str, row: Row, sink: Any) -> Row:
        return row


def adds_up(made: type[LiveQueue]) -> bool:
    """put = stored + dropped after a flush, with a sink that refuses nine of ten."""
    queue = made(Sink(10), RowWriter())
    for index in range(100):
        queue.put("live", {"id": f"l-{index}"})
    assert queue.flush(30)
    health = queue.health()
    return bool(health["put"] == health["stored"] + health["dropped"] and not health["waiting"])


def waits_for_nobody(made: type[LiveQueue]) -> bool:
    """A hundred rows are put while the sink is blocked."""
    sink = Sink()
    sink.gate.clear()
    queue = made(sink, RowWriter())
    rows = [("live", {"id": f"l-{index}"}) for index in range(100)]
    thread = threading.Thread(target=lambda: [queue.put(*row) for row in rows], daemon=True)
    thread.start()
    thread.join(0.3 if made is not LiveQueue else 30)
    done = not thread.is_alive()
    sink.gate.set()
    thread.join(30)
    queue.flush(30)
    return done


def child_begins_empty(made: type[LiveQueue]) -> bool:
    """What waited in the parent is not written by a child."""
    sink = Sink()
    queue = made(sink, RowWriter())
    queue._thread = threading.Thread()  # a thread that the child does not have
    queue.put("live", {"id": "parent"})
    queue.restart()
    queue.put("live", {"id": "child"})
    assert queue.flush(30)
    return [row["id"] for row in sink.taken] == ["child"]


def hides_secrets(made: type[RowWriter]) -> bool:
    """A key in an answer does not reach the sink."""
    sink = Sink()
    queue = LiveQueue(sink, made())
    queue.put("live", {"id": "l-1", "output": f"my key is {SECRET}"})
    assert queue.flush(30)
    return len(sink.taken) == 1 and SECRET not in str(sink.taken)


@pytest.mark.parametrize(
    ("promise", "kept", "broken"),
    [
        (adds_up, LiveQueue, SaysNothing),
        (waits_for_nobody, LiveQueue, WritesInTheCaller),
        (child_begins_empty, LiveQueue, KeepsTheParents),
        (hides_secrets, RowWriter, Unredacted),
    ],
)
def test_a_broken_recorder_is_found(
    promise: Callable[[Any], bool], kept: type[Any], broken: type[Any]
) -> None:
    assert promise(kept)
    assert not promise(broken)
