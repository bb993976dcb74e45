"""One live call, from the moment that it is made until its row is handed over: exactly once,
whatever ends it.

Nothing here raises into the application: what goes wrong in the recording is counted, and the
application's own answer or exception passes.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar, Token
from dataclasses import dataclass
from typing import Any, TypeVar

from ..run import new_id
from ..version.identity import CARRIERS, Identity, identity_of, unchanging
from .answers import ReplyFields, text, whole
from .error_class import error_class, error_words
from .live_queue import LiveQueue
from .stream_reading import StreamReading

__all__ = [
    *("CAP", "EVERY_CLIENT", "INSIDE", "SESSION", "LiveCall", "Observer", "capped", "is_cut"),
    *("leave", "session"),
]

CAP = 32_000  # characters of a kept text
_CUT = re.compile(r"… \[[0-9,]+ more characters\]\Z")
_SHARES = 1 << 32
_MODULES = sys.modules
_WHOSE_COLUMNS = ("prompt", "version_id", "version", "env", "arm", "served_from", "key_hash")
# The call that is being made here: doors that it covers make no row of their own.
INSIDE: ContextVar[LiveCall | None] = ContextVar("promptops_observed", default=None)
EVERY_CLIENT = object()  # the client of a call whose block covers whatever is called in it
SESSION: ContextVar[str | None] = ContextVar("promptops_session", default=None)
T = TypeVar("T")


def leave(token: Token[LiveCall | None]) -> None:
    """The call that was entered with this token is not being made here any more."""
    with suppress(ValueError):  # its loop ended first: a coroutine is closed from another context
        INSIDE.reset(token)


@contextmanager
def session(name: str) -> Iterator[None]:
    """Mark the calls inside as one conversation: their content is all kept or none of it is, and
    they form one cluster in a dataset made from them. Only a keyed hash of `name` is written.
    """
    token = SESSION.set(name)
    try:
        yield
    finally:
        SESSION.reset(token)


@dataclass(frozen=True, slots=True)
class Observer:
    """What the rows of one client share. content: the share of calls whose values and output are
    kept, 0 for none; redact: what changes them, `str` for nothing, None for what the queue's do.
    """

    queue: LiveQueue
    content: float = 0.0
    endpoint: str | None = None
    service: str | None = None
    release: str | None = None
    redact: Callable[[str], str] | None = None

    def begin(self, request: Mapping[str, object]) -> LiveCall:
        """A call with these arguments begins now, and ends in this process."""
        call = LiveCall(self, request)
        call.process = os.getpid()
        return call

    def quietly(self, step: Callable[[], T], otherwise: T) -> T:
        """What `step` gives, or `otherwise` where it raises: recording is never the app's fault."""
        try:
            return step()
        except Exception:
            return otherwise


