"""Whatever the openai client honours still works: proxies, an own CA, Azure, headers, an
http_client handed in.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import shutil
import ssl
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import openai
import pytest

from promptops.errors import CallError, SetupError
from promptops.models.clients import AsyncSender, DirectSender, ThreadSender
from promptops.models.endpoint import EndpointModel
from promptops.models.fast_transport import Wire
from promptops.models.plain_sender import PlainSender
from promptops.models.protocol import Call, Reply
from tests.faults.server import FaultServer, Proxy, Say, Seen, completion, error, events

REQUEST = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
KEY = "sk-handed-in-000111"


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "OPENAI_API_KEY",
        "OPENAI_BASE_URL",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def ask(model: EndpointModel, how: type | None = None, **call: Any) -> Reply:
    """One call; `how` checks by which way it was sent."""

    async def once() -> Reply:
        try:
            reply = await model.complete(Call(REQUEST, **call))
            assert how is None or type(await model._clients.here()) is how
            return reply
        finally:
            await model.aclose()

    return asyncio.run(once())


def good(seen: Seen) -> Say:
    if seen.body.get("stream"):
        choice = {"index": 0, "delta": {"content": "ok"}, "finish_reason": "stop"}
        return Say(pieces=events({"id": "c", "model": "m", "choices": [choice]}))
    return Say(body=completion())


CLIENTS: list[tuple[str, Any, type]] = [
    (
        "async",
        lambda url: openai.AsyncOpenAI(api_key=KEY, base_url=url, default_headers={"X-Team": "a"}),
        DirectSender,
    ),
    (
        "sync",
        lambda url: openai.OpenAI(api_key=KEY, base_url=url, default_headers={"X-Team": "a"}),
        DirectSender,
    ),
    (
        "async http_client",
        lambda url: openai.AsyncOpenAI(
            api_key=KEY,
            base_url=url,
            default_headers={"X-Team": "a"},
            http_client=openai.DefaultAsyncHttpxClient(headers={"X-Http": "1"}),
        ),
        AsyncSender,
    ),
    (
        "sync http_client",
        lambda url: openai.OpenAI(
            api_key=KEY,
            base_url=url,
            default_headers={"X-Team": "a"},
            http_client=openai.DefaultHttpxClient(headers={"X-Http": "1"}),
        ),
        ThreadSender,
    ),
    (
        "sync callable key",
        lambda url: openai.OpenAI(
            api_key=lambda: KEY, base_url=url, default_headers={"X-Team": "a"}
        ),
        ThreadSender,
    ),
]


@pytest.mark.parametrize(("name", "make", "how"), CLIENTS, ids=[row[0] for row in CLIENTS])
@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_is_handed_in_is_used_as_it_is(
    name: str, make: Any, how: type, stream: bool
) -> None:
    """Its key, headers, address with a path and http_client go with every call; it is never asked
    to retry.
    """
    with FaultServer(good) as server:
        model = EndpointModel(make(f"{server.url}/team"), stream=stream)
        assert ask(model, how).text == "ok"
        assert model.label == f"127.0.0.1:{server.port}/v1/team"
    (seen,) = server.seen
    assert seen.path == "/v1/team/chat/completions"
    assert seen.headers["authorization"] == f"Bearer {KEY}"
    assert seen.headers["x-team"] == "a"
    assert ("x-http" in seen.headers) == ("http_client" in name)


@pytest.mark.parametrize(("name", "make", "how"), CLIENTS, ids=[row[0] for row in CLIENTS])
def test_no_client_retries_by_itself(name: str, make: Any, how: type) -> None:
    """One attempt is one request, whatever max_retries the client had; its failure is classed the
    same by every way.
    """
    with FaultServer(
        lambda seen: Say(status=500, body=error("boom"), headers={"Retry-After": "4"})
    ) as server:
        with pytest.raises(CallError) as caught:
            ask(EndpointModel(make(server.url)))
        assert len(server.seen) == 1
    assert (caught.value.failure, caught.value.code, caught.value.retry_after_s) == (
        "server_error",
        "500",
        4.0,
    )


def test_a_query_of_the_client_is_sent() -> None:
    """default_query goes with the address."""
    with FaultServer(good) as server:
        ask(
            EndpointModel(
                openai.AsyncOpenAI(
                    api_key=KEY, base_url=server.url, default_query={"api-version": "7"}
                )
            )
        )
    assert server.seen[0].path == "/v1/chat/completions?api-version=7"


@pytest.mark.parametrize("kind", [openai.OpenAI, openai.AsyncOpenAI])
@pytest.mark.parametrize("name", ["Authorization", "authorization"])
def test_an_authorization_of_the_clients_own_takes_the_keys_place(kind: Any, name: str) -> None:
    """A gateway wants its own: what is sent is what the client itself sends."""
    value = "Basic YW5uOndvcmQ="
    with FaultServer(good) as server:
        client = kind(api_key=KEY, base_url=server.url, default_headers={name: value})
        own = client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "hi"}]
        )
        if kind is openai.AsyncOpenAI:
            asyncio.run(own)
        ask(
            EndpointModel(kind(api_key=KEY, base_url=server.url, default_headers={name: value})),
            DirectSender,
        )
    sent = [seen.headers.get("authorization") for seen in server.seen]
    assert sent == [value, value]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("handed_in", [False, True])
def test_credentials_in_the_address_are_sent_as_the_client_sends_them(
    handed_in: bool, stream: bool
) -> None:
    """A user and a password in base_url, as behind a company's gateway, become Basic credentials;
    aiohttp would refuse the call.
    """
    with FaultServer(good) as server:
        url = server.url.replace("http://", "http://ann:s3cret-word@")
        model = EndpointModel(
            openai.AsyncOpenAI(api_key=KEY, base_url=url) if handed_in else None,
            base_url=None if handed_in else url,
            api_key=None if handed_in else KEY,
            stream=stream,
        )
        assert ask(model, AsyncSender).text == "ok"
        assert model.label == f"127.0.0.1:{server.port}/v1"
    assert server.seen[0].headers["authorization"] == "Basic YW5uOnMzY3JldC13b3Jk"
    assert "s3cret-word" in model.secrets


@pytest.mark.parametrize("kind", [openai.AzureOpenAI, openai.AsyncAzureOpenAI])
def test_azure_clients_reach_their_deployment(kind: Any) -> None:
    """Address, api-version and api-key header are Azure's; the model's name is the deployment."""
    with FaultServer(good) as server:
        client = kind(
            api_key=KEY, api_version="2026-01-01", azure_endpoint=f"http://127.0.0.1:{server.port}"
        )
        assert ask(EndpointModel(client), AsyncSender).text == "ok"
    (seen,) = server.seen
    assert seen.path == "/openai/deployments/m/chat/completions?api-version=2026-01-01"
    assert seen.headers["api-key"] == KEY


def test_azure_tokens_are_asked_for_at_every_call() -> None:
    """A token provider is called for each request, so that a token that expires is renewed."""
    tokens = iter(["first-token-000", "second-token-11"])
    with FaultServer(good) as server:
        client = openai.AzureOpenAI(
            azure_ad_token_provider=lambda: next(tokens),
            api_version="1",
            azure_endpoint=f"http://127.0.0.1:{server.port}",
        )
        model = EndpointModel(client)

        async def twice() -> None:
            await model.complete(Call(REQUEST))
            await model.complete(Call(REQUEST))
            await model.aclose()

        asyncio.run(twice())
    assert [seen.headers["authorization"] for seen in server.seen] == [
        "Bearer first-token-000",
        "Bearer second-token-11",
    ]


def test_secrets_of_a_client_are_known() -> None:
    """Key, credential headers and the address's password are what rows must not hold."""
    client = openai.AsyncOpenAI(
        api_key=KEY,
        base_url="http://u:hidden-pass-1@127.0.0.1:1/v1",
        default_headers={"Authorization": "Bearer other-secret-9", "X-Team": "visible-team"},
    )
    assert EndpointModel(client).secrets == {KEY, "hidden-pass-1", "other-secret-9"}
    assert EndpointModel(base_url="http://127.0.0.1:1/v1").secrets == frozenset()


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_secrets_of_a_client_s_own_http_client_are_known(kind: str) -> None:
    """Its headers, its cookies, and the password of its Basic credentials."""
    http: Any = {"sync": openai.DefaultHttpxClient, "async": openai.DefaultAsyncHttpxClient}[kind]
    of: Any = {"sync": openai.OpenAI, "async": openai.AsyncOpenAI}[kind]
    handed = http(
        headers={"x-api-key": "header-word-1"},
        cookies={"session": "cookie-word-2"},
        auth=("ann", "basic-word-3"),
    )
    found = EndpointModel(
        of(api_key=KEY, base_url="http://127.0.0.1:1/v1", http_client=handed)
    ).secrets
    assert found >= {KEY, "header-word-1", "cookie-word-2", "basic-word-3"}
    assert len(found) == 5  # and the credentials as they are sent


