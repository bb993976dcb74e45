"""A stream whose chunks have any value in any place is the application's as it came, and is one
row.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openai import OpenAI

import promptops
from promptops.observe import flush
from promptops.observe.live_call import LiveCall, Observer
from promptops.observe.stream_reading import StreamReading

CALL = {"index": 0, "id": "t", "type": "function", "function": {"name": "f", "arguments": "{"}}
DELTA = {"role": "assistant", "content": "h", "tool_calls": [CALL]}
CHUNK = {
    "id": "c",
    "object": "chat.completion.chunk",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "delta": DELTA, "finish_reason": None}],
}
ODD: list[object] = [None, [], {}, 5, True, "x", "x" * 20_000, [None], [[]], [{}], {"a": 1}, 10**30]


def places(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of each value within another."""
    if path:
        yield path
    pairs = value.items() if isinstance(value, dict) else ()
    for key, each in enumerate(value) if isinstance(value, list) else pairs:
        yield from places(each, (*path, key))


def odd_chunks() -> Iterator[bytes]:
    """A chunk with one odd value, for each place and value."""
    for path in places(CHUNK):
        for odd in ODD:
            chunk = json.loads(json.dumps(CHUNK))
            at = chunk
            for key in path[:-1]:
                at = at[key]
            at[path[-1]] = odd
            yield json.dumps(chunk).encode()


def read(client: OpenAI) -> str:
    """All chunks of one answer, or the exception."""
    try:
        answer = client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "q"}], stream=True
        )
        return repr(list(answer))
    except Exception as error:
        return repr(error)


def test_odd_chunks_are_read_as_without_an_observer(tmp_path: Path) -> None:
    """For each of them the same result as by a bare client, and one row."""
    body = b""

    def client() -> OpenAI:
        transport = httpx2.MockTransport(
            lambda request: httpx2.Response(
                200, content=body, headers={"content-type": "text/event-stream"}
            )
        )
        return OpenAI(
            api_key="k",
            base_url="http://loopback/v1",
            max_retries=0,
            http_client=httpx2.Client(transport=transport),
        )

    bare, observed = client(), promptops.observe(client(), sink=tmp_path / "rows", content=True)
    good, tried = json.dumps(CHUNK).encode(), 0
    for odd in odd_chunks():
        body = b"data: " + odd + b"\n\ndata: " + good + b"\n\ndata: [DONE]\n\n"
        assert read(observed) == read(bare), odd[:300]
        tried += 1
    assert tried > 150
    assert flush(30)
    state = promptops.observe.health()[str(tmp_path / "rows")]
    assert (state["stored"], state["dropped"]) == (tried, 0)


def test_a_reading_that_fails_is_still_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read until then is kept where judging it raises."""

    class Queue:
        def __init__(self) -> None:
            self.rows: list[str] = []

        def put(self, table: str, row: object, chars: int) -> None:
            self.rows.append(table)

    def broken(self: StreamReading) -> None:
        raise ValueError("a provider's new kind of chunk")

    monkeypatch.setattr(StreamReading, "result", broken)
    queue: Any = Queue()
    call = LiveCall(Observer(queue), {"model": "m"})
    call.streams()
    call.stream_ended(early=False)
    assert queue.rows == ["live"]
