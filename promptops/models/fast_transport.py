"""The connections beneath the openai package's HTTP client, used without the objects that it builds
around a request.

That client is made of two layers: one that knows proxies, certificates and redirects, and aiohttp,
which sends. What the first one decided (which transport, with which certificates and times) holds
for every request, which so costs half as much. Whatever is not plain goes the client's own way: a
proxy, a redirect, a body that is encoded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from .plain_post import PlainPost

__all__ = ["HttpReply", "RawHeaders", "RawResponse", "Wire"]


_Pairs = Sequence[tuple[bytes, bytes]]


class RawHeaders(NamedTuple):
    """The headers as they came."""

    raw: _Pairs


class RawResponse(NamedTuple):
    """A response, read: what the client's own says of itself, as far as it is asked here."""

    status_code: int
    headers: RawHeaders
    content: bytes


class ReplyHeaders(Protocol):
    """The headers of a response, as far as they are asked here."""

    @property
    def raw(self) -> _Pairs:
        """Name and value of each, as they came."""


class HttpReply(Protocol):
    """A response, read: this module's own, or that of the client's HTTP library."""

    @property
    def status_code(self) -> int:
        """Of HTTP."""

    @property
    def headers(self) -> ReplyHeaders:
        """As they came."""

    @property
    def content(self) -> bytes:
        """The body."""


class Wire:
    """times: an aiohttp.ClientTimeout; transport: what keeps the session, as the client's own for
    the address that is asked; response: makes a response of one that came compressed.
    """

    def __init__(
        self, times: object, transport: Any, response: Callable[[int, _Pairs, bytes], HttpReply]
    ) -> None:
        self._transport, self._response = transport, response
        self._options: dict[str, object] = {
            "allow_redirects": False,
            "auto_decompress": False,
            "compress": False,
            "timeout": times,
        }
        self._posts: dict[str, PlainPost | None] = {}  # by address

    @classmethod
    def under(cls, http: Any, url: object, response: Any) -> Wire | None:
        """The connections that `http` would use for `url`; None if a proxy is in between, or a
        release of it keeps them elsewhere.
        """
        chosen = getattr(http, "_transport_for_url", None)
        transport: Any = chosen(url) if chosen is not None else None
        if (
            not all(hasattr(transport, name) for name in ("client", "get_client", "proxy"))
            or transport.proxy is not None
        ):
            return None
        import aiohttp

        times = http.timeout
        limits = aiohttp.ClientTimeout(
            sock_connect=times.connect, sock_read=times.read, connect=times.pool
        )
        return cls(
            limits,
            transport,
            lambda status, headers, content: response(
                status, headers=list(headers), content=content
            ),
        )

    async def post(self, url: str, headers: Mapping[str, str], content: bytes) -> HttpReply | None:
        """The response, read; None for a redirect. Raises what aiohttp raises."""
        session = self._transport.client
        if session is None or callable(
            session
        ):  # kept where the client looks for it, and closes it
            session = self._transport.client = self._transport.get_client()
        plain = self._posts.get(url)
        if url not in self._posts or (plain is not None and plain.session is not session):
            plain = self._posts[url] = PlainPost.over(
                session, url, headers, self._options["timeout"]
            )
        if plain is not None and plain.takes(content):
            return self._read(*await plain.post(content))
        async with session.request(
            "POST", url, headers=headers, data=content, **self._options
        ) as response:
            body = await response.read()
            return self._read(response.status, response.headers, response.raw_headers, body)

    def _read(
        self,
        status: int,
        headers: Any,
        raw: _Pairs,
        content: bytes,
    ) -> HttpReply | None:
        """The response as its readers know it; None for a redirect, which the client follows."""
        if 300 <= status < 400:
            return None
        if "Content-Encoding" in headers:
            return self._response(status, raw, content)
        return RawResponse(status, RawHeaders(raw), content)
