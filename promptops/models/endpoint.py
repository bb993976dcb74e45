"""Any OpenAI-compatible endpoint, as the openai package asks it, by the shortest way that there is.

The `post` of a client that was handed in is used, so that whatever it honours still works: proxies,
an own CA, Azure, headers, an http_client; only the objects that it builds around a reply are left
out. Plain calls to an address do without the package (`plain_sender`). The client never retries, we
do. A missing key is an error before anything is sent. No text that leaves here holds a key.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import CallError, SetupError
from ..redact import redact_shapes
from .clients import Clients, Sender, label_of
from .completion import read_body
from .dialects import DIALECTS, Dialect
from .failures import error_of_body, error_of_exception, error_of_status
from .fast_transport import HttpReply
from .protocol import Call, Reply
from .request_body import body_of
from .routing import routing_of

if TYPE_CHECKING:
    from .batches import BatchDoor

__all__ = ["EndpointModel"]


class _Post(NamedTuple):
    """One request on its way."""

    send: Sender
    dialect: Dialect
    body: dict[str, Any]
    options: dict[str, Any]
    on_token: Callable[[str], None] | None = None

    def read(self, content: bytes, headers: Mapping[str, str], status: int) -> Reply:
        """What a body that came in one piece says."""
        read = read_body(content, headers, status)
        return self.dialect.read(read, headers, limit=self.dialect.limit(self.body))


class EndpointModel:
    """Answers from an endpoint that speaks chat completions, or OpenAI's Responses API.

    client: an openai client to use (OpenAI, AsyncOpenAI, AzureOpenAI, ...), else one is made:
    api_key, or OPENAI_API_KEY; base_url, or OPENAI_BASE_URL, or OpenAI's own. A loopback address
    needs no key. label: what names it in reuse keys and tables; default is host and path, with what
    the client's own headers and query choose there, never a secret. stream: read answers as they
    are written, so that the time to the first token is known.
    Nothing is imported, read or opened before the first call, or `prepare`; the environment is read
    when the model is made. Raises SetupError if client and other arguments contradict each other.
    """

    def __init__(
        self,
        client: object = None,
        *,
        label: str | None = None,
        base_url: str | None = None,
        api_key: str | None = None,
        stream: bool = False,
    ) -> None:
        if client is not None and (base_url is not None or api_key is not None):
            raise SetupError(
                "a client was passed together with base_url or api_key; set them on the client,"
                " or leave the client out."
            )
        self._clients = self._clients_of(client, base_url, api_key)
        made_here = "" if client is not None else os.environ.get(self._clients.HEADERS, "")
        routing = routing_of(client, made_here)
        place = label_of(self._clients.base_url)
        self._label = label or (f"{place} ({routing})" if routing else place)
        self._stream = stream
        self._usage_refused: bool | None = None  # whether it refuses stream_options; None: untried

    def _clients_of(self, client: object, base_url: str | None, api_key: str | None) -> Clients:
        return Clients(client, base_url, api_key)

    @property
    def apis(self) -> frozenset[str]:
        """The request forms that it takes."""
        return frozenset(("chat", "responses"))

    @property
    def label(self) -> str:
        return self._label

    @property
    def remote(self) -> bool:
        return True

    @property
    def secrets(self) -> frozenset[str]:
        """Keys and credentials that this model sends, for anyone who writes rows."""
        return self._clients.secrets

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of its answers should know about how they were asked for."""
        if not self._usage_refused:
            return ()
        return (
            f"{self._label} refuses stream_options, which we add to streamed calls to learn their"
            " tokens; its calls are sent without it, and their tokens and cost are unknown.",
        )

    def check(self, request: Mapping[str, object]) -> None:
        """Raises SetupError if no call can succeed: no key, no openai package, no model's name,
        nothing to ask.
        """
        self._clients.check()
        if not request.get("model"):
            raise SetupError(
                f'no model is named for {self._label}; save the version with model="...", or pass'
                ' models=["..."].'
            )
        if not request.get("messages"):
            raise SetupError(
                f"the request to {self._label} has no messages; a version needs at least one."
            )

    def prepare(self) -> None:
        """Begin to import what the first call needs, in another thread."""
        self._clients.prepare()

    async def complete(self, call: Call) -> Reply:
        """One attempt.

        Raises CallError of exactly one class; SetupError as `check` does; cancelling closes the
        connection.
        """
        send = await self._clients.here()
        body, options = body_of(call.request)
        stream = self._stream or bool(body.get("stream")) or call.on_token is not None
        post = _Post(send, DIALECTS[call.api], body, options, call.on_token)
        try:
            answer = self._streamed(post) if stream else self._whole(post)
            return await (answer if call.timeout_s is None else _within(call.timeout_s, answer))
        except SetupError:
            raise
        except Exception as error:
            raise self._failed(error) from None  # the chain holds request headers, and so the key

    def batches(self, api: str) -> BatchDoor:
        """The batch interface for a request form, through the provider's own client."""
        from .openai_batches import OpenAIBatches

        return OpenAIBatches(self._clients.library_client(self._failed), api)

    async def aclose(self) -> None:
        """Close the connections that were opened here on this event loop; clients that were handed
        in stay open.
        """
        await self._clients.aclose()

    async def _whole(self, post: _Post) -> Reply:
        response = await post.send.post(post.dialect.path, post.body, post.options)
        headers = _headers(response)
        if response.status_code >= 300:
            raise error_of_status(response.status_code, _body_or_text(response), headers)
        return post.read(response.content, headers, response.status_code)

    async def _streamed(self, post: _Post) -> Reply:
        """A streamed attempt. What we add ourselves is never blamed on the version: where a request
        with it is refused, the same request is sent without it.
        """
        post.body["stream"] = True
        adds = post.dialect.adds
        if not adds or not adds.keys().isdisjoint(post.body) or self._usage_refused:
            return await self._stream_once(post)
        try:
            reply = await self._stream_once(post._replace(body={**post.body, **adds}))
        except Exception as error:
            failed = error if isinstance(error, CallError) else _failed(error)
            named = "stream_options" in str(failed) or "include_usage" in str(failed)
            refused = failed.failure == "bad_request" and self._usage_refused is None
            if not (refused or (named and failed.failure in ("bad_request", "server_error"))):
                raise
            reply = await self._stream_once(post)
            self._usage_refused = True
            return reply
        if self._usage_refused is None:
            self._usage_refused = False
        return reply

    async def _stream_once(self, post: _Post) -> Reply:
        began, first, come = time.perf_counter(), None, False
        assembly, headers = post.dialect.assembly(), dict[str, str]()
        stream = post.send.stream(post.dialect.path, post.body, post.options)
        async with contextlib.aclosing(stream) as chunks:
            async for response, chunk in chunks:
                headers, come = headers or _headers(response), True
                if isinstance(chunk, bytes) and not chunk.lstrip().startswith((b"data:", b"event")):
                    return post.read(chunk, headers, response.status_code)
                for event in _events(chunk, headers) if isinstance(chunk, bytes) else (chunk,):
                    piece = assembly.add(event)
                    if piece and first is None:
                        first = (time.perf_counter() - began) * 1e3
                    if piece and post.on_token is not None:
                        post.on_token(piece)
        if not come:
            raise CallError(
                "the endpoint answered with a stream without a single event.",
                failure="server_error",
                code="200 unreadable",
            )
        limit = post.dialect.limit(post.body)
        return post.dialect.read(assembly.finished(), headers, first, limit=limit)

    def _failed(self, error: Exception) -> CallError:
        """What an exception of the client is, its words without secrets."""
        return self._told(error if isinstance(error, CallError) else _failed(error))

    def _told(self, error: CallError) -> CallError:
        """The same failure, its words without secrets."""
        told = redact_shapes(str(error), self.secrets)
        code = redact_shapes(error.code, self.secrets) if error.code else None
        return CallError(
            told,
            failure=error.failure,
            code=code,
            retry_after_s=error.retry_after_s,
            request_id=error.request_id,
        )

    def __repr__(self) -> str:
        streaming = ", streaming" if self._stream else ""
        return f"{type(self).__name__}({self._label!r}{streaming})"


