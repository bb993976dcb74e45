"""A prompt as a Markdown file that people edit: front matter for model and settings, one heading
per message.

    ---
    model: gpt-6-mini
    temperature: 0
    ---
    # system
    Name the one category of the ticket.

    # user
    {{ticket}}

A version that such a file cannot hold exactly is refused, so that reading back what was written
gives the same id.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ..errors import TemplateError, VersionError
from ..version import PromptVersion
from .prompt_files import parts_of

__all__ = ["read_prompt", "write_prompt"]

_HEADING = re.compile(r"(?m)^#[ \t]+(system|developer|user|assistant|history)[ \t]*$")
_LOGIC = re.compile(r"\{%-?|@@@langfusePrompt")
_FIELDS = ("model", "variables", "tools", "response_format")


def read_prompt(text: str, name: str) -> PromptVersion:
    """The version of a file's text.

    Args:
        text: front matter (optional) and messages; without a heading it is one user message.
        name: of the file, for errors.

    Returns:
        The version.

    Raises:
        DatasetError: the front matter is not YAML.
        VersionError: it is not a map, or holds what a version cannot.
        TemplateError: a message has something other than {{variables}} between double braces.
    """
    parts = parts_of(text.replace("\r\n", "\n").removeprefix("\ufeff"), name)
    facts: dict[str, Any] = {}
    body = text.replace("\r\n", "\n").removeprefix("\ufeff")
    if parts is not None:
        front, body, _ = parts
        if not isinstance(front.value, (dict, type(None))):
            raise VersionError(
                f"{name}: the front matter is not a map of settings; write one `name: value`"
                " per line."
            )
        facts = dict(front.value or {})
    _refuse_logic(body, name)
    known = {field: facts.pop(field, None) for field in _FIELDS}
    settings = facts.pop("settings", None) or {}
    if not isinstance(settings, Mapping):
        raise VersionError(f"{name}: settings is not a map; write one `name: value` per line.")
    return PromptVersion(_messages(body, name), settings={**facts, **settings}, **known)


def _refuse_logic(body: str, name: str) -> None:
    """Raises TemplateError for marks of other template languages, which would be sent as text."""
    match = _LOGIC.search(body)
    if match:
        line = body.count("\n", 0, match.start()) + 1
        raise TemplateError(
            f"{name}, line {line} of the text: {match[0]!r} is logic of another template language;"
            " compute it before, and pass the result as a variable."
        )


def _messages(body: str, name: str) -> list[dict[str, object]]:
    pieces = _HEADING.split(body)
    out: list[dict[str, Any]] = []
    if pieces[0].strip():
        if len(pieces) > 1:
            raise VersionError(
                f"{name}: there is text above the first heading; put it under # system or # user."
            )
        return [{"role": "user", "content": pieces[0].strip("\n")}]
    for role, text in zip(pieces[1::2], pieces[2::2], strict=True):
        content = text.strip("\n")
        out.append({"role": role} if role == "history" else {"role": role, "content": content})
    return out


def write_prompt(version: PromptVersion) -> str:
    """The file of a version.

    Raises VersionError for one that Markdown cannot hold exactly (parts, tool calls, a heading or
    empty lines at the edge of a message).
    """
    facts: dict[str, Any] = {"model": version.model} if version.model else {}
    settings = version.settings
    clash = any(name in (*_FIELDS, "settings") for name in settings)
    facts |= {"settings": settings} if clash else settings
    plain = [variable for variable in version.variables if variable.document() != _PLAIN]
    if plain:
        facts["variables"] = {item.name: _declared(item.document()) for item in plain}
    if version.tools:
        facts["tools"] = version.tools
    if version.response_format:
        facts["response_format"] = version.response_format
    lines = [f"{json.dumps(k, ensure_ascii=False)}: {_flow(v)}" for k, v in facts.items()]
    head = "---\n" + "\n".join(lines) + "\n---\n" if lines else ""
    body = "\n\n".join(
        f"# {message['role']}" + (f"\n{message['content']}" if message.get("content") else "")
        for message in version.template
    )
    text = f"{head}{body}\n"
    back = None if "\r" in text else read_prompt(text, "the file")
    if back is None or back.id != version.id:
        raise VersionError(
            f"{version.id[:11]} cannot be written as Markdown exactly (it has parts, tool calls, a"
            " heading inside a message, or white space at an edge); save it from Python."
        )
    return text


_PLAIN = {"type": "string", "required": True}


def _declared(document: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in document.items() if key != "required"}


def _flow(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
