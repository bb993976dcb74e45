"""Replies in the dialects of many endpoints, whole and streamed: how they end, how they tell calls,
reasoning and several answers apart.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from promptops.errors import CallError
from promptops.models.dialects import DIALECTS
from promptops.models.failures import error_of_status
from promptops.models.protocol import Reply
from tests.models.reply_streams import response_events
from tests.models.test_sixty_replies import (
    chat,
    content,
    function_call,
    message,
    response,
    said,
)

Event = dict[str, Any]


def whole(api: str, body: object) -> Reply:
    return DIALECTS[api].read(body, {})


def played(api: str, *events: object) -> Reply:
    """The reply of a stream."""
    assembly = DIALECTS[api].assembly()
    for event in events:
        assembly.add(event)
    return whole(api, assembly.finished())


def delta(finish: str | None = None, index: int = 0, **said: Any) -> Event:
    return {"choices": [{"index": index, "delta": said, "finish_reason": finish}]}


def calls(reply: Reply) -> list[tuple[str, Any]]:
    functions = [call["function"] for call in reply.tool_calls]
    return [(each["name"], json.loads(each["arguments"])) for each in functions]


GAVE_UP = ("error", "abort", "network_error", "insufficient_system_resource", "ERROR")


@pytest.mark.parametrize("finish", GAVE_UP)
def test_an_answer_that_the_server_gave_up_is_nobodys(finish: str) -> None:
    """Tried again, streamed or whole, and never scored as half an answer."""
    for made in (
        lambda: whole("chat", chat({"content": "Par"}, finish)),
        lambda: played("chat", delta(content="Par"), delta(finish)),
        lambda: whole("gemini", content({"text": "Par"}, finish="MALFORMED_RESPONSE")),
        lambda: whole("responses", {**response(said("Par")), "status": "cancelled"}),
    ):
        with pytest.raises(CallError, match="gave up") as caught:
            made()
        assert caught.value.failure == "server_error"


ENDS = [
    ("chat", "sensitive", "content_filter_output"),
    ("chat", "ERROR_TOXIC", "content_filter_output"),
    ("chat", "ERROR_LIMIT", "truncated_length"),
    ("chat", "COMPLETE", None),
    ("chat", "eos_token", None),
    ("gemini", "LANGUAGE", "content_filter_output"),
    ("gemini", "IMAGE_PROHIBITED_CONTENT", "content_filter_output"),
    ("gemini", "IMAGE_RECITATION", "content_filter_output"),
    ("gemini", "MODEL_ARMOR", "content_filter_output"),
    ("gemini", "UNEXPECTED_TOOL_CALL", "tool_error"),
    ("gemini", "TOO_MANY_TOOL_CALLS", "tool_error"),
    ("gemini", "MISSING_THOUGHT_SIGNATURE", "tool_error"),
]


@pytest.mark.parametrize(("api", "finish", "failure"), ENDS)
def test_ends_of_many_providers(api: str, finish: str, failure: str | None) -> None:
    """Zhipu's, Cohere's, TGI's and Gemini's words have their classes."""
    said = chat({"content": "Par"}, finish) if api == "chat" else content({"text": "Par"})
    if api == "gemini":
        said["candidates"][0]["finishReason"] = finish
    assert whole(api, said).failure == failure


def tool(index: int = 0, of: str = "t", **piece: Any) -> Event:
    """A piece of a tool_use block of Anthropic's, or its beginning."""
    if "name" in piece:
        block = {"type": "tool_use", "id": of, "input": {}, **piece}
        return {"type": "content_block_start", "index": index, "content_block": block}
    written = {"type": "input_json_delta", "partial_json": piece["json"]}
    return {"type": "content_block_delta", "index": index, "delta": written}


BEGUN = {"type": "message_start", "message": message() | {"stop_reason": None}}
ENDED = {"type": "message_delta", "delta": {"stop_reason": "tool_use"}}
TWO = [("weather", {"a": 0}), ("time", {"a": 1})]
BLOCKS: dict[str, list[Event]] = {
    "one index": [
        tool(name="weather"),
        tool(json='{"a": 0}'),
        tool(of="u", name="time"),
        tool(json='{"a": 1}'),
    ],
    "interleaved": [
        tool(name="weather"),
        tool(1, of="u", name="time"),
        tool(json='{"a":'),
        tool(1, json='{"a":'),
        tool(json=" 0}"),
        tool(1, json=" 1}"),
    ],
    "whole at the start": [
        tool(name="weather", input={"a": 0}),
        tool(json=""),
        tool(1, of="u", name="time", input={"a": 1}),
    ],
}


@pytest.mark.parametrize("name", BLOCKS)
def test_anthropics_blocks_are_told_apart(name: str) -> None:
    """Also where every block has one index, and where the input came with the block."""
    assert calls(played("anthropic", BEGUN, *BLOCKS[name], ENDED)) == TWO


def piece(name: str | None = None, arguments: str = "", **more: Any) -> Event:
    function = {"arguments": arguments, **({"name": name} if name else {})}
    return {"function": function, **more}


