"""Law: one call is one row through the real clients of OpenAI, Anthropic and Gemini, however the
application ends it or lets go of it; what is no call of a model makes none.
"""

from __future__ import annotations

import asyncio
import gc
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

import promptops
from promptops import PromptVersion
from promptops.observe.open_queues import open_queue
from tests.observe.live_rows_of import (
    RESPONSE,
    async_client,
    client,
    provider,
    rows_of,
    server_sent,
)

anthropic = pytest.importorskip("anthropic")
genai = pytest.importorskip("google.genai")

VERSIONS = {
    api: PromptVersion("Classify: {{ticket}}", model="a-model", api=api, settings={"max_tokens": 9})
    for api in ("chat", "responses", "anthropic", "gemini")
}
MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-x",
    "content": [{"type": "text", "text": "billing"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 7,
        "cache_read_input_tokens": 4,
        "cache_creation_input_tokens": 0,
        "output_tokens": 2,
    },
}
CONTENT = {
    "responseId": "g-1",
    "candidates": [
        {"content": {"role": "model", "parts": [{"text": "billing"}]}, "finishReason": "STOP"}
    ],
    "modelVersion": "gemini-x",
    "usageMetadata": {
        "promptTokenCount": 11,
        "cachedContentTokenCount": 4,
        "candidatesTokenCount": 2,
    },
}
WHOLE = (None, 11, 2, 4, 7)  # failure, tokens in, out and cached, characters out
UNREAD = (None, None, None, None, None)
OFF = ("cancelled", None, None, None, 3)
Door = Callable[[Any], Any]


def message_events() -> bytes:
    """MESSAGE as a stream."""
    place = {"type": "content_block_delta", "index": 0}
    return server_sent(
        {"type": "message_start", "message": {**MESSAGE, "content": [], "stop_reason": None}},
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "text", "text": ""},
        },
        {**place, "delta": {"type": "text_delta", "text": "bil"}},
        {**place, "delta": {"type": "text_delta", "text": "ling"}},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": 2},
        },
        {"type": "message_stop"},
    )


def others(asked: httpx2.Request) -> httpx2.Response:
    """What Anthropic, Gemini, and the further resources of OpenAI answer."""
    path = asked.url.path
    body = json.loads(asked.content or b"{}")
    if asked.method == "GET":
        return httpx2.Response(200, json=RESPONSE)
    if path.endswith("/embeddings"):
        vector = {"object": "embedding", "index": 0, "embedding": [0.5]}
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        return httpx2.Response(
            200, json={"object": "list", "model": "e", "data": [vector], "usage": usage}
        )
    if "ountTokens" in path or path.endswith("count_tokens"):
        return httpx2.Response(200, json={"input_tokens": 3, "totalTokens": 3})
    if "treamGenerateContent" in path:
        return _stream(f"data: {json.dumps(CONTENT)}\n\n".encode())
    if "enerateContent" in path:
        return httpx2.Response(200, json=CONTENT)
    if path.endswith("/messages"):
        if body.get("stream"):
            return _stream(message_events())
        return httpx2.Response(200, json=MESSAGE)
    return provider(asked)


def _stream(data: bytes) -> httpx2.Response:
    return httpx2.Response(200, content=data, headers={"content-type": "text/event-stream"})


def breaks(asked: httpx2.Request) -> httpx2.Response:
    """A stream whose connection is lost after its first piece."""

    def pieces() -> Iterator[bytes]:
        yield provider(asked).content.partition(b"\n\n")[0] + b"\n\n"
        raise httpx2.ReadError("connection lost", request=asked)

    head = {"content-type": "text/event-stream"}
    return httpx2.Response(200, content=pieces(), headers=head)


def stumbles() -> Callable[[httpx2.Request], httpx2.Response]:
    """Two failures, then an answer: the client itself tries again."""
    left = [503, 503]

    def handler(asked: httpx2.Request) -> httpx2.Response:
        if left:
            return httpx2.Response(left.pop(), json={}, headers={"retry-after-ms": "1"})
        return provider(asked)

    return handler


def request(api: str = "chat", **more: Any) -> dict[str, Any]:
    return {**VERSIONS[api].request(ticket="my invoice"), **more}


STREAM = request(stream=True)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "live"
    open_queue(str(tmp_path / "live")).close()


def _rows(folder: Path, expected: int) -> list[tuple[Any, ...]]:
    """What was recorded; where a row is missing, after what was let go of is collected."""
    names = ("failure", "tokens_in", "tokens_out", "tokens_cached", "chars_out")
    assert open_queue(str(folder)).flush(30)
    if len(rows_of(folder)) < expected:
        gc.collect()
        assert open_queue(str(folder)).flush(30)
    return [tuple(row.get(name) for name in names) for row in rows_of(folder)]


class _Stop(Exception):
    """The application's own."""


