"""A reply of Gemini's generateContent, whole or streamed, read for what a run records."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..errors import CallError
from ..version.partial_arguments import whole_calls
from .failures import damaged, error_of_body
from .protocol import Reply
from .reply_parts import Answered, apart, chosen, clean, count, ending, name, within

__all__ = ["GeminiAssembly", "reply_of_content"]


_DETAILS = ("promptTokensDetails", "candidatesTokensDetails", "cacheTokensDetails")


def reply_of_content(
    body: Any,
    headers: Mapping[str, str],
    first_token_ms: float | None = None,
    *,
    limit: str = "max_tokens",
) -> Reply:
    """What a reply's body says, by the names of the REST interface. headers: with lower-case names.

    Raises CallError if it holds an error, or no candidate.
    """
    candidates = body.get("candidates") if isinstance(body, dict) else None
    candidate = candidates[0] if isinstance(candidates, list) and candidates else None
    if not isinstance(candidate, dict):
        return _blocked(body, headers)
    content = candidate.get("content")
    parts = content.get("parts") if isinstance(content, dict) else None
    parts = [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
    called = any("functionCall" in part for part in parts)
    parts = whole_calls(parts) if called else parts
    finish = candidate.get("finishReason")
    finish = clean(finish) if isinstance(finish, str) else None
    if not parts and (finish or "STOP").upper() == "STOP":
        raise error_of_body(body, headers)
    wording = [part for part in parts if isinstance(part.get("text"), str)]
    answer = [part["text"] for part in wording if not part.get("thought")]
    text = clean("".join(answer)) if answer else None
    reasoning = "".join(part["text"] for part in wording if part.get("thought"))
    calls = tuple(_call(part["functionCall"]) for part in parts if _is_call(part)) if called else ()
    counted = _counts(body.get("usageMetadata"))
    if "groundingMetadata" in candidate:
        searches = _searches(candidate, body.get("modelVersion"))
        counted["billed_apart"] |= apart(web_searches=searches)
    answered = Answered(text, calls, finish, counted, reasoning)
    return answered.reply(
        limit,
        service_tier=name(headers.get("x-gemini-service-tier")),
        model=name(body.get("modelVersion")),
        request_id=headers.get("x-request-id") or name(body.get("responseId")),
        first_token_ms=first_token_ms,
        headers=headers,
    )


def _blocked(body: Any, headers: Mapping[str, str]) -> Reply:
    """The reply to a prompt that was filtered. Raises CallError if there is another reason."""
    feedback = body.get("promptFeedback") if isinstance(body, dict) else None
    reason = feedback.get("blockReason") if isinstance(feedback, dict) else None
    if not reason:
        raise error_of_body(body, headers)
    counted = _counts(body.get("usageMetadata"))
    return Reply(
        text=None,
        failure="content_filter_input",
        failure_detail=f"the provider blocked the prompt: {reason}.",
        **counted,
        model=name(body.get("modelVersion")),
        request_id=headers.get("x-request-id") or name(body.get("responseId")),
        headers=headers,
    )


def _is_call(part: Mapping[str, object]) -> bool:
    return isinstance(part.get("functionCall"), dict)


def _call(call: Mapping[str, object]) -> Mapping[str, object]:
    """A function call in the shape of chat completions."""
    arguments = json.dumps(call.get("args") or {}, ensure_ascii=False)
    function = {"name": call.get("name"), "arguments": arguments}
    return {"id": call.get("id"), "type": "function", "function": function}


def _searches(candidate: Mapping[str, object], model: object) -> int:
    """Searches that grounding is billed for: by the prompt until Gemini 2, by the query since."""
    found = candidate.get("groundingMetadata")
    queries = found.get("webSearchQueries") if isinstance(found, dict) else None
    asked = len(queries) if isinstance(queries, list) else 0
    return min(asked, 1) if str(model).startswith(("gemini-1", "gemini-2")) else asked


def _of(details: object, modality: str) -> int:
    """The tokens of one modality."""
    found = (
        [each for each in details if isinstance(each, dict)] if isinstance(details, list) else ()
    )
    return sum(
        count(each.get("tokenCount")) or 0 for each in found if each.get("modality") == modality
    )


def _apart(usage: Mapping[str, object]) -> dict[str, int]:
    """Sounds and images, which have rates of their own."""
    if usage.keys().isdisjoint(_DETAILS):
        return {}
    told, cached = usage.get("candidatesTokensDetails"), usage.get("cacheTokensDetails")
    heard = _of(usage.get("promptTokensDetails"), "AUDIO")
    found = apart(
        input_audio_tokens=heard,
        output_audio_tokens=_of(told, "AUDIO"),
        output_image_tokens=_of(told, "IMAGE"),
    )
    if heard and isinstance(cached, list):
        found["cache_audio_read_tokens"] = _of(cached, "AUDIO")
    return found


def _counts(usage: object) -> dict[str, Any]:
    """Tokens; those of thoughts are part of the answer's, and what its own tools read is part of
    the question's, as they are billed.
    """
    usage = usage if isinstance(usage, dict) else {}
    tokens_in = count(usage.get("promptTokenCount"))
    if tokens_in is not None:
        tokens_in += count(usage.get("toolUsePromptTokenCount")) or 0
    answer, thought = (
        count(usage.get("candidatesTokenCount")),
        count(usage.get("thoughtsTokenCount")),
    )
    known = answer is not None or thought is not None
    return {
        "tokens_in": tokens_in,
        "tokens_out": (answer or 0) + (thought or 0) if known else None,
        "tokens_cached": within(usage.get("cachedContentTokenCount"), tokens_in),
        "tokens_cache_write": None,
        "tokens_reasoning": thought,
        "billed_apart": _apart(usage),
    }


class GeminiAssembly:
    """A stream's replies, put together into one."""

    def __init__(self) -> None:
        self._body: dict[str, object] = {}
        self._parts: list[dict[str, object]] = []
        self._finish: object = None
        self._index: object = None  # of the answer, where several were asked for
        self._last: object = None  # the reply before, if it was the last of its stream

    def add(self, chunk: object) -> str:
        """Take in a reply; the piece of the answer's text that it brought.

        Raises CallError for an error in the stream, and of class connection if its end came twice.
        """
        if not isinstance(chunk, dict) or chunk.get("error"):
            raise error_of_body(chunk, {})
        if chunk == self._last:
            raise damaged("its last event came twice")
        for key in ("modelVersion", "responseId", "usageMetadata", "promptFeedback"):
            if chunk.get(key) is not None:
                self._body[key] = chunk[key]
        candidate, self._index = chosen(chunk.get("candidates"), self._index)
        if candidate is None:
            return ""
        self._finish = ending(self._finish, candidate.get("finishReason"))
        # some name the finish in every event, whose counts of tokens then tell them apart
        usage = chunk.get("usageMetadata")
        counted = isinstance(usage, dict) and usage.get("candidatesTokenCount")
        self._last = chunk if candidate.get("finishReason") and counted else None
        content = candidate.get("content")
        parts = content.get("parts") if isinstance(content, dict) else None
        come = [part for part in parts or () if isinstance(part, dict)]
        self._parts += come
        texts = [part.get("text") for part in come if not part.get("thought")]
        return "".join(text for text in texts if isinstance(text, str))

    def finished(self) -> dict[str, Any]:
        """The whole reply.

        Raises CallError of class connection if the stream broke off before the answer's end.
        """
        if self._finish is None and not self._body.get("promptFeedback"):
            raise CallError(
                "the stream ended before the answer did.", failure="connection", code="200 cut"
            )
        if self._finish is None:
            return self._body
        candidate = {"content": {"parts": self._parts}, "finishReason": self._finish}
        return {**self._body, "candidates": [candidate]}
