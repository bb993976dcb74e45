"""The content of a stream so far, fed chunk by chunk, in the forms of chat completions, the
Responses API, Anthropic and Gemini. Feeding never changes a chunk.
"""

from __future__ import annotations

import time
from typing import Any

from ..errors import CallError
from ..version.partial_arguments import whole_calls
from .answers import ReplyFields, field, outcome, read_answer, text, usage_of, word

__all__ = ["StreamReading"]


class StreamReading:
    """began: the `time.perf_counter()` of the call, from which the first token is timed."""

    def __init__(self, began: float) -> None:
        self._began = began
        self.first_token_ms: float | None = None
        self.reading = ReplyFields()
        self._parts: list[str] = []
        self._tools: dict[int, dict[str, Any]] = {}
        self._calls: list[dict[str, Any]] = []  # Gemini's, a call or a piece of one each
        self._counted: dict[str, object] = {}  # Anthropic's counts up to now
        self._whole = False  # an event brought the whole answer

    def feed(self, chunk: object) -> None:
        """Take one chunk or event in."""
        if field(chunk, "choices") is not None:
            self._chat(chunk)
        elif field(chunk, "candidates") is not None or field(chunk, "usage_metadata") is not None:
            self._gemini(chunk)
        elif isinstance(kind := field(chunk, "type"), str):
            self._event(kind, chunk)

    def result(self) -> ReplyFields:
        """What was read up to now, judged as an answer is."""
        reading = self.reading
        if not self._whole:
            reading.text = "".join(self._parts) if self._parts or reading.finish_reason else None
            tools = [self._tools[place] for place in sorted(self._tools)]
            reading.tool_calls = [*tools, *self._whole_calls()] or None
            reading.failure = reading.failure or outcome(reading)
        return reading

    def _said(self, piece: object) -> None:
        if isinstance(piece, str) and piece:
            if self.first_token_ms is None:
                self.first_token_ms = (time.perf_counter() - self._began) * 1e3
            self._parts.append(piece)

    def _usage(self, usage: object) -> None:
        if usage is not None:
            found, seen = usage_of(usage), self.reading
            seen.tokens_in = found[0] if found[0] is not None else seen.tokens_in
            seen.tokens_out = found[1] if found[1] is not None else seen.tokens_out
            seen.tokens_cached = found[2] if found[2] is not None else seen.tokens_cached

    def _counts(self, usage: object) -> None:
        """The counts of an event, which are cumulative: those that it lacks stay as they were."""
        found = {name: field(usage, name) for name in _COUNTS}
        self._counted |= {name: value for name, value in found.items() if value is not None}
        self._usage(self._counted)

    def _named(self, response_id: object, model: object) -> None:
        seen = self.reading
        seen.response_id = text(response_id) or seen.response_id
        seen.model = text(model) or seen.model

    def _tool(self, place: object, name: object, arguments: object) -> None:
        tool = self._tools.setdefault(
            place if isinstance(place, int) else 0, {"name": None, "arguments": ""}
        )
        tool["name"] = text(name) or tool["name"]
        if not isinstance(arguments, str):
            tool["arguments"] = arguments or tool["arguments"]
        elif isinstance(tool["arguments"], str):
            tool["arguments"] += arguments
        else:  # an object of the application's answer, which is not to be changed
            tool["arguments"] = arguments

    def _chat(self, chunk: object) -> None:
        self._named(field(chunk, "id"), field(chunk, "model"))
        seen = self.reading
        seen.fingerprint = text(field(chunk, "system_fingerprint")) or seen.fingerprint
        self._usage(field(chunk, "usage"))
        for choice in field(chunk, "choices"):
            if field(choice, "index"):
                continue  # a further answer: the first is the row's
            delta = field(choice, "delta")
            self._said(field(choice, "text") if delta is None else field(delta, "content"))
            if refusal := text(field(delta, "refusal")):
                self._said(refusal)
                seen.failure = "refusal"
            for call in field(delta, "tool_calls") or ():
                function = field(call, "function")
                self._tool(
                    field(call, "index") or 0, field(function, "name"), field(function, "arguments")
                )
            seen.finish_reason = word(field(choice, "finish_reason")) or seen.finish_reason

    def _gemini(self, chunk: object) -> None:
        found, seen = read_answer(chunk), self.reading
        self._named(found.response_id, found.model)
        self._said(found.text)
        if found.tool_calls:
            first = field(chunk, "candidates")[0]
            parts = field(first, "content", "parts")
            given = [field(part, "function_call") for part in parts]
            self._calls += [_gemini_call(call) for call in given if call is not None]
        seen.finish_reason = found.finish_reason or seen.finish_reason
        if found.failure == "content_filter_input":
            seen.failure = found.failure
        self._usage(field(chunk, "usage_metadata"))

    def _whole_calls(self) -> list[dict[str, object]]:
        """Gemini's calls, those that came in pieces put together. If a piece cannot be placed, the
        names are left.
        """
        try:
            calls = [part["functionCall"] for part in whole_calls(self._calls)]
        except CallError as error:
            self.reading.failure = self.reading.failure or error.failure
            named = [part["functionCall"] for part in self._calls]
            calls = [{"name": call["name"]} for call in named if call.get("name")]
        return [{"name": call.get("name"), "arguments": call.get("args")} for call in calls]

    def _event(self, kind: str, event: object) -> None:
        if kind.startswith("response."):
            response = field(event, "response")
            if kind in ("response.completed", "response.incomplete", "response.failed"):
                self.reading, self._whole = read_answer(response), True
            elif response is not None:
                self._named(field(response, "id"), field(response, "model"))
            elif kind in ("response.output_text.delta", "response.refusal.delta"):
                self._said(field(event, "delta"))
        elif kind == "error":  # the Responses API's own, which no client raises
            code = text(field(event, "code")) or ""
            self.reading.failure = "rate_limit" if "rate_limit" in code else "server_error"
        elif kind == "message_start":
            message = field(event, "message")
            self._named(field(message, "id"), field(message, "model"))
            self._counts(field(message, "usage"))
        elif kind == "content_block_start":
            block = field(event, "content_block")
            if field(block, "type") == "tool_use":
                self._tool(field(event, "index") or 0, field(block, "name"), "")
        elif kind == "content_block_delta":
            delta = field(event, "delta")
            self._said(field(delta, "text"))
            if field(delta, "partial_json") is not None:
                self._tool(field(event, "index") or 0, None, field(delta, "partial_json"))
        elif kind == "message_delta":
            seen = self.reading
            reason = word(field(event, "delta", "stop_reason"))
            seen.finish_reason = reason or seen.finish_reason
            self._counts(field(event, "usage"))


_COUNTS = (
    *("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"),
    *("output_tokens", "output_tokens_details", "total_tokens"),
)
_PIECE = {
    "jsonPath": "json_path",
    "stringValue": "string_value",
    "numberValue": "number_value",
    "boolValue": "bool_value",
    "willContinue": "will_continue",
}


def _gemini_call(call: object) -> dict[str, object]:
    """A call or a piece of one as a part of the interface's own JSON."""
    own = {
        "id": field(call, "id"),
        "name": field(call, "name"),
        "args": field(call, "args"),
        "willContinue": field(call, "will_continue"),
        "partialArgs": [
            {name: field(piece, attribute) for name, attribute in _PIECE.items()}
            for piece in field(call, "partial_args") or ()
        ],
    }
    said = {name: value for name, value in own.items() if value or (name == "args" and value == {})}
    return {"functionCall": said}
