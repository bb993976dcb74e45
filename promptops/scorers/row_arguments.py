"""The arguments of a row's check, read from its text."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from ..dataset.example import Example
from ..errors import ScorerError
from . import assertion
from .rule import Rule, snippet

__all__ = ["bound_of", "filled", "has_column", "range_of", "read_argument", "read_options"]
_COLUMN = re.compile(r"\{\{\s*([A-Za-z_]\w*)\s*\}\}", re.ASCII)
_OPTION = re.compile(
    r"\s*([a-z_]+)\s*=\s*+(\"(?:[^\"\\]|\\.)*+\"(?=\s*+(?:,|$))|[^,]*+)\s*+(?:,|$)"
)


_FORBIDDEN = frozenset(
    ("column", "embedder", "at_least", "at_most")
)  # options that a check says in another way, or cannot


def filled(argument: object, example: Example) -> Any:
    """The argument with every `{{column}}` replaced by the row's value, typed if it is alone.

    Raises KeyError.
    """
    if isinstance(argument, str):
        whole = _COLUMN.fullmatch(argument.strip())
        if whole:
            return example.column(whole[1])
        return _COLUMN.sub(lambda match: assertion.as_text(example.column(match[1])), argument)
    if isinstance(argument, Mapping):
        return {key: filled(value, example) for key, value in argument.items()}
    if isinstance(argument, list):
        return [filled(value, example) for value in argument]
    return argument


def has_column(argument: object) -> bool:
    """Whether an argument names a column in double braces, at any depth."""
    if isinstance(argument, (list, tuple)):
        return any(map(has_column, argument))
    return (
        any(map(has_column, argument.values()))
        if isinstance(argument, Mapping)
        else isinstance(argument, str) and bool(_COLUMN.search(argument))
    )


def read_argument(name: str, takes: str, raw: str | None) -> object:
    """What is behind the colon, in the form that the scorer takes.

    Raises ScorerError if it does not fit.
    """
    text = (raw or "").strip()
    if takes in ("none", "range"):
        if text:
            raise ScorerError(f"{name} takes no value after a colon.")
        return None
    if not text:
        if takes in ("golden", "texts") and name not in ("contains_any", "contains_all", "one_of"):
            return None
        raise ScorerError(f"{name} needs a value after a colon.")
    if takes == "instruction":
        kind, _, arguments = text.partition(" ")
        return {"kind": kind, "arguments": _json(name, arguments) if arguments.strip() else {}}
    if takes == "json":
        return _json(name, text)
    if takes == "texts":
        listed = (
            _json(name, text)
            if text.startswith("[")
            else [part.strip() for part in text.split(",") if part.strip()]
        )
        return text if _COLUMN.fullmatch(text) else listed
    if takes == "number" and not has_column(text):
        try:
            return float(text)
        except ValueError:
            raise ScorerError(f"{name} takes a number, not {snippet(text, 40)}.") from None
    return text


def read_options(name: str, function: Callable[..., Rule], text: str) -> dict[str, object]:
    """`within=0.5, case=true` as keyword arguments that the scorer has.

    Raises ScorerError for any other.
    """
    known = [
        parameter
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind is parameter.KEYWORD_ONLY
    ]
    allowed = {parameter.name for parameter in known} - _FORBIDDEN | (
        {"marker"} if name == "answer_after" else set()
    )
    found: dict[str, Any] = {}
    position = 0
    while position < len(text.rstrip()):
        match = _OPTION.match(text, position)
        if match is None or match[1] not in allowed:
            wrong = match[1] if match else text[position:].strip()
            raise ScorerError(
                f"{name} has no option {snippet(wrong, 40)}; it has"
                f" {', '.join(sorted(allowed)) or 'none'}."
            )
        try:
            found[match[1]] = json.loads(match[2])
        except ValueError:
            found[match[1]] = match[2].rstrip()
        position = match.end()
    return found


def bound_of(op: str | None, number: str | None) -> tuple[str, float] | None:
    """The comparison with its number; None without one. Raises ScorerError for no number."""
    if op is None or number is None:
        return None
    try:
        return op, float(number)
    except ValueError:
        raise ScorerError(f"{number!r} is not a number to compare with.") from None


def range_of(name: str, bound: tuple[str, float] | None) -> dict[str, Any]:
    """The arguments of a scorer with a range that a comparison means. Raises ScorerError."""
    if bound is None or not bound[1].is_integer():
        raise ScorerError(f"{name} needs a whole number to compare with, as in `{name} <= 50`.")
    number = int(bound[1])
    return {
        ">=": {"at_least": number},
        ">": {"at_least": number + 1},
        "<=": {"at_most": number},
        "<": {"at_most": number - 1},
        "==": {"at_least": number, "at_most": number},
    }[bound[0]]


def _json(name: str, text: str) -> object:
    from .reading import NotJSON, read_json

    value = read_json(text)
    if isinstance(value, NotJSON):
        raise ScorerError(f"{name} takes JSON after the colon: {value.why}.")
    return value
