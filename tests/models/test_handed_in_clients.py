"""Clients for other clouds, handed in as they are: Azure, Bedrock, Vertex and Foundry ones, sync
and async, whole and streamed, against a loopback server.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest
from google.oauth2.credentials import Credentials

from promptops.models.endpoint import EndpointModel
from promptops.models.protocol import Call, Reply
from promptops.study.resolve_model import as_model
from promptops.version import PromptVersion
from tests.faults.server import FaultServer, Say, Seen
from tests.models import reply_streams as streams
from tests.models.test_provider_clients import closed, root
from tests.models.test_sixty_replies import chat, content, message, response, said, text

anthropic = pytest.importorskip("anthropic")
genai = pytest.importorskip("google.genai")
pytest.importorskip("botocore")

KEY = "a-secret-12345678"
AZURE = {"api_version": "2025-03-01-preview"}
AWS = {"aws_access_key": "AKIA123456", "aws_secret_key": KEY, "aws_region": "us-east-1"}
GOOGLE = {"region": "us-east5", "project_id": "p", "access_token": KEY}


def azure(url: str, **who: Any) -> dict[str, Any]:
    return {"azure_endpoint": root(url), **AZURE, **(who or {"api_key": KEY})}


def vertex(url: str) -> Any:
    options = {"base_url": root(url)}
    return genai.Client(
        vertexai=True,
        project="p",
        location="us-central1",
        credentials=Credentials(KEY),  # type: ignore[no-untyped-call]
        http_options=options,
    )


CLIENTS: dict[str, tuple[str, str, Callable[[str], Any]]] = {
    "azure": ("chat", "/m/chat/", lambda url: openai.AzureOpenAI(**azure(url))),
    "azure async": ("chat", "/m/chat/", lambda url: openai.AsyncAzureOpenAI(**azure(url))),
    "azure deployment": (
        "chat",
        "/dep/chat/",
        lambda url: openai.AzureOpenAI(**azure(url), azure_deployment="dep"),
    ),
    "azure token": (
        "chat",
        "/m/chat/",
        lambda url: openai.AzureOpenAI(**azure(url, azure_ad_token_provider=lambda: KEY)),
    ),
    "azure responses": (
        "responses",
        "/openai/responses",
        lambda url: openai.AsyncAzureOpenAI(**azure(url)),
    ),
    "azure deployment responses": (
        "responses",
        "/openai/responses",
        lambda url: openai.AzureOpenAI(**azure(url), azure_deployment="dep"),
    ),
    "bedrock": (
        "anthropic",
        "/model/m/invoke",
        lambda url: anthropic.AnthropicBedrock(**AWS, base_url=root(url)),
    ),
    "bedrock async": (
        "anthropic",
        "/model/m/invoke",
        lambda url: anthropic.AsyncAnthropicBedrock(**AWS, base_url=root(url)),
    ),
    "vertex claude": (
        "anthropic",
        "/models/m:",
        lambda url: anthropic.AnthropicVertex(**GOOGLE, base_url=url),
    ),
    "vertex claude async": (
        "anthropic",
        "/models/m:",
        lambda url: anthropic.AsyncAnthropicVertex(**GOOGLE, base_url=url),
    ),
    "foundry": (
        "anthropic",
        "/anthropic/v1/messages",
        lambda url: anthropic.AsyncAnthropicFoundry(api_key=KEY, base_url=root(url) + "/anthropic"),
    ),
    "vertex gemini": ("gemini", "/publishers/google/models/m:", vertex),
}
BODIES = {
    "chat": chat({"content": "Paris"}),
    "responses": response(said("Paris")),
    "anthropic": message(text("Paris")),
    "gemini": content({"text": "Paris"}),
}


def frame(event: dict[str, Any]) -> bytes:
    """An event as Bedrock sends it: in binary, with checksums."""
    named = {":event-type": "chunk", ":message-type": "event"}
    headers = b"".join(
        bytes([len(name)])
        + name.encode()
        + b"\x07"
        + struct.pack(">H", len(value))
        + value.encode()
        for name, value in named.items()
    )
    payload = json.dumps({"bytes": base64.b64encode(json.dumps(event).encode()).decode()}).encode()
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    whole = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + payload
    return whole + struct.pack(">I", zlib.crc32(whole))


def answer(seen: Seen) -> Say:
    """The same answer in the form that was asked for, streamed where that was."""
    path, body = seen.path, seen.body
    api = "gemini" if "enerateContent" in path else "anthropic"
    api = "chat" if "/chat/" in path else "responses" if "/responses" in path else api
    events = list(streams.form_of(BODIES[api])[1])
    if "with-response-stream" in path:
        kind = {"Content-Type": "application/vnd.amazon.eventstream"}
        return Say(pieces=tuple(map(frame, events)), headers=kind)
    if "stream" in path.lower() or body.get("stream"):
        named = api in ("responses", "anthropic")
        return Say(pieces=streams.sent(iter(events), named=named, done=api == "chat"))
    return Say(body=BODIES[api])


@pytest.fixture(scope="module")
def server() -> Iterator[FaultServer]:
    with FaultServer(answer) as made:
        yield made


@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_of_another_cloud_answers(server: FaultServer, name: str) -> None:
    """Whole and streamed: the address and the credentials are the client's own business."""
    api, path, make = CLIENTS[name]
    settings = {"max_tokens": 64} if api == "anthropic" else {}
    asked = PromptVersion("{{q}}", model="m", api=api, settings=settings)
    server.seen.clear()
    client, heard = make(server.url), list[str]()
    model = as_model(client, "m")

    async def both() -> list[Reply]:
        try:
            whole = await model.complete(Call(asked.request(q="a"), asked))
            asking = Call(asked.request(q="a"), asked, on_token=heard.append)
            return [whole, await model.complete(asking)]
        finally:
            await model.aclose()
            await closed(client)

    replies = asyncio.run(both())
    assert [(each.text, each.failure, each.tokens_in) for each in replies] == [
        ("Paris", None, 9)
    ] * 2
    assert heard == ["Pa", "ris"]
    assert all(path in seen.path for seen in server.seen)
    assert len(server.seen) == 2
    assert KEY not in repr(model) + model.label


