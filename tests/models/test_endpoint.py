"""EndpointModel: what is sent, and what of a reply is kept.

Every body is served by a loopback server.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import openai
import pytest

from promptops.errors import CallError, SetupError
from promptops.models.endpoint import EndpointModel
from promptops.models.protocol import Call, Model, Reply
from tests.faults.server import FaultServer, Say, completion, error, events

REQUEST = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "temperature": 0}


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "OPENAI_API_KEY",
        "OPENAI_BASE_URL",
        "OPENAI_CUSTOM_HEADERS",
        "OPENAI_ORG_ID",
        "OPENAI_PROJECT_ID",
    ):
        monkeypatch.delenv(name, raising=False)


def ask(model: EndpointModel, request: dict[str, Any] | None = None, **call: Any) -> Reply:
    async def once() -> Reply:
        try:
            return await model.complete(Call(request or REQUEST, **call))
        finally:
            await model.aclose()

    return asyncio.run(once())


def answer(said: Say | str, request: dict[str, Any] | None = None, **options: Any) -> Reply:
    with FaultServer(lambda seen: said) as server:
        return ask(EndpointModel(base_url=server.url, **options), request)


def test_a_reply_is_read_for_what_a_run_records() -> None:
    """Text, tokens, model, fingerprint, finish reason, request id and rate-limit headers come back;
    nothing else of the reply is kept.
    """
    usage = {
        "prompt_tokens": 11,
        "completion_tokens": 3,
        "prompt_tokens_details": {"cached_tokens": 4},
    }
    headers = {"X-Request-Id": "req-9", "X-RateLimit-Remaining-Requests": "7", "Server": "x"}
    reply = answer(Say(body=completion("hello", usage=usage), headers=headers))
    assert (reply.text, reply.tokens_in, reply.tokens_out, reply.tokens_cached) == (
        "hello",
        11,
        3,
        4,
    )
    assert (reply.model, reply.fingerprint, reply.finish_reason, reply.request_id) == (
        "m-2026",
        "fp_1",
        "stop",
        "req-9",
    )
    assert reply.headers["x-ratelimit-remaining-requests"] == "7"
    assert "server" not in reply.headers
    assert reply.failure is None
    assert reply.first_token_ms is None


def test_the_request_is_sent_as_it_was_rendered() -> None:
    """The body is the request, the key goes in its header, and extra_body is merged as the client
    would.
    """
    with FaultServer(lambda seen: Say(body=completion())) as server:
        ask(
            EndpointModel(base_url=server.url, api_key="sk-test-12345678"),
            {**REQUEST, "extra_body": {"top_k": 3}, "extra_headers": {"X-Own": "1"}},
        )
        ask(
            EndpointModel(base_url=server.url, api_key="sk-test-12345678"),
            {**REQUEST, "messages": [{"role": "user", "content": "é\ud800"}]},
        )
    first, second = server.seen
    assert first.body == {**REQUEST, "top_k": 3}
    assert first.path == "/v1/chat/completions"
    assert first.headers["authorization"] == "Bearer sk-test-12345678"
    assert first.headers["x-own"] == "1"
    assert second.prompt == "é\ud800"
    assert first.headers["user-agent"].startswith("AsyncOpenAI/")  # it has a header of its own
    assert second.headers["user-agent"] == "promptops"


@pytest.mark.parametrize(
    ("body", "failure", "text"),
    [
        (completion("cut", finish_reason="length"), "truncated_length", "cut"),
        (completion(None, finish_reason="length"), "truncated_length", None),
        (completion("half", finish_reason="content_filter"), "content_filter_output", "half"),
        (
            completion(message={"role": "assistant", "content": None, "refusal": "I cannot"}),
            "refusal",
            None,
        ),
        (completion(""), "empty_output", ""),
        (completion(None), "empty_output", None),
        (completion(message=None, finish_reason="length"), "truncated_length", None),
        (
            completion(
                choices=[],
                prompt_filter_results=[{"content_filter_results": {"hate": {"filtered": True}}}],
            ),
            "content_filter_input",
            None,
        ),
        (
            completion(
                message={"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}
            ),
            None,
            "ab",
        ),
        (completion("bad \ud800 end"), None, "bad \ufffd end"),
    ],
)
def test_a_models_own_failures_are_outcomes(
    body: Any, failure: str | None, text: str | None
) -> None:
    """Refused, filtered, cut and empty answers come back as replies with their class and whatever
    text there is.
    """
    reply = answer(Say(body=body))
    assert (reply.failure, reply.text) == (failure, text)


@pytest.mark.parametrize(
    "usage",
    [
        {},
        [],
        "many",
        {"prompt_tokens": "11", "completion_tokens": -3},
        {"prompt_tokens": 1.5, "completion_tokens": True},
        {"prompt_tokens": None},
    ],
)
def test_wrong_usage_is_unknown_never_zero(usage: Any) -> None:
    """Token counts that are missing or no whole numbers from 0 are None; the answer still
    counts.
    """
    reply = answer(Say(body=completion("fine", usage=usage)))
    assert (reply.text, reply.failure) == ("fine", None)
    assert reply.tokens_in is None
    assert reply.tokens_out is None


def test_cached_tokens_beyond_the_input_are_unknown() -> None:
    """A provider cannot have read more from its cache than was sent."""
    usage = {
        "prompt_tokens": 5,
        "completion_tokens": 1,
        "prompt_tokens_details": {"cached_tokens": 50},
    }
    assert answer(Say(body=completion(usage=usage))).tokens_cached is None


def test_tool_calls_are_an_answer() -> None:
    """A reply of tool calls alone is not an empty output; they are kept whole."""
    call = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"q": 1}'}}
    reply = answer(
        Say(
            body=completion(
                message={"content": None, "tool_calls": [call]}, finish_reason="tool_calls"
            )
        )
    )
    assert reply.failure is None
    assert reply.tool_calls == (call,)


def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
    return {
        "id": "c",
        "model": "m-2026",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        **more,
    }


def test_a_stream_is_put_together_and_its_first_token_timed() -> None:
    """The text is the pieces joined, usage comes from the last chunk, and time to first token is
    before the end.
    """
    pieces = events(
        chunk({"role": "assistant", "content": ""}),
        chunk({"content": "Hel"}),
        chunk({"content": "lo"}, "stop"),
        {"id": "c", "choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2}},
    )
    heard: list[str] = []
    with FaultServer(
        lambda seen: Say(pieces=pieces, pause_s=0.05, headers={"x-request-id": "r1"})
    ) as server:
        reply = ask(EndpointModel(base_url=server.url, stream=True), on_token=heard.append)
    assert (reply.text, reply.tokens_in, reply.tokens_out, reply.finish_reason) == (
        "Hello",
        5,
        2,
        "stop",
    )
    assert heard == ["Hel", "lo"]
    assert reply.request_id == "r1"
    assert reply.first_token_ms is not None
    assert 30 < reply.first_token_ms < 5000
    assert server.seen[0].body["stream_options"] == {"include_usage": True}


def test_streamed_tool_calls_are_put_together() -> None:
    """Arguments that come in pieces are one text, by the call's index."""
    parts = [
        {"index": 0, "id": "c1", "function": {"name": "find", "arguments": '{"q"'}},
        {"index": 0, "function": {"arguments": ": 1}"}},
    ]
    reply = answer(
        Say(
            pieces=events(
                *(chunk({"tool_calls": [part]}) for part in parts), chunk({}, "tool_calls")
            )
        ),
        stream=True,
    )
    assert reply.tool_calls == (
        {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"q": 1}'}},
    )


