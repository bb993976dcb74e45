"""A POST over the connections of an aiohttp session, without the objects that aiohttp builds around
each request and response, which take half of what a recorded call costs.

The session's connector still opens, counts, checks and closes the connections, with its
certificates and its times, and aiohttp's parser still reads what comes back. What is not plain goes
the session's own way: cookies, traces, credentials, large bodies, another release of aiohttp.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, NamedTuple

from .late_timers import LateTimers

__all__ = ["PlainReply", "PlainPost"]

LARGEST = 64 * 1024  # bytes of a body: a longer one is sent piece by piece, as the session does
_RELEASE = "3."  # of aiohttp, whose parts these are
_LATE_S, _LATE = 0.25, 1 / 40  # until a read has a timer, and the share of its time that is at most


class PlainReply(NamedTuple):
    """A response, read. headers: found by a name in any case; raw: as they came."""

    status: int
    headers: Any
    raw: Any
    content: bytes


class PlainPost:
    """Posts to one address with the same headers each time.

    session: whose connections are used; times: an aiohttp.ClientTimeout; unpack: whether a body
    that came compressed is unpacked.
    """

    def __init__(self, session: Any, request: Any, times: Any, unpack: bool) -> None:
        self.session = session
        self._connector, self._cookies = session.connector, session.cookie_jar
        self._request, self._times, self._unpack = request, times, unpack
        lines = [f"POST {request.url.raw_path_qs} HTTP/1.1"]
        lines += [
            f"{name}: {value}"
            for name, value in request.headers.items()
            if name.lower() not in ("content-length", "transfer-encoding")
        ]
        self._head = "\r\n".join([*lines, "Content-Length: "]).encode()
        self._timers = LateTimers[Any](min(_LATE_S, _LATE * (times.sock_read or 1.0)), self._time)

    @classmethod
    def over(
        cls, session: Any, url: str, headers: Mapping[str, str], times: Any, unpack: bool = False
    ) -> PlainPost | None:
        """The posts to `url`; None if the session adds something of its own to a request."""
        import aiohttp
        from yarl import URL

        address = URL(url)
        plain = (
            aiohttp.__version__.startswith(_RELEASE)
            and type(session) is aiohttp.ClientSession
            and type(session.connector) is aiohttp.TCPConnector
            and not (session.trace_configs or session.auth or session.trust_env or session.headers)
            and not (session.skip_auto_headers or session.connector.force_close)
            and not (address.user or address.password)
            and not any(sign in text for text in headers.values() for sign in "\r\n\0")
        )
        if not plain:
            return None
        loop = asyncio.get_running_loop()
        request = aiohttp.ClientRequest(
            "POST", address, headers=headers, loop=loop, session=session
        )
        return cls(session, request, times, unpack)

    def takes(self, content: bytes) -> bool:
        """Whether a body goes this way now."""
        return len(content) <= LARGEST and not len(self._cookies)

    async def post(self, content: bytes) -> PlainReply:
        """The response, read. Raises what aiohttp raises."""
        connection = await self._connected()
        protocol, transport = connection.protocol, connection.transport
        try:
            protocol.set_response_params(
                read_until_eof=True,
                auto_decompress=self._unpack,
                timeout_ceil_threshold=self._times.ceil_threshold,
            )
            transport.write(b"%b%d\r\n\r\n%b" % (self._head, len(content), content))
            self._timers.begin(protocol)
            message, payload = await protocol.read()
            while 100 <= message.code < 200 and message.code != 101:  # the answer follows
                message, payload = await protocol.read()
            body = await payload.read()
        except BaseException:
            connection.close()
            raise
        finally:
            self._timers.end(protocol)
        connection.release()
        if "Set-Cookie" in message.headers:
            self._keep(message.headers.getall("Set-Cookie"))
        return PlainReply(message.code, message.headers, message.raw_headers, body)

    def _time(self, protocol: Any) -> None:
        """Set the timer of a read that takes long; no timer if the session has no limit."""
        protocol.read_timeout = self._times.sock_read
        protocol.start_timeout()

    async def _connected(self) -> Any:
        """A connection from the pool, or a new one."""
        import aiohttp

        try:
            return await self._connector.connect(self._request, traces=[], timeout=self._times)
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError(
                f"Connection timeout to host {self._request.url}"
            ) from error

    def _keep(self, lines: list[str]) -> None:
        """Keep the server's cookies where the session does, which sends them from now on."""
        from http.cookies import CookieError, SimpleCookie

        for line in lines:
            try:
                self._cookies.update_cookies(SimpleCookie(line), self._request.url)
            except CookieError:
                continue  # the session, too, leaves out what it cannot read
