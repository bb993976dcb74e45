"""The same request for the other API: chat-completions arguments as arguments of
`responses.create`.

Field names: OpenAI's API reference of the Responses API. What it cannot express is an error, never
dropped.
"""

from __future__ import annotations

from ..errors import RenderError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["to_responses"]

_RENAMED = {
    "max_tokens": "max_output_tokens",
    "max_completion_tokens": "max_output_tokens",
    "reasoning_effort": "reasoning",
}
_ABSENT = (
    *(
        "stop",
        "seed",
        "logit_bias",
        "frequency_penalty",
        "presence_penalty",
        "logprobs",
        "modalities",
        "audio",
        "prediction",
    ),
    *("functions", "function_call", "web_search_options"),
)


def to_responses(body: dict[str, Any]) -> dict[str, object]:
    """Arguments of `client.responses.create`.

    Raises RenderError for a setting that it has no place for.
    """
    out: dict[str, Any] = {
        "input": [item for message in body["messages"] for item in _items(message)]
    }
    text: dict[str, Any] = {}
    for name, value in body.items():
        if name == "messages":
            continue
        if name in _ABSENT:
            raise RenderError(
                f"setting {name!r} has no place in the responses API; leave it out of the version,"
                " or call chat completions."
            )
        if name == "tools":
            out["tools"] = [_tool(tool) for tool in value]
        elif name == "tool_choice":
            out["tool_choice"] = _choice(value)
        elif name == "response_format":
            text["format"] = _flat(value)
        elif name == "verbosity":
            text["verbosity"] = value
        elif name == "reasoning_effort" and "reasoning" not in out:
            out["reasoning"] = {"effort": value}
        elif _RENAMED.get(name, name) in out:
            raise _twice(name, _RENAMED.get(name, name))
        else:
            out[_RENAMED.get(name, name)] = value
    if text and "text" in out:
        raise _twice("text", "text")
    if text:
        out["text"] = text
    return out


def _twice(name: str, field: str) -> RenderError:
    return RenderError(
        f"setting {name!r} and another both become {field!r} in the responses API; keep one of"
        " them."
    )


def _flat(value: dict[str, object]) -> dict[str, Any]:
    """`{"type": t, t: {...}}` as `{"type": t, ...}`: how the responses API writes what chat
    completions nest.
    """
    kind = value.get("type")
    inner = value.get(kind) if isinstance(kind, str) else None
    return {"type": kind, **inner} if isinstance(inner, dict) else value


def _tool(tool: dict[str, object]) -> dict[str, Any]:
    flat = _flat(tool)
    if (
        flat.get("type") == "function"
    ):  # strict is off by default in chat completions and on in responses
        return {"parameters": {"type": "object", "properties": {}}, "strict": False, **flat}
    if flat.get("type") == "custom" and hasattr(flat.get("format"), "keys"):
        return {**flat, "format": _flat(flat["format"])}
    return flat


def _choice(value: Any) -> Any:
    if not hasattr(value, "keys"):
        return value
    flat = _flat(value)
    return (
        {**flat, "tools": [_flat(tool) for tool in flat["tools"]]}
        if isinstance(flat.get("tools"), list)
        else flat
    )


def _items(message: dict[str, Any]) -> list[dict[str, object]]:
    role, content = message["role"], message.get("content")
    if "name" in message:
        raise RenderError(
            f"the name {message['name']!r} of a {role} message has no place in the responses API;"
            " say it in the text."
        )
    if not isinstance(content, (str, type(None))):
        content = [_part(part, role) for part in content]
    if role == "tool":
        return [
            {
                "type": "function_call_output",
                "call_id": message.get("tool_call_id"),
                "output": content,
            }
        ]
    calls = [_call(call) for call in message.get("tool_calls") or []]
    return calls if content is None else [{"role": role, "content": content}, *calls]


def _call(call: dict[str, object]) -> dict[str, object]:
    function = call.get("function")
    if not isinstance(function, dict):
        raise RenderError(
            f"a tool call of the type {call.get('type')!r} has no place in the responses API; only"
            " function calls have."
        )
    return {
        "type": "function_call",
        "call_id": call.get("id"),
        "name": function.get("name"),
        "arguments": function.get("arguments"),
    }


def _part(part: dict[str, Any], role: str) -> dict[str, object]:
    if part.get("type") == "text":
        return {
            "type": "output_text" if role == "assistant" else "input_text",
            "text": part["text"],
        }
    if part.get("type") == "image_url":
        image = part["image_url"]
        return {
            "type": "input_image",
            "image_url": image["url"],
            **({"detail": image["detail"]} if "detail" in image else {}),
        }
    if part.get("type") == "file":
        return {**_flat(part), "type": "input_file"}
    return part
