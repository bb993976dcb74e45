"""Anthropic's message batches.

They carry no metadata and no name: which batch an intent came to be is known by the ids of its
results, so that one whose hand-over was cut off may stay unclear until it has ended. It is never
handed in twice for that.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from ..errors import CallError
from .batches import BatchItem, BatchLook, Client, Outcome, Sought, gather, missing, recent, refused
from .dialects import DIALECTS
from .failures import error_of_body
from .request_body import batch_body

__all__ = ["AnthropicBatches"]

_PAGE = 100
_STATES = {"expired": "expired", "canceled": "cancelled"}


class AnthropicBatches:
    """Batches of messages."""

    most, most_bytes = 50_000, 200_000_000

    def __init__(self, client: Client) -> None:
        self._client, self._dialect = client, DIALECTS["anthropic"]

    async def hand_in(self, items: Sequence[BatchItem], intent: str, model: str) -> str:
        """Make a batch of the requests."""
        requests = [{"custom_id": item.id, "params": batch_body(item.request)} for item in items]
        try:
            made = await self._client.do("messages.batches.create", requests=requests)
        except CallError as error:
            raise refused(error) from None
        return str(made.id)

    async def seek(
        self, intent: str, since: float, ids: Collection[str], taken: Collection[str]
    ) -> Sought:
        """The batch whose results have the intent's ids, among those of its size."""
        unclear = ""
        try:
            page = await self._client.do("messages.batches.list", limit=_PAGE)
            while True:
                for batch in page.data:
                    if not recent(batch.created_at.timestamp(), since):
                        return Sought("unclear", unclear) if unclear else Sought("absent")
                    if batch.id in taken or _size(batch.request_counts) != len(ids):
                        continue
                    if batch.processing_status != "ended":
                        unclear = str(batch.id)
                    elif await self._holds(batch.id, ids):
                        return Sought("found", str(batch.id))
                if not page.data or not page.has_next_page():
                    return Sought("unclear", unclear) if unclear else Sought("absent")
                page = await self._client.call(page.get_next_page)
        except CallError as error:
            if error.failure in ("not_found_model", "bad_request", "permission"):
                return Sought("untold", detail=str(error))
            raise

    async def _holds(self, batch: str, ids: Collection[str]) -> bool:
        """Whether its results are those of the ids: one of another project may share some."""
        return {line.get("custom_id") for line in await self._read(batch)}.issuperset(ids)

    async def look(self, batch: str) -> BatchLook:
        """What has become of it so far."""
        found = await self._client.do("messages.batches.retrieve", batch)
        counts = found.request_counts
        return BatchLook(found.processing_status == "ended", _size(counts) - counts.processing)

    async def results(
        self, batch: str, requests: Mapping[str, Mapping[str, object]]
    ) -> dict[str, Outcome]:
        """What came of each request; a batch that has ended has a line for every one."""
        lines = await self._read(batch)
        return gather(
            [(line.get("custom_id"), partial(self._outcome, line, requests)) for line in lines],
            requests,
        )

    async def _read(self, batch: str) -> list[dict[str, Any]]:
        def lines() -> list[Any]:
            return list(self._client.client.messages.batches.results(batch))

        async def streamed() -> list[Any]:
            stream = await self._client.client.messages.batches.results(batch)
            return [line async for line in stream]

        found = await self._client.call(
            streamed if hasattr(self._client.client, "__aenter__") else lines
        )
        told = [line.model_dump(mode="json") for line in found if hasattr(line, "model_dump")]
        return [line for line in told if isinstance(line, dict)]

    def _outcome(
        self, line: Mapping[str, Any], requests: Mapping[str, Mapping[str, object]]
    ) -> Outcome:
        result = line.get("result")
        result = result if isinstance(result, Mapping) else {}
        kind = result.get("type")
        if kind in _STATES:
            return missing(_STATES[str(kind)])
        if kind == "errored":
            return error_of_body(result.get("error") or {}, {})
        limit = self._dialect.limit(requests[line["custom_id"]])
        reply = self._dialect.read(result.get("message"), {}, limit=limit)
        return replace(reply, service_tier="batch")

    async def aclose(self) -> None:
        """Close what was opened here."""
        await self._client.aclose()


def _size(counts: Any) -> int:
    """Requests of a batch, whatever became of them."""
    return int(
        counts.processing + counts.succeeded + counts.errored + counts.canceled + counts.expired
    )
