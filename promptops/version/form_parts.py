"""What the request forms share: how a chat message's parts and tools are taken apart.

Whatever a form has no place for is a RenderError that names it; nothing is dropped.
"""

from __future__ import annotations

import json

from ..errors import RenderError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "NAMES",
    "arguments_of",
    "data_of",
    "function_of",
    "no_place",
    "parts_of",
    "schema_of",
    "texts_of",
]

NAMES = {
    "chat": "chat completions",
    "responses": "the responses API",
    "anthropic": "Anthropic's messages",
    "gemini": "Gemini's generateContent",
}


def no_place(what: str, api: str, instead: str) -> RenderError:
    """The error for what a form cannot express. instead: what to do about it."""
    return RenderError(f"{what} has no place in {NAMES[api]}; {instead}.")


def parts_of(content: Any) -> list[dict[str, Any]]:
    """A content as a list of parts; a text is one part, no content none."""
    if content is None:
        return []
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def texts_of(content: object, role: str, api: str) -> list[str]:
    """The texts of a content that may hold nothing else."""
    parts = parts_of(content)
    for part in parts:
        if part.get("type") != "text":
            raise no_place(
                f"a part of the type {part.get('type')!r} in a {role} message", api, "write text"
            )
    return [part["text"] for part in parts]


def data_of(url: str) -> tuple[str, str] | None:
    """(media type, base64 text) of a data address; None for any other address."""
    head, comma, data = url.partition(",")
    if not head.startswith("data:") or not head.endswith(";base64") or not comma:
        return None
    return head[5:-7], data


def arguments_of(call: dict[str, object], api: str) -> tuple[object, str, dict[str, object]]:
    """(id, name, arguments as an object) of a chat message's tool call."""
    function = call.get("function")
    if not isinstance(function, dict):
        raise no_place(
            f"a tool call of the type {call.get('type')!r}", api, "only function calls have one"
        )
    name, text = function.get("name"), function.get("arguments") or "{}"
    try:
        value = json.loads(text) if isinstance(text, str) else text
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise no_place(
            f"a call of {name!r} whose arguments are not a JSON object",
            api,
            "write them as an object",
        )
    return call.get("id"), str(name), value


def function_of(tool: dict[str, object], index: int, api: str) -> dict[str, object] | None:
    """The function that a chat tool describes; None for a tool of the form's own."""
    if tool.get("type") != "function":
        if tool.get("type") == "custom":
            raise no_place(f"tool {index} of the type 'custom'", api, "describe it as a function")
        return None
    function = tool.get("function")
    if not isinstance(function, dict):
        raise no_place(f"tool {index} without a function", api, "describe its function")
    return function


def schema_of(value: dict[str, object], api: str) -> object:
    """The JSON Schema of a chat response format; None for plain text, and True for any JSON."""
    kind = value.get("type")
    inner = value.get("json_schema")
    if kind == "json_schema" and isinstance(inner, dict) and "schema" in inner:
        return inner["schema"]
    if kind == "json_object":
        return True
    if kind == "text":
        return None
    raise no_place(f"a response_format of the type {kind!r}", api, "give a json_schema")
