"""The same request for Gemini: chat-completions arguments as arguments of `generate_content`.

Field names: Google's API reference of generateContent, in the camelCase that its Python and
JavaScript clients both take. What it cannot express is an error, never dropped; what only it has
(thinkingConfig, safetySettings, its own tools and parts) passes through.
"""

from __future__ import annotations

import json
import re

from .form_parts import arguments_of, data_of, function_of, no_place, parts_of, schema_of, texts_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["to_gemini"]

_API = "gemini"
_ABSENT = (
    "logit_bias",
    "parallel_tool_calls",
    "audio",
    "prediction",
    "functions",
    "function_call",
    "web_search_options",
    "verbosity",
    "store",
    "user",
    "metadata",
    "logprobs",
    "top_logprobs",
    "modalities",
)
_RENAMED = {"max_tokens": "maxOutputTokens", "max_completion_tokens": "maxOutputTokens"}
_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY"}
_SERVED = ("flex", "priority", "standard")
_LEVELS = ("minimal", "low", "medium", "high")
_FORMATS = {"wav": "audio/wav", "mp3": "audio/mp3"}


def to_gemini(body: dict[str, Any]) -> dict[str, object]:
    """Arguments of `client.models.generate_content`.

    Raises RenderError for what it has no place for.
    """
    system, contents = _contents(body["messages"])
    config: dict[str, Any] = {} if system is None else {"systemInstruction": system}
    for name, value in body.items():
        if name in ("messages", "model"):
            continue
        if name in _ABSENT:
            raise no_place(f"setting {name!r}", _API, "leave it out of the version")
        for key, item in _setting(name, value).items():
            if key in config:
                raise no_place(f"setting {name!r} beside another {key}", _API, "keep one of them")
            config[key] = item
    out: dict[str, Any] = {"contents": contents}
    if "model" in body:
        out["model"] = body["model"]
    if config:
        out["config"] = config
    return out


def _setting(name: str, value: Any) -> dict[str, Any]:
    """The fields of the config that one setting means."""
    if name == "stop":
        return {"stopSequences": [value] if isinstance(value, str) else value}
    if name == "tools":
        return {"tools": _tools(value)}
    if name == "tool_choice":
        return {"toolConfig": {"functionCallingConfig": _choice(value)}}
    if name == "response_format":
        schema = schema_of(value, _API)
        if schema is None:
            return {}
        asked = {"responseMimeType": "application/json"}
        return asked if schema is True else {**asked, "responseJsonSchema": schema}
    if name == "reasoning_effort":
        if value not in _LEVELS:
            raise no_place(f"reasoning_effort={value!r}", _API, f"it has {', '.join(_LEVELS)}")
        return {"thinkingConfig": {"thinkingLevel": value.upper()}}
    if name == "service_tier" and value not in _SERVED:
        raise no_place(f"service_tier={value!r}", _API, f"it has {', '.join(_SERVED)}")
    return {_RENAMED.get(name) or _camel(name): value}


def _camel(name: str) -> str:
    return re.sub(r"_([a-z])", lambda found: found[1].upper(), name)


def _contents(messages: list[dict[str, Any]]) -> tuple[Any, list[dict[str, object]]]:
    """(the system instruction or None, the turns)."""
    system: object = None
    out: list[dict[str, Any]] = []
    called: dict[object, str] = {}
    for message in messages:
        role = message["role"]
        if "name" in message:
            raise no_place(
                f"the name {message['name']!r} of a {role} message", _API, "say it in the text"
            )
        if role in ("system", "developer"):
            if out or system is not None:
                raise no_place(
                    "a system message that is not the first message", _API, "join them into one"
                )
            texts = texts_of(message["content"], role, _API)
            system = {"parts": [{"text": text} for text in texts]}
            continue
        if role == "tool":
            part = _response(message, called)
            if out and "functionResponse" in out[-1]["parts"][-1]:
                out[-1]["parts"].append(part)
            else:
                out.append({"role": "user", "parts": [part]})
            continue
        parts = [_part(part) for part in parts_of(message["content"])]
        for call in message.get("tool_calls") or []:
            identity, name, value = arguments_of(call, _API)
            called[identity] = name
            parts.append({"functionCall": {"id": identity, "name": name, "args": value}})
        out.append({"role": "model" if role == "assistant" else "user", "parts": parts})
    return system, out


def _response(message: dict[str, object], called: dict[object, str]) -> dict[str, object]:
    identity = message.get("tool_call_id")
    if identity not in called:
        raise no_place(
            f"the result of the call {identity!r}, which no message before it makes",
            _API,
            "put the assistant's tool call before it",
        )
    text = "".join(texts_of(message["content"], "tool", _API))
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    response = value if isinstance(value, dict) else {"result": text}
    return {"functionResponse": {"id": identity, "name": called[identity], "response": response}}


def _part(part: dict[str, Any]) -> dict[str, object]:
    kind = part.get("type")
    if kind == "text":
        if "cache_control" in part:
            raise no_place("cache_control", _API, "use cachedContent")
        return {"text": part["text"]}
    if kind == "image_url":
        image = part["image_url"]
        if image.get("detail", "auto") != "auto":
            raise no_place(f"an image's detail={image['detail']!r}", _API, "leave it out")
        return _media(image["url"])
    if kind == "input_audio":
        audio = part["input_audio"]
        mime = _FORMATS.get(audio.get("format"))
        if mime is None:
            raise no_place(f"audio of the format {audio.get('format')!r}", _API, "use wav or mp3")
        return {"inlineData": {"mimeType": mime, "data": audio["data"]}}
    if kind == "file":
        file = part.get("file") or {}
        where = file.get("file_data") or file.get("file_id")
        if not where:
            raise no_place("a file part without file_data or file_id", _API, "give one of them")
        return _media(where)
    raise no_place(f"a part of the type {kind!r}", _API, "write it as text, image_url or file")


def _media(url: str) -> dict[str, object]:
    data = data_of(url)
    if data is None:
        return {"fileData": {"fileUri": url}}
    return {"inlineData": {"mimeType": data[0], "data": data[1]}}


def _tools(tools: list[dict[str, object]]) -> list[dict[str, Any]]:
    declared, own = [], []
    for index, tool in enumerate(tools):
        function = function_of(tool, index, _API)
        if function is None:
            own.append(tool)
            continue
        if function.get("strict"):
            raise no_place(f"strict of tool {index}", _API, "leave it out of the tool")
        one = {"name": function.get("name")}
        if function.get("description"):
            one["description"] = function["description"]
        if function.get("parameters"):
            one["parametersJsonSchema"] = function["parameters"]
        declared.append(one)
    return [*([{"functionDeclarations": declared}] if declared else []), *own]


def _choice(value: object) -> dict[str, object]:
    if isinstance(value, str) and value in _MODES:
        return {"mode": _MODES[value]}
    function = value.get("function") if isinstance(value, dict) else None
    if isinstance(function, dict):
        return {"mode": "ANY", "allowedFunctionNames": [function.get("name")]}
    raise no_place(f"tool_choice={value!r}", _API, "name a function, or auto, none, required")
