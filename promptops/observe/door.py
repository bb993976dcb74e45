"""`observe(client)`: from what an application says to the observer that its calls share."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

from ..errors import PromptOpsError
from ..markup import shorten
from ..redact import named_like_a_secret
from .client_doors import observe_client
from .live_call import Observer
from .open_queues import named_sink, open_queue, queue_for

__all__ = ["observe", "observer_of"]

Client = TypeVar("Client")


def observe(
    client: Client,
    *,
    sink: str | os.PathLike[str] | None = None,
    content: bool | float = False,
    redact: Callable[[str], str] | None = None,
    service: str | None = None,
    release: str | None = None,
) -> Client:
    """Record each live call of an LLM client from now on: one row per call, with the prompt and
    version of its request. Returns the same client.

    Args:
        client: a client of OpenAI or Azure, Anthropic or Gemini, synchronous or asynchronous.
        sink: a folder, "stdout" or "otlp"; default: PROMPTOPS_RECORD. If neither is set, nothing
            is recorded.
        content: False: no values, outputs or error texts are kept; True: all are; 0.05: those of
            every failure and of 5 % of the calls, with the calls of a session all kept or none.
        redact: a function applied to each kept text before it is written; if it raises, the content
            is dropped, the row is kept and the error counted. Keys and secrets are always redacted.
        service: the application's name; default: OTEL_SERVICE_NAME.
        release: the application's release; default: PROMPTOPS_RELEASE.

    Raises:
        PromptOpsError: if `content` is not a share, or the client is not supported.
    """
    share = float(content) if isinstance(content, (bool, int, float)) else -1.0
    if not 0 <= share <= 1:
        raise PromptOpsError(
            f"observe() got content={content!r}; expected True, False or a share from 0 to 1."
        )
    named = named_sink(sink)
    if named is None:
        return client
    queue = open_queue(named, redact)
    queue.writer.keep_secret(_secrets(client))
    observer = Observer(
        queue,
        share,
        _endpoint(client),
        service or os.environ.get("OTEL_SERVICE_NAME"),
        release or os.environ.get("PROMPTOPS_RELEASE"),
        redact or str,
    )
    if not observe_client(client, observer):
        raise PromptOpsError(
            f"observe() does not know a {type(client).__name__}; pass a client of OpenAI, Anthropic"
            " or Gemini, or use `with promptops.call(prompt, ...)` around any other."
        )
    return client


def observer_of(sink: str | None = None) -> Observer | None:
    """The observer of calls that no client makes; None if no sink is named."""
    queue = queue_for(sink)
    if queue is None:
        return None
    share = _share(os.environ.get("PROMPTOPS_CONTENT"))
    names = os.environ.get("OTEL_SERVICE_NAME"), os.environ.get("PROMPTOPS_RELEASE")
    return Observer(queue, share, None, *names)


def _share(named: str | None) -> float:
    """The share of calls whose content is kept; 0, with a warning, if the named one is not a
    share: an application's call goes on.
    """
    try:
        share = float(named or 0)
    except ValueError:
        share = -1.0
    if 0 <= share <= 1:
        return share
    with contextlib.suppress(Warning):  # if warnings are errors, a call goes on too
        warnings.warn(
            f"PROMPTOPS_CONTENT is {shorten(named, 40)!r}; expected a share from 0 to 1. No content"
            " of calls is kept.",
            stacklevel=2,
        )
    return 0.0


def _secrets(client: Any) -> set[str]:
    """The client's key, and the credentials of its headers."""
    found: set[str] = set()
    for name in ("api_key", "auth_token"):
        with contextlib.suppress(Exception):
            value = getattr(client, name, None)
            if isinstance(value, str):
                found.add(value)
    with contextlib.suppress(Exception):
        for name, value in dict(client.default_headers).items():
            if named_like_a_secret(str(name)) and isinstance(value, str):
                found |= {value, value.rpartition(" ")[2]}  # without its scheme, "Bearer ..."
    return found


def _endpoint(client: Any) -> str | None:
    """Host of the client's address; never its path or query, which may hold credentials."""
    with contextlib.suppress(Exception):
        address = client.base_url
        host = getattr(address, "host", None)
        return str(host) if host else None
    return None
