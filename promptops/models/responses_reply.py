"""A reply of OpenAI's Responses API, whole or streamed, read for what a run records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import CallError
from ..token_counts import answer_tokens
from .failures import error_of_body
from .protocol import Reply
from .reply_parts import Answered, apart, clean, count, name, text_of, within

__all__ = ["ResponsesAssembly", "reply_of_response"]


def reply_of_response(
    body: Any,
    headers: Mapping[str, str],
    first_token_ms: float | None = None,
    *,
    limit: str = "max_output_tokens",
) -> Reply:
    """What a response's body says. headers: with lower-case names.

    Raises CallError if it holds an error, or no output at all.
    """
    output = body.get("output") if isinstance(body, dict) else None
    if not isinstance(output, list) or body.get("status") == "failed" or body.get("error"):
        raise error_of_body(body, headers)
    why = body.get("incomplete_details")
    why = why.get("reason") if isinstance(why, dict) else None
    if not output and not why:
        raise error_of_body(body, headers)
    items = [item for item in output if isinstance(item, dict)]
    parts = [part for item in items if item.get("type") == "message" for part in _parts(item)]
    text = text_of([part for part in parts if part.get("type") == "output_text"])
    refusal = "".join([str(part["refusal"]) for part in parts if part.get("refusal")])
    others = [item for item in items if item.get("type") != "message"]
    calls = tuple([call for item in others for call in _calls(item)])
    reasoning = "".join(_thoughts(others)) if others else ""
    counted = _counts(body.get("usage"))
    counted["billed_apart"] = _tool_uses(others) if others else {}
    finish = clean(str(why or body.get("status") or "completed"))
    answered = Answered(text, calls, finish, counted, reasoning, clean(refusal) or None)
    return answered.reply(
        limit,
        service_tier=name(body.get("service_tier")),
        model=name(body.get("model")),
        request_id=headers.get("x-request-id") or name(body.get("id")),
        first_token_ms=first_token_ms,
        headers=headers,
    )


def _parts(item: Mapping[str, object]) -> list[dict[str, Any]]:
    content = item.get("content")
    return [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []


def _calls(item: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    """The tool call that an output item is, in the shape of chat completions."""
    if item.get("type") == "function_call":
        function = {"name": item.get("name"), "arguments": item.get("arguments")}
        yield {"id": item.get("call_id"), "type": "function", "function": function}
    elif item.get("type") == "custom_tool_call":
        custom = {"name": item.get("name"), "input": item.get("input")}
        yield {"id": item.get("call_id"), "type": "custom", "custom": custom}


def _thoughts(items: list[dict[str, object]]) -> Iterator[str]:
    for item in items:
        if item.get("type") == "reasoning":
            for parts in (item.get("summary"), item.get("content")):
                for part in parts if isinstance(parts, list) else ():
                    if isinstance(part, dict) and isinstance(part.get("text"), str):
                        yield part["text"]


def _tool_uses(items: list[dict[str, object]]) -> dict[str, int]:
    """The provider's own tools that it bills by the use. Opening a page is not a search."""
    acts = [item.get("action") for item in items if item.get("type") == "web_search_call"]
    kinds = [act.get("type") if isinstance(act, dict) else None for act in acts]
    return apart(
        web_searches=sum(kind in (None, "search") for kind in kinds),
        storage_searches=sum(item.get("type") == "file_search_call" for item in items),
    )


def _counts(usage: object) -> dict[str, object]:
    usage = usage if isinstance(usage, dict) else {}
    tokens_in = count(usage.get("input_tokens"))
    asked = usage.get("input_tokens_details")
    asked = asked if isinstance(asked, dict) else {}
    cached = count(asked.get("cached_tokens"))
    wording = usage.get("output_tokens_details")
    reasoning = count(wording.get("reasoning_tokens")) if isinstance(wording, dict) else None
    written, total = count(usage.get("output_tokens")), count(usage.get("total_tokens"))
    return {
        "tokens_in": tokens_in,
        "tokens_out": answer_tokens(written, reasoning, tokens_in, total, cached),
        "tokens_cached": within(cached, tokens_in),
        "tokens_cache_write": within(asked.get("cache_write_tokens"), tokens_in),
        "tokens_reasoning": reasoning,
    }


class ResponsesAssembly:
    """A stream's events; the last one holds the whole response, or all but its output."""

    def __init__(self) -> None:
        self._whole: dict[str, object] | None = None
        self._kind = ""
        self._items: list[object] = []

    def add(self, chunk: object) -> str:
        """Take in an event; the piece of the answer's text that it brought.

        Raises CallError for an error in the stream.
        """
        kind = chunk.get("type") if isinstance(chunk, dict) else None
        if kind == "error" or not isinstance(chunk, dict) or (kind is None and chunk.get("error")):
            raise error_of_body(chunk if _has_error(chunk) else {"error": chunk}, {})
        if isinstance(chunk.get("response"), dict) and kind in (
            "response.completed",
            "response.incomplete",
            "response.failed",
        ):
            if self._whole is None or self._kind == "response.completed":
                self._whole, self._kind = chunk["response"], kind  # a failure stays one
        elif kind == "response.output_item.done":
            self._items.append(chunk.get("item"))
        delta = chunk.get("delta")
        return delta if kind == "response.output_text.delta" and isinstance(delta, str) else ""

    def finished(self) -> dict[str, object]:
        """The whole body.

        Raises CallError of class connection if the stream broke off before the answer's end.
        """
        if self._whole is None:
            raise CallError(
                "the stream ended before the answer did.", failure="connection", code="200 cut"
            )
        if not self._whole.get("output") and self._items:
            return {**self._whole, "output": self._items}
        return self._whole


def _has_error(chunk: object) -> bool:
    return isinstance(chunk, dict) and bool(chunk.get("error"))
