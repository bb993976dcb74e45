"""Gemini's function calls whose arguments are streamed in pieces (`partialArgs`), put together into
whole calls, so that the reader of whole calls reads them too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from ..errors import CallError
from ..late_pattern import late_pattern

__all__ = ["whole_calls"]

_STEP = late_pattern(
    r"\.([^.\[\]]+)|\[([0-9]{1,6})\]|\['((?:[^'\\]|\\.)*+)'\]|\[\"((?:[^\"\\]|\\.)*+)\"\]"
)
_ESCAPED = re.compile(r"\\(.)", re.S)
_GAP = 1000  # places of a list that may be left out before one that is given
_EXACT = 2.0**53  # below it a double that is whole is that whole number
_VALUES = ("stringValue", "numberValue", "boolValue")
_Parts = Sequence[dict[str, Any]]


def whole_calls(parts: _Parts) -> _Parts:
    """The parts of a reply with each call that came in pieces as one part, at its first piece's
    place. Parts without such calls are returned as they are.

    Raises CallError of class server_error if a piece names no place in the arguments.
    """
    if not any(_in_pieces(_call(part)) for part in parts):
        return parts
    out: list[dict[str, Any]] = []
    going: dict[str, object] | None = None  # the call that the next piece continues
    for part in parts:
        call = _call(part)
        if call is None:
            out.append(part)
            continue
        known = _continued(call, going, out)
        if known is None:
            if not call:  # the end of a call that was whole already
                continue
            kept = {name: call[name] for name in ("id", "name") if call.get(name)}
            known = {**kept, "args": {}}
            out.append({**part, "functionCall": known})
        _take(known, call)
        going = known if call.get("willContinue") else None
    return out


def _call(part: Mapping[str, object]) -> dict[str, Any] | None:
    call = part.get("functionCall")
    return call if isinstance(call, dict) else None


def _in_pieces(call: Mapping[str, object] | None) -> bool:
    return call is not None and bool(call.get("partialArgs") or call.get("willContinue"))


def _continued(
    call: Mapping[str, object], going: dict[str, object] | None, parts: _Parts
) -> dict[str, object] | None:
    """The call that a piece continues; None if it begins one. Calls that come side by side differ
    by their ids.
    """
    identity = call.get("id")
    if identity:
        for known in filter(None, map(_call, parts)):
            if known.get("id") == identity:
                return known
    if going is None or (identity and going.get("id")):
        return None
    if call.get("name") and call["name"] != going.get("name"):
        return None
    return going


def _take(known: dict[str, Any], call: Mapping[str, Any]) -> None:
    """What a piece adds to a call."""
    for name in ("id", "name"):
        if call.get(name):
            known[name] = call[name]
    if isinstance(call.get("args"), dict):
        known["args"].update(call["args"])
    pieces = call.get("partialArgs")
    for piece in pieces if isinstance(pieces, list) else ():
        if isinstance(piece, dict):
            _put(known["args"], piece)


def _put(arguments: dict[str, Any], piece: Mapping[str, Any]) -> None:
    """Put a piece where it belongs: a text goes on where it ended, any other value is whole."""
    path = piece.get("jsonPath")
    steps = _steps(path)
    if not steps:
        raise _nowhere(path)
    into: Any = arguments
    for step, following in pairwise(steps):
        below = _at(into, step, path)
        if below is None:
            below = into[step] = [] if isinstance(following, int) else {}
        into = below
    before, last = _at(into, steps[-1], path), steps[-1]
    value = next((piece[name] for name in _VALUES if piece.get(name) is not None), None)
    if isinstance(value, str) and isinstance(before, str):
        into[last] = before + value
    elif value is not None or (before is None and not piece.get("willContinue")):
        into[last] = _number(value)  # without a value it is null, which some clients leave out


def _steps(path: object) -> list[str | int]:
    """A JSON path as names and places; empty if it is not one."""
    if not isinstance(path, str) or not path.startswith("$"):
        return []
    steps: list[str | int] = []
    at = 1
    while at < len(path):
        found = _STEP.match(path, at)
        if found is None:
            return []
        name, place, single, double = found.groups()
        if place is not None:
            steps.append(int(place))
        else:
            quoted = single if single is not None else double
            steps.append(name if name is not None else _ESCAPED.sub(r"\1", quoted))
        at = found.end()
    return steps


def _at(into: object, step: str | int, path: object) -> object:
    """What is at a step so far, None if nothing is; a list is made long enough for it."""
    if isinstance(step, str) and isinstance(into, dict):
        return into.get(step)
    if isinstance(step, int) and isinstance(into, list) and step <= len(into) + _GAP:
        into.extend([None] * (step + 1 - len(into)))
        return into[step]
    raise _nowhere(path)


def _number(value: object) -> object:
    """A value as JSON spells it in whole arguments: 3, where the piece has the double 3.0."""
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return int(value)
    return value


def _nowhere(path: object) -> CallError:
    return CallError(
        f"a streamed piece of a function call's arguments is for {str(path)[:80]!r}, which is not a"
        " place in them.",
        failure="server_error",
        code="200 unreadable",
    )
