"""A message of Anthropic's API, whole or streamed, read for what a run records.

Its input tokens do not hold those of the cache; here they do, as everywhere else, so that what is
cached is a part of what was sent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..errors import CallError
from .failures import damaged, error_of_body
from .protocol import Reply
from .reply_parts import Answered, apart, clean, count, ending, name, text_of

__all__ = ["AnthropicAssembly", "reply_of_message"]


def reply_of_message(
    body: Any,
    headers: Mapping[str, str],
    first_token_ms: float | None = None,
    *,
    limit: str = "max_tokens",
) -> Reply:
    """What a message's body says. headers: with lower-case names.

    Raises CallError if it holds an error, or no message.
    """
    content = body.get("content") if isinstance(body, dict) else None
    if not isinstance(content, list) or body.get("type") == "error":
        raise error_of_body(body, headers)
    blocks = [block for block in content if isinstance(block, dict)]
    text = text_of([block for block in blocks if block.get("type") == "text"])
    calls = tuple([_call(block) for block in blocks if block.get("type") == "tool_use"])
    reasoning = "".join([str(block["thinking"]) for block in blocks if block.get("thinking")])
    finish = body.get("stop_reason")
    finish = clean(finish) if isinstance(finish, str) else None
    usage = body.get("usage")
    counted = _counts(usage if isinstance(usage, dict) else {})
    answered = Answered(text, calls, finish, counted, reasoning)
    return answered.reply(
        limit,
        service_tier=_tier(usage) if isinstance(usage, dict) else None,
        model=name(body.get("model")),
        request_id=headers.get("request-id") or headers.get("x-request-id") or name(body.get("id")),
        first_token_ms=first_token_ms,
        headers=headers,
    )


def _call(block: Mapping[str, object]) -> Mapping[str, object]:
    """A tool_use block in the shape of chat completions."""
    arguments = json.dumps(block.get("input") or {}, ensure_ascii=False)
    function = {"name": block.get("name"), "arguments": arguments}
    return {"id": block.get("id"), "type": "function", "function": function}


def _tier(usage: Mapping[str, object]) -> str | None:
    """The tier that served the message; a fast one costs more than any other."""
    speed = usage.get("speed")
    return "fast" if speed == "fast" else name(usage.get("service_tier"))


def _counts(usage: Mapping[str, object]) -> dict[str, object]:
    fresh = count(usage.get("input_tokens"))
    cached = count(usage.get("cache_read_input_tokens"))
    written = count(usage.get("cache_creation_input_tokens"))
    wording = usage.get("output_tokens_details")
    wording = wording if isinstance(wording, dict) else {}
    thought = wording.get("thinking_tokens", wording.get("reasoning_tokens"))
    lasting, used = usage.get("cache_creation"), usage.get("server_tool_use")
    lasting, used = (each if isinstance(each, dict) else {} for each in (lasting, used))
    return {
        "tokens_in": None if fresh is None else fresh + (cached or 0) + (written or 0),
        "tokens_out": count(usage.get("output_tokens")),
        "tokens_cached": cached,
        "tokens_cache_write": written,
        "tokens_reasoning": count(thought),
        "billed_apart": apart(
            cache_write_1h_tokens=lasting.get("ephemeral_1h_input_tokens"),
            web_searches=used.get("web_search_requests"),
        ),
    }


class AnthropicAssembly:
    """A stream's events, put together into the message that an unstreamed call would have had."""

    def __init__(self) -> None:
        self._message: dict[str, Any] = {}
        self._blocks: list[dict[str, object]] = []
        self._inputs: dict[int, list[str]] = {}
        self._places: dict[object, int] = {}  # index -> the block that it names now

    def add(self, chunk: object) -> str:
        """Take in an event; the piece of the answer's text that it brought.

        Raises CallError for an error in the stream, and of class connection for an odd index.
        """
        kind = chunk.get("type") if isinstance(chunk, dict) else None
        if not isinstance(chunk, dict) or kind == "error" or (kind is None and chunk.get("error")):
            raise error_of_body(chunk, {})
        if isinstance(chunk.get("index"), (dict, list)):
            raise damaged(f"the index of {kind} is a {type(chunk['index']).__name__}")
        if kind == "message_start" and isinstance(chunk.get("message"), dict):
            self._message = dict(chunk["message"])
        elif kind == "content_block_start" and isinstance(chunk.get("content_block"), dict):
            self._open(chunk.get("index"), chunk["content_block"])
        elif kind == "content_block_delta" and isinstance(chunk.get("delta"), dict):
            return self._add_delta(chunk.get("index"), chunk["delta"])
        elif kind == "message_delta":
            self._close(chunk)
        return ""

    def finished(self) -> dict[str, Any]:
        """The whole message.

        Raises CallError of class connection if the stream broke off before the answer's end.
        """
        if not self._message.get("stop_reason"):
            raise CallError(
                "the stream ended before the answer did.", failure="connection", code="200 cut"
            )
        for place, pieces in self._inputs.items():
            text = "".join(pieces)
            if not text.strip():  # it came whole, or there is none
                continue
            try:
                value = json.loads(text)
            except ValueError:  # cut short: what there is stays readable
                value = {"unfinished": text}
            self._blocks[place]["input"] = value
        return {**self._message, "content": self._blocks}

    def _open(self, index: object, block: Mapping[str, object]) -> int:
        """The place of a new block: some endpoints give all of them one index."""
        self._places[index] = len(self._blocks)
        self._blocks.append(dict(block))
        return self._places[index]

    def _add_delta(self, index: Any, delta: Mapping[str, Any]) -> str:
        place = self._places.get(index)
        if place is None:
            place = self._open(index, {"type": "text", "text": ""})
        block = self._blocks[place]
        for key in ("text", "thinking", "signature"):
            if isinstance(delta.get(key), str):
                block[key] = (block.get(key) or "") + delta[key]
        if isinstance(delta.get("partial_json"), str):
            self._inputs.setdefault(place, []).append(delta["partial_json"])
        return delta["text"] if isinstance(delta.get("text"), str) else ""

    def _close(self, chunk: Mapping[str, object]) -> None:
        delta, usage = chunk.get("delta"), chunk.get("usage")
        if isinstance(delta, dict):
            end = ending(self._message.get("stop_reason"), delta.get("stop_reason"))
            known = {key: value for key, value in delta.items() if value is not None}
            self._message.update({**known, "stop_reason": end})
        if isinstance(usage, dict):
            known = {key: value for key, value in usage.items() if value is not None}
            before = self._message.get("usage")
            self._message["usage"] = {**(before if isinstance(before, dict) else {}), **known}
