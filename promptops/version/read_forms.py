"""A request in any of the four forms, read back as the arguments of a chat completion.

The reverse of the request forms, for prompts that work today: texts, tools and schema come back as
they were; what only one form has stays a part or a setting of that form.
"""

from __future__ import annotations

import json
import re

from ..errors import VersionError
from .read_parts import call_of, chosen_tool, format_of, function_of, whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

__all__ = ["to_chat"]

_ANTHROPIC = ("system", "stop_sequences", "thinking", "output_config", "output_format")
_CHOICES = {"any": "required", "auto": "auto", "none": "none"}
_MODES = {"ANY": "required", "AUTO": "auto", "NONE": "none"}


def to_chat(request: Mapping[str, object]) -> tuple[str, dict[str, Any]]:
    """(the form, the request as chat completions write it).

    Raises VersionError for what is a request of none of them.
    """
    body = {name: _plain(value) for name, value in request.items()}
    if "contents" in body:
        return "gemini", _of_gemini(body)
    if "input" in body and "messages" not in body:
        return "responses", _of_responses(body)
    if not isinstance(body.get("messages"), list):
        raise VersionError(
            "the request has no messages, input or contents; pass the keyword arguments of"
            " chat.completions.create, responses.create, messages.create or generate_content."
        )
    return ("anthropic", _of_anthropic(body)) if _is_anthropic(body) else ("chat", body)


def _plain(value: Any) -> object:
    """A value with objects of a client (an answer that was appended as it came) as JSON."""
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json", by_alias=True, exclude_none=True)
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return {k: _plain(v) for k, v in value.items()} if hasattr(value, "keys") else value


def _is_anthropic(body: dict[str, Any]) -> bool:
    if any(name in body for name in _ANTHROPIC):
        return True
    if any("input_schema" in tool for tool in body.get("tools") or () if isinstance(tool, dict)):
        return True
    kinds = {
        part.get("type")
        for message in body["messages"]
        if isinstance(message, dict) and isinstance(message.get("content"), list)
        for part in message["content"]
        if isinstance(part, dict)
    }
    return not kinds.isdisjoint(("tool_use", "tool_result", "thinking", "image", "document"))


# -- OpenAI's Responses API


def _of_responses(body: dict[str, Any]) -> dict[str, object]:
    given = body.pop("input")
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    messages: list[dict[str, Any]] = []
    if body.get("instructions"):
        messages.append({"role": "system", "content": body.pop("instructions")})
    for item in items:
        kind = item.get("type", "message")
        if kind == "function_call":
            call = call_of(item.get("call_id"), item.get("name"), item.get("arguments"))
            if not messages or messages[-1]["role"] != "assistant":
                messages.append({"role": "assistant", "content": None})
            messages[-1].setdefault("tool_calls", []).append(call)
        elif kind == "function_call_output":
            content = _response_content(item.get("output"))
            messages.append(
                {"role": "tool", "content": content, "tool_call_id": item.get("call_id")}
            )
        elif kind == "message":
            content = _response_content(item.get("content"))
            messages.append({"role": item["role"], "content": content})
    out: dict[str, Any] = {"messages": messages}
    text = body.pop("text", None) or {}
    if "format" in text:
        flat = dict(text["format"])
        kind = flat.pop("type")
        out["response_format"] = {"type": kind, kind: flat} if flat else {"type": kind}
    if "verbosity" in text:
        out["verbosity"] = text["verbosity"]
    if isinstance(body.get("reasoning"), dict) and body["reasoning"].keys() == {"effort"}:
        out["reasoning_effort"] = body.pop("reasoning")["effort"]
    for name, value in body.items():
        if name == "tools":
            out["tools"] = [
                function_of(tool.get("name"), tool, tool.get("parameters"))
                if tool.get("type") == "function"
                else tool
                for tool in value
            ]
        elif name == "tool_choice" and isinstance(value, dict) and value.get("type") == "function":
            out["tool_choice"] = chosen_tool(value.get("name"))
        else:
            out["max_completion_tokens" if name == "max_output_tokens" else name] = value
    return out