def _loop_raises(c: Any) -> None:
    def reads() -> None:
        for _ in c.chat.completions.create(**STREAM):
            raise _Stop

    with pytest.raises(_Stop):
        reads()


def _with_raises(c: Any) -> None:
    def reads() -> None:
        with c.chat.completions.create(**STREAM) as stream:
            next(stream)
            raise _Stop

    with pytest.raises(_Stop):
        reads()


def _helper_raises(c: Any) -> None:
    def reads() -> None:
        with c.chat.completions.stream(**request()) as stream:
            next(iter(stream))
            raise _Stop

    with pytest.raises(_Stop):
        reads()


def _raw_stream_let_go(c: Any) -> None:
    """The raw response is gone before its stream is read."""
    stream = c.responses.with_raw_response.create(**request("responses", stream=True)).parse()
    gc.collect()
    list(stream)


def _streaming_response_raises(c: Any) -> None:
    with (
        pytest.raises(_Stop),
        c.chat.completions.with_streaming_response.create(**request(stream=True)),
    ):
        raise _Stop


def _threads(c: Any) -> None:
    threads = [threading.Thread(target=c.chat.completions.create, kwargs=request()) for _ in "1234"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _other_requests(c: Any) -> None:
    c.embeddings.create(model="e", input="x")
    c.responses.retrieve("resp_1")
    c.chat.completions.stream(**request())  # never entered: nothing was asked


def _in_with(c: Any) -> None:
    with c as entered:
        entered.chat.completions.create(**request())


SYNC: dict[str, tuple[Door, list[tuple[Any, ...]]]] = {
    "the loop raises": (_loop_raises, [OFF]),
    "the block raises": (_with_raises, [OFF]),
    "the helper's block raises": (_helper_raises, [OFF]),
    "never read": (
        lambda c: c.chat.completions.create(**STREAM),
        [("cancelled", None, None, None, None)],
    ),
    "raw stream let go": (_raw_stream_let_go, [WHOLE]),
    "streaming response raises": (_streaming_response_raises, [UNREAD]),
    "the client in a block": (_in_with, [WHOLE]),
    "options upon options": (
        lambda c: (
            c.with_options(max_retries=1)
            .with_options(timeout=9)
            .responses.with_raw_response.create(**request("responses"))
        ),
        [WHOLE],
    ),
    "beta": (lambda c: c.beta.responses.create(**request("responses")), [WHOLE]),
    "threads": (_threads, [WHOLE] * 4),
    "other requests": (_other_requests, []),
}


@pytest.mark.parametrize("name", SYNC)
def test_openai_however_it_ends(name: str, folder: Path) -> None:
    """One row for each call, with how it ended."""
    door, expected = SYNC[name]
    door(promptops.observe(client(others), sink=folder))
    assert _rows(folder, len(expected)) == expected


@pytest.mark.parametrize("body", [b"", b"{", b'{"choices": [{"mess', b"\xff\xfe", b"[" * 10_000])
@pytest.mark.parametrize("way", ["sync", "async"])
def test_a_raw_reply_that_is_no_json_is_the_failure_that_a_plain_one_is(
    folder: Path, way: str, body: bytes
) -> None:
    """One row each, of the same failure; the application has the body as it came."""

    def damaged(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, content=body, headers={"content-type": "application/json"})

    async def ask() -> Any:
        c = promptops.observe(async_client(damaged), sink=folder)
        with pytest.raises((ValueError, RecursionError)):
            await c.chat.completions.create(**request())
        return await c.chat.completions.with_raw_response.create(**request())

    if way == "async":
        raw = asyncio.run(ask())
    else:
        c = promptops.observe(client(damaged), sink=folder)
        with pytest.raises((ValueError, RecursionError)):
            c.chat.completions.create(**request())
        raw = c.chat.completions.with_raw_response.create(**request())
    assert raw.http_response.content == body
    with pytest.raises((ValueError, RecursionError)):
        raw.parse()
    plain, bare = _rows(folder, 2)
    assert bare == plain
    assert plain[0] == "internal"


def test_raw_views_that_were_made_before(folder: Path) -> None:
    """A view of raw responses that the application used before it observed the client."""
    bare = client()
    before = (bare.with_raw_response.chat, bare.chat.with_raw_response.completions)
    assert before
    bare.chat.completions.with_raw_response.create(**request())
    with bare.responses.with_streaming_response.create(**request("responses")):
        pass
    c = promptops.observe(bare, sink=folder)
    c.with_raw_response.chat.completions.create(**request())
    c.chat.with_raw_response.completions.create(**request())
    c.chat.completions.with_raw_response.create(**request())
    with c.responses.with_streaming_response.create(**request("responses")) as raw:
        raw.parse()
    assert _rows(folder, 4) == [WHOLE] * 4


def test_retries_of_the_client_are_one_call(folder: Path) -> None:
    c = promptops.observe(client(stumbles()), sink=folder)
    c.with_options(max_retries=3).chat.completions.create(**request())
    assert _rows(folder, 1) == [WHOLE]


def test_a_stream_that_breaks(folder: Path) -> None:
    """Once, as a failure of the connection, with what had come; the error is the application's."""
    c = promptops.observe(client(breaks), sink=folder)
    with pytest.raises((openai.APIError, httpx2.HTTPError)):
        list(c.chat.completions.create(**STREAM))
    assert _rows(folder, 1) == [("connection", None, None, None, 3)]


async def _block_raises(c: Any) -> None:
    async with await c.chat.completions.create(**STREAM) as stream:
        await stream.__anext__()
        raise _Stop


async def _async_openai(c: Any) -> None:
    async def reads() -> None:
        async for _ in await c.chat.completions.create(**STREAM):
            reading.set()
            await asyncio.sleep(3600)

    reading = asyncio.Event()
    task = asyncio.ensure_future(reads())
    await reading.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(_Stop):
        await _block_raises(c)
    async with c as entered:
        await entered.chat.completions.create(**request())
        await asyncio.gather(*(c.responses.create(**request("responses")) for _ in range(3)))
        c.chat.completions.create(**request()).close()  # a coroutine that nobody awaits


def test_asynchronous_openai(folder: Path) -> None:
    """Cancelled in the loop, broken off by an exception, the client in a block, gathered."""
    asyncio.run(_async_openai(promptops.observe(async_client(), sink=folder)))
    assert sorted(_rows(folder, 6), key=str) == sorted([OFF, OFF, *[WHOLE] * 4], key=str)


def _anthropic(kind: Any, http: Any) -> Any:
    transport = httpx2.MockTransport(others)
    return kind(
        api_key="sk-ant-canary-0123456789",
        base_url="http://provider.example",
        max_retries=0,
        http_client=http(transport=transport),
    )


def test_anthropic_doors(folder: Path) -> None:
    """Its own helpers, raw responses and copies."""
    c = _anthropic(anthropic.Anthropic, httpx2.Client)
    c = promptops.observe(c, sink=folder)
    asked = request("anthropic")
    c.messages.create(**asked)
    list(c.messages.create(**asked, stream=True))
    with c.messages.stream(**asked) as stream:
        assert "".join(stream.text_stream) == "billing"
    with c.messages.stream(**asked) as stream:
        assert stream.get_final_message().content[0].text == "billing"
    c.messages.with_raw_response.create(**asked).parse()
    list(c.messages.with_raw_response.create(**asked, stream=True).parse())
    with c.messages.with_streaming_response.create(**asked) as raw:
        raw.parse()
    c.with_options(timeout=9).messages.create(**asked)
    c.messages.parse(**asked)
    c.beta.messages.create(**asked)
    c.messages.count_tokens(model="m", messages=[{"role": "user", "content": "x"}])
    assert _rows(folder, 10) == [WHOLE] * 10


async def _async_anthropic(c: Any) -> None:
    asked = request("anthropic")
    await c.messages.create(**asked)
    async for _ in await c.messages.create(**asked, stream=True):
        pass
    async with c.messages.stream(**asked) as stream:
        assert await stream.get_final_text() == "billing"
    assert (await (await c.messages.with_raw_response.create(**asked)).parse()).id == "msg_1"
    raw = await c.messages.with_raw_response.create(**asked, stream=True)
    async for _ in await raw.parse():
        pass
    await c.with_options(timeout=9).messages.create(**asked)


def test_asynchronous_anthropic(folder: Path) -> None:
    c = _anthropic(anthropic.AsyncAnthropic, httpx2.AsyncClient)
    asyncio.run(_async_anthropic(promptops.observe(c, sink=folder)))
    assert _rows(folder, 6) == [WHOLE] * 6


async def _gemini(c: Any) -> None:
    asked = request("gemini")
    c.models.generate_content(**asked)
    list(c.models.generate_content_stream(**asked))
    c.chats.create(model="m").send_message("hello")
    await c.aio.models.generate_content(**asked)
    async for _ in await c.aio.models.generate_content_stream(**asked):
        pass
    await c.aio.chats.create(model="m").send_message("hello")
    c.models.count_tokens(model="m", contents="x")


def test_gemini_doors(folder: Path) -> None:
    """Content, streams and chats, synchronous and asynchronous; counting tokens is not one."""
    transport = httpx2.MockTransport(others)
    c = genai.Client(
        api_key="g-canary-key-0123456",
        http_options={
            "base_url": "http://provider.example",
            "httpx_client": httpx2.Client(transport=transport),
            "httpx_async_client": httpx2.AsyncClient(transport=transport),
        },
    )
    asyncio.run(_gemini(promptops.observe(c, sink=folder)))
    assert _rows(folder, 6) == [WHOLE] * 6
