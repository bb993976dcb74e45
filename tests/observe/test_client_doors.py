"""Law: every door of a client makes exactly one row, with the prompt and version that its request
came from; the application gets what it would have got.
"""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pydantic
import pytest

import promptops
from promptops import PromptVersion
from promptops.observe.open_queues import open_queue
from tests.observe.live_rows_of import async_client, client, provider, rows_of

FORMS = {
    api: PromptVersion("Classify: {{ticket}}", model="a-model", api=api, settings={"max_tokens": 9})
    for api in ("chat", "responses", "anthropic", "gemini")
}
VERSION = FORMS["chat"]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "live"
    open_queue(str(tmp_path / "live")).close()


def flushed(folder: Path) -> list[dict[str, Any]]:
    assert open_queue(str(folder)).flush(30)
    return rows_of(folder)


def request(api: str = "chat", **more: Any) -> dict[str, Any]:
    return {**FORMS[api].request(ticket="my invoice"), **more}


def _stream(chat: Any) -> None:
    assert "".join(c.choices[0].delta.content or "" for c in chat if c.choices) == "billing"


def _raw_stream(c: openai.OpenAI) -> None:
    raw = c.chat.completions.with_raw_response.create(**request(stream=True))
    _stream(raw.parse())


def _streaming_response(c: openai.OpenAI) -> None:
    with c.chat.completions.with_streaming_response.create(**request()) as raw:
        assert raw.parse().id == "chatcmpl-1"


def _streaming_unread(c: openai.OpenAI) -> None:
    with c.chat.completions.with_streaming_response.create(**request()) as raw:
        assert raw.status_code == 200


def _helper(c: openai.OpenAI) -> None:
    with c.chat.completions.stream(**request()) as stream:
        assert stream.get_final_completion().choices[0].message.content == "billing"


def _responses_helper(c: openai.OpenAI) -> None:
    with c.responses.stream(**request("responses")) as stream:
        assert stream.get_final_response().output_text == "billing"


def _closed_early(c: openai.OpenAI) -> None:
    stream = c.chat.completions.create(**request(stream=True))
    next(iter(stream))
    stream.close()


def _broken_off(c: openai.OpenAI) -> None:
    for _ in c.chat.completions.create(**request(stream=True)):
        break
    gc.collect()


def _fails(kind: type[Exception], model: str) -> Callable[[openai.OpenAI], None]:
    def door(c: openai.OpenAI) -> None:
        with pytest.raises(kind):
            c.chat.completions.create(**request(model=model))

    return door


def _with_block(c: openai.OpenAI) -> None:
    with c.chat.completions.create(**request(stream=True)) as stream:
        assert isinstance(stream, openai.Stream)
        _stream(stream)


SYNC: dict[str, tuple[Callable[[openai.OpenAI], Any], dict[str, Any]]] = {
    "create": (lambda c: c.chat.completions.create(**request()), {}),
    "parse": (lambda c: c.chat.completions.parse(**request()), {}),
    "with_options": (
        lambda c: c.with_options(timeout=3).chat.completions.create(**request()),
        {},
    ),
    "copy of a copy": (lambda c: c.copy().copy().chat.completions.create(**request()), {}),
    "raw": (lambda c: c.chat.completions.with_raw_response.create(**request()).parse(), {}),
    "client.raw": (lambda c: c.with_raw_response.chat.completions.create(**request()).parse(), {}),
    "raw unparsed": (lambda c: c.chat.completions.with_raw_response.create(**request()), {}),
    "raw stream": (_raw_stream, {"streamed": True}),
    "streaming response": (_streaming_response, {}),
    "streaming unread": (_streaming_unread, {"tokens_in": None, "chars_out": None}),
    "stream": (
        lambda c: _stream(c.chat.completions.create(**request(stream=True))),
        {"streamed": True},
    ),
    "stream in with": (_with_block, {"streamed": True}),
    "stream helper": (_helper, {"streamed": True}),
    "responses": (lambda c: c.responses.create(**request("responses")), {}),
    "responses parse": (lambda c: c.responses.parse(**request("responses")), {}),
    "responses stream": (
        lambda c: list(c.responses.create(**request("responses", stream=True))),
        {"streamed": True},
    ),
    "responses helper": (_responses_helper, {"streamed": True}),
    "closed early": (_closed_early, {"failure": "cancelled", "tokens_in": None, "chars_out": 3}),
    "broken off": (_broken_off, {"failure": "cancelled", "tokens_in": None, "chars_out": 3}),
    "limited": (_fails(openai.RateLimitError, "limited"), {"failure": "rate_limit"}),
    "down": (_fails(openai.APIConnectionError, "down"), {"failure": "connection"}),
}


