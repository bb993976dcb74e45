"""Calls to a server of one's own are what the openai client would send and read, without importing
it; what is not plain, and every provider's address, goes through the client.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from promptops.errors import CallError
from promptops.models import plain_sender
from promptops.models.clients import DirectSender
from promptops.models.endpoint import EndpointModel
from promptops.models.plain_sender import PlainAddress, PlainSender
from promptops.models.protocol import Call, Reply
from tests.faults.server import HANG_UP, RESET, FaultServer, Say, Seen, completion, error, events
from tests.models.test_clients import KEY, _no_environment

__all__ = ["_no_environment"]  # a fixture

CHAT: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
URL = "http://127.0.0.1:1/v1"


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        *("OPENAI_CUSTOM_HEADERS", "OPENAI_LOG", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR"),
    ):
        monkeypatch.delenv(name, raising=False)


def ask(url: str, way: type, request: Mapping[str, Any] = CHAT, **call: Any) -> Reply | CallError:
    """What a call gives that was sent this way."""

    async def once() -> Reply | CallError:
        model = EndpointModel(base_url=url, api_key=KEY)
        try:
            assert type(await model._clients.here()) is way
            return await model.complete(Call(request, **call))
        except CallError as failed:
            return failed
        finally:
            await model.aclose()

    with pytest.MonkeyPatch.context() as patch:
        if way is DirectSender:
            patch.setattr(PlainAddress, "of", classmethod(lambda *_: None))
        return asyncio.run(once())


def told(outcome: Reply | CallError) -> Any:
    """What is to be the same both ways."""
    if isinstance(outcome, CallError):
        return (outcome.failure, outcome.code, str(outcome), outcome.retry_after_s)
    return replace(outcome, headers={}, first_token_ms=None)


def shared(seen: Seen) -> dict[str, str]:
    """The headers that do not name the sender or what it unpacks."""
    own = ("user-agent", "x-stainless-", "accept-encoding")
    return {name: value for name, value in seen.headers.items() if not name.startswith(own)}


@pytest.mark.parametrize(
    "request_",
    [
        CHAT,
        {**CHAT, "temperature": 0, "seed": 7, "stop": ["\n"]},
        {**CHAT, "messages": [{"role": "user", "content": 'Müller \U0001f600 \ud800 "x"\n'}]},
        {**CHAT, "extra_body": {"top_k": 4}},
        {**CHAT, "messages": [{"role": "user", "content": "long " * 20_000}]},
        {**CHAT, "extra_headers": {"X-Team": "a"}, "extra_query": {"v": "1"}, "timeout": 9},
        {**CHAT, "stream": True},
    ],
    ids=["chat", "settings", "words", "extra body", "long", "options", "stream"],
)
def test_both_ways_send_and_read_the_same(request_: Mapping[str, Any]) -> None:
    """Method, path, the body, the headers but for who sends; and the reply."""

    def say(seen: Seen) -> Say:
        if seen.body.get("stream"):
            pieces = (("he", None), ("llo", "stop"))
            words = [
                {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": end}]}
                for text, end in pieces
            ]
            return Say(pieces=events(*words), headers={"Content-Type": "text/event-stream"})
        return Say(200, completion("hello"))

    for base in ("", "/"):
        with FaultServer(say) as server:
            outcomes = [
                told(ask(server.url + base, way, request_)) for way in (PlainSender, DirectSender)
            ]
        assert outcomes[0] == outcomes[1]
        assert outcomes[0].text == "hello"
        plain, own = server.seen
        assert (plain.method, plain.path, plain.body) == (own.method, own.path, own.body)
        assert shared(plain) == shared(own)
        whole = not request_.get("stream") and "extra_headers" not in request_
        assert (plain.headers["user-agent"] == "promptops") is whole


@pytest.mark.parametrize(
    "say",
    [
        Say(429, error("slow down"), {"Retry-After": "3", "X-Request-Id": "r1"}),
        Say(401, error("no such key")),
        Say(500, b"<html>broken</html>"),
        Say(200, b"not json"),
        Say(200, completion("cut"), cut=10),
        Say(
            200,
            gzip.compress(json.dumps(completion("a")).encode())[:-9],
            {"Content-Encoding": "gzip"},
        ),
        Say(200, b"no gzip", {"Content-Encoding": "gzip"}),
        Say(
            200,
            gzip.compress(json.dumps(completion("a")).encode()) + gzip.compress(b" "),
            {"Content-Encoding": "gzip"},
        ),
        Say(302, b"", {"Location": "http://127.0.0.1:1/"}),
        RESET,
        HANG_UP,
    ],
    ids=[
        *("429", "401", "500", "words", "cut", "half packed", "not packed", "packed twice"),
        *("moved away", "reset", "hang up"),
    ],
)
def test_both_ways_fail_the_same(say: Any) -> None:
    """Class, code, words and pause of each failure."""
    with FaultServer(lambda seen: say) as server:
        plain, own = (told(ask(server.url, way)) for way in (PlainSender, DirectSender))
    assert plain == own


def test_both_ways_cannot_connect_the_same() -> None:
    assert told(ask(URL, PlainSender)) == told(ask(URL, DirectSender))


def test_both_ways_have_the_same_connections_and_times() -> None:
    """How many, how long they wait and how long they stay open."""

    async def kept(way: type) -> tuple[Any, ...]:
        with pytest.MonkeyPatch.context() as patch:
            if way is DirectSender:
                patch.setattr(PlainAddress, "of", classmethod(lambda *_: None))
            model = EndpointModel(base_url=URL, api_key=KEY)
            wire = (await model._clients.here())._wire  # type: ignore[attr-defined]
        session = wire._transport.get_client()
        pool = session.connector
        held = (
            *(wire._options, pool.limit, pool.limit_per_host, pool._keepalive_timeout),
            *(pool.force_close, session.timeout, session.trust_env),
        )
        await session.close()
        await model.aclose()
        return held

    assert asyncio.run(kept(PlainSender)) == asyncio.run(kept(DirectSender))


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("http://ann:word@127.0.0.1/v1", KEY),
        ("http://127.0.0.1/v1?api-version=1", KEY),
        ("http://LLM.invalid/v1", KEY),
        ("http://llm.invalid/v 1", KEY),
        ("http://llm.invalid/a/../v1", KEY),
        ("http://[::1]:8000/v1", KEY),
        ("http://bücher.invalid/v1", KEY),
        ("ftp://llm.invalid/v1", KEY),
        ("https://api.openai.com/v1", KEY),
        ("https://llm.invalid/v1", KEY),
        (URL, "key with a space"),
        (URL, "schlüssel"),
        (URL, "two\nlines"),
        (URL, None),
    ],
)
def test_what_is_not_plain_is_the_clients(url: str, key: str | None) -> None:
    assert PlainAddress.of(url, key) is None


@pytest.mark.parametrize(
    "name",
    [
        *("OPENAI_CUSTOM_HEADERS", "OPENAI_LOG", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"),
        *("HTTP_PROXY", "https_proxy", "ALL_PROXY"),
    ],
)
def test_an_environment_that_asks_for_more_is_the_clients(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert PlainAddress.of(URL, KEY) is not None
    monkeypatch.setenv("NO_PROXY", "localhost")  # names hosts only, and so asks for nothing
    assert PlainAddress.of(URL, KEY) is not None
    monkeypatch.setenv(name, "http://127.0.0.1:3")
    assert PlainAddress.of(URL, KEY) is None


def test_without_the_package_it_is_still_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where openai is not installed, the error that names the extra comes first."""
    monkeypatch.setattr(plain_sender, "find_spec", lambda name: name != "openai")
    assert PlainAddress.of(URL, KEY) is None