async def _within(seconds: float, answer: Coroutine[object, object, Reply]) -> Reply:
    """The answer, in time. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        return await answer


def _headers(response: HttpReply) -> dict[str, str]:
    """The headers that are read: rate limits, Retry-After, the request's id, what the body is.

    Names in lower case.
    """
    found = {}
    for raw_name, raw in response.headers.raw:
        name = raw_name.lower()
        if name.startswith(
            (b"x-ratelimit-", b"retry-after", b"x-request-id", b"content-type")
        ) or name in (b"date", b"request-id"):
            found[name.decode("latin-1")] = raw.decode("latin-1")
    return found


def _events(content: bytes, headers: Mapping[str, str]) -> Iterator[object]:
    """The events of a stream that came as one body, because its type says JSON."""
    for line in content.splitlines():
        if line.startswith(b"data:") and (event := line[5:].strip()) != b"[DONE]":
            yield read_body(event, headers)


def _body_or_text(response: HttpReply) -> object:
    try:
        return json.loads(response.content)
    except (ValueError, RecursionError):
        return response.content[:4000].decode("utf-8", "replace")


def _failed(error: Exception) -> CallError:
    """The failure of an exception of the client or its transport."""
    response: Any = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    if isinstance(status, int) and status >= 300:
        return error_of_status(status, getattr(error, "body", None) or "", _headers(response))
    if isinstance(getattr(error, "body", None), Mapping):  # an error event in a stream
        body = error.body  # type: ignore[attr-defined]
        return error_of_body(body if body.get("error") else {"error": body}, {})
    return error_of_exception(error)
