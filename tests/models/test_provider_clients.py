"""Each provider's own client is handed in as it is, and asked in that provider's form: what it
sends, what is read of the reply, and which class a failure has. Played by a loopback server.
"""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Callable
from typing import Any

import openai
import pytest

from promptops.errors import CallError, SetupError
from promptops.models.anthropic_model import AnthropicModel
from promptops.models.endpoint import EndpointModel
from promptops.models.gemini_model import GeminiModel
from promptops.models.protocol import Call, Model, Reply
from promptops.study.resolve_model import ModelResolver, as_model
from promptops.version import PromptVersion
from tests.faults.server import FaultServer, Say

anthropic = pytest.importorskip("anthropic")
genai = pytest.importorskip("google.genai")

MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-x",
    "content": [
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "text", "text": "Paris"},
        {"type": "tool_use", "id": "t1", "name": "look", "input": {"q": 1}},
    ],
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 10,
        "cache_read_input_tokens": 5,
        "cache_creation_input_tokens": 2,
        "output_tokens": 4,
        "service_tier": "standard",
    },
}
RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "status": "completed",
    "model": "gpt-x",
    "output": [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Paris"}],
        },
        {"type": "function_call", "call_id": "t1", "name": "look", "arguments": '{"q": 1}'},
    ],
    "usage": {
        "input_tokens": 17,
        "input_tokens_details": {"cached_tokens": 5},
        "output_tokens": 4,
        "output_tokens_details": {"reasoning_tokens": 1},
    },
}
CONTENT = {
    "candidates": [
        {
            "content": {
                "role": "model",
                "parts": [
                    {"text": "hm", "thought": True},
                    {"text": "Paris"},
                    {"functionCall": {"id": "t1", "name": "look", "args": {"q": 1}}},
                ],
            },
            "finishReason": "STOP",
        }
    ],
    "modelVersion": "gemini-x",
    "usageMetadata": {
        "promptTokenCount": 17,
        "cachedContentTokenCount": 5,
        "candidatesTokenCount": 3,
        "thoughtsTokenCount": 1,
    },
}


def root(url: str) -> str:
    return url.removesuffix("/v1")


def google(url: str) -> Any:
    return genai.Client(api_key="g-key-123456", http_options={"base_url": root(url)})


Made = Callable[[str], Any]
CLIENTS: dict[str, tuple[str, dict[str, Any], Made]] = {
    "openai": ("responses", RESPONSE, lambda url: openai.OpenAI(api_key="k", base_url=url)),
    "openai async": (
        "responses",
        RESPONSE,
        lambda url: openai.AsyncOpenAI(api_key="k", base_url=url),
    ),
    "anthropic": (
        "anthropic",
        MESSAGE,
        lambda url: anthropic.Anthropic(api_key="a-key-123456", base_url=root(url)),
    ),
    "anthropic async": (
        "anthropic",
        MESSAGE,
        lambda url: anthropic.AsyncAnthropic(api_key="a-key-123456", base_url=root(url)),
    ),
    "anthropic by its address": (
        "anthropic",
        MESSAGE,
        lambda url: AnthropicModel(api_key="a-key-123456", base_url=root(url)),
    ),
    "gemini": ("gemini", CONTENT, google),
}


def version(api: str) -> PromptVersion:
    return PromptVersion("Say {{it}}", model="m-1", settings={"max_tokens": 64}, api=api)


def ask(client: Any, api: str, **call: Any) -> Reply:
    """Ask through a client that is handed in, and close it: its connections are the test's."""
    asked, model = version(api), as_model(client, "m-1")

    async def once() -> Reply:
        try:
            return await model.complete(Call(asked.request(it="hi"), asked, **call))
        finally:
            await model.aclose()
            await closed(client)

    return asyncio.run(once())


async def closed(client: Any) -> None:
    """Close a provider's own client, whatever its door is called; ours is closed already."""
    if isinstance(client, genai.Client):
        await client.aio.aclose()
    if not isinstance(client, Model):
        done = client.close()
        if inspect.isawaitable(done):
            await done


@pytest.mark.parametrize("name", CLIENTS)
def test_what_is_sent_is_the_versions_own_form(name: str) -> None:
    """The body on the wire is `request()`, and the reply is read for text, calls and tokens."""
    api, body, client = CLIENTS[name]
    with FaultServer(lambda seen: Say(body=body)) as server:
        reply = ask(client(server.url), api)
        sent = server.seen[0]
    given = version(api).request(it="hi")
    if api == "gemini":
        assert sent.path.endswith("/models/m-1:generateContent")
        assert sent.body["contents"] == given["contents"]
        assert sent.body["generationConfig"] == {"maxOutputTokens": 64}
    else:
        assert sent.path == {"responses": "/v1/responses", "anthropic": "/v1/messages"}[api]
        assert sent.body == given
    assert (reply.text, reply.failure, reply.reasoning) == ("Paris", None, "hm")
    [call] = reply.tool_calls
    assert (call["id"], call["function"]["name"]) == ("t1", "look")
    assert json.loads(call["function"]["arguments"]) == {"q": 1}
    assert (reply.tokens_in, reply.tokens_out, reply.tokens_cached) == (17, 4, 5)
    assert str(reply.model).endswith("-x")


def sse(*events: dict[str, Any], named: bool = True) -> tuple[bytes, ...]:
    return tuple(
        (f"event: {event['type']}\n" if named else "").encode()
        + b"data: "
        + json.dumps(event).encode()
        + b"\n\n"
        for event in events
    )


