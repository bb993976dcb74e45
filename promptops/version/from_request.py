"""Prompts that already work, turned into versions: a call's keyword arguments, or an f-string."""

from __future__ import annotations

import copy
import re

from ..errors import VersionError
from .read_forms import to_chat
from .renderer import literal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

__all__ = ["changed", "from_format", "from_request", "looks_like_format"]

_FIELD = re.compile(r"\{\{|\}\}|\{([A-Za-z_][A-Za-z0-9_]*)\}|\{[^{}]*\}|[{}]")
_NAME = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_PARTS = ("messages", "model", "variables", "settings", "tools", "response_format", "api")
_MARK = re.compile(r"\{\{[ \t]*[A-Za-z_]")
# how a request is sent, not what is asked: left out of the version
_TRANSPORT = (
    "stream",
    "stream_options",
    "timeout",
    "extra_headers",
    "extra_query",
    "user",
    "store",
    "metadata",
    "n",
)


def from_request(request: Mapping[str, object], variables: Mapping[str, str]) -> dict[str, Any]:
    """Arguments of PromptVersion for a call of any of the four forms, such as
    `client.chat.completions.create(**request)`.

    Texts are replaced longest first, so that one value inside another does no harm.
    """
    api, fields = to_chat(request)
    left = dict(variables)
    for name, text in left.items():
        if not isinstance(text, str) or not text:
            raise VersionError(
                f"variable {name!r} means {text!r}; give the text in the messages that it replaces."
            )
    order = sorted(left, key=lambda name: -len(left[name]))
    seen: set[str] = set()
    messages = [_marked(message, order, left, seen) for message in fields.pop("messages")]
    unseen = [name for name in left if name not in seen]
    if unseen:
        raise VersionError(
            f"variable {unseen[0]!r}: its text {left[unseen[0]][:40]!r} occurs in no message; copy"
            " it from the call exactly."
        )
    parts = {key: fields.pop(key, None) for key in ("model", "tools", "response_format")}
    return {
        "messages": messages,
        **parts,
        "settings": {key: value for key, value in fields.items() if key not in _TRANSPORT},
        **({} if api == "chat" else {"api": api}),
    }


def _marked(message: Any, order: list[str], texts: Mapping[str, str], seen: set[str]) -> object:
    if hasattr(
        message, "model_dump"
    ):  # an answer of the openai client, appended to the conversation as it came
        message = message.model_dump(exclude_none=True)
    if not hasattr(message, "keys"):
        return message
    out = copy.deepcopy(dict(message))
    content = out.get("content")
    if isinstance(content, str):
        out["content"] = _mark(content, order, texts, seen)
    elif isinstance(content, (list, tuple)):
        for part in content:
            place, key = (
                (part.get("image_url"), "url")
                if part.get("type") == "image_url"
                else (part, "text")
            )
            if (
                part.get("type") in ("text", "image_url")
                and hasattr(place, "keys")
                and isinstance(place.get(key), str)
            ):
                place[key] = _mark(place[key], order, texts, seen)
    return out


def _mark(text: str, order: list[str], texts: Mapping[str, str], seen: set[str]) -> str:
    if not order:
        return literal(text)
    name, rest = order[0], order[1:]
    pieces = text.split(texts[name])
    if len(pieces) > 1:
        seen.add(name)
    return f"{{{{{name}}}}}".join(_mark(piece, rest, texts, seen) for piece in pieces)


def changed(content: dict[str, Any], changes: Mapping[str, object]) -> dict[str, Any]:
    """A version's content with some of its parts changed; a name that is not a part is a setting,
    and None takes one out.
    """
    out = {**content, "settings": dict(content["settings"])}
    if "messages" in changes:  # other texts have other variables
        out["variables"] = {}
    for name, value in changes.items():
        if name in _PARTS:
            out[name] = value
        elif value is None:
            out["settings"].pop(name, None)
        else:
            out["settings"][name] = value
    if isinstance(out["messages"], str):
        out["messages"] = [{"role": "user", "content": out["messages"]}]
    return out


def from_format(text: str) -> str:
    """A `str.format` text as a template.

    Raises VersionError for `{0}`, `{a.b}`, `{a!r}`, `{a:.2f}` and stray braces.
    """
    out: list[str] = []
    wording: list[str] = []  # literal text since the last field
    end = 0
    for match in _FIELD.finditer(text):
        wording.append(text[end : match.start()])
        end = match.end()
        if match[0] in ("{{", "}}"):
            wording.append(match[0][0])
        elif match[1]:
            out += [literal("".join(wording)), f"{{{{{match[1]}}}}}"]
            wording.clear()
        else:
            raise VersionError(
                f"{match[0][:40]!r} is not a plain {{name}}; compute it before, and pass the result"
                " as a variable."
            )
    return "".join([*out, literal("".join(wording) + text[end:])])


def looks_like_format(text: str) -> str | None:
    """The `{name}` of a text that has such fields and no `{{name}}`: most likely a `str.format`
    prompt.
    """
    if _MARK.search(text):
        return None
    match = _NAME.search(text)
    return match[0] if match else None