@pytest.mark.parametrize("name", SYNC)
def test_every_door_makes_one_row(name: str, folder: Path) -> None:
    """The row has the version, the model, the tokens and the latency; content is not in it."""
    door, expected = SYNC[name]
    observed = promptops.observe(client(), sink=folder)
    door(observed)
    [row] = flushed(folder)
    whole = {"tokens_in": 11, "tokens_out": 2, "tokens_cached": 4, "chars_out": 7, "failure": None}
    if expected.get("failure") in ("rate_limit", "connection"):
        whole = {}
    if expected.get("failure") == "cancelled" or name == "streaming unread":
        whole = {}
    for field, value in {**whole, **expected}.items():
        assert row.get(field) == value, (name, field, row)
    assert row["version_id"] == FORMS["responses" if "responses" in name else "chat"].id
    assert row["attribution"] == "carried"
    assert row["latency_ms"] > 0
    assert row["endpoint"] == "provider.example"
    assert "values" not in row
    assert "output" not in row
    assert ("first_token_ms" in row) == bool(expected.get("streamed")) or name in (
        "closed early",
        "broken off",
    )


async def _iterated(stream: Any) -> int:
    return len([chunk async for chunk in stream])


async def _async_doors(c: openai.AsyncOpenAI) -> None:
    await c.chat.completions.create(**request())
    assert await _iterated(await c.chat.completions.create(**request(stream=True))) == 4
    await c.chat.completions.parse(**request())
    await c.with_options(timeout=3).chat.completions.create(**request())
    raw = await c.chat.completions.with_raw_response.create(**request())
    assert raw.parse().id == "chatcmpl-1"
    async with c.chat.completions.with_streaming_response.create(**request()) as streamed:
        assert (await streamed.parse()).id == "chatcmpl-1"
    async with c.chat.completions.stream(**request()) as helper:
        assert (await helper.get_final_completion()).choices[0].message.content == "billing"
    await c.responses.create(**request("responses"))
    assert await _iterated(await c.responses.create(**request("responses", stream=True))) == 7
    async with c.responses.stream(**request("responses")) as answers:
        assert (await answers.get_final_response()).output_text == "billing"
    async for _ in (stream := await c.chat.completions.create(**request(stream=True))):
        break
    await stream.close()
    with pytest.raises(openai.RateLimitError):
        await c.chat.completions.create(**request(model="limited"))


def test_asynchronous_doors(folder: Path) -> None:
    """Twelve doors of the asynchronous client, twelve rows, in order."""
    asyncio.run(_async_doors(promptops.observe(async_client(), sink=folder)))
    rows = flushed(folder)
    assert len(rows) == 12
    assert {row["version_id"] for row in rows} == {VERSION.id, FORMS["responses"].id}
    assert [row.get("failure") for row in rows] == [None] * 10 + ["cancelled", "rate_limit"]
    assert [row["streamed"] for row in rows].count(True) == 5


def test_a_cancelled_task_is_one_row(folder: Path) -> None:
    """asyncio cancels the call while the provider is silent: one row that says so."""

    asked = asyncio.Event()

    async def silent(_: Any) -> Any:
        asked.set()
        await asyncio.sleep(3600)

    async def main() -> None:
        observed = promptops.observe(async_client(silent), sink=folder)  # type: ignore[arg-type]
        task = asyncio.ensure_future(observed.chat.completions.create(**request()))
        await asyncio.wait_for(asked.wait(), 60)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    [row] = flushed(folder)
    assert row["failure"] == "cancelled"