def test_a_client_that_cannot_be_made_is_a_setup_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the openai client says against its own options is reported as a setup error, and no
    call is made.
    """
    client = openai.AsyncOpenAI(api_key=KEY, base_url="http://127.0.0.1:1/v1")

    def refuse(*_: Any, **__: Any) -> None:
        raise openai.OpenAIError("no such option")

    monkeypatch.setattr(client, "copy", refuse)
    with pytest.raises(SetupError, match="cannot be made: no such option"):
        ask(EndpointModel(client))


def test_plain_calls_take_the_wire_beneath_the_client() -> None:
    """The short way is there with the release of openai that is installed: a test, since without it
    calls still work, slowly.
    """

    async def wired(url: str) -> bool:
        model = EndpointModel(openai.AsyncOpenAI(base_url=url, api_key=KEY))
        sender = await model._clients.here()
        try:
            return isinstance(sender, DirectSender) and sender._wire is not None
        finally:
            await model.aclose()

    assert asyncio.run(wired("http://127.0.0.1:1/v1"))


def test_the_client_sends_by_itself_where_its_connections_are_kept_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another release of the HTTP library may hide them: the same call goes the client's own
    way.
    """
    monkeypatch.setattr(Wire, "under", classmethod(lambda *_: None))
    with FaultServer(good) as server:
        client = openai.AsyncOpenAI(base_url=server.url, api_key=KEY)
        assert ask(EndpointModel(client), DirectSender).text == "ok"
    assert server.seen[0].headers["authorization"] == f"Bearer {KEY}"


