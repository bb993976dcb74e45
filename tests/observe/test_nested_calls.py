"""Law: what an application calls while a client works for it, in a tool, a hook or a task that goes
on, is a call of its own and has its own row; a call belongs to the session and the span in which it
began, wherever its stream is read.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

import promptops
from promptops import PromptVersion
from promptops.observe.open_queues import open_queue
from tests.observe.live_rows_of import provider, rows_of

genai = pytest.importorskip("google.genai")

ASKED: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "live"
    open_queue(str(tmp_path / "live")).close()


def count(folder: Path) -> int:
    """How many calls were recorded; none twice."""
    assert open_queue(str(folder)).flush(30)
    rows = rows_of(folder)
    assert len({row["id"] for row in rows}) == len(rows)
    return len(rows)


def gemini_answer(asked: httpx2.Request) -> httpx2.Response:
    """The model "boss" asks for the tool first."""
    part: dict[str, Any] = {"text": "billing"}
    if b"functionResponse" not in asked.content and "boss" in asked.url.path:
        part = {"functionCall": {"name": "look", "args": {"word": "x"}}}
    content = {"role": "model", "parts": [part]}
    return httpx2.Response(200, json={"candidates": [{"content": content, "finishReason": "STOP"}]})


def test_a_tool_that_asks_a_model_while_gemini_works(folder: Path) -> None:
    """Gemini's client calls tools by itself, inside its own call; what they ask is recorded."""
    options = {"httpx_client": httpx2.Client(transport=httpx2.MockTransport(gemini_answer))}
    client = promptops.observe(genai.Client(api_key="k", http_options=options), sink=str(folder))
    looked = []

    def look(word: str) -> str:
        """Look a word up."""
        looked.append(word)
        return str(client.models.generate_content(model="worker", contents=word).text)

    answer = client.models.generate_content(
        model="boss", contents="hello", config={"tools": [look]}
    )
    assert answer.text == "billing"
    assert looked == ["x"]
    assert count(folder) == 2
    assert sorted(row["model"] for row in rows_of(folder)) == ["boss", "worker"]


def test_another_client_asked_by_a_hook_of_the_first(folder: Path) -> None:
    """A hook of the transport belongs to the application."""
    second = _client(provider, folder)

    def hooked(asked: httpx2.Request) -> httpx2.Response:
        second.chat.completions.create(**ASKED)
        return provider(asked)

    _client(hooked, folder).chat.completions.create(**ASKED)
    assert count(folder) == 2


def test_a_task_that_goes_on_after_the_call_in_which_it_began(folder: Path) -> None:
    """It inherits the context of that call, which has ended."""
    later: list[asyncio.Task[Any]] = []

    async def run() -> None:
        async def more() -> None:
            await first
            await client.chat.completions.create(**ASKED)

        async def answered(asked: httpx2.Request) -> httpx2.Response:
            if not later:
                later.append(asyncio.create_task(more()))
            return provider(asked)

        client = _async_client(answered, folder)
        first = asyncio.create_task(client.chat.completions.create(**ASKED))
        await first
        await later[0]

    asyncio.run(run())
    assert count(folder) == 2


def test_a_block_covers_every_client_until_it_ends(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`promptops.call` is one row, whoever is asked in it; a task that outlives it has its own."""
    monkeypatch.setenv("PROMPTOPS_RECORD", str(folder))

    async def run() -> None:
        async def answered(asked: httpx2.Request) -> httpx2.Response:
            return provider(asked)

        client = _async_client(answered, folder)
        over = asyncio.Event()

        async def more() -> None:
            await over.wait()
            await client.chat.completions.create(**ASKED)

        with promptops.call(PromptVersion("Say {{word}}", model="m"), word="hi") as call:
            later = asyncio.create_task(more())
            call.answer = await client.chat.completions.create(**call.request)
            _client(provider, folder).chat.completions.create(**ASKED)
        over.set()
        await later

    asyncio.run(run())
    assert count(folder) == 2


def test_a_loop_that_ends_before_its_call(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A coroutine that is closed from another context makes no error of ours."""
    unraised: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", unraised.append)

    async def never(asked: httpx2.Request) -> httpx2.Response:
        await asyncio.sleep(600)
        return provider(asked)

    loop = asyncio.new_event_loop()
    client = _async_client(never, folder)
    task = loop.create_task(client.chat.completions.create(**ASKED))
    loop.call_later(0.2, loop.stop)
    loop.run_forever()
    loop.close()
    del task
    gc.collect()
    assert [each.exc_value for each in unraised if isinstance(each.exc_value, ValueError)] == []
    assert count(folder) == 1


def test_a_stream_belongs_to_the_session_in_which_it_began(folder: Path) -> None:
    """A web framework reads a stream after the handler returned; one that is let go of is
    collected while another user is served.
    """
    client = _client(provider, folder)
    session = promptops.observe.session
    with session("alice"):
        client.chat.completions.create(**{**ASKED, "model": "plain"})
        after, beside, dropped = (
            client.chat.completions.create(**{**ASKED, "model": model}, stream=True)
            for model in ("after", "beside", "dropped")
        )
    list(after)
    with session("bob"):
        list(beside)
        del dropped
        gc.collect()
        client.chat.completions.create(**{**ASKED, "model": "bob"})
    assert count(folder) == 5
    sessions = {row["model"]: row["session"] for row in rows_of(folder)}
    assert {sessions[name] for name in ("after", "beside", "dropped")} == {sessions["plain"]}
    assert sessions["bob"] != sessions["plain"]


def test_a_stream_belongs_to_the_span_in_which_it_began(folder: Path) -> None:
    """Its trace is that of the request that asked."""
    trace = pytest.importorskip("opentelemetry.trace")

    def span(number: int) -> Any:
        context = trace.SpanContext(number, number, False, trace.TraceFlags(1))
        return trace.use_span(trace.NonRecordingSpan(context))

    client = _client(provider, folder)
    with span(1):
        stream = client.chat.completions.create(**ASKED, stream=True)
    with span(2):
        list(stream)
    assert count(folder) == 1
    assert rows_of(folder)[0]["trace_id"] == f"{1:032x}"


def _client(handler: Any, folder: Path) -> openai.OpenAI:
    http = httpx2.Client(transport=httpx2.MockTransport(handler))
    return promptops.observe(openai.OpenAI(api_key="k", http_client=http), sink=str(folder))


def _async_client(handler: Any, folder: Path) -> openai.AsyncOpenAI:
    http = httpx2.AsyncClient(transport=httpx2.MockTransport(handler))
    return promptops.observe(openai.AsyncOpenAI(api_key="k", http_client=http), sink=str(folder))
