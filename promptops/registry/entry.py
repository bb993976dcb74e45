"""A version as the registry keeps it: a closed list of fields, texts as arrays of lines, checked
against its own id.

An entry is data: whatever it holds beyond the known fields (an endpoint, a header, a key, code)
refuses it, and so does one changed character, because the id is derived again from the content.
"""

from __future__ import annotations

from ..errors import PromptOpsError, RegistryCorrupt
from ..version import PromptVersion

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    Entry = dict[str, object]

__all__ = ["faults", "to_entry", "to_version"]

FIELDS = frozenset(
    {
        "number",
        "id",
        "note",
        "author",
        "created",
        "model",
        "settings",
        "variables",
        "tools",
        "response_format",
        "api",
        "messages",
    }
)


def to_entry(version: PromptVersion, number: int, **details: str) -> Entry:
    """The entry of a version; `details` is its note, author and time of creation, left out where
    empty.
    """
    content = version.document()
    rest = {
        key: content[key]
        for key in ("model", "settings", "variables", "tools", "response_format", "api")
        if content.get(key)
    }
    return {
        "number": number,
        "id": version.id,
        **{key: details[key] for key in ("note", "author", "created") if details.get(key)},
        **rest,
        "messages": [_to_lines(message) for message in version.template],
    }


def to_version(entry: Any, where: str) -> PromptVersion:
    """The version of an entry; `where` names it in errors.

    Raises RegistryCorrupt if it is not what its id says.
    """
    fault = _shape(entry)
    if fault:
        raise RegistryCorrupt(f"{where} {fault}; restore it from git.")
    content = {
        key: entry[key]
        for key in ("model", "settings", "variables", "tools", "response_format", "api")
        if key in entry
    }
    try:
        version = PromptVersion.from_content(
            {**content, "messages": [_from_lines(message) for message in entry["messages"]]}
        )
    except (
        PromptOpsError,
        TypeError,
        ValueError,
        KeyError,
        AttributeError,
        RecursionError,
    ) as error:
        raise RegistryCorrupt(
            f"{where} does not hold a version ({error}); restore it from git."
        ) from None
    if version.id != entry["id"]:
        raise RegistryCorrupt(
            f"{where} was edited: its content is {version.id[:11]}, its id says {entry['id'][:11]};"
            " restore it from git, and save the new text as a new version."
        )
    return version


def faults(name: str, versions: list[Any]) -> Iterator[str]:
    """What is wrong with a prompt's versions: each entry, and their numbers, which rise and never
    repeat.
    """
    last, ids = 0, set()
    for index, entry in enumerate(versions):
        label = (
            f"v{entry['number']}"
            if hasattr(entry, "keys") and "number" in entry
            else f"entry {index + 1}"
        )
        try:
            to_version(entry, f"{name} {label}")
        except RegistryCorrupt as error:
            yield str(error)
            continue
        if entry["number"] <= last:
            yield (
                f"{name} {label} comes after v{last}; numbers rise: run `promptops registry merge`"
            )
        if entry["id"] in ids:
            yield (
                f"{name} {label} holds content that an earlier version holds too; drop one of them"
            )
        last = max(last, entry["number"])
        ids.add(entry["id"])


def _shape(entry: object) -> str | None:
    if not isinstance(entry, dict):
        return "is not an object"
    unknown = sorted(entry.keys() - FIELDS)
    if unknown:
        return f"has the unknown field {unknown[0]!r}, which no version may carry"
    number = entry.get("number")
    if (
        not isinstance(number, int)
        or isinstance(number, bool)
        or number < 1
        or not isinstance(entry.get("id"), str)
    ):
        return "lacks its number or id"
    if not isinstance(entry.get("messages"), list):
        return "lacks its messages"
    return None


def _to_lines(message: dict[str, Any]) -> dict[str, object]:
    if "content" not in message:
        return dict(message)
    content = message["content"]
    if isinstance(content, str):
        lines: object = content.split("\n")
    elif content is None:
        lines = None
    else:
        lines = [
            (
                {**part, "text": part["text"].split("\n")}
                if isinstance(part.get("text"), str)
                else part
            )
            for part in content
        ]
    return {**message, "content": lines}


def _from_lines(message: dict[str, object]) -> dict[str, object]:
    content = message.get("content")
    if content is None:
        return message
    if not isinstance(content, list):
        raise ValueError("a message's content is not an array of lines")
    if all(isinstance(line, str) for line in content):
        return {**message, "content": "\n".join(content)}
    return {
        **message,
        "content": [
            (
                {**part, "text": "\n".join(part["text"])}
                if isinstance(part.get("text"), list)
                else part
            )
            for part in content
        ],
    }