ALIKE = [
    [delta(tool_calls=[piece("weather", '{"a": 0}'), piece("time", '{"a": 1}')])],
    [
        delta(tool_calls=[piece("weather", '{"a": 0}', index=0, id="")]),
        delta(tool_calls=[piece("time", '{"a": 1}', index=0, id="")]),
    ],
    [
        delta(tool_calls=[piece("weather", '{"a": 0}', index=0, id="call_0")]),
        delta(tool_calls=[piece("time", '{"a": 1}', index=1, id="call_0")]),
    ],
]


@pytest.mark.parametrize("number", range(3), ids=["neither index nor id", "empty ids", "one id"])
def test_streamed_calls_without_an_id_of_their_own(number: int) -> None:
    """Two calls that are whole are two, whatever they lack."""
    assert calls(played("chat", *ALIKE[number], delta("tool_calls"))) == TWO


def test_other_kinds_of_streamed_calls() -> None:
    """A custom tool's input, the call of old that had no list, and one call of many pieces."""
    first = {"index": 0, "id": "t", "type": "custom", "custom": {"name": "run", "input": "ls"}}
    more = {"index": 0, "custom": {"input": " -l"}}
    [call] = played(
        "chat", delta(tool_calls=[first]), delta(tool_calls=[more]), delta("tool_calls")
    ).tool_calls
    assert (call["type"], call["custom"]) == ("custom", {"name": "run", "input": "ls -l"})
    assert "function" not in call
    old = [
        delta(function_call={"name": "look", "arguments": ""}),
        delta(function_call={"arguments": '{"q":'}),
        delta("function_call", function_call={"arguments": "1}"}),
    ]
    assert calls(played("chat", *old)) == [("look", {"q": 1})]


def test_an_end_that_cut_an_answer_short_stays() -> None:
    """A filter, a limit or a failure in a stream is not undone by a later piece that says all is
    well.
    """
    stop = delta("stop")
    for early, failure in (("content_filter", "content_filter_output"), ("length",) * 2):
        reply = played("chat", delta(content="Par"), delta(early), delta(content="is"), stop)
        assert reply.failure == {"length": "truncated_length"}.get(failure, failure)
    with pytest.raises(CallError, match="gave up"):
        played("chat", delta(content="Par"), delta("error"), stop)
    with pytest.raises(CallError, match="boom") as told:
        played("chat", delta(content="Par"), {"object": "error", "message": "boom", "code": 503})
    assert told.value.failure == "server_error"
    safety = content(finish="SAFETY")
    assert played("gemini", safety, content({"text": "Par"})).failure == "content_filter_output"
    body = response(said("Paris"))
    failed = {"type": "response.failed", "response": {**body, "status": "failed"}}
    with pytest.raises(CallError):
        played("responses", failed, *response_events(body))
    cut = {"type": "message_delta", "delta": {"stop_reason": "max_tokens"}}
    end = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}
    begun = {"type": "message_start", "message": {**message({"type": "text", "text": "Par"})}}
    begun["message"].pop("stop_reason")
    assert played("anthropic", begun, cut, end).failure == "truncated_length"


def test_a_response_whose_last_event_lacks_its_output() -> None:
    """The items came before it."""
    body = response(said("Paris"), function_call(1, '{"q": 1}'))
    *events, last = response_events(body)
    last = {**last, "response": {**body, "output": []}}
    reply = played("responses", *events, last)
    assert (reply.text, calls(reply)) == ("Paris", [("look", {"q": 1})])


def test_of_several_streamed_answers_the_first_is_read() -> None:
    """As of a whole reply, whatever the choices are counted from."""
    for first, second in ((0, 1), (1, 2)):
        events = [delta(index=first, content="A"), delta(index=second, content="B")]
        assert played("chat", *events, delta("stop", index=first)).text == "A"
    other = {"candidates": [{"index": 1, "content": {"parts": [{"text": "B"}]}}]}
    begun = {"candidates": [{"content": {"parts": [{"text": "A"}]}}]}
    end = {"candidates": [{"content": {"parts": [{"text": "!"}]}, "finishReason": "STOP"}]}
    assert played("gemini", begun, other, end).text == "A!"


CONTENTS: list[Any] = [["Par", "is"], {"type": "text", "text": "Paris"}, [{"text": "Paris"}]]


@pytest.mark.parametrize("said", CONTENTS, ids=["plain texts", "one part", "no type"])
def test_contents_of_any_shape(said: Any) -> None:
    """A part, parts without a type and plain texts are read, streamed as whole."""
    assert whole("chat", chat({"content": said})).text == "Paris"
    assert played("chat", delta(content=said), delta("stop")).text == "Paris"


DETAILS = [{"type": "reasoning.text", "text": "hm"}]
THOUGHTS: list[Event] = [
    {"thinking": "hm"},
    {"reasoning_details": DETAILS},
    {"reasoning": "hm", "reasoning_details": DETAILS},
    {"reasoning_content": "hm", "reasoning": "hm"},
]