def test_a_plain_call_imports_no_openai() -> None:
    """In a process of its own: the answer is there, and neither openai nor pydantic."""
    code = """
import asyncio, sys
from promptops.models.endpoint import EndpointModel
from promptops.models.protocol import Call
from tests.faults.server import FaultServer, Say, completion
async def once(url):
    model = EndpointModel(base_url=url, api_key="none")
    reply = await model.complete(Call(
        {"model": "m", "messages": [{"role": "user", "content": "a"}]}
    ))
    await model.aclose()
    return reply.text
with FaultServer(lambda seen: Say(200, completion("here"))) as server:
    heavy = ("openai", "pydantic", "httpx2")
    print(asyncio.run(once(server.url)), [m for m in heavy if m in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "here []"


def test_preparing_imports_what_sends_in_a_thread_and_nothing_for_a_provider() -> None:
    """A study that makes its questions meanwhile waits for a part of the import only; whoever asks
    a provider imports its client with the first call.
    """
    code = """
import sys, threading
from promptops.models.endpoint import EndpointModel
for url in ("https://api.example.com/v1", "http://127.0.0.1:1/v1"):
    EndpointModel(base_url=url, api_key="none").prepare()
    others = [each for each in threading.enumerate() if each is not threading.main_thread()]
    for each in others:
        each.join()
    print(len(others), "aiohttp" in sys.modules, "openai" in sys.modules)
EndpointModel(base_url=url, api_key="none").prepare()
print(threading.active_count())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["0 False False", "1 True False", "1"]
