"""A plain call over the connections of a Gemini client is the one that the client sends."""

from __future__ import annotations

import asyncio
import json
import os
import re
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from promptops.errors import CallError
from promptops.models.gemini_model import GeminiModel
from promptops.models.gemini_wire import rest_body
from promptops.models.protocol import Call
from tests.faults.server import FaultServer, Say, Seen
from tests.models.test_provider_clients import CONTENT, FAILURES, ask, google

genai = pytest.importorskip("google.genai")

CASES = json.loads(
    (Path(__file__).parents[1] / "conformance" / "cases.json").read_text(encoding="utf-8")
)["request"]
SCHEMA = {"type": "object", "properties": {"a_b": {"type": "string"}}, "required": ["a_b"]}
ASKED = {
    "temperature": 0.5,
    "topP": 0.9,
    "topK": 3,
    "candidateCount": 1,
    "maxOutputTokens": 9,
    "stopSequences": ["END"],
    "presencePenalty": 0.1,
    "frequencyPenalty": 0.2,
    "seed": 7,
    "responseMimeType": "application/json",
    "responseJsonSchema": SCHEMA,
    "thinkingConfig": {"thinkingLevel": "LOW"},
    "systemInstruction": {"parts": [{"text": "Be brief."}]},
    "serviceTier": "flex",
}
HI = [{"role": "user", "parts": [{"text": "h\u00ef \U0001f600"}]}]
PLAIN: list[dict[str, Any]] = [
    {"contents": HI},
    {"contents": HI, "config": ASKED},
    *({"contents": HI, "config": {key: value}} for key, value in ASKED.items()),
    *(case["request"] for case in CASES if "contents" in case.get("request", ())),
]
ANSWER = {
    "candidates": [
        {"content": {"role": "model", "parts": [{"text": "Paris"}]}, "finishReason": "STOP"}
    ],
    "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 4},
}


def made(url: str) -> GeminiModel:
    """A model that was made with a key, at this address."""
    model = GeminiModel(api_key="g-key-123456")
    with patch.dict(os.environ, GOOGLE_GEMINI_BASE_URL=url.removesuffix("/v1")):
        model.check({"model": "m-1"})
    assert model.direct
    return model


def arrived(requests: list[dict[str, Any]], own: bool) -> list[Seen]:
    """What arrives of each, through a client's `generate_content` or over its connections."""
    with FaultServer(lambda seen: Say(body=ANSWER)) as server:
        theirs = None if own else google(server.url)
        model = made(server.url) if own else GeminiModel(theirs)

        async def all_of_them() -> None:
            for request in requests:
                await model.complete(Call({"model": "m-1", **request}))
            await model.aclose()
            if theirs is not None:
                await theirs.aio.aclose()

        asyncio.run(all_of_them())
        return list(server.seen)


def named(value: Any, key: str = "") -> Any:
    """The same with names in camelCase, as the interface takes either; schemas stay as they are."""
    if isinstance(value, dict) and "schema" not in key.lower():
        camel = {re.sub(r"_([a-z])", lambda m: m[1].upper(), name): name for name in value}
        return {name: named(value[given], name) for name, given in camel.items()}
    return [named(each) for each in value] if isinstance(value, list) else value


def test_the_request_is_the_one_that_the_client_sends() -> None:
    """Path, key and body of every plain request."""
    plain = [request for request in PLAIN if rest_body({"model": "m-1", **request}) is not None]
    assert len(plain) >= 18
    for mine, theirs in zip(arrived(plain, True), arrived(plain, False), strict=True):
        assert mine.path == theirs.path
        assert named(mine.body) == named(theirs.body)
        for name in ("x-goog-api-key", "user-agent", "x-goog-api-client", "content-type"):
            assert mine.headers[name] == theirs.headers[name]


@pytest.mark.parametrize(
    "request_",
    [
        {"contents": "hi"},
        {"contents": HI, "config": {"safetySettings": []}},
        {"contents": HI, "config": {"temperature": None}},
        {"contents": HI, "config": {"httpOptions": {"timeout": 5}}},
        {"contents": HI, "config": {"tools": [{"googleSearch": {}}]}},
        {"contents": HI, "model": "tunedModels/mine"},
        {"contents": [{"role": "user", "parts": [{"inlineData": {"data": "aGk="}}]}]},
    ],
)
def test_what_is_not_plain_goes_through_the_client(request_: dict[str, Any]) -> None:
    """Options, tools of its own, files, names of other kinds, and whatever is not known."""
    assert rest_body({"model": "m-1", **request_}) is None


def test_a_proxy_of_the_environment_is_the_client_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls go through the client, which knows proxies."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    model = GeminiModel(api_key="k-123456")
    model.check({"model": "m-1"})
    assert model.direct is False
    monkeypatch.delenv("HTTPS_PROXY")
    other = GeminiModel(api_key="k-123456")
    other.check({"model": "m-1"})
    assert other.direct is True


def test_a_reply_is_read_as_through_the_client() -> None:
    """Text, call, reasoning, tokens and the tier of its header."""
    headers = {"x-gemini-service-tier": "flex"}
    with FaultServer(lambda seen: Say(body=CONTENT, headers=headers)) as server:
        reply = ask(made(server.url), "gemini")
    assert (reply.text, reply.reasoning, reply.service_tier) == ("Paris", "hm", "flex")
    assert (reply.tokens_in, reply.tokens_out, len(reply.tool_calls)) == (17, 4, 1)


def test_failures_have_their_class_and_no_key() -> None:
    """The same as through the client; nothing is sent twice below the one retry layer, also when
    the connection broke.
    """
    broken: list[tuple[Say, str]] = [
        (Say(body=b"<html>a page</html>"), "not_found_model"),
        (Say(body=CONTENT, cut=40), "connection"),
        (Say(body={}), "server_error"),
        (Say(status=400, body={"error": {"message": "no key g-key-123456"}}), "bad_request"),
        *((Say(status=status, body=body), failure) for status, body, failure in FAILURES),
    ]
    with FaultServer(lambda seen: broken[seen.number][0]) as server:
        model = made(server.url)
        for number, (_, failure) in enumerate(broken):
            with pytest.raises(CallError) as caught:
                ask(model, "gemini")
            assert (len(server.seen), caught.value.failure) == (number + 1, failure)
            assert "g-key" not in str(caught.value)