def test_the_wire_and_the_client_send_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Headers and body are those that the client itself sends, one by one."""
    with FaultServer(good) as server:
        ask(
            EndpointModel(
                openai.AsyncOpenAI(
                    api_key=KEY, base_url=server.url, default_headers={"X-Team": "a"}
                )
            )
        )
        monkeypatch.setattr(Wire, "under", classmethod(lambda *_: None))
        ask(
            EndpointModel(
                openai.AsyncOpenAI(
                    api_key=KEY, base_url=server.url, default_headers={"X-Team": "a"}
                )
            )
        )
    short, own = server.seen
    assert short.headers == own.headers
    assert (short.path, short.body) == (own.path, own.body)


def made(url: str) -> EndpointModel:
    return EndpointModel(base_url=url, api_key=KEY)


def handed_in(url: str) -> EndpointModel:
    return EndpointModel(openai.AsyncOpenAI(base_url=url, api_key=KEY))


BOTH = pytest.mark.parametrize(
    ("model", "how"), [(made, PlainSender), (handed_in, DirectSender)], ids=["made", "handed in"]
)


@BOTH
@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_an_encoded_answer_is_read(coding: str, model: Any, how: type) -> None:
    """What a server compresses, as the client offers it, is read as if it had not."""
    packed = {"gzip": gzip.compress, "deflate": zlib.compress}[coding](
        json.dumps(completion("packed")).encode()
    )
    with FaultServer(lambda seen: Say(body=packed, headers={"Content-Encoding": coding})) as server:
        assert ask(model(server.url), how).text == "packed"


@BOTH
def test_a_redirect_is_followed(model: Any, how: type) -> None:
    """An address that has moved (307, which keeps the method) is asked at its new place."""

    def moved(seen: Seen) -> Say:
        return (
            good(seen)
            if seen.path.startswith("/new/")
            else Say(status=307, headers={"Location": "/new/chat/completions"})
        )

    with FaultServer(moved) as server:
        assert ask(model(server.url), how).text == "ok"
    assert [seen.path for seen in server.seen][-1] == "/new/chat/completions"
    assert server.seen[-1].headers["authorization"] == f"Bearer {KEY}"


def test_calls_go_through_the_environments_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP_PROXY with user and password: a host that exists nowhere is reached through it."""
    with FaultServer(good) as server, Proxy(server.port) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url.replace("http://", "http://ann:s3cret-word@"))
        assert (
            ask(EndpointModel(base_url="http://llm.invalid/v1", api_key=KEY), DirectSender).text
            == "ok"
        )
        assert proxy.hosts == ["http://llm.invalid/v1/chat/completions"]
        assert proxy.credentials == ["Basic YW5uOnMzY3JldC13b3Jk"]