def _response_content(content: object) -> object:
    if not isinstance(content, list):
        return content
    parts = []
    for part in content:
        kind = part.get("type")
        if kind in ("input_text", "output_text"):
            parts.append({"type": "text", "text": part["text"]})
        elif kind == "input_image":
            image = {"url": part.get("image_url")}
            if "detail" in part:
                image["detail"] = part["detail"]
            parts.append({"type": "image_url", "image_url": image})
        elif kind == "input_file":
            file = {name: value for name, value in part.items() if name != "type"}
            parts.append({"type": "file", "file": file})
        else:
            parts.append(part)
    return parts


# -- Anthropic


def _of_anthropic(body: dict[str, Any]) -> dict[str, object]:
    messages: list[dict[str, Any]] = []
    system = body.pop("system", None)
    if system:
        messages.append({"role": "system", "content": system})
    for message in body.pop("messages"):
        messages += _turns(message)
    out: dict[str, Any] = {"messages": messages}
    configured = dict(body.pop("output_config", None) or {})
    if isinstance(configured.get("format"), dict):
        out["response_format"] = format_of(configured.pop("format").get("schema"))
    if "effort" in configured:
        out["reasoning_effort"] = configured.pop("effort")
    if configured:
        out["output_config"] = configured
    for name, value in body.items():
        if name == "tools":
            out["tools"] = [_anthropic_tool(tool) for tool in value]
        elif name == "tool_choice":
            if value.get("disable_parallel_tool_use"):
                out["parallel_tool_calls"] = False
            kind = value.get("type")
            out["tool_choice"] = chosen_tool(value["name"]) if kind == "tool" else _CHOICES[kind]
        else:
            out["stop" if name == "stop_sequences" else name] = value
    return out


def _turns(message: dict[str, object]) -> list[dict[str, object]]:
    content = message.get("content")
    if not isinstance(content, list):
        return [message]
    results = [
        {
            "role": "tool",
            "content": block.get("content") or "",
            "tool_call_id": block.get("tool_use_id"),
        }
        for block in content
        if block.get("type") == "tool_result"
    ]
    calls = [
        call_of(block.get("id"), block.get("name"), block.get("input"))
        for block in content
        if block.get("type") == "tool_use"
    ]
    rest = [_block(b) for b in content if b.get("type") not in ("tool_result", "tool_use")]
    if not rest and not calls:
        return results
    wording = {"role": message["role"], "content": whole(rest)}
    return [*results, {**wording, "tool_calls": calls} if calls else wording]


def _block(block: dict[str, object]) -> dict[str, Any]:
    kind, source = block.get("type"), block.get("source")
    if kind not in ("image", "document") or not isinstance(source, dict):
        return block
    url = source.get("url") or f"data:{source.get('media_type')};base64,{source.get('data')}"
    if kind == "image":
        return {"type": "image_url", "image_url": {"url": url}}
    file = {"file_id": source["file_id"]} if source.get("file_id") else {"file_data": url}
    if block.get("title"):
        file["filename"] = block["title"]
    return {"type": "file", "file": file}


def _anthropic_tool(tool: dict[str, object]) -> dict[str, object]:
    if "input_schema" not in tool:
        return tool
    out = function_of(tool.get("name"), tool, tool["input_schema"])
    return {**out, "cache_control": tool["cache_control"]} if "cache_control" in tool else out


# -- Gemini


def _of_gemini(body: dict[str, Any]) -> dict[str, object]:
    config = {_camel(name): value for name, value in (body.get("config") or {}).items()}
    messages: list[dict[str, object]] = []
    system = config.pop("systemInstruction", None)
    if system:
        parts = [{"text": system}] if isinstance(system, str) else system.get("parts") or []
        texts = [{"type": "text", "text": part["text"]} for part in parts]
        messages.append({"role": "system", "content": whole(texts)})
    contents = body["contents"]
    for content in contents if isinstance(contents, list) else [contents]:
        messages += _gemini_turn(content)
    out: dict[str, Any] = {"messages": messages}
    if body.get("model"):
        out["model"] = body["model"]
    for name, value in config.items():
        out.update(_gemini_setting(name, value, config))
    return out


