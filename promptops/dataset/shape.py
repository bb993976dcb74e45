"""Flattens rows of other shapes: nested `inputs`, and chat logs.

A chat log `{"messages": [...]}` becomes one example: the last user message is the input `message`,
the messages before it are the history (without a system message at its head: that one is the
version's to write), and the last text of the assistant after it, if any, is the expected answer
unless the row has a column `expected`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import DatasetError
from .rows import Row, Source, say_count

__all__ = ["flatten"]


def flatten(rows: list[Row], source: Source, *, chats: bool) -> tuple[list[Row], tuple[str, ...]]:
    """(flat rows, the columns that stood in nested `inputs`). chats: whether a column `messages`
    may be a chat log.

    Raises DatasetError if only some rows have the shape, or a name occurs both inside `inputs`
    and beside it.
    """
    if any(isinstance(row.get("inputs"), Mapping) for _, row in rows):
        flat = [(place, _unnested(row, source.at(place))) for place, row in rows]
        return flat, tuple(dict.fromkeys(name for _, row in rows for name in row["inputs"]))
    if chats and any(_is_chat(row.get("messages")) for _, row in rows):
        return _chats(rows, source), ()
    return rows, ()


def _unnested(row: Mapping[str, object], where: str) -> dict[str, object]:
    inputs = row.get("inputs")
    if not isinstance(inputs, Mapping):
        raise DatasetError(
            f"{where} has no object under 'inputs', as other rows have; give every row one."
        )
    beside = {name: value for name, value in row.items() if name != "inputs"}
    twice = sorted(set(beside) & set(inputs))
    if twice:
        raise DatasetError(f"{where} has {twice[0]!r} both in 'inputs' and beside it; keep one.")
    return {**beside, **inputs}


def _is_chat(value: object) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(message, Mapping) and "role" in message for message in value)
    )


def _chats(rows: list[Row], source: Source) -> list[Row]:
    flat: list[Row] = []
    systems: list[str] = []
    answered = 0
    for place, row in rows:
        where = source.at(place)
        for name in ("message", "history"):
            if name in row:
                raise DatasetError(
                    f"{where} has both 'messages' and {name!r}, which is made from it; rename one."
                )
        if not _is_chat(row.get("messages")):
            raise DatasetError(
                f"{where} has no list of {{'role', 'content'}} under 'messages', as other rows"
                " have; fix or remove the row."
            )
        turn = _turn(row["messages"], where)
        if turn.pop("system"):
            systems.append(where)
        answered += turn.get("expected") is not None
        flat.append(
            (place, {**turn, **{name: value for name, value in row.items() if name != "messages"}})
        )
    source.notes.append(
        "chat logs: the last user message is the input 'message', the messages before it are the"
        " history" + (", the assistant's last text after it is expected." if answered else ".")
    )
    say_count(
        source.notes,
        systems,
        "chats whose system message was left out of the history, since a version brings its own:"
        " {n} (first: {first}).",
    )
    return flat


def _turn(messages: Sequence[Mapping[str, object]], where: str) -> dict[str, Any]:
    last = max(
        (index for index, message in enumerate(messages) if message["role"] == "user"), default=None
    )
    if last is None:
        raise DatasetError(f"{where} has no message of the user; a chat log needs one to answer.")
    text = _text(messages[last].get("content"))
    if text is None:
        raise DatasetError(
            f"{where}: the last user message is not text alone; split its parts into columns of"
            " their own."
        )
    system = messages[0]["role"] in ("system", "developer")
    answers = [
        _text(message.get("content"))
        for message in messages[last + 1 :]
        if message["role"] == "assistant"
    ]
    notes = [answer for answer in answers if answer]
    turn: dict[str, object] = {
        "message": text,
        "history": [dict(message) for message in messages[int(system) : last]],
        "system": system,
    }
    return {**turn, "expected": notes[-1]} if notes else turn


def _text(content: object) -> str | None:
    """A message's text, also when it comes as typed parts; None if it is anything more."""
    if (
        isinstance(content, list)
        and content
        and all(isinstance(part, Mapping) and isinstance(part.get("text"), str) for part in content)
    ):
        return "".join(part["text"] for part in content)
    return content if isinstance(content, str) else None
