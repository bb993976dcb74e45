"""Texts that keep a pattern busy: for each of its long repeats, what leads to it and what is
repeated.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

__all__ = ["pumps"]

_LONG = 30  # a repeat that may go on for longer is worth a try
_REPEATS = (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT)
_OF_CATEGORY = {
    op.CATEGORY_SPACE: " \n",
    op.CATEGORY_WORD: "a1_",
    op.CATEGORY_DIGIT: "1",
    op.CATEGORY_NOT_SPACE: "a-",
    op.CATEGORY_NOT_WORD: " -\n",
    op.CATEGORY_NOT_DIGIT: "a -",
}
_ANY = "a \n1-_'.*`\""


def pumps(pattern: re.Pattern[Any]) -> Iterator[tuple[str, str]]:
    """(lead, unit) of each long repeat of the pattern; where a class is repeated, of several of its
    characters.
    """
    source = (
        pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    )
    for place in (
        0,
        -1,
    ):  # the first, then the last character of each class, in what leads to a repeat
        yield from _repeats(_parser.parse(source, pattern.flags & ~re.UNICODE), "", place)


def _repeats(nodes: Any, lead: str, place: int) -> Iterator[tuple[str, str]]:
    for kind, value in nodes:
        if kind in _REPEATS:
            _, most, inner = value
            yield from _repeats(inner, lead, place)
            if most >= _LONG:
                yield from ((lead, unit) for unit in _units(inner))
        for inner in _children(kind, value):
            yield from _repeats(inner, lead, place)
        lead += _sample(kind, value, place)


def _children(kind: Any, value: Any) -> list[Any]:
    if kind is op.SUBPATTERN:
        return [value[3]]
    if kind is op.BRANCH:
        return list(value[1])
    if kind is op.GROUPREF_EXISTS:
        return [inner for inner in value[1:] if inner is not None]
    if kind in (op.ASSERT, op.ASSERT_NOT):
        return [value[1]]
    return [value] if kind is op.ATOMIC_GROUP else []


def _units(nodes: Any) -> list[str]:
    """Samples of what is repeated: several if it is one class or one of several texts."""
    if len(nodes) == 1:
        kind, value = nodes[0]
        if kind is op.BRANCH:
            return [unit for inner in value[1] for unit in _units(inner)[:3]][:12]
        if kind in (op.IN, op.ANY, op.NOT_LITERAL):
            return list(_members(kind, value))[:8]
        if kind is op.SUBPATTERN:
            return _units(value[3])
    units = ("".join(_sample(kind, value, place) for kind, value in nodes) for place in (0, -1))
    return [unit for unit in dict.fromkeys(units) if unit]


def _members(kind: Any, value: Any) -> str:
    """Some characters of a class."""
    if kind is op.ANY:
        return _ANY.replace("\n", "")
    if kind is op.NOT_LITERAL:
        return _ANY.replace(chr(value), "")
    if value[0][0] is op.NEGATE:
        return "".join(char for char in _ANY if not _holds(value[1:], char)) or "~"
    return "".join(
        chr(one) if how is op.LITERAL else chr(one[0]) if how is op.RANGE else _OF_CATEGORY[one]
        for how, one in value
    )


def _holds(members: Any, char: str) -> bool:
    return any(
        char == chr(one)
        if how is op.LITERAL
        else one[0] <= ord(char) <= one[1]
        if how is op.RANGE
        else char in _OF_CATEGORY[one]
        for how, one in members
    )


def _sample(kind: Any, value: Any, place: int) -> str:
    """A shortest text for a part of a pattern."""
    if kind is op.LITERAL:
        return chr(value)
    if kind in (op.IN, op.ANY, op.NOT_LITERAL):
        return _members(kind, value)[place]
    if kind in _REPEATS:
        least, _, inner = value
        return "".join(_sample(*node, place) for node in inner) * least
    if kind in (op.SUBPATTERN, op.BRANCH, op.ATOMIC_GROUP):
        return "".join(_sample(*node, place) for node in _children(kind, value)[0])
    return ""
