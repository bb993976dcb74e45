"""What every reader of replies shares: text, counts and the class of an answer's end.

Providers name the same things differently and misspell them now and then. Here a word of any case
means one thing, a count is a whole number from 0 or unknown, and an answer that ended early says
why in a sentence that names the setting to change.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ..errors import CallError
from .protocol import Reply

__all__ = [
    "Answered",
    "FINISHED",
    "REASONING_KEPT",
    "apart",
    "chosen",
    "clean",
    "count",
    "ending",
    "kept",
    "name",
    "reasoning_of",
    "text_of",
    "thinking_of",
    "within",
]

REASONING_KEPT = 20_000  # characters of a model's reasoning that a run keeps
FINISHED: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "length",
            "max_tokens",
            "max_output_tokens",
            "model_length",
            "model_context_window_exceeded",
            "token_limit",
            "error_limit",
        ),
        "truncated_length",
    ),
    **dict.fromkeys(
        (
            "content_filter",
            "content_filtered",
            "safety",
            "recitation",
            "blocklist",
            "prohibited_content",
            "spii",
            "image_safety",
            "image_prohibited_content",
            "image_recitation",
            "language",
            "model_armor",
            "guardrail_intervened",
            "sensitive",
            "error_toxic",
        ),
        "content_filter_output",
    ),
    "refusal": "refusal",
    **dict.fromkeys(
        (
            "malformed_function_call",
            "unexpected_tool_call",
            "too_many_tool_calls",
            "missing_thought_signature",
        ),
        "tool_error",
    ),
}
# how OpenRouter, vLLM, SGLang, DeepSeek, Zhipu, Cohere, Gemini and Responses say that the server
# gave up on the way: half of it is not an answer
_GAVE_UP = frozenset(
    (
        "error",
        "abort",
        "aborted",
        "network_error",
        "insufficient_system_resource",
        "malformed_response",
        "cancelled",
        "in_progress",
        "queued",
    )
)
# a model that writes its thinking into its answer was cut before it ended
_UNENDED = re.compile(r"\s*(?:<think(?:ing)?>|\[THINK\])(?!.*(?:</think|\[/THINK\]))", re.I | re.S)
_THINKING = ("thinking", "reasoning", "redacted_thinking", "reasoning_content", "summary_text")


class Answered(NamedTuple):
    """What a reply's answer holds, whatever form it came in.

    calls: in the shape of chat completions; counted: tokens by their names in `Reply`; reasoning:
    what came apart from the answer; refusal: the provider's own words.
    """

    text: str | None
    calls: tuple[Mapping[str, Any], ...]
    finish: str | None
    counted: Mapping[str, Any]
    reasoning: str | None = None
    refusal: str | None = None

    def reply(self, limit: str, **rest: object) -> Reply:
        """The reply, with the class of its end.

        limit: the setting that bounds the tokens of the answer, which a cut answer names; rest:
        other fields of `Reply`.

        Raises CallError if the server gave up before the answer's end.
        """
        if (self.finish or "").lower() in _GAVE_UP:
            raise CallError(
                f"the endpoint gave up before the answer's end (finish: {self.finish!r}).",
                failure="server_error",
                code=f"200 {self.finish}",
            )
        failure, detail = self._end(limit)
        fields: dict[str, Any] = {**self.counted, **rest}
        if not fields.get("tokens_in"):  # gateways write 0 where they do not know: no request has 0
            fields["tokens_in"] = None
        if (self.text or self.calls) and not fields.get("tokens_out"):
            fields["tokens_out"] = None
        return Reply(
            text=self.text,
            tool_calls=self.calls,
            finish_reason=self.finish,
            failure=failure,
            failure_detail=detail,
            reasoning=kept(self.reasoning),
            **fields,
        )

    def _end(self, limit: str) -> tuple[str | None, str | None]:
        """The failure class of the answer and the sentence that explains it; (None, None) if it
        is a whole one.
        """
        if self.refusal:
            return "refusal", self.refusal
        failure = FINISHED.get((self.finish or "").lower())
        tokens_reasoning = self.counted.get("tokens_reasoning")
        if failure == "truncated_length":
            tokens_out = self.counted.get("tokens_out")
            return failure, _cut(self.text, tokens_out, tokens_reasoning, self.reasoning, limit)
        if failure is not None:
            return failure, f"the provider ended the answer with {self.finish!r}."
        if self.text or self.calls:
            return None, None
        if self.reasoning or tokens_reasoning:
            return "empty_output", "the reply holds reasoning, but no answer after it."
        return (
            "empty_output",
            f"the reply holds neither text nor a tool call (finish: {self.finish!r}).",
        )


def _cut(
    text: str | None,
    tokens_out: int | None,
    tokens_reasoning: int | None,
    reasoning: str | None,
    limit: str,
) -> str:
    if _UNENDED.match(text or ""):
        text, reasoning = None, text
    if not (text or "").strip() and (tokens_reasoning or reasoning):
        known = tokens_reasoning if tokens_reasoning is not None else tokens_out
        spent = f"all {known:,} tokens" if known else "all tokens of the answer"
        return f"{spent} went into reasoning; raise {limit}."
    of_them = f", {tokens_reasoning:,} of them for reasoning" if tokens_reasoning else ""
    where = f" after {tokens_out:,} tokens{of_them}" if tokens_out is not None else ""
    return f"the answer was cut{where}; raise {limit}."


def ending(before: object, now: object) -> object:
    """How a stream's answer ends: what cut it short stays, whatever a later piece says."""
    if isinstance(before, str) and (before.lower() in FINISHED or before.lower() in _GAVE_UP):
        return before
    return now or before


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