class LiveCall:
    """began: `time.perf_counter()`; identity: whose request it is, None if that was lost.

    The calling thread takes down what may change or be forgotten; the writing thread makes the row
    of it (`row`), since a call waits for the one and not for the other.
    """

    # Most calls never change these, so they are class attributes: each one set costs a call time.
    _detail: str | None = None
    _done = False
    _id: str | None = None
    _kept: float | None = None  # the share with which the content is kept
    _span: Any = None
    _values: Mapping[str, object] | None = None
    _whose: tuple[object, ...] | None = None
    stream: StreamReading | None = None
    streamed = False
    process: int | None = None  # whose call it is, where a fork may hold a copy
    client: object = None  # whose doors may call one another to make it; None: none of them does

    def __init__(
        self, observer: Observer, request: Mapping[str, object], identity: Identity | None = None
    ) -> None:
        self._observer = observer
        self._started = time.time()
        self.began = time.perf_counter()
        self.attribution = "carried"
        if identity is None:
            identity, self.attribution = identity_of(request)
        self.identity = identity
        self._model = request.get("model")
        self._chars_in = _chars(request)
        # now: a stream is read, or let go of, wherever the application does so
        self._session = SESSION.get()
        trace = _MODULES.get("opentelemetry.trace")
        if trace is not None:
            self._span = trace.get_current_span().get_span_context()

    @property
    def id(self) -> str:
        """The row's id."""
        if self._id is None:
            self._id = new_id("l")
        return self._id

    def covers(self, client: object) -> bool:
        """Whether a door of `client` that is used now belongs to this very call, and makes no row
        of its own.

        What an application does while its client works is its own: a tool that asks a model, a
        task that goes on after the call has ended.
        """
        mine = self.client
        return not self._done and (mine is EVERY_CLIENT or (mine is not None and mine is client))

    def streams(self) -> StreamReading:
        """The call answers in pieces; each goes to the reading that is returned."""
        self.streamed, self.process = True, os.getpid()
        self.stream = StreamReading(self.began)
        return self.stream

    def failed(self, error: BaseException) -> None:
        """The call ended with an exception."""
        self._observer.quietly(lambda: self._finish(self._read(), error), None)

    def was_none(self) -> None:
        """No request was sent: there is nothing to record."""
        self._done = True

    def answered(self, reading: ReplyFields | None) -> None:
        """The call ended with what `reading` read; None if nothing could be read."""
        try:
            self._finish(reading or ReplyFields(), None)
        except Exception:  # recording is never the application's fault
            return

    def stream_ended(self, *, early: bool) -> None:
        """The stream is over: by itself, or because the application closed it."""
        self._observer.quietly(lambda: self._finish(self._read(), None, early), None)

    def _read(self) -> ReplyFields:
        if self.stream is None:
            return ReplyFields()
        return self._observer.quietly(self.stream.result, self.stream.reading)

    def _finish(
        self, reading: ReplyFields, error: BaseException | None, early: bool = False
    ) -> None:
        """Take down how the call ended, and hand it over: the first end is the call's, and the copy
        in a fork has none.
        """
        if self._done or self.process not in (None, os.getpid()):
            return
        self._done = True
        self._latency_ms = (time.perf_counter() - self.began) * 1e3
        self._reading = reading
        said, whose, observer = reading.text, self.identity, self._observer
        self._chars_out = None if said is None else len(said)
        if whose is not None:
            self._whose = (
                whose.name,
                whose.version_id,
                whose.number,
                whose.env,
                whose.arm,
                whose.served_from,
                whose.key,
            )
        if error is not None:
            reading.failure, self._detail = error_class(error), error_words(error)
        elif early and reading.finish_reason is None:
            reading.failure, self._detail = "cancelled", "the application closed the stream"
        chars = self._keep(reading, error) if observer.content else 0
        if self._kept is None:  # what waits for the writer is small
            reading.text = reading.tool_calls = None
        self.identity = None
        observer.queue.put("live", self.row, chars)

    def _keep(self, reading: ReplyFields, error: BaseException | None) -> int:
        """Keep the content where this call's is to be kept; returns its characters."""
        observer = self._observer
        failed = reading.failure not in (None, "cancelled")
        share = observer.content
        if not (failed or share >= 1 or _chosen(self._session or self.id, share)):
            return 0
        if not observer.queue.room_for_content:
            return 0
        self._kept = 1.0 if failed else share
        if reading.tool_calls:
            reading.tool_calls = [
                {name: unchanging(each) for name, each in tool.items()}
                for tool in reading.tool_calls
            ]
        if self.identity is not None:
            self._values = self.identity.values
        if error is not None:
            self._detail = f"{self._detail}: {error}"[:2_000]
        return (self._chars_in or 0) + len(reading.text or "") + 200

    def row(self) -> dict[str, object]:
        """The row of the call, once it has ended; made by the writing thread."""
        observer, reading = self._observer, self._reading
        row: dict[str, object] = {
            "id": self.id,
            "response_id": text(reading.response_id),
            "attribution": self.attribution,
            "session": self._session,
            "started_at": self._started,
            "latency_ms": round(self._latency_ms, 3),
            "model": text(self._model),
            "model_returned": text(reading.model),
            "system_fingerprint": text(reading.fingerprint),
            "endpoint": observer.endpoint,
            "tokens_in": whole(reading.tokens_in),
            "tokens_out": whole(reading.tokens_out),
            "tokens_cached": whole(reading.tokens_cached),
            "finish_reason": text(reading.finish_reason),
            "failure": reading.failure,
            "failure_detail": self._detail,
            "streamed": self.streamed,
            "chars_in": self._chars_in,
            "chars_out": self._chars_out,
            "service": observer.service,
            "release": observer.release,
        }
        if observer.redact is not None:
            row["redact"] = observer.redact
        if self.stream is not None and self.stream.first_token_ms is not None:
            row["first_token_ms"] = round(self.stream.first_token_ms, 3)
        if self._whose is not None:
            row.update(zip(_WHOSE_COLUMNS, self._whose, strict=True))
        if self._kept is not None:
            row["kept"], row["tool_calls"] = self._kept, reading.tool_calls
            row["output"] = capped(reading.text)
            if self._values is not None:
                row["values"] = {name: capped(value) for name, value in self._values.items()}
        if self._span is not None and self._span.is_valid:
            row["trace_id"] = f"{self._span.trace_id:032x}"
            row["span_id"] = f"{self._span.span_id:016x}"
        return row


def _chosen(name: str, share: float) -> bool:
    """Whether the share of `share` holds this run or session: the same one always is, or is not."""
    data = hashlib.sha256(name.encode("utf-8", "replace")).digest()
    return int.from_bytes(data[:4], "big") < share * _SHARES


def capped(value: object) -> object:
    """A text as it is kept: of one longer than CAP, the beginning and how much is missing."""
    if not isinstance(value, str) or len(value) <= CAP:
        return value
    return f"{value[:CAP]}… [{len(value) - CAP:,} more characters]"


def is_cut(value: object) -> bool:
    """Whether it is a text of which a part was left out."""
    return isinstance(value, str) and _CUT.search(value, max(len(value) - 60, 0)) is not None


def _chars(request: Mapping[str, object]) -> int | None:
    """Characters of the messages' texts, as far as they are text."""
    messages = request.get("messages")
    if not isinstance(messages, list):
        for name in CARRIERS:
            messages = request.get(name)
            if isinstance(messages, str):
                return len(messages)
            if isinstance(messages, list):
                break
        else:
            return None
    count = 0
    for message in messages:
        content = message.get("content") if isinstance(message, dict) else None
        if isinstance(content, str):
            count += len(content)
    return count