@pytest.mark.parametrize("thought", THOUGHTS, ids=lambda each: "+".join(each))
def test_reasoning_in_any_field_is_read_once(thought: Event) -> None:
    """Streamed as whole."""
    replies = (
        whole("chat", chat({"content": "Paris", **thought})),
        played("chat", delta(**thought), delta("stop", content="Paris")),
    )
    assert [(reply.text, reply.reasoning) for reply in replies] == [("Paris", "hm")] * 2


def test_streamed_reasoning_beside_calls_is_capped() -> None:
    """Of every form, with tools: what is kept of it is bounded, the calls are whole."""
    long, part = "x" * 15_000, {"type": "function_call", "call_id": "t", "name": "look"}
    thinking = {"type": "thinking_delta", "thinking": long}
    block = {"type": "content_block_delta", "index": 0, "delta": thinking}
    call = {"name": "look", "args": {"a": 0}}
    streams: dict[str, list[Event]] = {
        "chat": [
            *[delta(reasoning_content=long)] * 2,
            delta("tool_calls", tool_calls=[piece("look", '{"a": 0}', index=0, id="t")]),
        ],
        "responses": [
            {
                "type": "response.completed",
                "response": response(
                    {"type": "reasoning", "summary": [{"text": long}, {"text": long}]},
                    {**part, "arguments": '{"a": 0}'},
                ),
            }
        ],
        "anthropic": [BEGUN, block, block, tool(1, name="look"), tool(1, json='{"a": 0}'), ENDED],
        "gemini": [
            *[{"candidates": [{"content": {"parts": [{"text": long, "thought": True}]}}]}] * 2,
            content({"functionCall": call}),
        ],
    }
    for api, events in streams.items():
        reply = played(api, *events)
        assert (len(reply.reasoning or ""), calls(reply)) == (20_000, [("look", {"a": 0})]), api


def test_thinking_that_was_cut_in_the_answer_is_named() -> None:
    """A model that writes its thinking into its answer ran out of tokens before it ended."""
    for text in ("<think>London? no", "[THINK]London? no"):
        cut = whole("chat", chat({"content": text}, "length", completion_tokens=256))
        assert cut.failure_detail == (
            "all 256 tokens went into reasoning; raise max_completion_tokens."
        )
    cut = whole("chat", chat({"content": "<think>x</think>Par"}, "length", completion_tokens=9))
    assert cut.failure_detail == "the answer was cut after 9 tokens; raise max_completion_tokens."


OVERFLOWS: list[tuple[int, Any]] = [
    (413, {"error": {"type": "request_too_large", "message": "Request exceeds the maximum size"}}),
    (400, {"detail": "prompt token count of 5000 exceeds the limit of 4096"}),
    (400, {"error": {"message": "Range of input length should be [1, 30720]"}}),
    (400, {"error": {"message": "This request exceeds the model's max_seq_len of 4096"}}),
    (400, {"error": {"message": "Prompt has 5000 tokens, but the context is only 4096"}}),
    (400, {"error": {"message": "tokens: 5000 exceed model context 4096"}}),
    (400, {"error": {"message": "Total tokens of image and text exceed max message tokens"}}),
]


@pytest.mark.parametrize(("status", "body"), OVERFLOWS, ids=lambda part: str(part)[:40])
def test_overflows_of_further_endpoints(status: int, body: Any) -> None:
    """Copilot's, Qwen's, exllama's, Zhipu's and Anthropic's words for a prompt that is too long."""
    assert error_of_status(status, body, {}).failure == "context_length"


def test_an_error_in_a_list_has_its_class() -> None:
    """Google wraps a stream's error."""
    error = {"error": {"code": 429, "message": "per minute", "status": "RESOURCE_EXHAUSTED"}}
    with pytest.raises(CallError) as caught:
        played("gemini", [error])
    assert caught.value.failure == "rate_limit"


def test_a_damaged_stream_is_a_failure_and_no_other_answer() -> None:
    """Gemini's last event twice would double its text; an index that is none has no block. A finish
    in every event, as some send it, is no damage.
    """
    last = {**content({"text": "Paris"}), "usageMetadata": {"candidatesTokenCount": 1}}
    more = {**last, "usageMetadata": {"candidatesTokenCount": 2}}
    assert played("gemini", last).text == "Paris"
    assert played("gemini", last, more).text == "ParisParis"
    start = {"type": "content_block_start", "content_block": {"type": "text", "text": ""}}
    piece = {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "Par"}}
    tool = {"function": {"name": "look", "arguments": "{}"}, "id": "c1"}
    damage: list[tuple[str, list[Event]]] = [
        ("gemini", [last, last]),
        *(("anthropic", [{**start, "index": odd}]) for odd in ({}, [0])),
        *(("anthropic", [{**start, "index": 0}, {**piece, "index": odd}]) for odd in ({}, [0])),
        *(("chat", [delta(tool_calls=[{**tool, "index": odd}])]) for odd in ({}, [0])),
    ]
    for api, events in damage:
        with pytest.raises(CallError, match="the stream is damaged") as caught:
            played(api, *events)
        assert caught.value.failure == "connection", (api, events)