def test_routes_of_a_gateway_are_places_of_their_own() -> None:
    """A header that chooses what answers is part of the label, since answers of another route had
    been reused; who asks, when and by which key is not, or every kernel would pay again.
    """

    def label(**given: Any) -> str:
        url = "https://gateway.example/v1"
        clients = (openai.OpenAI, openai.AsyncOpenAI, anthropic.Anthropic)
        [one] = {EndpointModel(c(api_key=KEY, base_url=url, **given)).label for c in clients}
        return str(one)

    plain = "gateway.example/v1"
    routes = [
        label(default_headers={"x-portkey-config": "pc-cheap"}),
        label(default_headers={"x-portkey-config": "pc-good"}),
        label(default_headers={"x-portkey-config": '{"strategy": {"mode": "loadbalance"}}'}),
        label(default_headers={"x-portkey-virtual-key": "openai-3f9a1c"}),
        label(default_headers={"x-portkey-virtual-key": "azure-77b0de"}),
        label(default_query={"route": "eu"}),
        plain,
    ]
    digest = hashlib.sha256(b"pc-cheap").hexdigest()[:8]
    assert routes[0] == f"{plain} (x-portkey-config {digest})"
    assert len(set(routes)) == len(routes)
    for name, value in (
        ("HTTP-Referer", "https://shop.example"),
        ("X-Title", "shop"),
        ("x-portkey-trace-id", "a"),
        ("x-run", "8c1b0c8e-8a8b-4c50-9a57-0f2d6f0c9a11"),
        ("x-began", "2026-11-30T22:22:22"),
        ("X-Api-Key", "another"),
        ("User-Agent", "mine"),
    ):
        assert label(default_headers={name: value}) == plain
    assert KEY not in label(default_headers={"x-route": KEY}) != plain


def test_headers_of_the_environment_are_part_of_the_label_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A client that is made here sends them as one that is handed in does."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "x-route: eu\nx-trace-id: 7")
    made, handed = EndpointModel(), EndpointModel(openai.OpenAI())
    assert made.label == handed.label
    assert made.label.startswith("api.openai.com (x-route ")