@pytest.fixture
def authority(tmp_path: Path) -> tuple[Path, ssl.SSLContext]:
    """(CA file, server context of a certificate for llm.invalid that it signed)."""
    if shutil.which("openssl") is None:
        pytest.skip("the openssl command, which makes the test's own CA, is not installed")

    def run(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=tmp_path, check=True, capture_output=True)

    run(
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=Own CA",
        "-keyout",
        "ca.key",
        "-out",
        "ca.pem",
        "-addext",
        "basicConstraints=critical,CA:TRUE",
        "-addext",
        "keyUsage=critical,keyCertSign,cRLSign",
    )
    run(
        "req",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        "/CN=llm.invalid",
        "-keyout",
        "llm.key",
        "-out",
        "llm.csr",
    )
    (tmp_path / "ext").write_text(
        "subjectAltName=DNS:llm.invalid,DNS:localhost\nauthorityKeyIdentifier=keyid\n"
    )
    run(
        "x509",
        "-req",
        "-in",
        "llm.csr",
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-days",
        "2",
        "-extfile",
        "ext",
        "-out",
        "llm.pem",
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "llm.pem", tmp_path / "llm.key")
    return tmp_path / "ca.pem", context


@pytest.mark.parametrize("stream", [False, True])
def test_a_proxy_and_an_own_ca_from_the_environment(
    authority: Any, monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    """HTTPS_PROXY and SSL_CERT_FILE, as behind a company's proxy: the tunnel is used and the
    certificate verified.
    """
    file, context = authority
    with FaultServer(good, tls=context) as server, Proxy(server.port) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        untrusted = EndpointModel(base_url="https://llm.invalid/v1", api_key=KEY, stream=stream)
        with pytest.raises(CallError) as caught:
            ask(untrusted)
        assert caught.value.failure == "connection"
        assert server.seen == []
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        assert (
            ask(
                EndpointModel(base_url="https://llm.invalid/v1", api_key=KEY, stream=stream),
                DirectSender,
            ).text
            == "ok"
        )
        assert set(proxy.hosts) == {"llm.invalid:443"}


@pytest.mark.parametrize("kind", ["async", "sync"])
def test_a_proxy_and_an_own_ca_of_the_http_client(authority: Any, kind: str) -> None:
    """An http_client that was handed in with proxy and CA is what sends."""
    file, context = authority
    trust = ssl.create_default_context(cafile=str(file))
    with FaultServer(good, tls=context) as server, Proxy(server.port) as proxy:
        options: dict[str, Any] = {"proxy": proxy.url, "verify": trust}
        client: Any = (
            openai.AsyncOpenAI(
                api_key=KEY,
                base_url="https://llm.invalid/v1",
                http_client=openai.DefaultAsyncHttpxClient(**options),
            )
            if kind == "async"
            else openai.OpenAI(
                api_key=KEY,
                base_url="https://llm.invalid/v1",
                http_client=openai.DefaultHttpxClient(**options),
            )
        )
        assert (
            ask(EndpointModel(client), AsyncSender if kind == "async" else ThreadSender).text
            == "ok"
        )
        assert proxy.hosts == ["llm.invalid:443"]


REPLACED = """
import gc, sys, tempfile, time, warnings
warnings.simplefilter("always")
from promptops.lab import Lab
from promptops.models.endpoint import EndpointModel
for _ in range(2):
    lab = Lab(tempfile.mkdtemp(dir=sys.argv[2]), models={"m": EndpointModel(base_url=sys.argv[1])})
    print(lab.prompt("p").save("{{x}}", model="m")(x="a").text)
    gc.collect()
del lab
gc.collect()
time.sleep(0.2)
"""


def test_a_lab_that_is_replaced_closes_its_connections(tmp_path: Path) -> None:
    """A notebook's second `lab = Lab(...)` leaves no open session to be complained about, and
    nothing is printed at the end.
    """
    with FaultServer(good) as server:
        command = [sys.executable, "-c", REPLACED, server.url, str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split() == ["ok", "ok"]
    assert "nclosed" not in done.stderr