def test_arguments_that_a_client_refuses_are_no_call(folder: Path) -> None:
    """No request was sent, so there is no row; a TypeError that comes later, as from a hook of the
    application's, is a failed call.
    """
    wrong: list[dict[str, Any]] = [
        {"model": "m"},
        {**request(), "no_such_argument": 1},
        {**request(), "user": object()},
    ]

    async def refused_later(one: openai.AsyncOpenAI, arguments: dict[str, Any]) -> None:
        with pytest.raises(TypeError):
            await one.chat.completions.create(**arguments)

    for arguments in wrong:
        one = promptops.observe(client(), sink=str(folder))
        with pytest.raises(TypeError):
            one.chat.completions.create(**arguments)
        asyncio.run(refused_later(promptops.observe(async_client(), sink=str(folder)), arguments))
    with pytest.raises(TypeError):
        promptops.observe(client(), sink=str(folder)).chat.completions.create("positional")
    assert flushed(folder) == []

    def hook(_: object) -> None:
        raise TypeError("of the application's own")

    hooked = promptops.observe(client(), sink=str(folder))
    hooked._client.event_hooks = {"response": [hook]}
    with pytest.raises((TypeError, openai.APIConnectionError)):
        hooked.chat.completions.create(**request())
    [row] = flushed(folder)
    assert row["failure"] in ("internal", "connection")


