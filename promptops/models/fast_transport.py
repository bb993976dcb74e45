"""The connections beneath the openai package's HTTP client, used without the objects that it builds
around a request.

That client is made of two layers: one that knows proxies, certificates and redirects, and aiohttp,
which sends. What the first one decided (which transport, with which certificates and times) holds
for every request, which so costs half as much. Whatever is not plain goes the client's own way: a
proxy, a redirect, a body that is encoded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

__all__ = ["Wire"]


class _Headers(NamedTuple):
    raw: Sequence[tuple[bytes, bytes]]


class _Response(NamedTuple):
    """A response, read: what the client's own says of itself, as far as it is asked here."""

    status_code: int
    headers: _Headers
    content: bytes


class Wire:
    """http: the client; transport: its own for the address that is asked; response: its class of
    responses.
    """

    def __init__(self, http: Any, transport: Any, response: Any) -> None:
        import aiohttp

        self._transport, self._response = transport, response
        self._options: dict[str, Any] = {
            "allow_redirects": False,
            "auto_decompress": False,
            "compress": False,
        }
        times = http.timeout
        self._options["timeout"] = aiohttp.ClientTimeout(
            sock_connect=times.connect, sock_read=times.read, connect=times.pool
        )

    @classmethod
    def under(cls, http: object, url: object, response: object) -> Wire | None:
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
        return cls(http, transport, response)

    async def post(self, url: str, headers: Any, content: bytes) -> Any:
        """The response, read; None for a redirect. Raises what aiohttp raises."""
        session = self._transport.client
        if session is None or callable(
            session
        ):  # kept where the client looks for it, and closes it
            session = self._transport.client = self._transport.get_client()
        async with session.request(
            "POST", url, headers=headers, data=content, **self._options
        ) as response:
            if 300 <= response.status < 400:
                return None
            content = await response.read()
            if "Content-Encoding" in response.headers:
                return self._response(
                    response.status, headers=list(response.raw_headers), content=content
                )
            return _Response(response.status, _Headers(response.raw_headers), content)