STREAMS = {
    "responses": sse(
        {"type": "response.created", "response": {**RESPONSE, "status": "in_progress"}},
        {"type": "response.output_text.delta", "delta": "Par"},
        {"type": "response.output_text.delta", "delta": "is"},
        {"type": "response.completed", "response": RESPONSE},
    ),
    "anthropic": sse(
        {
            "type": "message_start",
            "message": {**MESSAGE, "content": [], "stop_reason": None},
        },
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "thinking", "thinking": ""},
        },
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "thinking_delta", "thinking": "hm"},
        },
        {"type": "ping"},
        {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
        {
            "type": "content_block_delta",
            "index": 1,
            "delta": {"type": "text_delta", "text": "Par"},
        },
        {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "is"}},
        {
            "type": "content_block_start",
            "index": 2,
            "content_block": {"type": "tool_use", "id": "t1", "name": "look", "input": {}},
        },
        {
            "type": "content_block_delta",
            "index": 2,
            "delta": {"type": "input_json_delta", "partial_json": '{"q":'},
        },
        {
            "type": "content_block_delta",
            "index": 2,
            "delta": {"type": "input_json_delta", "partial_json": " 1}"},
        },
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": MESSAGE["usage"]},
        {"type": "message_stop"},
    ),
    "gemini": sse(
        {
            "candidates": [{"content": {"role": "model", "parts": [{"text": "Par"}]}}],
            "type": "",
        },
        {
            "candidates": [
                {
                    "content": {"role": "model", "parts": [{"text": "is"}]},
                    "finishReason": "STOP",
                }
            ],
            "usageMetadata": {"promptTokenCount": 17, "candidatesTokenCount": 4},
            "type": "",
        },
        named=False,
    ),
}


@pytest.mark.parametrize("name", CLIENTS)
def test_a_stream_is_read_as_the_whole_reply_is(name: str) -> None:
    """The pieces come as they are written, and together they are the same answer."""
    api, _, client = CLIENTS[name]
    heard: list[str] = []
    with FaultServer(lambda seen: Say(pieces=STREAMS[api])) as server:
        reply = ask(client(server.url), api, on_token=heard.append)
    assert (reply.text, heard, reply.failure) == ("Paris", ["Par", "is"], None)
    assert (reply.tokens_in, reply.tokens_out) == (17, 4)
    assert reply.first_token_ms is not None
    if api != "gemini":
        assert [call["function"]["name"] for call in reply.tool_calls] == ["look"]


@pytest.mark.parametrize("name", CLIENTS)
def test_a_stream_that_breaks_off_is_no_answer(name: str) -> None:
    """Half an answer is a connection's failure, which is tried again."""
    api, _, client = CLIENTS[name]
    with (
        FaultServer(lambda seen: Say(pieces=STREAMS[api][:1])) as server,
        pytest.raises(CallError) as caught,
    ):
        ask(client(server.url), api, on_token=lambda piece: None)
    assert caught.value.failure == "connection"


def failed(kind: str, message: str, code: int = 400) -> dict[str, Any]:
    """An error in the words of all three: each reads its own part."""
    return {
        "type": "error",
        "error": {"type": kind, "message": message, "code": code, "status": kind},
    }


FAILURES = [
    (400, failed("invalid_request_error", "prompt is too long: 9 tokens > 8"), "context_length"),
    (400, failed("invalid_request_error", "temperature: out of range"), "bad_request"),
    (401, failed("authentication_error", "invalid x-api-key", 401), "auth"),
    (404, failed("not_found_error", "model: m-1", 404), "not_found_model"),
    (429, failed("rate_limit_error", "slow down", 429), "rate_limit"),
    (500, failed("api_error", "Internal server error", 500), "server_error"),
    (529, failed("overloaded_error", "Overloaded", 529), "overloaded"),
    (200, {"id": "x"}, "server_error"),
]


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize(("status", "body", "failure"), FAILURES, ids=lambda part: str(part)[:20])
def test_failures_have_their_class_in_every_form(
    name: str, status: int, body: dict[str, Any], failure: str
) -> None:
    """The same classes as chat completions have, without a key in the words; none is retried by the
    client.
    """
    api, _, client = CLIENTS[name]
    with FaultServer(lambda seen: Say(status=status, body=body)) as server:
        with pytest.raises(CallError) as caught:
            ask(client(server.url), api)
        assert len(server.seen) == 1
    assert caught.value.failure == failure


def test_a_form_meets_a_client_of_that_form_or_an_error_before_anything_is_sent() -> None:
    """The sentence names the form that the client takes."""
    claude = anthropic.Anthropic(api_key="k")
    resolver = ModelResolver({"claude-x": claude, "gemini-x": google("http://127.0.0.1:9/v1")})
    assert isinstance(resolver.of("claude-x", "anthropic"), AnthropicModel)
    assert isinstance(resolver.of("gemini-x", "gemini"), GeminiModel)
    with pytest.raises(SetupError, match=r'takes anthropic; save another .*api="anthropic"'):
        resolver.of("claude-x")
    with pytest.raises(SetupError, match="takes chat and responses"):
        ModelResolver({"m": openai.OpenAI(api_key="k")}).of("m", "gemini")


@pytest.mark.parametrize(
    ("api", "kind", "variable"),
    [
        ("responses", EndpointModel, "OPENAI_API_KEY"),
        ("anthropic", AnthropicModel, "ANTHROPIC_API_KEY"),
        ("gemini", GeminiModel, "GEMINI_API_KEY"),
    ],
)
def test_without_a_client_the_forms_own_key_is_looked_for(
    api: str, kind: type[Any], variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing key is an error that names the variable."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("GEMINI_API_KEY", "GOOGLE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    model = ModelResolver().of("m-1", api)
    assert type(model) is kind
    with pytest.raises(SetupError, match=f"set {variable}"):
        model.check({"model": "m-1", "messages": [{"role": "user", "content": "a"}]})
