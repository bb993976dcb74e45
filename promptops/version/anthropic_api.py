"""The same request for Anthropic: chat-completions arguments as arguments of `messages.create`.

Field names: Anthropic's API reference of the Messages API. What it cannot express is an error,
never dropped; what only it has (thinking, top_k, cache_control, its own tools and content blocks)
passes through as it is written.
"""

from __future__ import annotations

from .form_parts import (
    arguments_of,
    data_of,
    function_of,
    no_place,
    parts_of,
    schema_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["to_anthropic"]

_API = "anthropic"
_ABSENT = (
    "seed",
    "logit_bias",
    "frequency_penalty",
    "presence_penalty",
    "logprobs",
    "top_logprobs",
    "modalities",
    "audio",
    "prediction",
    "functions",
    "function_call",
    "web_search_options",
    "verbosity",
    "store",
    "user",
)
_LIMITS = ("max_tokens", "max_completion_tokens")
_EFFORTS = ("low", "medium", "high", "xhigh", "max")
_CHOICES = {"auto": "auto", "none": "none", "required": "any"}


def to_anthropic(body: dict[str, Any]) -> dict[str, object]:
    """Arguments of `client.messages.create`.

    Raises RenderError for what it has no place for, and if max_tokens is missing.
    """
    out: dict[str, Any] = {}
    system, messages = _messages(body["messages"])
    if system:
        out["system"] = system
    out["messages"] = messages
    for name, value in body.items():
        if name in ("messages", "parallel_tool_calls"):
            continue
        if name in _ABSENT:
            raise no_place(f"setting {name!r}", _API, "leave it out of the version")
        _set(out, name, value)
    if body.get("parallel_tool_calls") is False:
        out.setdefault("tool_choice", {"type": "auto"})["disable_parallel_tool_use"] = True
    if "max_tokens" not in out:
        raise no_place("a request without max_tokens", _API, "give one, as in max_tokens=1024")
    return out


def _set(out: dict[str, Any], name: str, value: Any) -> None:
    """Put one setting where it belongs."""
    if name in _LIMITS:
        if "max_tokens" in out:
            raise no_place("max_completion_tokens beside max_tokens", _API, "keep one of them")
        out["max_tokens"] = value
    elif name == "stop":
        out["stop_sequences"] = [value] if isinstance(value, str) else value
    elif name == "tools":
        out["tools"] = [_tool(tool, index) for index, tool in enumerate(value)]
    elif name == "tool_choice":
        out["tool_choice"] = _choice(value)
    elif name == "response_format":
        schema = schema_of(value, _API)
        if schema is True:
            raise no_place("a response_format of the type 'json_object'", _API, "give a schema")
        if schema is not None:
            out.setdefault("output_config", {})["format"] = {
                "type": "json_schema",
                "schema": schema,
            }
    elif name == "reasoning_effort":
        if value not in _EFFORTS:
            raise no_place(f"reasoning_effort={value!r}", _API, f"it has {', '.join(_EFFORTS)}")
        out.setdefault("output_config", {})["effort"] = value
    elif name == "service_tier" and value not in ("auto", "standard_only"):
        raise no_place(f"service_tier={value!r}", _API, "it has auto and standard_only")
    elif name == "output_config":
        out["output_config"] = {**value, **out.get("output_config", {})}
    else:
        out[name] = value


def _messages(messages: list[dict[str, object]]) -> tuple[object, list[dict[str, object]]]:
    """(the system prompt, the turns)."""
    system: list[dict[str, Any]] = []
    out: list[dict[str, Any]] = []
    plain: list[object] = []
    for message in messages:
        role = message["role"]
        if "name" in message:
            raise no_place(
                f"the name {message['name']!r} of a {role} message", _API, "say it in the text"
            )
        if role in ("system", "developer"):
            if out:
                raise no_place(
                    f"a {role} message after the conversation has begun", _API, "move it to the top"
                )
            plain.append(message["content"])
            system += [_system_part(part) for part in parts_of(message["content"])]
        elif role == "tool":
            block = {
                "type": "tool_result",
                "tool_use_id": message.get("tool_call_id"),
                "content": _content(message["content"]),
            }
            if out and out[-1]["role"] == "user" and _is_results(out[-1]["content"]):
                out[-1]["content"].append(block)
            else:
                out.append({"role": "user", "content": [block]})
        else:
            out.append({"role": role, "content": _turn(message)})
    whole = plain[0] if len(plain) == 1 and isinstance(plain[0], str) else system
    return whole, out


def _is_results(content: object) -> bool:
    return isinstance(content, list) and all(part.get("type") == "tool_result" for part in content)


def _system_part(part: dict[str, object]) -> dict[str, object]:
    if part.get("type") != "text":
        raise no_place(
            f"a part of the type {part.get('type')!r} in a system message", _API, "write text"
        )
    return part


def _turn(message: dict[str, Any]) -> object:
    calls = message.get("tool_calls") or []
    if not calls:
        return _content(message["content"])
    content = _content(message["content"])
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content or []
    for call in calls:
        identity, name, value = arguments_of(call, _API)
        blocks = [*blocks, {"type": "tool_use", "id": identity, "name": name, "input": value}]
    return blocks


def _content(content: Any) -> Any:
    if content is None or isinstance(content, str):
        return content
    return [_part(part) for part in content]


def _part(part: dict[str, Any]) -> dict[str, object]:
    kind = part.get("type")
    cached = {"cache_control": part["cache_control"]} if "cache_control" in part else {}
    if kind == "image_url":
        image = part["image_url"]
        if image.get("detail", "auto") != "auto":
            raise no_place(f"an image's detail={image['detail']!r}", _API, "leave it out")
        return {"type": "image", "source": _source(image["url"]), **cached}
    if kind == "file":
        return {"type": "document", **_document(part.get("file") or {}), **cached}
    if kind in ("input_audio", "refusal"):
        raise no_place(f"a part of the type {kind!r}", _API, "write it as text")
    return part


def _source(url: str) -> dict[str, object]:
    data = data_of(url)
    if data is None:
        return {"type": "url", "url": url}
    return {"type": "base64", "media_type": data[0], "data": data[1]}


def _document(file: dict[str, object]) -> dict[str, Any]:
    if file.get("file_id"):
        return {"source": {"type": "file", "file_id": file["file_id"]}}
    data = file.get("file_data")
    if not isinstance(data, str) or not data:
        raise no_place("a file part without file_data or file_id", _API, "give one of them")
    title = {"title": file["filename"]} if file.get("filename") else {}
    return {"source": _source(data), **title}


def _tool(tool: dict[str, object], index: int) -> dict[str, Any]:
    function = function_of(tool, index, _API)
    if function is None:
        return tool
    out = {
        "name": function.get("name"),
        "input_schema": function.get("parameters") or {"type": "object", "properties": {}},
    }
    for name in ("description", "strict"):
        if function.get(name):
            out[name] = function[name]
    if "cache_control" in tool:
        out["cache_control"] = tool["cache_control"]
    return out


def _choice(value: object) -> dict[str, object]:
    if isinstance(value, str) and value in _CHOICES:
        return {"type": _CHOICES[value]}
    function = value.get("function") if isinstance(value, dict) else None
    if isinstance(function, dict):
        return {"type": "tool", "name": function.get("name")}
    if isinstance(value, dict) and value.get("type") in ("auto", "any", "tool", "none"):
        return dict(value)
    raise no_place(f"tool_choice={value!r}", _API, "name a function, or auto, none, required")
