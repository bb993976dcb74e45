"""Versions made of versions: another instruction, demonstrations, the form of the answer stated.

Settings, model, variables, tools and response format stay the seed's. Each function returns None
if the seed's messages leave no place for the change.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..dataset import Example
from ..dataset.values import values_for
from ..errors import PromptOpsError
from ..version import PromptVersion

__all__ = ["instructions_of", "parts_of", "with_demonstrations", "with_instructions"]

_MARK = re.compile(r"\{\{\s*\w+\s*\}\}")


def _last_user(version: PromptVersion) -> int | None:
    places = [at for at, each in enumerate(version.template) if each["role"] == "user"]
    return places[-1] if places else None


def parts_of(version: PromptVersion) -> tuple[str, str] | None:
    """(what to do, the text to judge) of a version that is one user message: the paragraphs before
    its first variable, and those from there on; None of any other version.

    Where both are in one paragraph, the second part is a line for each variable.
    """
    messages = version.template
    names = [variable.name for variable in version.variables]
    if len(messages) != 1 or not names or not isinstance(text := messages[0]["content"], str):
        return None
    paragraphs = text.split("\n\n")
    first = next((at for at, each in enumerate(paragraphs) if _MARK.search(each)), 0)
    if first:
        return "\n\n".join(paragraphs[:first]), "\n\n".join(paragraphs[first:])
    told = _MARK.sub("", text).strip().rstrip(":").strip()
    lines = [f"{name.replace('_', ' ').capitalize()}: {{{{{name}}}}}" for name in names]
    return (f"{told}." if told and told[-1].isalnum() else told), "\n".join(lines)


def with_demonstrations(
    version: PromptVersion, pairs: Sequence[tuple[Example, str]]
) -> PromptVersion | None:
    """The version with earlier turns: each example as the version shows it, with its answer.

    The turns come before the last user message. Of a version that is one user message with
    paragraphs before the text to judge, those become the system message, so that they are sent
    once. An example that the version cannot be asked, or whose text would read as a variable, is
    left out.
    """
    parts = parts_of(version)
    if parts is not None and parts[0] and "\n\n" in str(version.template[0]["content"]):
        system = {"role": "system", "content": parts[0]}
        version = _made(version, [system, {"role": "user", "content": parts[1]}]) or version
    messages, at = version.template, _last_user(version)
    if at is None:
        return None
    turns: list[dict[str, object]] = []
    for example, answer in pairs:
        try:
            asked = version.render(values_for(version, example))[-(len(messages) - at)]["content"]
            turn: list[dict[str, object]] = [
                {"role": "user", "content": asked},
                {"role": "assistant", "content": answer},
            ]
            plain = not PromptVersion(turn).variables
        except PromptOpsError:
            continue
        if plain and isinstance(asked, str):
            turns += turn
    if not turns:
        return None
    return _made(version, [*messages[:at], *turns, *messages[at:]])


def instructions_of(version: PromptVersion) -> str:
    """What the version says to do: its system message, else what its user message says before the
    text to judge.
    """
    for message in version.template:
        if message["role"] in ("system", "developer") and isinstance(message["content"], str):
            return message["content"]
    parts = parts_of(version)
    if parts is not None:
        return parts[0]
    at = _last_user(version)
    content = version.template[at]["content"] if at is not None else ""
    return _MARK.sub("", content).strip() if isinstance(content, str) else ""


def with_instructions(version: PromptVersion, text: str) -> PromptVersion | None:
    """The version with another instruction.

    A text with all the variables of the seed becomes its one user message. Any other takes the
    place of the system message, or of what a lone user message says before the text to judge; else
    it becomes the system message.
    """
    names = [variable.name for variable in version.variables]
    messages = version.template
    whole = [name for name in names if "{{" + name + "}}" in text.replace(" ", "")]
    if names and len(whole) == len(names):
        return _made(version, [{"role": "user", "content": text}])
    roles = [message["role"] for message in messages]
    for role in ("system", "developer"):
        if role in roles:
            at = roles.index(role)
            changed = {**messages[at], "content": text}
            return _made(version, [*messages[:at], changed, *messages[at + 1 :]])
    parts = parts_of(version)
    if parts is not None:
        content = f"{text}\n\n{parts[1]}"
        return _made(version, [{**messages[0], "content": content}])
    return _made(version, [{"role": "system", "content": text}, *messages])


def _made(version: PromptVersion, messages: Sequence[object]) -> PromptVersion | None:
    try:
        return PromptVersion.from_content({**version.document(), "messages": list(messages)})
    except PromptOpsError:
        return None