@pytest.mark.parametrize(
    ("said", "failure"),
    [
        (Say(pieces=events(chunk({"content": "Hal"}), done=False)), "connection"),
        (
            Say(pieces=events(chunk({"content": "Hal"}), done=False), cut=0, pause_s=0.05),
            "connection",
        ),
        (
            Say(
                pieces=events(
                    chunk({"content": "Hal"}), error("overloaded", kind="overloaded_error")
                )
            ),
            "overloaded",
        ),
        (Say(pieces=(b"data: {half\n\n",)), "server_error"),
        (Say(status=429, body=error("slow down", "rate_limit_exceeded")), "rate_limit"),
    ],
    ids=["ends early", "reset", "error event", "no JSON", "429"],
)
def test_a_stream_that_breaks_is_one_failure(said: Say, failure: str) -> None:
    """Whatever ends a stream before the answer is complete is a transient class, never a shorter
    answer.
    """
    with pytest.raises(CallError) as caught:
        answer(said, stream=True)
    assert caught.value.failure == failure


PAGE = {"Content-Type": "text/html; charset=utf-8"}
HANDED_IN = [
    lambda url: openai.AsyncOpenAI(api_key="k", base_url=url),
    lambda url: openai.AsyncOpenAI(
        api_key="k", base_url=url, http_client=openai.DefaultAsyncHttpxClient()
    ),
    lambda url: openai.OpenAI(api_key="k", base_url=url, http_client=openai.DefaultHttpxClient()),
]


