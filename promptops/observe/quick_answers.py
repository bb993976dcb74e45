"""The usual answer of each provider, a text that ended by itself, read at the least cost: a call
waits for this, one to two microseconds instead of five to fifteen.

The clients of OpenAI, Anthropic and Gemini keep the fields of an answer's parts in dictionaries.
Only references to texts and numbers are taken, so that what the application does to the answer
later changes nothing. Any other answer gives None and is read field by field.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["ReplyFields", "quick_answer"]

Own = dict[str, Any]  # the fields of one object of a client
_UNSAID = frozenset(("reasoning", "thinking", "redacted_thinking"))  # no part of the output


@dataclass(slots=True)
class ReplyFields:
    """tool_calls: a list of {"name", "arguments"}, None if there are none; text: what the model
    wrote, None if nothing came back.
    """

    response_id: str | None = None
    model: str | None = None
    fingerprint: str | None = None
    finish_reason: str | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    tokens_cached: int | None = None
    text: str | None = None
    tool_calls: list[dict[str, object]] | None = None
    failure: str | None = None


def quick_answer(answer: object) -> ReplyFields | None:
    """What a usual answer says; None if it must be read field by field. Whether its fields are
    of the type that they should be is asked when the row is made.
    """
    try:
        own = answer.__dict__
        if "choices" in own:
            return _chat(own)
        if "output" in own:
            return _responses(own)
        if "stop_reason" in own:
            return _anthropic(own)
        if "candidates" in own:
            return _gemini(own)
    except (AttributeError, KeyError, TypeError, IndexError):
        pass
    return None


def _chat(own: Own) -> ReplyFields | None:
    choice = own["choices"][0].__dict__
    message = choice["message"].__dict__
    said = message["content"]
    if (
        said.__class__ is not str
        or not said
        or said[0].isspace()
        or choice["finish_reason"] != "stop"
    ):
        return None
    if message["tool_calls"] or message["refusal"]:
        return None
    usage = own["usage"].__dict__
    if usage["total_tokens"] != usage["prompt_tokens"] + usage["completion_tokens"]:
        return None  # reasoning may be counted beside the answer
    details = usage["prompt_tokens_details"]
    if details is None and own["usage"].__pydantic_extra__:
        return None  # what the cache gave may have another name
    return ReplyFields(
        own["id"],
        own["model"],
        own["system_fingerprint"],
        "stop",
        usage["prompt_tokens"],
        usage["completion_tokens"],
        None if details is None else details.__dict__["cached_tokens"],
        said,
    )


def _responses(own: Own) -> ReplyFields | None:
    if own["status"] != "completed":
        return None
    said = ""
    for item in own["output"]:
        part = item.__dict__
        if part["type"] == "message":
            for content in part["content"]:
                piece = content.__dict__
                if piece["type"] != "output_text":
                    return None
                said = said + piece["text"] if said else piece["text"]
        elif part["type"] not in _UNSAID:
            return None
    if said.__class__ is not str or not said or said[0].isspace():
        return None
    usage = own["usage"].__dict__
    if usage["total_tokens"] != usage["input_tokens"] + usage["output_tokens"]:
        return None
    return ReplyFields(
        own["id"],
        own["model"],
        None,
        "completed",
        usage["input_tokens"],
        usage["output_tokens"],
        usage["input_tokens_details"].__dict__["cached_tokens"],
        said,
    )


def _anthropic(own: Own) -> ReplyFields | None:
    if own["stop_reason"] != "end_turn":
        return None
    said = ""
    for block in own["content"]:
        part = block.__dict__
        if part["type"] == "text":
            said = said + part["text"] if said else part["text"]
        elif part["type"] not in _UNSAID:
            return None
    if said.__class__ is not str or not said or said[0].isspace():
        return None
    usage = own["usage"].__dict__
    given, read = usage["input_tokens"], usage["cache_read_input_tokens"]
    written = usage["cache_creation_input_tokens"]
    return ReplyFields(
        own["id"],
        own["model"],
        None,
        "end_turn",
        given + (read or 0) + (written or 0),  # the cached ones are counted apart
        usage["output_tokens"],
        read,
        said,
    )


def _gemini(own: Own) -> ReplyFields | None:
    first = own["candidates"][0].__dict__
    if own["prompt_feedback"] is not None or first["finish_reason"].name != "STOP":
        return None
    said = ""
    for each in first["content"].__dict__["parts"]:
        part = each.__dict__
        if part["function_call"] is not None:
            return None
        if not part["thought"]:
            said = said + part["text"] if said else part["text"]
    if said.__class__ is not str or not said or said[0].isspace():
        return None
    usage = own["usage_metadata"].__dict__
    out, thought = usage["candidates_token_count"], usage["thoughts_token_count"]
    return ReplyFields(
        own["response_id"],
        own["model_version"],
        None,
        "stop",
        usage["prompt_token_count"] + (usage["tool_use_prompt_token_count"] or 0),
        out if thought is None else (out or 0) + thought,
        usage["cached_content_token_count"],
        said,
    )