def _gemini_setting(name: str, value: Any, config: Mapping[str, object]) -> dict[str, object]:
    if name == "tools":
        return {"tools": [each for tool in value for each in _gemini_tools(tool)]}
    if name == "toolConfig":
        chosen = value.get("functionCallingConfig") or {}
        names = chosen.get("allowedFunctionNames")
        choice = chosen_tool(names[0]) if names else _MODES.get(str(chosen.get("mode")), "auto")
        return {"tool_choice": choice}
    if name == "responseJsonSchema":
        return {"response_format": format_of(value)}
    if name == "responseMimeType":
        plain = value == "application/json" and "responseJsonSchema" not in config
        return {"response_format": {"type": "json_object"}} if plain else {}
    if name == "thinkingConfig" and set(value) == {"thinkingLevel"}:
        return {"reasoning_effort": str(value["thinkingLevel"]).lower()}
    renamed = {"stopSequences": "stop", "maxOutputTokens": "max_tokens"}.get(name)
    return {renamed or re.sub(r"([A-Z])", lambda found: f"_{found[1].lower()}", name): value}


def _gemini_tools(tool: dict[str, Any]) -> list[dict[str, object]]:
    declared = tool.get("functionDeclarations") or tool.get("function_declarations")
    if declared is None:
        return [tool]
    return [
        function_of(
            one.get("name"),
            one,
            one.get("parametersJsonSchema")
            or one.get("parameters_json_schema")
            or one.get("parameters"),
        )
        for one in declared
    ]


def _gemini_turn(content: Any) -> list[dict[str, object]]:
    if isinstance(content, str):
        return [{"role": "user", "content": content}]
    parts = [{_camel(k): v for k, v in part.items()} for part in content.get("parts") or ()]
    results = [
        {
            "role": "tool",
            "content": _result(part["functionResponse"].get("response")),
            "tool_call_id": part["functionResponse"].get("id"),
        }
        for part in parts
        if "functionResponse" in part
    ]
    calls = [
        call_of(
            part["functionCall"].get("id"),
            part["functionCall"].get("name"),
            part["functionCall"].get("args") or {},
        )
        for part in parts
        if "functionCall" in part
    ]
    rest = [
        _gemini_part(p) for p in parts if "functionResponse" not in p and "functionCall" not in p
    ]
    if not rest and not calls:
        return results
    role = "assistant" if content.get("role") == "model" else "user"
    wording = {"role": role, "content": whole(rest)}
    return [*results, {**wording, "tool_calls": calls} if calls else wording]


def _result(response: Any) -> str:
    alone = isinstance(response, dict) and response.keys() == {"result"}
    if alone and isinstance(response["result"], str):
        return str(response["result"])
    return json.dumps(response, ensure_ascii=False)


def _gemini_part(part: dict[str, object]) -> dict[str, object]:
    if "text" in part:
        return {"type": "text", "text": part["text"]}
    data = part.get("inlineData")
    if isinstance(data, dict):
        mime = data.get("mimeType") or data.get("mime_type") or ""
        if mime in ("audio/wav", "audio/mp3"):
            audio = {"data": data["data"], "format": mime[6:]}
            return {"type": "input_audio", "input_audio": audio}
        url = f"data:{mime};base64,{data['data']}"
        if mime.startswith("image/"):
            return {"type": "image_url", "image_url": {"url": url}}
        return {"type": "file", "file": {"file_data": url}}
    file = part.get("fileData")
    if isinstance(file, dict):
        where = file.get("fileUri") or file.get("file_uri")
        return {"type": "image_url", "image_url": {"url": where}}
    raise VersionError(
        f"a part with {', '.join(part) or 'nothing'} cannot be read back; write it as text or"
        " inlineData."
    )


def _camel(name: str) -> str:
    return re.sub(r"_([a-z])", lambda found: found[1].upper(), name)
