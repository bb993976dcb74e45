"""Plain calls to a server of one's own (Ollama, vLLM, llama.cpp: an address with http), without
importing the openai package, which takes longer than everything else that a short study does.

An address with https belongs to a provider and is asked through the provider's client. So is all
that is not surely the same: an environment that asks something further of the client (a proxy,
headers, an organisation), a stream, headers or a query of a call's own, and a redirect; the client
is made at that moment. Method, path, body, times and connections are those of the client; the
headers name promptops.
"""

from __future__ import annotations

import contextlib
import os
import re
import zlib
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import NamedTuple, Protocol

from ..background_import import import_beside
from .fast_transport import HttpReply, RawHeaders, RawResponse, Wire
from .request_body import as_json
from .senders import Sender

__all__ = ["PlainAddress", "PlainSender", "import_transport"]

# one that no two libraries read differently: lower case, no credentials, no query, no escapes
_ADDRESS = re.compile(
    r"http://[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[0-9]{1,5})?"
    r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+)*/?"
)
_KEY = re.compile(r"[!-~]+")
_ASKED = ("OPENAI_CUSTOM_HEADERS", "OPENAI_LOG", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID")
_CODING = b"content-encoding"
# seconds, and numbers of connections, as the client has them
_CONNECT_S, _READ_S, _IDLE_S, _MOST = 5.0, 600.0, 5.0, 1000


class PlainAddress(NamedTuple):
    """Where plain calls go, and with which headers."""

    url: str
    headers: dict[str, str]

    @classmethod
    def of(cls, base_url: str, key: str | None) -> PlainAddress | None:
        """None if it is a provider's, or the client might be asked for anything further."""
        if key is None or not _ADDRESS.fullmatch(base_url) or not _KEY.fullmatch(key):
            return None
        if any(name in os.environ for name in _ASKED):
            return None
        from urllib.request import getproxies

        if any(getproxies().get(scheme) for scheme in ("http", "https", "all")):
            return None
        if not all(map(find_spec, ("openai", "httpx2", "aiohttp"))):
            return None
        return cls(base_url.rstrip("/"), _headers(key))


class PlainSender:
    """Sends plain calls itself, any other by the sender that `library` makes."""

    def __init__(self, address: PlainAddress, library: Callable[[], Sender]) -> None:
        import aiohttp

        self._address, self._make = address, library
        self._library: Sender | None = None
        times = aiohttp.ClientTimeout(sock_connect=_CONNECT_S, sock_read=_READ_S, connect=_READ_S)
        self._connections = _Connections()
        self._wire = Wire(times, self._connections, _unpacked)

    async def post(
        self, path: str, body: Mapping[str, object], options: Mapping[str, object]
    ) -> HttpReply:
        """The HTTP response, read, whatever its status."""
        if not options:
            url = self._address.url + path
            response = await self._wire.post(url, self._address.headers, as_json(body))
            if response is not None:
                return response
        return await self._through_library().post(path, body, options)

    async def stream(
        self, path: str, body: Mapping[str, object], options: Mapping[str, object]
    ) -> AsyncGenerator[tuple[HttpReply, object], None]:
        """(HTTP response, chunk) as chunks come."""
        stream = self._through_library().stream(path, body, options)
        try:
            async for pair in stream:
                yield pair
        finally:
            await stream.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        if self._connections.client is not None:
            await self._connections.client.close()
        if self._library is not None:
            await self._library.aclose()

    def _through_library(self) -> Sender:
        if self._library is None:
            self._library = self._make()
        return self._library


def import_transport() -> None:
    """Begin to import what sends, in a thread: a third of that time goes into reading the system's
    certificates, during which others can work.
    """
    import_beside("aiohttp")


class _Closable(Protocol):
    async def close(self) -> None: ...


class _Connections:
    """A pool like the one that the client opens."""

    def __init__(self) -> None:
        self.client: _Closable | None = None

    def get_client(self) -> object:
        """A session with connections of its own."""
        import aiohttp

        connector = aiohttp.TCPConnector(keepalive_timeout=_IDLE_S, limit=_MOST)
        return aiohttp.ClientSession(connector=connector)


def _unpacked(status: int, headers: Sequence[tuple[bytes, bytes]], content: bytes) -> HttpReply:
    """The response, unpacked: gzip here, which nearly all servers send, anything else by the HTTP
    library, whose errors are raised.
    """
    codings = [value.strip().lower() for name, value in headers if name.lower() == _CODING]
    if codings == [b"gzip"]:
        packed = zlib.decompressobj(zlib.MAX_WBITS | 16)
        with contextlib.suppress(zlib.error):  # the library says what is wrong with it
            words = packed.decompress(content)
            if packed.eof and not packed.unused_data:
                return RawResponse(status, RawHeaders(headers), words)
    import httpx2

    made: HttpReply = httpx2.Response(status, headers=list(headers), content=content)
    return made


def _headers(key: str) -> dict[str, str]:
    """What each request carries beside its body."""
    return {
        "accept": "application/json",
        "accept-encoding": "gzip, deflate",
        "connection": "keep-alive",
        "user-agent": "promptops",
        "authorization": f"Bearer {key}",
        "content-type": "application/json",
    }
