"""What an answer says of itself, in the forms of chat completions, the Responses API, Anthropic and
Gemini, read by their field names: of objects and of plain JSON alike.

A field that is not there is unknown (None), never zero.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from ..token_counts import answer_tokens
from .quick_answers import ReplyFields, quick_answer

__all__ = ["ReplyFields", "field", "outcome", "read_answer", "usage_of"]

_LENGTH = frozenset(("length", "max_tokens", "max_output_tokens", "model_context_window_exceeded"))
_FILTER = frozenset(
    ("content_filter", "safety", "blocklist", "prohibited_content", "spii", "recitation")
)
_REFUSED = frozenset(("refusal",))
_WORDS = ("stop", "tool_calls", "length")  # most answers end so


def field(value: object, *names: str) -> Any:
    """The value at the end of a path of fields or keys; None if it breaks off."""
    for name in names:
        if value is None:
            return None
        own = value if value.__class__ is dict else getattr(value, "__dict__", None)
        if own is not None and name in own:
            value = own[name]
        elif isinstance(value, Mapping):
            value = value.get(name)
        elif own is not None and _without(type(value), name):  # type: ignore[arg-type]  # hashable
            value = (getattr(value, "__pydantic_extra__", None) or {}).get(name)
        else:
            value = getattr(value, name, None)
    return value


@lru_cache(maxsize=4096)
def _without(kind: Hashable, name: str) -> bool:
    """Whether this is a class of pydantic's without such an attribute: its objects keep all their
    fields in dictionaries, and take 5 us to say that there is none.
    """
    return hasattr(kind, "__pydantic_fields__") and not hasattr(kind, name)


def read_answer(answer: object) -> ReplyFields:
    """What the answer says. An object of an unknown kind says nothing; text is the output."""
    quick = quick_answer(answer)
    if quick is not None:
        return quick
    if isinstance(answer, str):
        return _judged(ReplyFields(text=answer))
    if field(answer, "choices") is not None:
        return _judged(_chat(answer))
    if field(answer, "candidates") is not None or field(answer, "usage_metadata") is not None:
        return _judged(_gemini(answer))
    if field(answer, "stop_reason") is not None or field(answer, "type") == "message":
        return _judged(_anthropic(answer))
    if field(answer, "output") is not None:
        return _judged(_responses(answer))
    return ReplyFields(response_id=text(field(answer, "id")), model=text(field(answer, "model")))


def outcome(reading: ReplyFields) -> str | None:
    """The model's own failure that the end of its answer shows."""
    finish, wording = reading.finish_reason, reading.text
    if finish is not None and finish != "stop":
        finish = finish.lower()
        if finish in _LENGTH:
            return "truncated_length"
        if finish in _FILTER:
            return "content_filter_output"
        if finish in _REFUSED:
            return "refusal"
    if wording is not None and (not wording or wording.isspace()) and not reading.tool_calls:
        return "empty_output"
    return None


def usage_of(usage: object) -> tuple[int | None, int | None, int | None]:
    """Tokens in, out and cached, of any of the usage objects."""
    if usage is None:
        return None, None, None
    if field(usage, "prompt_tokens") is not None:
        given = whole(field(usage, "prompt_tokens"))
        read = field(usage, "prompt_tokens_details", "cached_tokens")
        # the second is DeepSeek's older form
        cached = whole(read if read is not None else field(usage, "prompt_cache_hit_tokens"))
        return given, _out(usage, "completion_tokens", given, cached), cached
    if field(usage, "prompt_token_count") is not None:
        out = whole(field(usage, "candidates_token_count"))
        thought = whole(field(usage, "thoughts_token_count"))
        given = whole(field(usage, "prompt_token_count"))
        read = whole(field(usage, "tool_use_prompt_token_count"))  # by its own tools
        return (
            given if given is None else given + (read or 0),
            out if thought is None else (out or 0) + thought,
            whole(field(usage, "cached_content_token_count")),
        )
    given, read = whole(field(usage, "input_tokens")), field(usage, "cache_read_input_tokens")
    cached = whole(
        read if read is not None else field(usage, "input_tokens_details", "cached_tokens")
    )
    written = whole(field(usage, "cache_creation_input_tokens"))
    if given is not None and (read is not None or written is not None):
        given += (whole(read) or 0) + (written or 0)  # Anthropic counts the cached ones apart
        return given, whole(field(usage, "output_tokens")), cached
    return given, _out(usage, "output_tokens", given, cached), cached


def _out(usage: object, name: str, given: int | None, cached: int | None) -> int | None:
    """The tokens of an answer under a name, with reasoning that is counted beside them."""
    reasoning = whole(field(usage, f"{name}_details", "reasoning_tokens"))
    total = whole(field(usage, "total_tokens"))
    return answer_tokens(whole(field(usage, name)), reasoning, given, total, cached)