def text_of(value: object) -> str | None:
    """A content: a text, or a part or a list of them, of which the texts are taken, those of
    reasoning left out.
    """
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        value = [value]
    if isinstance(value, list):
        parts = [
            part.get("text") if isinstance(part, dict) else part
            for part in value
            if not (isinstance(part, dict) and part.get("type") in _THINKING)
        ]
        texts = [part for part in parts if isinstance(part, str)]
        return clean("".join(texts)) if texts else None
    return None


def reasoning_of(message: Mapping[str, object]) -> str:
    """The reasoning of a chat message or a piece of one, which endpoints put beside the content,
    among its parts, or into a list of details: once, where they do several of it.
    """
    for key in ("reasoning_content", "reasoning", "thinking"):
        found = message.get(key)
        if found and isinstance(found, str):
            return found
    told = ""
    if details := _objects(message.get("reasoning_details")):
        told = "".join(_strings([part.get("text") or part.get("summary") for part in details]))
    return told or thinking_of(message.get("content"))


def chosen(choices: object, index: object) -> tuple[dict[str, Any] | None, object]:
    """The part of a stream that belongs to the answer: where several answers were asked for, the
    first one, as in a whole reply. index: of the answer so far; returned with the part.
    """
    found = _objects(choices)
    for each in found:
        if not each.get("index"):
            return each, 0
    if found and index is None:  # some count from one
        return found[0], found[0]["index"]
    return next((each for each in found if each["index"] == index), None), index


def _objects(value: object) -> list[dict[str, object]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def thinking_of(value: object) -> str:
    """The reasoning in a content: the texts of its thinking parts, however they are nested."""
    if not isinstance(value, list):
        return ""
    found = []
    for part in value:
        if isinstance(part, dict) and part.get("type") in _THINKING:
            for key in ("thinking", "reasoning", "text", "summary", "content"):
                inner = part.get(key)
                if isinstance(inner, str):
                    found.append(inner)
                elif isinstance(inner, list):
                    found.append("".join(_strings(inner)))
    return "".join(found)


def _strings(parts: list[object]) -> Iterable[str]:
    for part in parts:
        text = part.get("text") if isinstance(part, dict) else part
        if isinstance(text, str):
            yield text


def kept(reasoning: str | None) -> str | None:
    """Reasoning as a run keeps it: storable, of at most `REASONING_KEPT` characters, or None."""
    return clean(reasoning)[:REASONING_KEPT] if reasoning else None


def count(value: object) -> int | None:
    """Tokens: a whole number from 0; anything else is unknown."""
    if value is None:  # most of what is looked for
        return None
    if value.__class__ is int and 0 <= value < 2**53:
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return (
        value
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53
        else None
    )


def within(part: object, whole: int | None) -> int | None:
    """A count that is a part of another one; unknown if it is larger than the whole."""
    found = count(part)
    return found if found is not None and whole is not None and found <= whole else None


def apart(**counted: object) -> dict[str, int]:
    """What is billed at a rate of its own: of the counts given, those that are known and above
    zero.
    """
    return {kind: found for kind, value in counted.items() if (found := count(value))}


def name(value: object) -> str | None:
    """A short name that a provider gave; None for anything else."""
    return clean(value)[:200] if isinstance(value, str) and value else None
