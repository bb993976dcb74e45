"""The parts that the forms of a request share, read back into a chat's."""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

__all__ = ["call_of", "chosen_tool", "format_of", "function_of", "whole"]
_NO_PARAMETERS = {"type": "object", "properties": {}}


def format_of(schema: object, name: str = "answer") -> dict[str, object]:
    """A JSON schema as a response format of the chat form."""
    inner = {"name": name, "schema": schema, "strict": True}
    return {"type": "json_schema", "json_schema": inner}


def call_of(identity: object, name: object, arguments: object) -> dict[str, object]:
    """A tool call as the chat form writes it."""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return {"id": identity, "type": "function", "function": {"name": name, "arguments": text}}


def function_of(
    name: object, described: Mapping[str, object], parameters: object
) -> dict[str, Any]:
    """A tool as the chat form declares it."""
    out = {"name": name}
    if described.get("description"):
        out["description"] = described["description"]
    if parameters and parameters != _NO_PARAMETERS:
        out["parameters"] = parameters
    if described.get("strict"):
        out["strict"] = True
    return {"type": "function", "function": out}


def whole(parts: list[dict[str, object]]) -> Any:
    """Parts as a content: one plain text as text."""
    plain = len(parts) == 1 and parts[0].keys() == {"type", "text"} and parts[0]["type"] == "text"
    return parts[0]["text"] if plain else parts or None


def chosen_tool(name: object) -> dict[str, object]:
    """The choice of one tool by its name."""
    return {"type": "function", "function": {"name": name}}
