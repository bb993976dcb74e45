"""OpenAI's batches: a file of requests is uploaded, and a batch is made of it.

The intent goes along as metadata, so that a batch whose hand-over was cut off is found again. An
uploaded file alone costs nothing, so that only the making of the batch can be in doubt.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from ..errors import CallError
from .batches import (
    BatchItem,
    BatchLook,
    BatchRefused,
    Client,
    Outcome,
    Sought,
    gather,
    missing,
    recent,
    refused,
)
from .dialects import DIALECTS
from .failures import error_of_body, error_of_status
from .reply_parts import count
from .request_body import batch_body

__all__ = ["OpenAIBatches"]

_ENDED = frozenset(("completed", "failed", "expired", "cancelled"))
_PAGE = 100
_META = "promptops"  # the key of the metadata that holds the intent


class OpenAIBatches:
    """Batches of chat completions, or of the Responses API."""

    most, most_bytes = 25_000, 100_000_000

    def __init__(self, client: Client, api: str) -> None:
        self._client, self._dialect = client, DIALECTS[api]
        self._path = f"/v1{self._dialect.path}"

    async def hand_in(self, items: Sequence[BatchItem], intent: str, model: str) -> str:
        """Upload the requests, and make a batch of them."""
        lines = b"".join(self._line(item) for item in items)
        try:
            file = await self._client.do(
                "files.create", file=(f"{intent}.jsonl", lines), purpose="batch"
            )
        except CallError as error:
            raise BatchRefused(error) from None
        try:
            made = await self._client.do(
                "batches.create",
                input_file_id=file.id,
                endpoint=self._path,
                completion_window="24h",
                metadata={_META: intent},
            )
        except CallError as error:
            raise refused(error) from None
        return str(made.id)

    def _line(self, item: BatchItem) -> bytes:
        line = {"custom_id": item.id, "method": "POST", "url": self._path}
        return json.dumps({**line, "body": batch_body(item.request)}).encode() + b"\n"

    async def seek(
        self, intent: str, since: float, ids: Collection[str], taken: Collection[str]
    ) -> Sought:
        """The batch whose metadata names the intent."""
        try:
            page = await self._client.do("batches.list", limit=_PAGE)
            while True:
                for batch in page.data:
                    if (batch.metadata or {}).get(_META) == intent:
                        return Sought("found", str(batch.id))
                old = not page.data or not recent(float(page.data[-1].created_at or 0), since)
                if old or not page.has_next_page():
                    return Sought("absent")
                page = await self._client.call(page.get_next_page)
        except CallError as error:
            if error.failure in ("not_found_model", "bad_request", "permission"):
                return Sought("untold", detail=str(error))
            raise

    async def look(self, batch: str) -> BatchLook:
        """What has become of it so far."""
        found = await self._client.do("batches.retrieve", batch)
        counts = found.request_counts
        back = (counts.completed or 0) + (counts.failed or 0) if counts is not None else 0
        return BatchLook(found.status in _ENDED, back)

    async def results(
        self, batch: str, requests: Mapping[str, Mapping[str, object]]
    ) -> dict[str, Outcome]:
        """What its files hold, and a failure for each request that none of them names."""
        found = await self._client.do("batches.retrieve", batch)
        lines: list[Mapping[str, Any]] = []
        in_output: set[object] = set()
        unreadable = 0
        for file in (found.output_file_id, found.error_file_id):
            if file:
                content = await self._client.do("files.content", file)
                come, broken = _lines(content.content)
                lines, unreadable = lines + come, unreadable + broken
                if file == found.output_file_id:
                    in_output = {str(line.get("custom_id")) for line in come}
        read = [(line.get("custom_id"), partial(self._outcome, line, requests)) for line in lines]
        out = gather(read, requests)
        lacking = [id for id in requests if id not in out]
        if lacking and found.status == "failed":
            fault = _fault(found)
            return {**out, **dict.fromkeys(lacking, fault)}
        if unreadable or len(in_output.intersection(requests)) < _completed(found):
            return out  # some of what is lacking was answered, and paid for
        return {**out, **{id: missing(str(found.status)) for id in lacking}}

    def _outcome(
        self, line: Mapping[str, Any], requests: Mapping[str, Mapping[str, object]]
    ) -> Outcome:
        response, error = line.get("response"), line.get("error")
        if not isinstance(response, Mapping):
            code = error.get("code") if isinstance(error, Mapping) else None
            if code in ("batch_expired", "batch_cancelled"):
                return missing(str(code).removeprefix("batch_"))
            return error_of_body({"error": error}, {})
        headers = {"x-request-id": str(response.get("request_id") or "")}
        status = int(response.get("status_code") or 200)
        if status >= 300:
            return error_of_status(status, response.get("body"), headers)
        limit = self._dialect.limit(requests[line["custom_id"]])
        reply = self._dialect.read(response.get("body"), headers, limit=limit)
        return replace(reply, service_tier="batch")

    async def aclose(self) -> None:
        """Close what was opened here."""
        await self._client.aclose()


def _lines(content: bytes) -> tuple[list[Mapping[str, Any]], int]:
    """The results of a file, and how many of its lines hold none."""
    found: list[Mapping[str, Any]] = []
    unreadable = 0
    for line in filter(bytes.strip, content.splitlines()):
        try:
            told = json.loads(line)
        except (ValueError, RecursionError):
            told = None
        if isinstance(told, Mapping) and isinstance(told.get("custom_id"), str):
            found.append(told)
        else:
            unreadable += 1
    return found, unreadable


def _completed(batch: Any) -> int:
    """Requests that the provider says it has answered; 0 where it does not say."""
    counts = getattr(batch, "request_counts", None)
    return count(getattr(counts, "completed", None)) or 0


def _fault(batch: Any) -> CallError:
    """Why a whole batch was refused when its file was read."""
    listed = getattr(batch.errors, "data", None) or []
    first = listed[0] if listed else None
    code = str(getattr(first, "code", None) or "")
    message = str(getattr(first, "message", None) or "the provider named no reason")
    failure = "rate_limit" if "limit_exceeded" in code else "bad_request"
    return CallError(f"the batch was refused: {message}", failure=failure, code=f"batch {code}")