def test_the_copy_of_a_stream_or_call_in_a_fork_is_no_call(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A child that drops it, or leaves its block, adds no row to that of its parent."""
    monkeypatch.setenv("PROMPTOPS_RECORD", str(folder))
    one = promptops.observe(client())
    stream = one.chat.completions.create(**request(stream=True))
    next(stream)
    with promptops.call(VERSION, ticket="my invoice") as block:
        child = os.fork()
        if not child:
            stream.close()
            block.__exit__(None, None, None)
            open_queue(str(folder)).flush(30)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert list(stream)
    rows = flushed(folder)
    assert len(rows) == 2
    assert not any("failure" in row for row in rows)


def test_observed_twice_is_observed_once(folder: Path) -> None:
    observed = promptops.observe(promptops.observe(client(), sink=folder), sink=folder)
    observed.chat.completions.create(**request())
    assert len(flushed(folder)) == 1


def test_without_a_sink_the_client_is_untouched(monkeypatch: pytest.MonkeyPatch) -> None:
    """No telemetry: where nothing names a sink, not even a method is replaced."""
    monkeypatch.delenv("PROMPTOPS_RECORD", raising=False)
    bare = client()
    before = bare.chat.completions.create
    assert promptops.observe(bare) is bare
    assert bare.chat.completions.create == before
    assert "create" not in vars(bare.chat.completions)


def test_azure(folder: Path) -> None:
    """AzureOpenAI's deployments are observed as OpenAI's models are."""
    import httpx2

    azure = openai.AzureOpenAI(
        api_key="azure-canary-key-01234567",
        api_version="2026-01-01",
        azure_endpoint="http://azure.example",
        http_client=httpx2.Client(transport=httpx2.MockTransport(provider)),
    )
    promptops.observe(azure, sink=folder).chat.completions.create(**request())
    [row] = flushed(folder)
    assert (row["endpoint"], row["version_id"]) == ("azure.example", VERSION.id)


def test_a_client_that_is_not_known_is_refused(folder: Path) -> None:
    with pytest.raises(promptops.PromptOpsError, match=r"does not know a object.*promptops\.call"):
        promptops.observe(object(), sink=folder)
    with pytest.raises(promptops.PromptOpsError, match="a share from 0 to 1"):
        promptops.observe(client(), sink=folder, content=5)


# -- clients of Anthropic and Gemini, by the names of their methods


class _Answers:
    """An object with the fields of a dict, as the SDKs' models have them."""

    def __init__(self, **fields: Any) -> None:
        for name, value in fields.items():
            setattr(self, name, _fields(value))


def _fields(value: Any) -> Any:
    if isinstance(value, dict):
        return _Answers(**value)
    return [_fields(each) for each in value] if isinstance(value, list) else value


MESSAGE: dict[str, Any] = {
    "id": "msg_01",
    "type": "message",
    "model": "claude-6",
    "stop_reason": "end_turn",
    "content": [{"type": "text", "text": "billing"}],
    "usage": {
        "input_tokens": 7,
        "cache_read_input_tokens": 4,
        "cache_creation_input_tokens": 0,
        "output_tokens": 2,
    },
}


class _Messages:
    def create(self, **request: Any) -> Any:
        if not request.get("stream"):
            return _fields(MESSAGE)
        start = {**MESSAGE, "usage": {**MESSAGE["usage"], "output_tokens": 1}}
        events: list[dict[str, Any]] = [
            {"type": "message_start", "message": start},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text"}},
            {"type": "content_block_delta", "index": 0, "delta": {"text": "bil"}},
            {"type": "content_block_delta", "index": 0, "delta": {"text": "ling"}},
            {
                "type": "message_delta",
                "delta": {"stop_reason": "end_turn"},
                "usage": {"output_tokens": 2},
            },
            {"type": "message_stop"},
        ]
        return iter(_fields(events))


class _Anthropic:
    def __init__(self) -> None:
        self.messages = _Messages()


def test_anthropic(folder: Path) -> None:
    """A message, and a message streamed: tokens that the cache gave count as tokens in."""
    observed = promptops.observe(_Anthropic(), sink=folder)
    asked = request("anthropic")
    observed.messages.create(**asked)
    list(observed.messages.create(**asked, stream=True))
    for row in flushed(folder):
        figures = [row[name] for name in ("tokens_in", "tokens_out", "tokens_cached", "chars_out")]
        assert figures == [11, 2, 4, 7]
        assert row["version_id"] == FORMS["anthropic"].id
        assert (row["response_id"], row["model_returned"]) == ("msg_01", "claude-6")
        assert row["finish_reason"] == "end_turn"


class _Models:
    def generate_content(self, **_: Any) -> Any:
        return _fields(self.content("billing"))

    def generate_content_stream(self, **_: Any) -> Iterator[Any]:
        yield _fields({**self.content("bil"), "usage_metadata": None})
        yield _fields(self.content("ling"))

    @staticmethod
    def content(text: str) -> dict[str, Any]:
        return {
            "response_id": "g-1",
            "model_version": "gemini-4",
            "candidates": [{"content": {"parts": [{"text": text}]}, "finish_reason": "STOP"}],
            "usage_metadata": {
                "prompt_token_count": 11,
                "candidates_token_count": 1,
                "thoughts_token_count": 1,
                "cached_content_token_count": 4,
            },
        }


class _Gemini:
    def __init__(self) -> None:
        self.models = _Models()


def test_gemini(folder: Path) -> None:
    """Content, and content streamed: tokens of thought count as tokens out."""
    observed = promptops.observe(_Gemini(), sink=folder)
    observed.models.generate_content(**request("gemini"))
    list(observed.models.generate_content_stream(model="gemini-4", contents="free text"))
    rows = flushed(folder)
    for row in rows:
        figures = [row[name] for name in ("tokens_in", "tokens_out", "tokens_cached", "chars_out")]
        assert figures == [11, 2, 4, 7]
        assert (row["response_id"], row["model_returned"]) == ("g-1", "gemini-4")
    assert [row["attribution"] for row in rows] == ["carried", "unknown"]


def test_an_answer_that_parse_cannot_read_is_the_models_failure(folder: Path) -> None:
    """The text of the answer is "billing", which is no JSON."""

    class Label(pydantic.BaseModel):
        name: str

    c = promptops.observe(client(), sink=str(folder))
    with pytest.raises(pydantic.ValidationError):
        c.chat.completions.parse(**request(), response_format=Label)
    assert [row["failure"] for row in flushed(folder)] == ["invalid_json"]
