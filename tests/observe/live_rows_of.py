"""What stands in a folder of live rows, read as the lab reads it; and an OpenAI client whose
answers come from this process.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import openai

from promptops.spool.segment import read_pieces, segments

COMPLETION: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-6-mini-2026",
    "system_fingerprint": "fp_1",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": "billing"},
        }
    ],
    "usage": {
        "prompt_tokens": 11,
        "completion_tokens": 2,
        "total_tokens": 13,
        "prompt_tokens_details": {"cached_tokens": 4},
    },
}
RESPONSE: dict[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "model": "gpt-6-mini-2026",
    "status": "completed",
    "output": [
        {
            "type": "message",
            "id": "msg_1",
            "status": "completed",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "billing", "annotations": []}],
        }
    ],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
    "usage": {
        "input_tokens": 11,
        "input_tokens_details": {"cached_tokens": 4},
        "output_tokens": 2,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 13,
    },
}


def rows_of(folder: Path, table: str = "live") -> list[dict[str, Any]]:
    """The rows of a table, in every segment of the folder."""
    found = []
    for segment in segments(folder):
        for piece in read_pieces(segment, 0):
            for start, stop in piece.scan.rows.get(table, ()):
                found.append(json.loads(piece.data[start:stop]))
    return found


def server_sent(*events: dict[str, Any]) -> bytes:
    """The events as a body of text/event-stream."""
    named = (
        (f"event: {event['type']}\n" if "type" in event else "") + f"data: {json.dumps(event)}\n\n"
        for event in events
    )
    return "".join(named).encode()


def chat_chunks() -> bytes:
    """COMPLETION as a stream, with its usage at the end."""
    head = {key: COMPLETION[key] for key in ("id", "created", "model", "system_fingerprint")}
    head["object"] = "chat.completion.chunk"

    def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        return {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    pieces = [chunk({"role": "assistant", "content": part}) for part in ("bil", "ling")]
    last = [chunk({}, "stop"), {**head, "choices": [], "usage": COMPLETION["usage"]}]
    return server_sent(*pieces, *last) + b"data: [DONE]\n\n"


def response_events() -> bytes:
    """RESPONSE as a stream."""
    begun = {**RESPONSE, "status": "in_progress", "output": [], "usage": None}
    item = {**RESPONSE["output"][0], "content": [], "status": "in_progress"}
    text = RESPONSE["output"][0]["content"][0]
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    listed: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.content_part.added", **place, "part": {**text, "text": ""}},
        {"type": "response.output_text.delta", **place, "delta": "bil", "logprobs": []},
        {"type": "response.output_text.delta", **place, "delta": "ling", "logprobs": []},
        {"type": "response.output_text.done", **place, "text": "billing", "logprobs": []},
        {"type": "response.completed", "response": RESPONSE},
    ]
    return server_sent(*({**event, "sequence_number": n} for n, event in enumerate(listed)))


def provider(request: httpx2.Request) -> httpx2.Response:
    """Answers as OpenAI does; the model "refuses" fails with 429, "slow" is never reached."""
    body = json.loads(request.content)
    if body.get("model") == "limited":
        return httpx2.Response(429, json={"error": {"message": "slow down", "code": "rate_limit"}})
    if body.get("model") == "down":
        raise httpx2.ConnectError("refused", request=request)
    responses = request.url.path.endswith("/responses")
    if body.get("stream"):
        data = response_events() if responses else chat_chunks()
        return httpx2.Response(200, content=data, headers={"content-type": "text/event-stream"})
    return httpx2.Response(200, json=RESPONSE if responses else COMPLETION)


Handler = Callable[[httpx2.Request], httpx2.Response]
ARGUMENTS: dict[str, Any] = {
    "api_key": "sk-live-canary-0123456789abcdef",
    "base_url": "http://provider.example/v1",
    "max_retries": 0,
}


def client(handler: Handler = provider) -> openai.OpenAI:
    transport = httpx2.MockTransport(handler)
    return openai.OpenAI(http_client=httpx2.Client(transport=transport), **ARGUMENTS)


def async_client(handler: Handler = provider) -> openai.AsyncOpenAI:
    transport = httpx2.MockTransport(handler)
    return openai.AsyncOpenAI(http_client=httpx2.AsyncClient(transport=transport), **ARGUMENTS)