@pytest.mark.parametrize("client", HANDED_IN, ids=["plain", "async http_client", "threads"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_web_page_is_a_wrong_address_however_it_was_asked(client: Any, stream: bool) -> None:
    """Status 200 and HTML: not_found_model, also when a stream was asked for, which would read as
    an empty answer.
    """
    with (
        FaultServer(lambda seen: Say(body=b"<center>Welcome</center>", headers=PAGE)) as server,
        pytest.raises(CallError) as caught,
    ):
        ask(EndpointModel(client(server.url), stream=stream))
    assert (caught.value.failure, caught.value.code) == ("not_found_model", "200 web page")
    assert "base_url, which usually ends in /v1" in str(caught.value)


def test_a_server_that_does_not_stream_answers_all_the_same() -> None:
    """JSON in one piece is the answer, or the error, that it says; so are events whose type says
    JSON.
    """
    reply = answer(Say(body=completion("whole")), stream=True)
    assert (reply.text, reply.tokens_in, reply.first_token_ms) == ("whole", 11, None)
    with pytest.raises(CallError) as caught:
        answer(Say(body=error("slow down", "rate_limit_exceeded")), stream=True)
    assert caught.value.failure == "rate_limit"
    body = b"".join(events(chunk({"content": "ev"}), chunk({"content": "ents"}, "stop")))
    heard: list[str] = []
    with FaultServer(lambda seen: Say(body=body)) as server:
        assert (
            ask(EndpointModel(base_url=server.url, stream=True), on_token=heard.append).text
            == "events"
        )
    assert heard == ["ev", "ents"]


@pytest.mark.parametrize(
    "said",
    [
        Say(pieces=()),
        Say(pieces=(b": keep-alive\n\n", b"data: [DONE]\n\n")),
        Say(body={"status": "fine"}),
    ],
)
def test_a_stream_that_says_nothing_is_unreadable(said: Say) -> None:
    """No event at all, or JSON that is not a completion: nobody answered, which an empty answer
    would hide.
    """
    with pytest.raises(CallError) as caught:
        answer(said, stream=True)
    assert (caught.value.failure, caught.value.code) == ("server_error", "200 unreadable")


def test_a_missing_key_is_an_error_before_anything_runs() -> None:
    """check and complete say what to set; nothing else answers in the endpoint's place.

    A loopback server needs no key.
    """
    model = EndpointModel()
    with pytest.raises(SetupError, match=r"no API key for api\.openai\.com: set OPENAI_API_KEY"):
        model.check(REQUEST)
    with pytest.raises(SetupError, match="no API key"):
        ask(model)
    EndpointModel(base_url="http://localhost:9/v1").check(REQUEST)
    with pytest.raises(SetupError, match=r"no model is named for 127\.0\.0\.1:9/v1"):
        EndpointModel(base_url="http://127.0.0.1:9/v1").check({"messages": [{}]})
    with pytest.raises(SetupError, match="passed together"):
        EndpointModel(object(), api_key="k")


@pytest.mark.parametrize(
    ("url", "label"),
    [
        (None, "api.openai.com"),
        ("https://api.openai.com/v1/", "api.openai.com"),
        ("http://127.0.0.1:8000/v1", "127.0.0.1:8000/v1"),
        ("https://user:pass@llm.example/team/v1/?key=abc", "llm.example/team/v1"),
        ("http://[::1]:80/v1", "[::1]:80/v1"),
    ],
)
def test_the_label_names_the_host_and_no_secret(url: str | None, label: str) -> None:
    """The label is part of the reuse key and of tables: host, port and path, without user, password
    and query.
    """
    assert EndpointModel(base_url=url).label == label
    assert isinstance(EndpointModel(base_url=url), Model)


def test_the_environment_names_key_and_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """OPENAI_API_KEY and OPENAI_BASE_URL are honoured; a label of the caller's own wins."""
    with FaultServer(lambda seen: Say(body=completion())) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-environment-1")
        model = EndpointModel(label="mine")
        assert ask(model).text == "ok"
    assert model.label == "mine"
    assert server.seen[0].headers["authorization"] == "Bearer sk-environment-1"


@pytest.mark.parametrize("stream", [False, True])
def test_no_error_text_holds_the_key(stream: bool) -> None:
    """Providers echo keys; neither the known key nor what looks like one is in the error, its cause
    or its context.
    """
    key, other = "sk-canary-000111222333", "sk-proj-abcdefghijklmnop"
    said = Say(
        status=401, body=error(f"Incorrect API key provided: {key} or {other}", "invalid_api_key")
    )
    with pytest.raises(CallError) as caught:
        answer(said, api_key=key, stream=stream)
    assert caught.value.failure == "auth"
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert key not in str(caught.value)
    assert other not in str(caught.value)


def test_it_answers_on_every_event_loop() -> None:
    """The same model is asked from one loop after another (a notebook's, a script's): each has
    connections of its own.
    """
    with FaultServer(lambda seen: Say(body=completion())) as server:
        model = EndpointModel(base_url=server.url)
        assert [ask(model).text for _ in range(3)] == ["ok"] * 3


def test_a_calls_own_time_limit_is_kept() -> None:
    """timeout_s of a call that is made without a sweep is a read timeout."""
    with (
        FaultServer(lambda seen: Say(body=completion(), wait_s=5)) as server,
        pytest.raises(CallError) as caught,
    ):
        ask(EndpointModel(base_url=server.url), timeout_s=0.2)
    assert caught.value.failure == "timeout_read"


def test_nothing_heavy_is_imported_before_the_first_call() -> None:
    """Making a model imports neither openai nor an HTTP library."""
    code = (
        "import sys; from promptops.models.endpoint import EndpointModel;"
        " EndpointModel(base_url='http://127.0.0.1:1'); print([m for m in ('openai', 'aiohttp',"
        " 'httpx', 'httpx2', 'pydantic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
