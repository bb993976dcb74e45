"""A chat completion as it came over the wire, read for what a run records, and no more.

Outside text is taken as it may be: missing, misspelt and mistyped parts are unknown, never zero and
never a crash. A stream is put together into the same shape and read by the same rules.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..errors import CallError
from .failures import error_of_body
from .protocol import Reply

__all__ = ["Assembly", "read_body", "reply_of"]

_FINISHED = {
    "length": "truncated_length",
    "max_tokens": "truncated_length",
    "content_filter": "content_filter_output",
    "safety": "content_filter_output",
}


def read_body(content: bytes, headers: Mapping[str, str], status: int = 200) -> Any:
    """The JSON of a body. Raises CallError where it is none: a web page is nobody's endpoint, which
    trying again does not mend; half a body, one that is too deep or no text, is a server error.
    """
    try:
        return json.loads(content)
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
            f"the endpoint answered with HTTP {status} and a body that is no JSON"
            f" ({type(error).__name__}): {shown!r}.",
            failure="server_error",
            code=f"{status} unreadable",
            request_id=headers.get("x-request-id"),
        ) from None


def _is_page(content: bytes, headers: Mapping[str, str]) -> bool:
    begins = content[:200].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return begins.startswith((b"<!doctype html", b"<html")) or (
        begins.startswith(b"<") and "html" in headers.get("content-type", "")
    )


def reply_of(body: Any, headers: Mapping[str, str], first_token_ms: float | None = None) -> Reply:
    """What a completion's body says. headers: with lower-case names.

    Raises CallError where it holds an error, or no completion.
    """
    choices = body.get("choices", _MISSING) if isinstance(body, dict) else _MISSING
    if (
        choices is _MISSING
        or (not choices and body.get("error"))
        or not isinstance(choices, (list, type(None)))
    ):
        raise error_of_body(body, headers)
    choice = choices[0] if choices and isinstance(choices[0], dict) else {}
    if choice.get("error"):  # a router's own failure behind a reply that had begun
        raise error_of_body(choice, headers)
    message = choice.get("message")
    if not isinstance(message, dict):
        message = {}
    text = _text(message.get("content"))
    if text is None and not choice.get("message"):
        text = _text(choice.get("text"))
    calls = _tool_calls(message)
    finish = choice.get("finish_reason")
    finish = clean(finish) if isinstance(finish, str) else None
    refusal = _text(message.get("refusal"))
    failure = _failure(text, calls, finish, refusal, body)
    usage = body.get("usage")
    if not isinstance(usage, dict):
        usage = {}
    tokens_in = _count(usage.get("prompt_tokens", usage.get("input_tokens")))
    cost = usage.get("cost")
    return Reply(
        text=text,
        tool_calls=calls,
        finish_reason=finish,
        failure=failure,
        failure_detail=refusal if failure == "refusal" else None,
        tokens_in=tokens_in,
        tokens_out=_count(usage.get("completion_tokens", usage.get("output_tokens"))),
        tokens_cached=_cached(usage, tokens_in),
        cost_usd=(
            float(cost)
            if isinstance(cost, (int, float)) and not isinstance(cost, bool) and 0 <= cost < 1e9
            else None
        ),
        model=_name(body.get("model")),
        fingerprint=_name(body.get("system_fingerprint")),
        request_id=headers.get("x-request-id") or _name(body.get("id")),
        first_token_ms=first_token_ms,
        headers=headers,
    )


class Assembly:
    """A stream's chunks, put together into the body that an unstreamed call would have had."""

    def __init__(self) -> None:
        self.body: dict[str, Any] = {}
        self._texts: dict[str, list[str]] = {"content": [], "refusal": []}
        self._calls: dict[Any, dict[str, Any]] = {}
        self._finish: Any = None
        self._begun = False

    def add(self, chunk: Any) -> str:
        """Take in a chunk; the piece of the answer's text that it brought.

        Raises CallError for an error in the stream.
        """
        if not isinstance(chunk, dict) or (chunk.get("error") and not chunk.get("choices")):
            raise error_of_body(chunk, {})
        for name in ("id", "model", "system_fingerprint", "usage"):
            if chunk.get(name) is not None:
                self.body[name] = chunk[name]
        choices = chunk.get("choices")
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
            return ""
        choice = choices[0]
        if choice.get("error"):
            raise error_of_body(choice, {})
        self._begun = True
        self._finish = choice.get("finish_reason") or self._finish
        delta = choice.get("delta")
        if not isinstance(delta, dict):
            return ""
        for call in delta.get("tool_calls") or ():
            self._add_call(call)
        for name, parts in self._texts.items():
            if isinstance(delta.get(name), str):
                parts.append(delta[name])
        return delta["content"] if isinstance(delta.get("content"), str) else ""

    def finished(self) -> dict[str, Any]:
        """The whole body.

        Raises CallError of class connection where the stream broke off before the answer's end.
        """
        if self._begun and self._finish is None:
            raise CallError(
                "the stream ended before the answer did.", failure="connection", code="200 cut"
            )
        message: dict[str, Any] = {
            name: "".join(parts) if parts else None for name, parts in self._texts.items()
        }
        if self._calls:
            message["tool_calls"] = [self._calls[key] for key in self._calls]
        choices = [{"message": message, "finish_reason": self._finish}] if self._begun else []
        return {**self.body, "choices": choices}

    def _add_call(self, call: Any) -> None:
        if not isinstance(call, dict):
            return
        made = self._calls.setdefault(
            call.get("index", len(self._calls)),
            {"id": None, "type": "function", "function": {"name": "", "arguments": ""}},
        )
        made["id"] = call.get("id") or made["id"]
        function = call.get("function")
        for name in ("name", "arguments"):
            if isinstance(function, dict) and isinstance(function.get(name), str):
                made["function"][name] += function[name]


