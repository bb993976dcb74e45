"""How one request is sent: awaited, straight over the transport, or from a thread of its own."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from ..errors import SetupError
from .fast_transport import HttpReply, Wire
from .request_body import as_json

__all__ = ["AsyncSender", "DirectSender", "Sender", "ThreadSender", "response_type"]
_THREADS = 256  # calls in flight of a sync client; threads start as they are needed


class Sender(Protocol):
    """How requests leave. Raises whatever the client or its transport raises."""

    async def post(
        self, path: str, body: Mapping[str, object], options: Mapping[str, object]
    ) -> HttpReply:
        """The HTTP response, read."""

    def stream(
        self, path: str, body: Mapping[str, object], options: Mapping[str, object]
    ) -> AsyncGenerator[tuple[HttpReply, object], None]:
        """(HTTP response, chunk) as chunks come; of a reply that is not a stream its whole body, as
        bytes, once.
        """

    async def aclose(self) -> None:
        """Close the connections that are ours."""


class AsyncSender:
    """Sends on the event loop that made it. owned: whether the connections are ours to close."""

    def __init__(self, openai: Any, client: Any, *, owned: bool) -> None:
        self._client, self._owned = client, owned
        self._response = response_type(openai)
        self._stream = openai.AsyncStream[object]

    async def post(
        self, path: str, body: Mapping[str, object], options: Mapping[str, object]
    ) -> HttpReply:
        """The HTTP response, read."""
        sent = self._client.post(path, body=body, cast_to=self._response, options=options)
        found: HttpReply = await sent
        return found

    async def stream(
        self, path: str, body: Mapping[str, object], options: Mapping[str, object]
    ) -> AsyncGenerator[tuple[HttpReply, object], None]:
        """(HTTP response, chunk) as chunks come."""
        stream = await self._client.post(
            path, body=body, cast_to=object, options=options, stream=True, stream_cls=self._stream
        )
        try:
            if _is_whole(stream.response):
                yield stream.response, await stream.response.aread()
                return
            async for chunk in stream:
                yield stream.response, chunk
        finally:
            await stream.close()

    async def aclose(self) -> None:
        """Close the connections that are ours."""
        if self._owned:
            await self._client.close()


class DirectSender(AsyncSender):
    """Sends what the client would send, with its address and headers, through the HTTP client
    underneath it.
    """

    def __init__(self, openai: Any, client: Any, http: Any) -> None:
        super().__init__(openai, client, owned=True)
        self._http = http
        module = sys.modules[self._response.__module__.partition(".")[0]]
        self._url = module.URL(str(client.base_url).rstrip("/"))
        self._query = dict(client.default_query)
        self._urls: dict[str, object] = {}
        self._headers = module.Headers({**http.headers, **_sent(client)}).raw
        self._plain_headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in self._headers
        }
        self._request = module.Request
        self._extensions = {"timeout": http.timeout.as_dict()}
        self._wire = Wire.under(http, self._url, self._response)

    async def post(
        self, path: str, body: Mapping[str, object], options: Mapping[str, object]
    ) -> HttpReply:
        """The HTTP response, read, whatever its status."""
        if options or self._query:
            return await super().post(path, body, options)
        url = self._urls.get(path)
        if url is None:
            url = self._urls[path] = self._url.copy_with(
                raw_path=self._url.raw_path.rstrip(b"/") + path.encode()
            )
        content = as_json(body)
        response = (
            await self._wire.post(str(url), self._plain_headers, content)
            if self._wire is not None
            else None
        )
        if response is None:
            request = self._request(
                "POST", url, headers=self._headers, content=content, extensions=self._extensions
            )
            response = await self._http.send(request)
        return response


def _sent(client: Any) -> dict[str, str]:
    """The headers of a client, in small letters: its own before those of its key, as it does; an
    Omit() takes one out.
    """
    named: dict[str, Any] = {}
    for name, value in (*client.auth_headers.items(), *client.default_headers.items()):
        named[name.lower()] = value
    return {name: value for name, value in named.items() if isinstance(value, str)}


class ThreadSender:
    """Sends a sync client's calls from threads."""

    def __init__(self, openai: Any, client: Any) -> None:
        self._client = client
        self._response = response_type(openai)
        self._stream = openai.Stream[object]
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="promptops-endpoint")

    async def post(
        self, path: str, body: Mapping[str, object], options: Mapping[str, object]
    ) -> HttpReply:
        """The HTTP response, read."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._pool,
            lambda: self._client.post(path, body=body, cast_to=self._response, options=options),
        )

    async def stream(
        self, path: str, body: Mapping[str, object], options: Mapping[str, object]
    ) -> AsyncGenerator[tuple[HttpReply, object], None]:
        """(HTTP response, chunk) as chunks come."""
        loop, queue = asyncio.get_running_loop(), asyncio.Queue[Any]()

        def put(item: object) -> None:
            loop.call_soon_threadsafe(queue.put_nowait, item)

        def work() -> None:
            try:
                with self._client.post(
                    path,
                    body=body,
                    cast_to=object,
                    options=options,
                    stream=True,
                    stream_cls=self._stream,
                ) as stream:
                    if _is_whole(stream.response):
                        put((stream.response, stream.response.read()))
                    else:
                        for chunk in stream:
                            put((stream.response, chunk))
                put(None)
            except Exception as error:
                put(error)

        self._pool.submit(work)
        while (item := await queue.get()) is not None:
            if isinstance(item, Exception):
                raise item
            yield item

    async def aclose(self) -> None:
        """Close the connections that are ours."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _is_whole(response: Any) -> bool:
    """Whether what came is not a stream though one was asked for: a web page, or JSON in one
    piece.
    """
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind in ("text/html", "application/xhtml+xml", "application/json")


def response_type(openai: Any) -> object:
    """The response class of the HTTP library that this release of openai is built on."""
    for base in openai.DefaultAsyncHttpxClient.__mro__:
        module = sys.modules.get(base.__module__.partition(".")[0])
        if module is not None and module is not openai and hasattr(module, "Response"):
            return module.Response
    raise SetupError(
        f"openai {openai.__version__} is built on an HTTP library that promptops does not know;"
        " install a release that is supported."
    )
