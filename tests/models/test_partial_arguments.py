"""Gemini's function calls whose arguments come in pieces: each chunk is valid by the SDK's own
model, and the whole call is read from the stream.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.genai import types

from promptops.errors import CallError
from promptops.models.dialects import DIALECTS
from promptops.models.protocol import Reply

Call = dict[str, Any]
MORE = {"willContinue": True}


def piece(path: str, more: bool = False, **value: Any) -> dict[str, Any]:
    """A piece of the arguments."""
    return {"jsonPath": path, **value, **(MORE if more else {})}


def chunk(*calls: Call, finish: str | None = None, text: str = "") -> dict[str, Any]:
    """A streamed reply, as the SDK's own model reads and spells it."""
    parts: list[dict[str, Any]] = [{"functionCall": call} for call in calls]
    if text:
        parts.append({"text": text})
    candidate: dict[str, Any] = {"index": 0, "content": {"role": "model", "parts": parts}}
    if finish:
        candidate["finishReason"] = finish
    read = types.GenerateContentResponse.model_validate({"candidates": [candidate]})
    spelled = read.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert isinstance(spelled, dict)
    return spelled


def played(*chunks: dict[str, Any]) -> Reply:
    """The reply of a stream."""
    assembly = DIALECTS["gemini"].assembly()
    for each in chunks:
        assembly.add(each)
    return DIALECTS["gemini"].read(assembly.finished(), {})


def calls_of(reply: Reply) -> list[tuple[str, Any]]:
    functions = [call["function"] for call in reply.tool_calls]
    return [(each["name"], json.loads(each["arguments"])) for each in functions]


def test_every_kind_of_value_is_read_into_whole_arguments() -> None:
    """Texts go on where they ended; numbers, truth values and null are whole; objects and lists
    are made on the way; the answer's text stays beside them.
    """
    reply = played(
        chunk({"name": "book", "id": "c1", **MORE}, text="I book. "),
        chunk({"partialArgs": [piece("$.city", True, stringValue="New ")], **MORE}),
        chunk({"partialArgs": [piece("$.city", True, stringValue="Del")], **MORE}),
        chunk({"partialArgs": [piece("$.city", stringValue="hi")], **MORE}),
        chunk(
            {
                "partialArgs": [
                    piece("$.nights", numberValue=3),
                    piece("$.price", numberValue=99.5),
                    piece("$.smoking", boolValue=False),
                    piece("$.note", nullValue="NULL_VALUE"),
                    piece("$.guests[0].name", stringValue="Ada"),
                    piece("$.guests[1]['full name']", stringValue=""),
                    piece('$.extra["a.b"][0]', numberValue=0),
                ],
                **MORE,
            }
        ),
        chunk({}),
        chunk(finish="STOP", text="Done."),
    )
    assert calls_of(reply) == [
        (
            "book",
            {
                "city": "New Delhi",
                "nights": 3,
                "price": 99.5,
                "smoking": False,
                "note": None,
                "guests": [{"name": "Ada"}, {"full name": ""}],
                "extra": {"a.b": [0]},
            },
        )
    ]
    assert '"nights": 3,' in reply.tool_calls[0]["function"]["arguments"]
    assert (reply.text, reply.tool_calls[0]["id"], reply.finish_reason) == (
        "I book. Done.",
        "c1",
        "STOP",
    )


def test_the_same_arguments_whole_and_in_pieces_are_one_reply() -> None:
    """Whoever streams is scored as whoever does not."""
    arguments = {"q": "rain?", "days": [1, 2], "unit": {"name": "C", "exact": True}}
    whole = played(chunk({"name": "ask", "args": arguments}, finish="STOP"))
    pieces = played(
        chunk({"name": "ask", **MORE}),
        chunk({"partialArgs": [piece("$.q", stringValue="rain?")], **MORE}),
        chunk({"partialArgs": [piece("$.days[0]", numberValue=1)], **MORE}),
        chunk({"partialArgs": [piece("$.days[1]", numberValue=2)], **MORE}),
        chunk({"partialArgs": [piece("$.unit.name", stringValue="C")], **MORE}),
        chunk({"partialArgs": [piece("$.unit.exact", boolValue=True)]}, finish="STOP"),
    )
    assert pieces.tool_calls == whole.tool_calls


def test_calls_that_follow_each_other_or_come_side_by_side_are_told_apart() -> None:
    """By their end, by another name, or by id; a plain call between them is as it was."""
    one_by_one = played(
        chunk({"name": "f", **MORE}),
        chunk({"partialArgs": [piece("$.x", numberValue=1)]}),
        chunk({"name": "f", "args": {"x": 2}}),
        chunk({"name": "f", "partialArgs": [piece("$.x", numberValue=3)], **MORE}),
        chunk({"name": "g", **MORE}),
        chunk({"partialArgs": [piece("$.y", stringValue="z")]}, finish="STOP"),
    )
    assert calls_of(one_by_one) == [
        ("f", {"x": 1}),
        ("f", {"x": 2}),
        ("f", {"x": 3}),
        ("g", {"y": "z"}),
    ]
    beside = played(
        chunk({"name": "f", "id": "a", **MORE}, {"name": "f", "id": "b", **MORE}),
        chunk({"id": "a", "partialArgs": [piece("$.x", True, stringValue="1")], **MORE}),
        chunk({"id": "b", "partialArgs": [piece("$.x", stringValue="2")], **MORE}),
        chunk({"id": "a", "partialArgs": [piece("$.x", stringValue="3")]}),
        chunk({"id": "b"}, finish="STOP"),
    )
    assert calls_of(beside) == [("f", {"x": "13"}), ("f", {"x": "2"})]


def test_a_call_that_the_limit_cut_off_is_kept_as_far_as_it_came() -> None:
    """It is the model's answer, cut like a text that is cut."""
    reply = played(
        chunk({"name": "f", **MORE}),
        chunk(
            {"partialArgs": [piece("$.x", True, stringValue="half")], **MORE}, finish="MAX_TOKENS"
        ),
    )
    assert calls_of(reply) == [("f", {"x": "half"})]
    assert reply.finish_reason == "MAX_TOKENS"


@pytest.mark.parametrize("path", ["", "x", "$", "$.", "$.a[x]", "$.a[999999]", "$.s.below", "$[0]"])
def test_a_piece_without_a_place_is_the_servers_error(path: str) -> None:
    """Tried again, and never scored as arguments that lack it."""
    with pytest.raises(CallError, match="not a place") as raised:
        played(
            chunk({"name": "f", "partialArgs": [piece("$.s", stringValue="t")], **MORE}),
            chunk({"partialArgs": [piece(path, stringValue="v")]}, finish="STOP"),
        )
    assert raised.value.failure == "server_error"