def text(value: object) -> str | None:
    """The value if it is text, else None: an answer of another form is not an error here."""
    return value if isinstance(value, str) else None


def whole(value: object) -> int | None:
    """The value if it is a whole number, else None; True and False are not numbers."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def word(value: Any) -> str | None:
    """A finish reason: text, or an enum whose name it is."""
    if value is None or value in _WORDS:
        return value  # type: ignore[no-any-return]  # one of the words, or None
    if isinstance(value, str):
        return str.__str__(value).rpartition(".")[2].lower() or None
    name = getattr(value, "name", None)
    return name.lower() if isinstance(name, str) else None


def _judged(reading: ReplyFields) -> ReplyFields:
    reading.failure = reading.failure or outcome(reading)
    return reading


def _usage(reading: ReplyFields, usage: object) -> ReplyFields:
    reading.tokens_in, reading.tokens_out, reading.tokens_cached = usage_of(usage)
    return reading


def _chat(answer: object) -> ReplyFields:
    choices = field(answer, "choices")
    choice = choices[0] if isinstance(choices, Sequence) and choices else None
    message = field(choice, "message")
    calls = field(message, "tool_calls")
    refusal = field(message, "refusal")
    # completions of a text, the oldest door, have no message
    said = field(choice, "text") if message is None else field(message, "content")
    reading = ReplyFields(
        response_id=text(field(answer, "id")),
        model=text(field(answer, "model")),
        fingerprint=text(field(answer, "system_fingerprint")),
        finish_reason=word(field(choice, "finish_reason")),
        text=text(said) or (None if choice is None else ""),
        tool_calls=[
            {
                "name": field(call, "function", "name"),
                "arguments": field(call, "function", "arguments"),
            }
            for call in calls
        ]
        if calls
        else None,
    )
    if refusal:
        reading.failure, reading.text = "refusal", text(refusal)
    return _usage(reading, field(answer, "usage"))


def _responses(answer: object) -> ReplyFields:
    parts: list[str] = []
    calls: list[dict[str, Any]] = []
    refused = False
    for item in field(answer, "output") or ():
        kind = field(item, "type")
        if kind == "message":
            for content in field(item, "content") or ():
                refused = refused or field(content, "type") == "refusal"
                parts.append(text(field(content, "text")) or text(field(content, "refusal")) or "")
        elif kind in ("function_call", "custom_tool_call"):
            arguments = field(item, "arguments") or field(item, "input")
            calls.append({"name": field(item, "name"), "arguments": arguments})
    status = word(field(answer, "status"))
    reason = word(field(answer, "incomplete_details", "reason"))
    reading = ReplyFields(
        response_id=text(field(answer, "id")),
        model=text(field(answer, "model")),
        finish_reason=reason or status,
        text="".join(parts) if status in (None, "completed", "incomplete", "failed") else None,
        tool_calls=calls or None,
    )
    if refused:
        reading.failure = "refusal"
    elif status == "failed":
        code = text(field(answer, "error", "code")) or ""
        reading.failure = "rate_limit" if "rate_limit" in code else "server_error"
    return _usage(reading, field(answer, "usage"))


def _anthropic(answer: object) -> ReplyFields:
    parts: list[str] = []
    calls: list[dict[str, Any]] = []
    for block in field(answer, "content") or ():
        if field(block, "type") == "text":
            parts.append(text(field(block, "text")) or "")
        elif field(block, "type") == "tool_use":
            calls.append({"name": field(block, "name"), "arguments": field(block, "input")})
    return _usage(
        ReplyFields(
            response_id=text(field(answer, "id")),
            model=text(field(answer, "model")),
            finish_reason=word(field(answer, "stop_reason")),
            text="".join(parts),
            tool_calls=calls or None,
        ),
        field(answer, "usage"),
    )


def _gemini(answer: object) -> ReplyFields:
    candidates = field(answer, "candidates")
    first = candidates[0] if isinstance(candidates, Sequence) and candidates else None
    parts: list[str] = []
    calls: list[dict[str, Any]] = []
    for part in field(first, "content", "parts") or ():
        call = field(part, "function_call")
        if call is not None:
            calls.append({"name": field(call, "name"), "arguments": field(call, "args")})
        elif not field(part, "thought"):
            parts.append(text(field(part, "text")) or "")
    blocked = field(answer, "prompt_feedback", "block_reason")
    return _usage(
        ReplyFields(
            response_id=text(field(answer, "response_id")),
            model=text(field(answer, "model_version")),
            finish_reason=word(field(first, "finish_reason")),
            text="".join(parts) if first is not None else None,
            tool_calls=calls or None,
            failure="content_filter_input" if blocked is not None else None,
        ),
        field(answer, "usage_metadata"),
    )
