"""Streams written from whole replies: the events that each provider would have sent for one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

Event = dict[str, Any]


def halves(text: str) -> list[str]:
    """A text in two pieces; one that cannot be cut in one."""
    middle = len(text) // 2
    return [piece for piece in (text[:middle], text[middle:]) if piece] or [text]


def chunks_of(body: Event) -> Iterator[Event]:
    """The chunks of a chat completion: role first, usage in a last one without a choice."""
    [choice] = body["choices"]
    message = choice["message"]
    head = {key: body[key] for key in ("id", "created", "model", "service_tier")}
    head["object"] = "chat.completion.chunk"

    def chunk(delta: Event, finish: str | None = None) -> Event:
        answered = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        return {**head, "choices": [answered], "usage": None}

    opened = None if message["content"] is None else ""
    yield chunk({"role": "assistant", "content": opened, "refusal": None})
    for key in ("content", "refusal"):
        for piece in halves(message[key] or ""):
            if piece:
                yield chunk({key: piece})
    for index, call in enumerate(message.get("tool_calls") or ()):
        function = call["function"]
        named = {**call, "index": index, "function": {"name": function["name"], "arguments": ""}}
        yield chunk({"tool_calls": [named]})
        for piece in halves(function["arguments"]):
            yield chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    yield chunk({}, choice["finish_reason"])
    yield {**head, "choices": [], "usage": body["usage"]}


def response_events(body: Event) -> Iterator[Event]:
    """The numbered events of a response; the last one holds the whole of it."""
    begun = {**body, "status": "in_progress", "output": [], "usage": None}
    begun["incomplete_details"] = None
    events = [{"type": "response.created", "response": begun}]
    events.append({"type": "response.in_progress", "response": begun})
    for index, item in enumerate(body["output"]):
        at = {"output_index": index, "item_id": item["id"]}
        empty = {**item, **{key: [] for key in ("content", "summary") if key in item}}
        if item["type"] == "function_call":
            empty["arguments"] = ""
        opened = empty if item["type"] == "reasoning" else {**empty, "status": "in_progress"}
        events.append({"type": "response.output_item.added", "output_index": index, "item": opened})
        events += [{**at, **event} for event in _inside(item)]
        events.append({"type": "response.output_item.done", "output_index": index, "item": item})
    events.append({"type": f"response.{body['status']}", "response": body})
    for number, event in enumerate(events):
        yield {**event, "sequence_number": number}


def _inside(item: Event) -> Iterator[Event]:
    """What comes between the beginning and the end of an output item."""
    if item["type"] == "function_call":
        kind, arguments = "response.function_call_arguments", item["arguments"]
        for piece in halves(arguments):
            yield {"type": f"{kind}.delta", "delta": piece}
        yield {"type": f"{kind}.done", "arguments": arguments, "name": item["name"]}
    for index, part in enumerate(item.get("summary", ())):
        at, kind, text = {"summary_index": index}, "response.reasoning_summary", part["text"]
        yield {"type": f"{kind}_part.added", **at, "part": {**part, "text": ""}}
        for piece in halves(text):
            yield {"type": f"{kind}_text.delta", **at, "delta": piece}
        yield {"type": f"{kind}_text.done", **at, "text": text}
        yield {"type": f"{kind}_part.done", **at, "part": part}
    for index, part in enumerate(item.get("content", ())):
        key = "refusal" if part["type"] == "refusal" else "text"
        kind = f"response.{'refusal' if key == 'refusal' else 'output_text'}"
        at, more = {"content_index": index}, {} if key == "refusal" else {"logprobs": []}
        yield {"type": "response.content_part.added", **at, "part": {**part, key: ""}}
        for piece in halves(part[key]):
            yield {"type": f"{kind}.delta", **at, **more, "delta": piece}
        yield {"type": f"{kind}.done", **at, **more, key: part[key]}
        yield {"type": "response.content_part.done", **at, "part": part}


def message_events(body: Event) -> Iterator[Event]:
    """The events of an Anthropic message: its answer's tokens are counted at the end."""
    opened = {**body, "content": [], "stop_reason": None, "usage": {**body["usage"]}}
    opened["usage"]["output_tokens"] = 1
    yield {"type": "message_start", "message": opened}
    yield {"type": "ping"}
    for index, block in enumerate(body["content"]):
        at, empty = {"index": index}, dict(block)
        deltas: list[Event] = []
        if block["type"] == "text":
            empty["text"] = ""
            deltas = [{"type": "text_delta", "text": each} for each in halves(block["text"])]
        elif block["type"] == "thinking":
            empty |= {"thinking": "", "signature": ""}
            pieces = halves(block["thinking"])
            deltas = [{"type": "thinking_delta", "thinking": each} for each in pieces]
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
        elif "input" in block:
            empty["input"] = {}
            pieces = ["", *halves(json.dumps(block["input"]))] if block["input"] else [""]
            deltas = [{"type": "input_json_delta", "partial_json": each} for each in pieces]
        yield {"type": "content_block_start", **at, "content_block": empty}
        for delta in deltas:
            yield {"type": "content_block_delta", **at, "delta": delta}
        yield {"type": "content_block_stop", **at}
    ended = {key: body[key] for key in ("stop_reason", "stop_sequence")}
    counted = {"output_tokens": body["usage"]["output_tokens"]}
    yield {"type": "message_delta", "delta": ended, "usage": counted}
    yield {"type": "message_stop"}


def content_chunks(body: Event) -> Iterator[Event]:
    """The replies of a streamed generateContent: texts in pieces, calls whole, counts that grow."""
    if "candidates" not in body:
        yield body
        return
    head = {key: body[key] for key in ("modelVersion", "responseId")}
    usage, [candidate] = body["usageMetadata"], body["candidates"]
    begun = {key: usage[key] for key in ("promptTokenCount", "totalTokenCount")}
    parts: list[Event] = []
    for part in candidate["content"]["parts"]:
        pieces = halves(part["text"]) if "text" in part else []
        parts += [{**part, "text": piece} for piece in pieces] or [part]
    for part in parts[:-1]:
        said = {"content": {"role": "model", "parts": [part]}}
        yield {**head, "candidates": [said], "usageMetadata": begun}
    last = {**candidate, "content": {"role": "model", "parts": parts[-1:]}}
    yield {**head, "candidates": [last], "usageMetadata": usage}


def form_of(body: Event) -> tuple[str, Iterator[Event]]:
    """The form that a whole reply is of, and its stream."""
    if "choices" in body:
        return "chat", chunks_of(body)
    if body.get("object") == "response":
        return "responses", response_events(body)
    if body.get("type") == "message":
        return "anthropic", message_events(body)
    return "gemini", content_chunks(body)


def sent(events: Iterator[Event], *, named: bool = False, done: bool = False) -> tuple[bytes, ...]:
    """Server-sent events, with their names where the provider names them."""
    lines = [
        (f"event: {event['type']}\n" if named else "") + f"data: {json.dumps(event)}\n\n"
        for event in events
    ]
    return tuple(line.encode() for line in (*lines, *(["data: [DONE]\n\n"] if done else [])))
