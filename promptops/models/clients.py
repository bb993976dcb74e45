"""The openai clients behind an endpoint: one for each event loop, made when first needed, never
retrying. Plain calls to an address need none.

A client that is handed in is used with all its options. A plain one (no http_client, provider or
callable key of the caller's; sync or async) lends its address and headers to the HTTP client that
openai itself would send with, which takes a quarter of the time. Any other async one sends by its
own `post`, any other sync one does so from threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import os
import threading
import weakref
from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from ..errors import CallError, MissingExtra, SetupError
from ..redact import SHORTEST, address_secrets
from .credentials import QuietAddresses, header_secrets
from .plain_sender import PlainAddress, PlainSender, import_transport
from .senders import AsyncSender, DirectSender, Sender, ThreadSender, response_type

if TYPE_CHECKING:
    from .batches import Client

__all__ = [
    "AsyncSender",
    "Clients",
    "DirectSender",
    "Sender",
    "ThreadSender",
    "is_loopback",
    "keep_out_of_logs",
    "label_of",
    "response_type",
    "secrets_of",
]

OPENAI = "https://api.openai.com/v1"
_LOG = logging.getLogger("promptops.models")


class Clients:
    """base_url: where calls go; secrets: what must not be shown of how they get there."""

    KEY, ADDRESS, DEFAULT = "OPENAI_API_KEY", "OPENAI_BASE_URL", OPENAI
    CLIENT, HEADERS = "OpenAI", "OPENAI_CUSTOM_HEADERS"

    def __init__(self, client: Any, base_url: str | None, api_key: str | None) -> None:
        self._client = client
        self._key = api_key or os.environ.get(self.KEY) or None
        self.base_url = (
            str(client.base_url)
            if client is not None
            else base_url or os.environ.get(self.ADDRESS) or self.DEFAULT
        )
        if client is None and self._key is None and is_loopback(self.base_url):
            self._key = "none"  # the client wants one; a server of one's own does not
        self.secrets = secrets_of(client, self.base_url, self._key)
        self._made: WeakKeyDictionary[
            asyncio.AbstractEventLoop, tuple[Sender, AsyncGenerator[None, None]]
        ] = WeakKeyDictionary()
        self._lock = threading.Lock()

    def check(self) -> None:
        """Raises SetupError if there is no key, MissingExtra if there is no openai
        package.
        """
        if self._client is None:
            if self._key is None:
                raise SetupError(
                    f"no API key for {label_of(self.base_url)}: set {self.KEY}, pass a"
                    " client with models={name: client}, or save the version with"
                    ' model="embedded" to try it without an endpoint.'
                )
            if self._plain_address() is None:
                self._library()

    def prepare(self) -> None:
        """Begin to import, in another thread, what plain calls need; the library that sends all
        others is imported by the first of them.
        """
        if self._plain_address() is not None:
            import_transport()

    async def here(self) -> Sender:
        """The sender of the running event loop; it closes with the loop, or before by `aclose`."""
        loop = asyncio.get_running_loop()
        found = self._made.get(loop)
        if found is None:
            self.check()
            with self._lock:
                sender = self._make()
                found = self._made[loop] = (sender, _closing(sender))
            await anext(found[1])
            _LOG.debug("client opened for %s by %s", label_of(self.base_url), type(sender).__name__)
            # held until then, so that nothing open becomes garbage unclosed when a lab is replaced
            # in a notebook
            weakref.finalize(self, _close_on, weakref.ref(loop), found[1]).atexit = False
        return found[0]

    def library_client(self, fail: Callable[[Exception], CallError]) -> Client:
        """The library's own client, for what is not a single call. It never retries.

        Raises SetupError as `check` does.
        """
        from .batches import Client

        self.check()
        library, given = self._library(), self._client
        keep_out_of_logs(self.secrets, response_type(library).__module__.partition(".")[0])
        if given is not None:
            return Client(lambda: given.with_options(max_retries=0), fail, owned=False)
        make = getattr(library, self.CLIENT)
        return Client(
            lambda: make(api_key=self._key, base_url=self.base_url, max_retries=0),
            fail,
            owned=True,
        )

    async def aclose(self) -> None:
        """Close what was made on this event loop."""
        found = self._made.pop(asyncio.get_running_loop(), None)
        if found is not None:
            await found[1].aclose()
            _LOG.debug("client closed for %s", label_of(self.base_url))

    def _library(self) -> Any:
        """The package that the client comes from. Raises MissingExtra if it is not here."""
        return _openai()

    def _plain_address(self) -> PlainAddress | None:
        """The address for calls without the library; None if it has to send."""
        return PlainAddress.of(self.base_url, self._key) if self._client is None else None

    def _make(self) -> Sender:
        plain = self._plain_address()
        return (
            self._through_library() if plain is None else PlainSender(plain, self._through_library)
        )

    def _through_library(self) -> Sender:
        openai = self._library()
        keep_out_of_logs(self.secrets, response_type(openai).__module__.partition(".")[0])
        given = self._client
        try:
            if (
                given is None and urlsplit(self.base_url).username
            ):  # Basic credentials, which only its default transport sends
                return AsyncSender(
                    openai,
                    openai.AsyncOpenAI(api_key=self._key, base_url=self.base_url, max_retries=0),
                    owned=True,
                )
            if given is None:
                http = openai.DefaultAioHttpClient()
                return DirectSender(
                    openai,
                    openai.AsyncOpenAI(
                        api_key=self._key, base_url=self.base_url, http_client=http, max_retries=0
                    ),
                    http,
                )
            if not _plain(openai, given):
                copy = given.with_options(max_retries=0)
                return (
                    AsyncSender(openai, copy, owned=False)
                    if isinstance(given, openai.AsyncOpenAI)
                    else ThreadSender(openai, copy)
                )
            http = openai.DefaultAioHttpClient(timeout=given.timeout)
            twin = (
                given.copy(http_client=http, max_retries=0)
                if isinstance(given, openai.AsyncOpenAI)
                else _twin(openai, given, http)
            )
            return (
                DirectSender(openai, twin, http)
                if type(twin) is openai.AsyncOpenAI
                else AsyncSender(openai, twin, owned=True)
            )
        except openai.OpenAIError as error:
            raise SetupError(
                f"the openai client for {label_of(self.base_url)} cannot be made: {error}"
            ) from None


async def _closing(sender: Sender) -> AsyncGenerator[None, None]:
    """Open until it is closed: an event loop that ends closes its generators, and so the
    connections.
    """
    try:
        yield
    finally:
        await sender.aclose()


def _close_on(
    owner: weakref.ref[asyncio.AbstractEventLoop], open_: AsyncGenerator[None, None]
) -> None:
    """Close on the event loop that opened it, from any thread; a loop that has ended has closed
    it.
    """
    loop = owner()
    if loop is None or loop.is_closed():
        return
    with contextlib.suppress(RuntimeError):  # it closes at this moment
        loop.call_soon_threadsafe(lambda: loop.create_task(_closed(open_)))


async def _closed(open_: AsyncGenerator[None, None]) -> None:
    await open_.aclose()


def label_of(base_url: str) -> str:
    """Host, port and path of an address, without user, password and query; OpenAI's own is only its
    host.
    """
    if base_url.rstrip("/") == OPENAI:
        return "api.openai.com"
    parts = urlsplit(base_url)
    host = parts.hostname or base_url.partition("?")[0]
    host = f"[{host}]" if ":" in host else host
    try:
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        raise SetupError(
            f"the address of the endpoint has no valid port: {host}; give one such as"
            " http://127.0.0.1:8000/v1."
        ) from None
    return host + port + parts.path.rstrip("/")


def _openai() -> object:
    try:
        import openai
    except ImportError:
        raise MissingExtra("asking an endpoint") from None
    return openai


_QUIET = QuietAddresses()


def keep_out_of_logs(secrets: frozenset[str], library: str) -> None:
    """Keep a client's keys out of the HTTP library's logs."""
    _QUIET.secrets |= secrets
    for name in {
        library,
        "httpx",
    }:  # openai's own, and the one that a client which was handed in may be made with
        logging.getLogger(name).addFilter(_QUIET)  # once: it is the same filter


def _plain(openai: Any, client: Any) -> bool:
    """Whether address (without credentials), headers, key and timeout are all there is to a
    client.
    """
    special = ("_provider", "workload_identity", "_api_key_provider", "_azure_ad_token_provider")
    return (
        type(client)
        in (openai.OpenAI, openai.AsyncOpenAI, openai.AzureOpenAI, openai.AsyncAzureOpenAI)
        and type(client._client).__name__ in ("SyncHttpxClientWrapper", "AsyncHttpxClientWrapper")
        and all(getattr(client, name, None) is None for name in special)
        and not urlsplit(str(client.base_url)).username
    )


def _twin(openai: Any, client: Any, http: object) -> object:
    """The async client with the options of a plain sync one."""
    options: dict[str, object] = {
        "api_key": client.api_key,
        "organization": client.organization,
        "project": client.project,
        "base_url": str(client.base_url),
        "timeout": client.timeout,
        "max_retries": 0,
        "default_headers": client._custom_headers,
        "default_query": client._custom_query,
        "http_client": http,
    }
    if type(client) is openai.OpenAI:
        return openai.AsyncOpenAI(**options)
    if client._azure_ad_token is not None:
        options |= {"api_key": None, "azure_ad_token": client._azure_ad_token}
    twin = openai.AsyncAzureOpenAI(**options, api_version=client._api_version)
    # by these it finds paths outside its deployment, as that of `/responses`
    twin._azure_endpoint = client._azure_endpoint
    twin._azure_deployment = client._azure_deployment
    return twin


def is_loopback(base_url: str) -> bool:
    """Whether an address is this machine."""
    host = urlsplit(base_url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def secrets_of(client: object, base_url: str, key: str | None) -> frozenset[str]:
    """Keys and credentials of a client and its address."""
    found: set[Any] = {key, *address_secrets(base_url)}
    if client is not None:
        found |= {
            getattr(client, name, None)
            for name in (
                "api_key",
                "admin_api_key",
                "auth_token",
                "webhook_secret",
                "_azure_ad_token",
            )
        }
        http = getattr(client, "_client", None)  # the one that was handed in, or its own
        basic = {"authorization": getattr(getattr(http, "auth", None), "_auth_header", "")}
        for told in (
            getattr(client, "_custom_headers", None),
            getattr(client, "_custom_query", None),
            getattr(http, "headers", None),
            basic,
        ):
            found |= header_secrets(told or {})
        found.update(dict(getattr(http, "cookies", None) or {}).values())
    return frozenset(
        secret for secret in found if isinstance(secret, str) and len(secret) >= SHORTEST
    )
