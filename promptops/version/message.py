"""The messages of a version: what one may hold, which of its texts are templated, and how they are
filled.
"""

from __future__ import annotations

from ..canonical import copied, json_copy
from ..errors import RenderError, TemplateError, VersionError
from . import renderer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    Message = dict[str, object]

__all__ = [
    "MAX_MESSAGES",
    "MAX_TEXTS",
    "ROLES",
    "checked_history",
    "checked_messages",
    "filled",
    "variable_names",
]

MAX_MESSAGES = 10_000
MAX_TEXTS = 8_000_000  # characters of all messages together: past it, it is a bomb
ROLES = ("system", "developer", "user", "assistant", "tool")
_MESSAGE_KEYS = frozenset({"role", "content", "name", "tool_calls", "tool_call_id"})


def checked_messages(messages: object) -> list[Message]:
    """The messages of a version, copied. Raises VersionError, which names the message at fault."""
    if not isinstance(messages, (list, tuple)) or not messages:
        raise VersionError("a version needs a text or a non-empty list of messages.")
    if len(messages) > MAX_MESSAGES:
        raise VersionError(
            f"a version of {len(messages):,} messages exceeds the limit of {MAX_MESSAGES:,};"
            " drop some."
        )
    return [_checked_message(message, f"message {index}") for index, message in enumerate(messages)]


def checked_history(history: object) -> list[Message]:
    """A conversation to splice in, copied; it is never templated.

    Raises RenderError, which names the message at fault.
    """
    if not isinstance(history, (list, tuple)):
        raise RenderError(f"history is a {type(history).__name__}; pass a list of messages.")
    try:
        checked = [
            _checked_message(message, f"history[{index}]") for index, message in enumerate(history)
        ]
    except VersionError as error:
        raise RenderError(str(error)) from None
    for index, message in enumerate(checked):
        if message["role"] == "history":
            raise RenderError(
                f"history[{index}] is a placeholder of its own; pass the messages of the"
                f" conversation."
            )
    return checked


def variable_names(messages: list[Message]) -> list[str]:
    """The variables of all messages in order of first use.

    Raises TemplateError, which names the message at fault.
    """
    texts = [(index, text) for index, message in enumerate(messages) for text in _texts(message)]
    if sum(len(text) for _, text in texts) > MAX_TEXTS:  # before any is read
        raise TemplateError(
            f"messages of more than {MAX_TEXTS:,} characters together exceed what a version may"
            " hold; shorten them."
        )
    found: dict[str, None] = {}
    for index, text in texts:
        try:
            found.update(dict.fromkeys(renderer.names(text)))
        except TemplateError as error:
            raise TemplateError(f"message {index}: {error}") from None
    return list(found)


def filled(message: Message, texts: Mapping[str, str]) -> Message:
    """A copy of the message with its content, text parts and image addresses filled."""
    content = message.get("content")
    out = dict(message) if isinstance(content, str) and len(message) == 2 else copied(message)
    if isinstance(content, str):
        out["content"] = renderer.fill(content, texts)
        return out
    for part, kind in _slots(out.get("content")):
        if kind == "text":
            part["text"] = renderer.fill(part["text"], texts)
        else:
            part["image_url"]["url"] = renderer.fill(part["image_url"]["url"], texts)
    return out


def _checked_message(message: Any, where: str) -> Message:
    if not hasattr(message, "keys"):
        raise VersionError(
            f'{where} is a {type(message).__name__}; expected {{"role": ..., "content": ...}}.'
        )
    message = json_copy(message, where)  # refuses what JSON cannot hold, before anything is stored
    role = message.get("role")
    if role == "history" and set(message) == {"role"}:
        return {"role": "history"}
    if role not in ROLES:
        raise VersionError(
            f'{where} has the role {role!r}; the roles are {", ".join(ROLES)}, and {{"role":'
            ' "history"} alone.'
        )
    unknown = sorted(set(message) - _MESSAGE_KEYS)
    if unknown:
        raise VersionError(
            f"{where} has the unknown field {unknown[0]!r}; the fields are"
            f" {', '.join(sorted(_MESSAGE_KEYS))}."
        )
    content = message.get("content")
    parts = isinstance(content, list) and bool(content) and all(map(_is_part, content))
    if not (isinstance(content, str) or parts or (content is None and message.get("tool_calls"))):
        raise VersionError(
            f"{where} has no content; expected text, or a list of typed parts such as {{'type':"
            " 'text', 'text': ...}."
        )
    return {
        "role": role,
        "content": content,
        **{key: message[key] for key in message if key not in ("role", "content")},
    }


def _is_part(part: object) -> bool:
    if not isinstance(part, dict) or not isinstance(part.get("type"), str):
        return False
    return part["type"] != "text" or isinstance(part.get("text"), str)


def _texts(message: Message) -> list[str]:
    """The templated texts of a message: its content, its text parts, and the addresses of its
    images.
    """
    content = message.get("content")
    if isinstance(content, str):
        return [content]
    return [part[kind] if kind == "text" else part[kind]["url"] for part, kind in _slots(content)]


def _slots(content: object) -> list[tuple[dict[str, Any], str]]:
    found = []
    for part in content if isinstance(content, list) else []:
        if part.get("type") == "text" and isinstance(part.get("text"), str):
            found.append((part, "text"))
        elif (
            part.get("type") == "image_url"
            and hasattr(part.get("image_url"), "keys")
            and isinstance(part["image_url"].get("url"), str)
        ):
            found.append((part, "image_url"))
    return found
