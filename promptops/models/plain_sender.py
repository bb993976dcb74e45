"""Plain calls to an address, without importing the openai package, which takes longer than
everything else that a short study does.

Only what is surely the same goes this way: the address and the key of an endpoint made here, in an
environment that asks nothing further of the client (no proxy, no headers, no organisation), with a
release whose requests are known. Method, path, headers, body, times and connections are those of
the client. A stream, headers or a query of a call's own, and a redirect go through the client
itself, which is made at that moment.
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import sys
import zlib
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from .fast_transport import RawHeaders, RawResponse, Wire
from .request_body import as_json
from .senders import Sender

if TYPE_CHECKING:
    from ssl import SSLContext

__all__ = ["PlainAddress", "PlainSender"]

# one that no two libraries read differently: lower case, no credentials, no query, no escapes
_ADDRESS = re.compile(
    r"https?://[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[0-9]{1,5})?"
    r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+)*/?"
)
_KEY = re.compile(r"[!-~]+")
_ASKED = ("OPENAI_CUSTOM_HEADERS", "OPENAI_LOG", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID")
_RELEASE = "3."  # of openai, whose requests these are
_VERSION = re.compile(r'^__version__ = "([0-9][0-9A-Za-z.]*)"', re.M)
_SYSTEMS = {"linux": "Linux", "darwin": "MacOS", "win32": "Windows"}
_ARCHES = {"x86_64": "x64", "amd64": "other:amd64", "arm64": "arm64", "aarch64": "arm64"}
_CODING = b"content-encoding"
# seconds, and numbers of connections, as the client has them
_CONNECT_S, _READ_S, _IDLE_S, _MOST = 5.0, 600.0, 5.0, 1000


class PlainAddress(NamedTuple):
    """Where plain calls go, and with which headers."""

    url: str
    headers: dict[str, str]

    @classmethod
    def of(cls, base_url: str, key: str | None) -> PlainAddress | None:
        """None if an openai client with this address and key might send anything else."""
        if key is None or not _ADDRESS.fullmatch(base_url) or not _KEY.fullmatch(key):
            return None
        if any(name in os.environ for name in _ASKED):
            return None
        from urllib.request import getproxies

        if any(getproxies().get(scheme) for scheme in ("http", "https", "all")):
            return None
        version, system = _openai_version(), _system()
        if version is None or system is None or not find_spec("aiohttp"):
            return None
        return cls(base_url.rstrip("/"), _headers(key, version, system))


class PlainSender:
    """Sends plain calls itself, any other by the sender that `library` makes."""

    def __init__(self, address: PlainAddress, library: Callable[[], Sender]) -> None:
        import aiohttp

        self._address, self._make = address, library
        self._library: Sender | None = None
        times = aiohttp.ClientTimeout(sock_connect=_CONNECT_S, sock_read=_READ_S, connect=_READ_S)
        self._connections = _Connections(address.url.startswith("https:"))
        self._wire = Wire(times, self._connections, _unpacked)

    async def post(
        self, path: str, body: Mapping[str, object], options: Mapping[str, object]
    ) -> object:
        """The HTTP response, read, whatever its status."""
        if not options:
            url = self._address.url + path
            response = await self._wire.post(url, self._address.headers, as_json(body))
            if response is not None:
                return response
        return await self._through_library().post(path, body, options)

    async def stream(
        self, path: str, body: Mapping[str, object], options: Mapping[str, object]
    ) -> AsyncGenerator[tuple[Any, Any], None]:
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


class _Closable(Protocol):
    async def close(self) -> None: ...


class _Connections:
    """The pool that the client opens, with the certificates that it trusts."""

    def __init__(self, secure: bool) -> None:
        self.client: _Closable | None = None
        self._trust: SSLContext | bool = True
        if secure:
            from httpx2 import create_ssl_context

            self._trust = create_ssl_context()

    def get_client(self) -> object:
        """A session with connections of its own."""
        import aiohttp

        connector = aiohttp.TCPConnector(keepalive_timeout=_IDLE_S, ssl=self._trust, limit=_MOST)
        return aiohttp.ClientSession(connector=connector)


def _unpacked(status: int, headers: Sequence[tuple[bytes, bytes]], content: bytes) -> object:
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

    made: object = httpx2.Response(status, headers=list(headers), content=content)
    return made


def _headers(key: str, version: str, system: str) -> dict[str, str]:
    """What openai's async client sends with each request, in its order."""
    machine = platform.machine().lower()
    return {
        "accept": "application/json",
        "accept-encoding": ", ".join(_codings()),
        "connection": "keep-alive",
        "user-agent": f"AsyncOpenAI/Python {version}",
        "authorization": f"Bearer {key}",
        "content-type": "application/json",
        "x-stainless-lang": "python",
        "x-stainless-package-version": version,
        "x-stainless-os": system,
        "x-stainless-arch": _ARCHES[machine],
        "x-stainless-runtime": platform.python_implementation(),
        "x-stainless-runtime-version": platform.python_version(),
        "x-stainless-async": "async:asyncio",
    }


def _codings() -> list[str]:
    """The encodings that the client's HTTP library unpacks with what is installed."""
    found = ["gzip", "deflate"]
    if find_spec("brotli") or find_spec("brotlicffi"):
        found.append("br")
    if sys.version_info >= (3, 14) or (find_spec("backports") and find_spec("backports.zstd")):
        found.append("zstd")
    return found


def _openai_version() -> str | None:
    """The installed release of openai; None for one whose requests are not known here."""
    package = find_spec("openai")
    if package is None or not package.origin or find_spec("httpx2") is None:
        return None
    try:
        words = (Path(package.origin).parent / "_version.py").read_text("utf-8")
    except OSError:
        return None
    found = _VERSION.search(words)
    return found[1] if found and found[1].startswith(_RELEASE) else None


def _system() -> str | None:
    """The system by the client's name; None for one that it tells by other signs."""
    if platform.machine().lower() not in _ARCHES:
        return None
    told = platform.platform().lower()
    if any(sign in told for sign in ("android", "iphone", "ipad")):
        return None
    return _SYSTEMS.get(sys.platform)
