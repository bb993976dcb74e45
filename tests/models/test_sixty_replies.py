"""Sixty replies, twenty each of three providers, written from their references: each is one that
the provider's own response model accepts, and lands in its class with text, calls and tokens.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from openai.types.chat import ChatCompletion
from openai.types.responses import Response

from promptops.errors import CallError
from promptops.models.dialects import read_any
from promptops.models.protocol import Call
from promptops.models.target import TargetModel

Expected = tuple[str | None, str | None, int]  # failure, text, tool calls


def chat(message: dict[str, Any], finish: str = "stop", **usage: Any) -> dict[str, Any]:
    counted = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13, **usage}
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": None, "refusal": None, **message},
        "finish_reason": finish,
        "logprobs": None,
    }
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-x",
        "choices": [choice],
        "usage": counted,
        "service_tier": "default",
    }


def called(name: str = "look", arguments: str = "{}", number: int = 1) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {"id": f"t{number}", "type": "function", "function": function}


def response(
    *output: dict[str, Any], status: str = "completed", reason: str | None = None
) -> dict[str, Any]:
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "status": status,
        "incomplete_details": {"reason": reason} if reason else None,
        "error": None,
        "model": "gpt-x",
        "output": list(output),
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": 9,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": 4,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 13,
        },
    }


def said(*texts: str, status: str = "completed") -> dict[str, Any]:
    parts = [{"type": "output_text", "text": text, "annotations": []} for text in texts]
    return {"type": "message", "id": "m", "role": "assistant", "status": status, "content": parts}


def refused(text: str) -> dict[str, Any]:
    return {**said(), "content": [{"type": "refusal", "refusal": text}]}


def function_call(number: int = 1, arguments: str = "{}") -> dict[str, Any]:
    return {
        "type": "function_call",
        "id": f"f{number}",
        "call_id": f"t{number}",
        "name": "look",
        "arguments": arguments,
        "status": "completed",
    }


THOUGHT = {"type": "reasoning", "id": "r", "summary": [{"type": "summary_text", "text": "hm"}]}

OPENAI: list[tuple[dict[str, Any], Expected]] = [
    (chat({"content": "Paris"}), (None, "Paris", 0)),
    (chat({"content": ""}), ("empty_output", "", 0)),
    (chat({"content": "Par"}, "length"), ("truncated_length", "Par", 0)),
    (chat({"content": "Par"}, "content_filter"), ("content_filter_output", "Par", 0)),
    (chat({"refusal": "No."}), ("refusal", None, 0)),
    (chat({"tool_calls": [called()]}, "tool_calls"), (None, None, 1)),
    (chat({"tool_calls": [called(), called(number=2)]}, "tool_calls"), (None, None, 2)),
    (chat({"content": "One", "tool_calls": [called()]}, "tool_calls"), (None, "One", 1)),
    (chat({"content": '{"a": 1}'}), (None, '{"a": 1}', 0)),
    (
        chat({"content": ""}, "length", completion_tokens_details={"reasoning_tokens": 4}),
        ("truncated_length", "", 0),
    ),
    (response(said("Paris")), (None, "Paris", 0)),
    (response(said("Par", "is")), (None, "Paris", 0)),
    (response(THOUGHT, said("Paris")), (None, "Paris", 0)),
    (response(function_call()), (None, None, 1)),
    (response(function_call(1), function_call(2)), (None, None, 2)),
    (response(said("One"), function_call()), (None, "One", 1)),
    (response(refused("No.")), ("refusal", None, 0)),
    (
        response(said("Par"), status="incomplete", reason="max_output_tokens"),
        ("truncated_length", "Par", 0),
    ),
    (
        response(said("Par"), status="incomplete", reason="content_filter"),
        ("content_filter_output", "Par", 0),
    ),
    (response(THOUGHT), ("empty_output", None, 0)),
]


def message(*content: dict[str, Any], stop: str = "end_turn", **usage: Any) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": list(content),
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": {"input_tokens": 9, "output_tokens": 4, **usage},
    }


def text(value: str) -> dict[str, Any]:
    return {"type": "text", "text": value}


def used(number: int = 1, **given: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": f"t{number}", "name": "look", "input": given}


THINKING = {"type": "thinking", "thinking": "hm", "signature": "s"}
REDACTED = {"type": "redacted_thinking", "data": "x"}
SEARCHED = {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "q"}}

ANTHROPIC: list[tuple[dict[str, Any], Expected]] = [
    (message(text("Paris")), (None, "Paris", 0)),
    (message(text("Par"), text("is")), (None, "Paris", 0)),
    (message(text("Paris"), stop="stop_sequence"), (None, "Paris", 0)),
    (message(text("Par"), stop="max_tokens"), ("truncated_length", "Par", 0)),
    (message(stop="max_tokens"), ("truncated_length", None, 0)),
    (message(THINKING, stop="max_tokens"), ("truncated_length", None, 0)),
    (
        message(text("Par"), stop="model_context_window_exceeded"),
        ("truncated_length", "Par", 0),
    ),
    (message(text("I"), stop="refusal"), ("refusal", "I", 0)),
    (message(stop="refusal"), ("refusal", None, 0)),
    (message(used(), stop="tool_use"), (None, None, 1)),
    (message(used(1, q="a"), used(2, q="b"), stop="tool_use"), (None, None, 2)),
    (message(text("I look."), used(), stop="tool_use"), (None, "I look.", 1)),
    (message(THINKING, text("Paris")), (None, "Paris", 0)),
    (message(REDACTED, text("Paris")), (None, "Paris", 0)),
    (message(THINKING, used(), stop="tool_use"), (None, None, 1)),
    (message(), ("empty_output", None, 0)),
    (message(text("")), ("empty_output", "", 0)),
    (message(THINKING), ("empty_output", None, 0)),
    (message(SEARCHED, text("Paris")), (None, "Paris", 0)),
    (message(text("so far"), stop="pause_turn"), (None, "so far", 0)),
]


def content(*parts: dict[str, Any], finish: str = "STOP", **more: Any) -> dict[str, Any]:
    candidate = {"content": {"role": "model", "parts": list(parts)}, "finishReason": finish}
    return {
        "candidates": [candidate],
        "modelVersion": "gemini-x",
        "responseId": "r1",
        "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 4, "totalTokenCount": 13},
        **more,
    }


def function(number: int = 1, **args: Any) -> dict[str, Any]:
    return {"functionCall": {"id": f"t{number}", "name": "look", "args": args}}


def blocked(reason: str) -> dict[str, Any]:
    found = content(promptFeedback={"blockReason": reason})
    del found["candidates"]
    found["usageMetadata"] = {"promptTokenCount": 9, "totalTokenCount": 9}
    return found


HM = {"text": "hm", "thought": True}

GEMINI: list[tuple[dict[str, Any], Expected]] = [
    (content({"text": "Paris"}), (None, "Paris", 0)),
    (content({"text": "Par"}, {"text": "is"}), (None, "Paris", 0)),
    (content(HM, {"text": "Paris"}), (None, "Paris", 0)),
    (content(HM), ("empty_output", None, 0)),
    (content({"text": "Par"}, finish="MAX_TOKENS"), ("truncated_length", "Par", 0)),
    (content(finish="MAX_TOKENS"), ("truncated_length", None, 0)),
    (content(HM, finish="MAX_TOKENS"), ("truncated_length", None, 0)),
    (content(finish="SAFETY"), ("content_filter_output", None, 0)),
    (content({"text": "P"}, finish="SAFETY"), ("content_filter_output", "P", 0)),
    (content(finish="RECITATION"), ("content_filter_output", None, 0)),
    (content(finish="BLOCKLIST"), ("content_filter_output", None, 0)),
    (content(finish="PROHIBITED_CONTENT"), ("content_filter_output", None, 0)),
    (content(finish="SPII"), ("content_filter_output", None, 0)),
    (content(finish="MALFORMED_FUNCTION_CALL"), ("tool_error", None, 0)),
    (content(function()), (None, None, 1)),
    (content(function(1, q="a"), function(2, q="b")), (None, None, 2)),
    (content({"text": "I look."}, function()), (None, "I look.", 1)),
    (content(HM, function()), (None, None, 1)),
    (blocked("SAFETY"), ("content_filter_input", None, 0)),
    (blocked("PROHIBITED_CONTENT"), ("content_filter_input", None, 0)),
]


def check(body: dict[str, Any], expected: Expected, answer: Any) -> None:
    """The reply of the body, and of the client's own object that a target returns."""
    target = TargetModel(lambda value: answer)
    for reply in (
        read_any(body),
        asyncio.run(target.complete(Call({}, values={"value": "x"}))),
    ):
        assert reply is not None
        assert (reply.failure, reply.text, len(reply.tool_calls)) == expected
        assert reply.tokens_in == 9
        if reply.failure != "content_filter_input":
            assert reply.tokens_out == 4
        assert str(reply.model).endswith("-x")
        assert reply.failure is None or reply.failure_detail
        for call in reply.tool_calls:
            assert call["function"]["name"] == "look"