_MISSING = object()


def clean(text: str) -> str:
    """The text with joined surrogate pairs, and U+FFFD for lone ones: JSON may carry them, UTF-8
    and the store cannot.
    """
    if text.isascii():
        return text
    try:
        text.encode()
        return text
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _failure(
    text: str | None,
    calls: tuple[Any, ...],
    finish: str | None,
    refusal: str | None,
    body: Mapping[str, Any],
) -> str | None:
    if refusal:
        return "refusal"
    if finish in _FINISHED:
        return _FINISHED[finish]
    if text or calls:
        return None
    if not body.get("choices") and '"filtered": true' in json.dumps(
        body.get("prompt_filter_results"), default=str
    ):
        return "content_filter_input"
    return "empty_output"


def _text(value: Any) -> str | None:
    """A content: a text, or a list of parts of which the texts are taken."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        parts = [part.get("text") for part in value if isinstance(part, dict)]
        texts = [part for part in parts if isinstance(part, str)]
        return clean("".join(texts)) if texts else None
    return None


def _tool_calls(message: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    calls = message.get("tool_calls")
    found = (
        tuple(call for call in calls if isinstance(call, dict)) if isinstance(calls, list) else ()
    )
    old = message.get("function_call")  # what tool calls were before they had a list
    return found or (({"type": "function", "function": old},) if isinstance(old, dict) else ())


def _count(value: Any) -> int | None:
    """Tokens: a whole number from 0; anything else is unknown."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return (
        value
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53
        else None
    )


def _cached(usage: Mapping[str, Any], tokens_in: int | None) -> int | None:
    details = usage.get("prompt_tokens_details", usage.get("input_tokens_details"))
    cached = _count(
        details.get("cached_tokens")
        if isinstance(details, dict)
        else usage.get("prompt_cache_hit_tokens")
    )
    return cached if cached is not None and tokens_in is not None and cached <= tokens_in else None


def _name(value: Any) -> str | None:
    return clean(value)[:200] if isinstance(value, str) and value else None
