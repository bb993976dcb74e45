"""A chat completion as it came over the wire, read for what a run records, and no more.

Outside text is taken as it may be: missing, misspelt and mistyped parts are unknown, never zero and
never a crash. A stream is put together into the same shape and read by the same rules.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..errors import CallError
from ..token_counts import answer_tokens
from .failures import error_of_body
from .protocol import Reply
from .reply_parts import Answered, apart, clean, count, name, reasoning_of, text_of, within

__all__ = ["read_body", "reply_of"]

_MISSING = object()


def read_body(content: bytes, headers: Mapping[str, str], status: int = 200) -> Any:
    """The JSON of a body. Raises CallError if it is not JSON: a web page is not an endpoint,
    which trying again does not fix; half a body, one that is too deep or no text, is a server
    error.
    """
    try:
        return _parsed(content)
    except (ValueError, RecursionError) as error:
        shown = " ".join(content[:200].decode("utf-8", "replace").split())
        if _is_page(content, headers):
            raise CallError(
                f"the address answered with HTTP {status} and a web page instead of JSON:"
                f" {shown!r}; check base_url, which usually ends in /v1.",
                failure="not_found_model",
                code=f"{status} web page",
                request_id=headers.get("x-request-id"),
            ) from None
        raise CallError(
            f"the endpoint answered with HTTP {status} and a body that is not JSON"
            f" ({type(error).__name__}): {shown!r}.",
            failure="server_error",
            code=f"{status} unreadable",
            request_id=headers.get("x-request-id"),
        ) from None


def _parsed(content: bytes) -> Any:
    """JSON is UTF-8 but in rare cases, which the library tells apart by the first bytes."""
    try:
        return json.loads(content.decode())
    except ValueError:
        return json.loads(content)


def _is_page(content: bytes, headers: Mapping[str, str]) -> bool:
    begins = content[:200].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return begins.startswith((b"<!doctype html", b"<html")) or (
        begins.startswith(b"<") and "html" in headers.get("content-type", "")
    )


def reply_of(
    body: Any,
    headers: Mapping[str, str],
    first_token_ms: float | None = None,
    *,
    limit: str = "max_completion_tokens",
) -> Reply:
    """What a completion's body says. headers: with lower-case names; limit: the setting that a cut
    answer names.

    Raises CallError if it holds an error, or no completion: a choice without a message is not an
    answer, whatever the status says.
    """
    choice = _choice(body, headers)
    if choice is None:
        detail = "the provider's filter refused the prompt."
        return Reply(text=None, failure="content_filter_input", failure_detail=detail)
    message = choice.get("message")
    if not isinstance(message, dict):
        message = {}
    text = text_of(message.get("content"))
    if text is None and not choice.get("message"):
        text = text_of(choice.get("text"))
    finish = choice.get("finish_reason")
    finish = clean(finish) if isinstance(finish, str) else None
    calls, reasoning, usage = _tool_calls(message), reasoning_of(message), body.get("usage")
    counted = _counts(usage if isinstance(usage, dict) else {})
    answered = Answered(text, calls, finish, counted, reasoning, text_of(message.get("refusal")))
    return answered.reply(
        limit,
        service_tier=name(body.get("service_tier")),
        model=name(body.get("model")),
        fingerprint=name(body.get("system_fingerprint")),
        request_id=headers.get("x-request-id") or name(body.get("id")),
        first_token_ms=first_token_ms,
        headers=headers,
    )


def _choice(body: Any, headers: Mapping[str, str]) -> dict[str, object] | None:
    """The first choice; None if the prompt was filtered before there was one.

    Raises CallError if it is missing for another reason.
    """
    choices = body.get("choices", _MISSING) if isinstance(body, dict) else _MISSING
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, dict):
        if choices is not _MISSING and not body.get("error") and _filtered(body):
            return None
        raise error_of_body(body, headers)
    if choice.get("error"):  # a router's own failure behind a reply that had begun
        raise error_of_body(choice, headers)
    bare = not choice.get("message") and choice.get("text") is None
    if bare and str(choice.get("finish_reason") or "stop").lower() == "stop":
        raise error_of_body(body, headers)
    return choice


def _filtered(body: Mapping[str, object]) -> bool:
    wording = json.dumps(body.get("prompt_filter_results"), default=str)
    return '"filtered": true' in wording


def _counts(usage: Mapping[str, Any]) -> dict[str, object]:
    """Tokens and cost by the names of a Reply; what is not reported is unknown."""
    tokens_in = count(usage.get("prompt_tokens", usage.get("input_tokens")))
    tokens_out = count(usage.get("completion_tokens", usage.get("output_tokens")))
    asked = usage.get("prompt_tokens_details", usage.get("input_tokens_details"))
    asked = asked if isinstance(asked, dict) else {}
    wording = usage.get("completion_tokens_details", usage.get("output_tokens_details"))
    wording = wording if isinstance(wording, dict) else usage
    cached = asked.get("cached_tokens", usage.get("prompt_cache_hit_tokens"))
    written = asked.get("cache_write_tokens", usage.get("cache_creation_input_tokens"))
    reasoning = count(wording.get("reasoning_tokens"))
    total = count(usage.get("total_tokens"))
    cost = usage.get("cost")
    if isinstance(cost, dict):  # Perplexity's, with its fee for each request
        cost = cost.get("total_cost")
    stated = isinstance(cost, (int, float)) and not isinstance(cost, bool) and 0 <= cost < 1e9
    return {
        "tokens_in": tokens_in,
        "tokens_out": answer_tokens(tokens_out, reasoning, tokens_in, total, count(cached)),
        "tokens_cached": within(cached, tokens_in),
        "tokens_cache_write": within(written, tokens_in),
        "tokens_reasoning": reasoning,
        "billed_apart": _audio(asked.get("audio_tokens"), wording.get("audio_tokens")),
        "cost_usd": float(cost) if stated and cost is not None else None,
    }


def _audio(heard: object, spoken: object) -> dict[str, int]:
    """Tokens of sound, which have a rate of their own; mostly there are none."""
    if heard is None and spoken is None:
        return {}
    return apart(input_audio_tokens=heard, output_audio_tokens=spoken)


def _tool_calls(message: Mapping[str, object]) -> tuple[Mapping[str, object], ...]:
    calls = message.get("tool_calls")
    found = (
        tuple(call for call in calls if isinstance(call, dict)) if isinstance(calls, list) else ()
    )
    old = message.get("function_call")  # what tool calls were before they had a list
    return found or (({"type": "function", "function": old},) if isinstance(old, dict) else ())
