"""The same request for the other API: chat-completions arguments as arguments of `responses.create`.

Field names: OpenAI's API reference of the Responses API. What it cannot express is an error, never dropped.
"""

from __future__ import annotations

from .errors import RenderError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_RENAMED = {"max_tokens": "max_output_tokens", "max_completion_tokens": "max_output_tokens"}
_ABSENT = ("stop", "seed", "logit_bias", "frequency_penalty", "presence_penalty", "logprobs", "modalities", "audio", "prediction")


def to_responses(body: dict[str, Any]) -> dict[str, Any]:
    """Arguments of `client.responses.create`. Raises RenderError for a setting that it has no place for."""
    out: dict[str, Any] = {"input": [item for message in body["messages"] for item in _items(message)]}
    text: dict[str, Any] = {}
    for name, value in body.items():
        if name == "messages":
            continue
        if name in _ABSENT:
            raise RenderError(f"setting {name!r} has no place in the responses API; leave it out of the version, or call chat completions.")
        if name == "tools":
            out["tools"] = [_tool(tool) for tool in value]
        elif name == "response_format":
            text["format"] = _format(value)
        elif name == "verbosity":
            text["verbosity"] = value
        elif name == "reasoning_effort":
            out["reasoning"] = {"effort": value}
        else:
            out[_RENAMED.get(name, name)] = value
    if text:
        out["text"] = text
    return out


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    return {"type": "function", **tool["function"]} if tool.get("type") == "function" and "function" in tool else tool


def _format(value: dict[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", **value["json_schema"]} if value.get("type") == "json_schema" and "json_schema" in value else value


def _items(message: dict[str, Any]) -> list[dict[str, Any]]:
    role, content = message["role"], message.get("content")
    if role == "tool":
        return [{"type": "function_call_output", "call_id": message.get("tool_call_id"), "output": content}]
    calls = [
        {"type": "function_call", "call_id": call["id"], "name": call["function"]["name"], "arguments": call["function"]["arguments"]}
        for call in message.get("tool_calls") or []
    ]
    if content is None:
        return calls
    if not isinstance(content, str):
        content = [_part(part, role) for part in content]
    return [{"role": role, "content": content}, *calls]


def _part(part: dict[str, Any], role: str) -> dict[str, Any]:
    if part.get("type") == "text":
        return {"type": "output_text" if role == "assistant" else "input_text", "text": part["text"]}
    if part.get("type") == "image_url":
        image = part["image_url"]
        return {"type": "input_image", "image_url": image["url"], **({"detail": image["detail"]} if "detail" in image else {})}
    return part
