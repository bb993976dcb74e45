"""Gemini's function calls whose arguments are streamed in pieces are one call each in the row of a
live call, read as an evaluation reads them, from the objects of Google's own client.
"""

from __future__ import annotations

import time
from typing import Any

import pytest
from google.genai import types

from promptops.observe.answers import ReplyFields
from promptops.observe.stream_reading import StreamReading
from tests.models.test_partial_arguments import MORE, calls_of, chunk, piece, played

Chunks = list[dict[str, Any]]
STREAMS: dict[str, Chunks] = {
    "one call": [
        chunk({"name": "book", "id": "c1", **MORE}, text="I book. "),
        chunk({"partialArgs": [piece("$.city", True, stringValue="New ")], **MORE}),
        chunk({"partialArgs": [piece("$.city", stringValue="Delhi")], **MORE}),
        chunk({"partialArgs": [piece("$.days[1]", numberValue=2.0)], **MORE}),
        chunk({"partialArgs": [piece("$.sure", boolValue=False)], **MORE}),
        chunk({}, finish="STOP"),
    ],
    "side by side": [
        chunk({"name": "f", "id": "a", **MORE}, {"name": "f", "id": "b", **MORE}),
        chunk({"id": "a", "partialArgs": [piece("$.x", True, stringValue="1")], **MORE}),
        chunk({"id": "b", "partialArgs": [piece("$.x", stringValue="2")], **MORE}),
        chunk({"id": "a", "partialArgs": [piece("$.x", stringValue="3")]}, {"id": "b"}),
        chunk(finish="STOP"),
    ],
    "one after the other, the last whole": [
        chunk({"name": "f", **MORE}),
        chunk({"partialArgs": [piece("$.x", numberValue=1)]}),
        chunk({"name": "g", "args": {"y": [1]}}, finish="STOP"),
    ],
    "whole calls": [
        chunk({"name": "f", "args": {}}, {"name": "f", "args": {"x": 1}}, finish="STOP")
    ],
    "cut off": [
        chunk({"name": "f", **MORE}),
        chunk(
            {"partialArgs": [piece("$.x", True, stringValue="half")], **MORE}, finish="MAX_TOKENS"
        ),
    ],
}


def read(chunks: Chunks) -> ReplyFields:
    """What a live call's row says of a stream."""
    reading = StreamReading(time.perf_counter())
    for each in chunks:
        reading.feed(types.GenerateContentResponse.model_validate(each))
    first = reading.result().tool_calls
    assert reading.result().tool_calls == first  # asking twice changes nothing
    return reading.result()


@pytest.mark.parametrize("name", STREAMS)
def test_a_live_call_has_the_calls_that_an_evaluation_reads(name: str) -> None:
    found = read(STREAMS[name])
    calls = [(call["name"], call["arguments"]) for call in found.tool_calls or ()]
    assert calls == calls_of(played(*STREAMS[name]))
    assert calls
    assert found.failure == ("truncated_length" if name == "cut off" else None)


def test_a_piece_without_a_place_leaves_the_names() -> None:
    """The application's stream goes on; the row has the failure that an evaluation has."""
    found = read(
        [
            chunk({"name": "f", **MORE}),
            chunk({"partialArgs": [piece("nowhere", stringValue="t")], **MORE}, finish="STOP"),
        ]
    )
    assert found.tool_calls == [{"name": "f", "arguments": None}]
    assert found.failure == "server_error"
