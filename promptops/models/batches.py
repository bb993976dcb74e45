"""Batches: many requests handed in at once at half price, whose answers come within a day.

Each provider has a door of its own; all of them take the same items, are asked for the same batch
again after a crash, and give replies and failures of the same classes as single calls.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from ..errors import CallError
from .protocol import Reply

__all__ = [
    "BatchDoor",
    "BatchItem",
    "BatchLook",
    "BatchRefused",
    "Client",
    "Outcome",
    "Sought",
    "TakesBatches",
    "gather",
    "missing",
    "recent",
    "refused",
]

Outcome = Reply | CallError
# that a provider's clock may be behind this one: what is missed for it would be paid for twice
_MARGIN_S = 2 * 86_400.0
# classes in which a provider has refused the hand-over itself: no batch came to be
_NOT_MADE = frozenset(
    (
        *("bad_request", "auth", "permission", "quota_exhausted", "not_found_model"),
        *("rate_limit", "timeout_connect", "context_length", "content_filter_input"),
    )
)
_NEVER_STOOD = ("ConnectionRefusedError", "gaierror", "ClientConnectorError", "ConnectError")


@dataclass(frozen=True, slots=True)
class BatchItem:
    """One request of a batch. id: of letters, digits, `-` and `_`, at most 64 of them."""

    id: str
    request: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BatchLook:
    """The state of a batch. back: requests that the provider has answered or failed."""

    ended: bool
    back: int = 0


@dataclass(frozen=True, slots=True)
class Sought:
    """What a provider says of a batch whose hand-over was cut off.

    id: the provider's, where it was found; absent: no such batch came to be; unclear: it may be one
    of those that still run; untold: the provider does not list its batches.
    """

    state: Literal["found", "absent", "unclear", "untold"]
    id: str = ""
    detail: str = ""


class BatchRefused(Exception):
    """The provider took no batch, for certain. error: the failure of the hand-over."""

    def __init__(self, error: CallError) -> None:
        super().__init__(str(error))
        self.error = error


class BatchDoor(Protocol):
    """One provider's batch interface. most, most_bytes: what one batch may hold."""

    most: int
    most_bytes: int

    async def hand_in(self, items: Sequence[BatchItem], intent: str, model: str) -> str:
        """The provider's id of a new batch; `intent` is sent along where the form has a place.

        Raises BatchRefused if none came to be, CallError if nobody knows.
        """
        ...

    async def seek(
        self, intent: str, since: float, ids: Collection[str], taken: Collection[str]
    ) -> Sought:
        """The batch of an intent among those made since (Unix seconds). ids: of its items; taken:
        batches that are known to be of other intents.
        """
        ...

    async def look(self, batch: str) -> BatchLook:
        """What has become of it so far. Raises CallError."""
        ...

    async def results(
        self, batch: str, requests: Mapping[str, Mapping[str, object]]
    ) -> dict[str, Outcome]:
        """The outcomes of a batch that has ended, by the items' ids. requests: id -> request, in
        the order in which they were handed in. An id is left out where it was answered, or may have
        been, but the result cannot be read. Raises CallError if none can.
        """
        ...

    async def aclose(self) -> None:
        """Close what was opened here."""
        ...


@runtime_checkable
class TakesBatches(Protocol):
    """A model that may be asked by batches."""

    def batches(self, api: str) -> BatchDoor:
        """The provider's batch interface for a request form. Raises SetupError if the client has
        none.
        """
        ...


class Client:
    """A library's client, whose methods are awaited, or called in a thread.

    make: makes it when it is first needed; fail: what an exception of it is, as a CallError.
    """

    def __init__(
        self, make: Callable[[], object], fail: Callable[[Exception], CallError], *, owned: bool
    ) -> None:
        self._make, self._fail, self._owned = make, fail, owned
        self._made: Any = None

    @property
    def client(self) -> Any:
        """The client itself."""
        if self._made is None:
            self._made = self._make()
        return self._made

    async def do(self, name: str, *arguments: object, **named: object) -> Any:
        """What a method gives, as in `do("batches.create", ...)`. Raises CallError."""
        found: Any = self.client
        for part in name.split("."):
            found = getattr(found, part)
        return await self.call(found, *arguments, **named)

    async def call(self, function: Callable[..., Any], *arguments: object, **named: object) -> Any:
        """What a function of the library gives. Raises CallError."""
        try:
            if hasattr(self.client, "__aenter__"):
                return await function(*arguments, **named)
            return await asyncio.to_thread(function, *arguments, **named)
        except Exception as error:
            raise self._fail(error) from None  # the chain holds request headers, and so the key

    async def aclose(self) -> None:
        """Close a client that was made here."""
        made, self._made = self._made, None
        if made is not None and self._owned:
            await asyncio.to_thread(made.close)


def refused(error: CallError) -> Exception:
    """The failure of a hand-over: BatchRefused if no batch can have come of it."""
    certain = error.failure in _NOT_MADE or error.code in _NEVER_STOOD
    return BatchRefused(error) if certain else error


def gather(
    lines: Iterable[tuple[object, Callable[[], Outcome]]],
    requests: Mapping[str, Mapping[str, object]],
) -> dict[str, Outcome]:
    """The outcomes of a batch's lines, each (custom id, how it is read), by the ids that were asked
    for: the first of each, but an answer wherever there is one, since it was paid for.
    """
    out: dict[str, Outcome] = {}
    for id, read in lines:
        if not isinstance(id, str) or id not in requests or isinstance(out.get(id), Reply):
            continue
        try:
            found = read()
        except CallError as told:
            found = told
        except Exception as error:  # of another shape than the provider's documentation says
            words = f"the result of this request cannot be read ({type(error).__name__})."
            found = CallError(words, failure="server_error", code="batch unreadable")
        if id not in out or isinstance(found, Reply):
            out[id] = found
    return out


def missing(state: str) -> CallError:
    """The failure of a request that a batch of this state ended without: nothing is billed for it,
    and the next run asks it again.
    """
    if state == "expired":
        told = "the batch expired before this request was answered; run again to ask it again."
        return CallError(told, failure="overloaded", code="batch expired")
    if state == "cancelled":
        told = "the batch was cancelled before this request was answered."
        return CallError(told, failure="cancelled", code="batch cancelled")
    told = "the batch ended without a result for this request."
    return CallError(told, failure="server_error", code="batch missing")


def recent(created: float, since: float) -> bool:
    """Whether a batch may be of an intent made at `since`; clocks differ."""
    return created >= since - _MARGIN_S
