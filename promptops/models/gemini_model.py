"""Answers from Gemini, through a client of the google-genai package.

The own `generate_content` of a client that was handed in is used, so that whatever it honours still
works: Vertex, proxies, credentials. Plain calls of a client that is made here go over its
connections without it (`gemini_wire`). No text that leaves here holds a key.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

from ..errors import CallError, MissingExtra, SetupError
from ..redact import SHORTEST, redact_shapes
from .batches import BatchDoor
from .clients import label_of
from .completion import read_body
from .dialects import DIALECTS
from .failures import error_of_exception, error_of_status
from .gemini_batches import GeminiBatches
from .gemini_wire import GeminiWire, WireAnswer, rest_body
from .protocol import Call, Reply

__all__ = ["GeminiModel"]

GOOGLE = "https://generativelanguage.googleapis.com"
_OMITTED = ("sdkHttpResponse", "parsed", "automaticFunctionCallingHistory")


class GeminiModel:
    """Answers from `client.models.generate_content`.

    client: a google.genai Client, else one is made with api_key, or GEMINI_API_KEY, or
    GOOGLE_API_KEY. label: what names it in reuse keys and tables; default is host and path. stream:
    read answers as they are written. Nothing is imported or opened before the first call.
    """

    def __init__(
        self,
        client: object = None,
        *,
        label: str | None = None,
        api_key: str | None = None,
        stream: bool = False,
    ) -> None:
        if client is not None and api_key is not None:
            raise SetupError(
                "a client was passed together with api_key; set it on the client, or leave the"
                " client out."
            )
        self._client = client
        environment = os.environ.get("GEMINI_API_KEY") or os.environ.get("GOOGLE_API_KEY")
        self._key = api_key or (environment if client is None else None)
        self._label = label or label_of(_address(client))
        self._stream = stream
        self._wire: GeminiWire | None = None

    @property
    def apis(self) -> frozenset[str]:
        """The request forms that it takes."""
        return frozenset(("gemini",))

    @property
    def label(self) -> str:
        return self._label

    @property
    def remote(self) -> bool:
        return True

    @property
    def direct(self) -> bool:
        """Whether plain calls go over the connections of a client that was made here."""
        return self._wire is not None

    @property
    def secrets(self) -> frozenset[str]:
        """Keys that this model sends, for code that writes rows."""
        own = getattr(getattr(self._client, "_api_client", None), "api_key", None)
        return frozenset(
            key for key in (self._key, own) if isinstance(key, str) and len(key) >= SHORTEST
        )

    def check(self, request: Mapping[str, object]) -> None:
        """Raises SetupError if no call can succeed: no key, no package, no model's name."""
        if self._client is None and self._key is None:
            raise SetupError(
                f"no API key for {self._label}: set GEMINI_API_KEY, or pass a client with"
                " models={name: google.genai.Client(...)}."
            )
        self._made()
        if not request.get("model"):
            raise SetupError(
                f'no model is named for {self._label}; save the version with model="...", or pass'
                ' models=["..."].'
            )

    async def complete(self, call: Call) -> Reply:
        """One attempt.

        Raises CallError of exactly one class; SetupError as `check` does.
        """
        models = self._made().aio.models
        body = rest_body(call.request) if self._wire is not None else None
        limited = nullcontext() if call.timeout_s is None else asyncio.timeout(call.timeout_s)
        try:
            async with limited:
                if self._stream or call.on_token is not None:
                    return await self._streamed(models, call)
                if self._wire is not None and body is not None:
                    answer = await self._wire.post(call.request["model"], body)
                    return self._read(answer)
                answer = await models.generate_content(**call.request)
                return DIALECTS["gemini"].read(_body(answer), _headers(answer))
        except CallError as error:
            raise self._told(error) from None
        except Exception as error:
            raise self._failed(error) from None  # the chain holds request headers, and so the key

    def batches(self, api: str) -> BatchDoor:
        """Batches with the requests inline. Raises SetupError for Vertex, which has none."""
        client = self._made()
        if getattr(getattr(client, "_api_client", None), "vertexai", False):
            raise SetupError(
                f"batches of {self._label} need a storage bucket, which promptops does not write;"
                " leave batch=True out, or use a client with a Gemini API key."
            )
        return GeminiBatches(client, _body, self._failed)

    async def aclose(self) -> None:
        """Close the connections that were opened here on this event loop; a client that was handed
        in stays open.
        """
        if self._wire is not None:
            await self._wire.aclose()

    def _read(self, answer: WireAnswer) -> Reply:
        body = _loaded(answer.content)
        if answer.status >= 300:
            raise error_of_status(answer.status, body, answer.headers)
        if isinstance(body, str):
            body = read_body(answer.content, answer.headers, answer.status)
        return DIALECTS["gemini"].read(body, answer.headers)

    async def _streamed(self, models: Any, call: Call) -> Reply:
        began, first, headers = time.perf_counter(), None, dict[str, str]()
        assembly = DIALECTS["gemini"].assembly()
        async for chunk in await models.generate_content_stream(**call.request):
            headers = headers or _headers(chunk)
            piece = assembly.add(_body(chunk))
            if piece and first is None:
                first = (time.perf_counter() - began) * 1e3
            if piece and call.on_token is not None:
                call.on_token(piece)
        return DIALECTS["gemini"].read(assembly.finished(), headers, first)

    def _failed(self, error: Exception) -> CallError:
        """The failure of an exception of the client, its words without secrets."""
        status, body = getattr(error, "code", None), getattr(error, "details", None)
        if isinstance(status, int) and status >= 300:
            found = error_of_status(status, body or str(error), _headers_of(error))
        else:
            found = error_of_exception(error)
        return self._told(found)

    def _told(self, found: CallError) -> CallError:
        """The same failure, its words without secrets."""
        return CallError(
            redact_shapes(str(found), self.secrets),
            failure=found.failure,
            code=found.code,
            retry_after_s=found.retry_after_s,
            request_id=found.request_id,
        )

    def _made(self) -> Any:
        if self._client is None:
            try:
                from google import genai
            except ImportError:
                raise MissingExtra("asking Gemini", "gemini") from None
            self._client = genai.Client(api_key=self._key)
            self._wire = GeminiWire.under(self._client)
        return self._client

    def __repr__(self) -> str:
        return f"GeminiModel({self._label!r}{', streaming' if self._stream else ''})"


def _address(client: object) -> str:
    """Where a client's calls go."""
    options = getattr(getattr(client, "_api_client", None), "_http_options", None)
    found = getattr(options, "base_url", None)
    return found if isinstance(found, str) and found else GOOGLE


def _body(answer: Any) -> object:
    """A reply by the names of the REST interface."""
    body = answer.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {name: value for name, value in body.items() if name not in _OMITTED}


def _loaded(content: bytes) -> object:
    """The JSON of a body, else its beginning as text."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return content[:4000].decode("utf-8", "replace")


def _headers(answer: Any) -> dict[str, str]:
    found = getattr(getattr(answer, "sdk_http_response", None), "headers", None)
    return {str(name).lower(): str(value) for name, value in dict(found or {}).items()}


def _headers_of(error: Exception) -> dict[str, str]:
    found = getattr(getattr(error, "response", None), "headers", None)
    return {str(name).lower(): str(value) for name, value in dict(found or {}).items()}
