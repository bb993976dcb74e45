"""Gemini's batches, with the requests inline.

The intent is the batch's display name, so that one whose hand-over was cut off is found again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from ..errors import CallError
from .batches import BatchItem, BatchLook, Outcome, Sought, gather, missing, recent, refused
from .dialects import DIALECTS
from .failures import error_of_body
from .reply_parts import count

__all__ = ["GeminiBatches"]

_ENDED = {
    "JOB_STATE_SUCCEEDED": "ended",
    "JOB_STATE_PARTIALLY_SUCCEEDED": "ended",
    "JOB_STATE_FAILED": "failed",
    "JOB_STATE_CANCELLED": "cancelled",
    "JOB_STATE_EXPIRED": "expired",
}
_KEY = "key"  # of the metadata that comes back with each answer
_PAGE = 100
_ONCE = {"retry_options": {"attempts": 1}}  # whatever the client was made with


class GeminiBatches:
    """Batches of `generate_content`. read: an answer of the library by the names of the REST
    interface; fail: what an exception of it is.
    """

    most, most_bytes = 10_000, 18_000_000

    def __init__(
        self,
        client: Any,
        read: Callable[[Any], Any],
        fail: Callable[[Exception], CallError],
    ) -> None:
        # The library's async client sends a request again by itself where the connection broke.
        self._batches, self._read, self._fail = client.batches, read, fail
        self._dialect = DIALECTS["gemini"]

    async def hand_in(self, items: Sequence[BatchItem], intent: str, model: str) -> str:
        """Make a batch of the requests."""
        requests = [
            {
                **{name: value for name, value in item.request.items() if name != "model"},
                "metadata": {_KEY: item.id},
            }
            for item in items
        ]
        try:
            made = await asyncio.to_thread(
                self._batches.create,
                model=model,
                src=requests,
                config={"display_name": intent, "http_options": _ONCE},
            )
        except Exception as error:
            raise refused(self._fail(error)) from None
        return str(made.name)

    async def seek(
        self, intent: str, since: float, ids: Collection[str], taken: Collection[str]
    ) -> Sought:
        """The batch whose display name is the intent."""
        try:
            name = await asyncio.to_thread(self._named, intent, since)
        except Exception as error:
            told = self._fail(error)
            if told.failure in ("not_found_model", "bad_request", "permission"):
                return Sought("untold", detail=str(told))
            raise told from None
        return Sought("found", name) if name else Sought("absent")

    def _named(self, intent: str, since: float) -> str:
        """The name of the batch whose display name is the intent, or ""."""
        for batch in self._batches.list(config={"page_size": _PAGE}):
            if batch.display_name == intent:
                return str(batch.name)
            made = batch.create_time
            if made is not None and not recent(made.timestamp(), since):
                break
        return ""

    async def look(self, batch: str) -> BatchLook:
        """What has become of it so far."""
        found = await self._got(batch)
        stats = found.completion_stats
        counts = (stats.successful_count, stats.failed_count) if stats is not None else ()
        return BatchLook(_state(found) in _ENDED, sum(count or 0 for count in counts))

    async def results(
        self, batch: str, requests: Mapping[str, Mapping[str, object]]
    ) -> dict[str, Outcome]:
        """What came of each request: by the id that came back with it; by its place only where
        none came back with any, and there are as many answers as requests.
        """
        found = await self._got(batch)
        answers = (found.dest.inlined_responses if found.dest is not None else None) or []
        ids: list[object] = [(answer.metadata or {}).get(_KEY) for answer in answers]
        if not any(ids) and len(answers) == len(requests):
            ids = list(requests)
        out = gather(
            [(id, partial(self._outcome, each)) for id, each in zip(ids, answers, strict=True)],
            requests,
        )
        state = _ENDED.get(_state(found), "ended")
        lacking = [id for id in requests if id not in out]
        if state == "failed" and found.error is not None:
            fault = error_of_body({"error": _error(found.error)}, {})
            return {**out, **dict.fromkeys(lacking, fault)}
        whole = _state(found) == "JOB_STATE_SUCCEEDED" or len(out) < _successful(found)
        if whole or not all(ids):
            return out  # some of what is lacking was answered, and paid for
        return {**out, **{id: missing(state) for id in lacking}}

    def _outcome(self, answer: Any) -> Outcome:
        if answer.error is not None:
            return error_of_body({"error": _error(answer.error)}, {})
        reply = self._dialect.read(self._read(answer.response), {})
        return replace(reply, service_tier="batch")

    async def _got(self, batch: str) -> Any:
        try:
            return await asyncio.to_thread(self._batches.get, name=batch)
        except Exception as error:
            raise self._fail(error) from None

    async def aclose(self) -> None:
        """The client is the model's."""


def _successful(batch: Any) -> int:
    """Requests that the provider says it has answered; 0 where it does not say."""
    return count(getattr(batch.completion_stats, "successful_count", None)) or 0


def _state(batch: Any) -> str:
    return str(getattr(batch.state, "value", batch.state))


# google.rpc codes, as the HTTP status that says the same
_RPC = {3: 400, 4: 408, 5: 404, 7: 403, 8: 429, 13: 500, 14: 503, 16: 401}


def _error(error: Any) -> dict[str, object]:
    """A job's error with an HTTP status as its code."""
    code = error.code
    return {"code": _RPC.get(code, code), "message": error.message or "the request failed."}