@pytest.mark.parametrize("number", range(20))
def test_openais_replies(number: int) -> None:
    """Ten chat completions and ten responses."""
    body, expected = OPENAI[number]
    kind = ChatCompletion if "choices" in body else Response
    check(body, expected, kind.model_validate(body))  # type: ignore[attr-defined]


@pytest.mark.parametrize("number", range(20))
def test_anthropics_replies(number: int) -> None:
    """Twenty messages."""
    anthropic = pytest.importorskip("anthropic")
    body, expected = ANTHROPIC[number]
    check(body, expected, anthropic.types.Message.model_validate(body))


@pytest.mark.parametrize("number", range(20))
def test_geminis_replies(number: int) -> None:
    """Twenty replies of generateContent."""
    types = pytest.importorskip("google.genai.types")
    body, expected = GEMINI[number]
    check(body, expected, types.GenerateContentResponse.model_validate(body))


def test_a_reply_that_holds_nothing_is_nobodys_answer() -> None:
    """In every form: tried again where an endpoint gave it."""
    for body in (
        chat({}) | {"choices": []},
        response(),
        content() | {"candidates": [{"finishReason": "STOP"}]},
    ):
        with pytest.raises(CallError) as caught:
            read_any(body)
        assert caught.value.failure == "server_error"
