"""The text of a registry read a prompt at a time, so that an error names the one it is in."""

from __future__ import annotations

import re
from json.decoder import JSONDecodeError, JSONDecoder

from ..errors import RegistryCorrupt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Document = dict[str, Any]

__all__ = ["no_constant", "no_duplicates", "walked"]


def no_constant(text: str) -> None:
    """Refuse NaN and Infinity, which Python's parser accepts."""
    raise RegistryCorrupt(f"holds {text}, which is not JSON; restore it from git.")


def no_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """The object, unless a key occurs twice in it. Raises RegistryCorrupt."""
    out = dict(pairs)
    if len(out) == len(pairs):
        return out
    keys = [key for key, _ in pairs]
    for key in out:
        keys.remove(key)
    raise _twice(keys[0])


def _twice(key: str) -> RegistryCorrupt:
    return RegistryCorrupt(
        f"holds the key {key[:60]!r} twice in one object; keep one of them, or merge again with"
        " `promptops registry merge`."
    )


_SPACE = re.compile(r"[ \t\n\r]*")
_value = JSONDecoder(
    parse_constant=no_constant, object_pairs_hook=no_duplicates
).raw_decode  # (text, at) -> value, its end


_versions = JSONDecoder(
    parse_constant=no_constant
).raw_decode  # most of a large file, read in two thirds of the time


def walked(text: str, keep: Callable[[str, object], Any]) -> Any:
    """The value of a JSON text.

    Raises ValueError, or RegistryCorrupt if a key occurs twice outside a version.
    """

    def part(name: str, at: int) -> tuple[Any, int]:
        return (_versions if name == "versions" else _value)(text, at)

    def prompt(name: str, at: int) -> tuple[Any, int]:
        value, at = _object(text, at, part) if text[at : at + 1] == "{" else _value(text, at)
        return keep(name, value), at

    def field(name: str, at: int) -> tuple[Any, int]:
        return (
            _object(text, at, prompt)
            if name == "prompts" and text[at : at + 1] == "{"
            else _value(text, at)
        )

    at = _past_space(text, 0)
    document, at = _object(text, at, field) if text[at : at + 1] == "{" else _value(text, at)
    if _past_space(text, at) != len(text):
        raise JSONDecodeError("Extra data", text, at)
    return document


def _object(
    text: str, at: int, read: Callable[[str, int], tuple[Any, int]]
) -> tuple[dict[str, object], int]:
    """The object that opens at `at`, each value as `read(key, where it begins)` gives it, and where
    it ends.
    """
    out: dict[str, Any] = {}
    at = _past_space(text, at + 1)
    if text[at : at + 1] == "}":
        return out, at + 1
    while True:
        if text[at : at + 1] != '"':
            raise JSONDecodeError("Expecting property name enclosed in double quotes", text, at)
        key, at = _value(text, at)
        at = _past_space(text, at)
        if text[at : at + 1] != ":":
            raise JSONDecodeError("Expecting ':' delimiter", text, at)
        if key in out:
            raise _twice(key)
        out[key], at = read(key, _past_space(text, at + 1))
        at = _past_space(text, at)
        if text[at : at + 1] == "}":
            return out, at + 1
        if text[at : at + 1] != ",":
            raise JSONDecodeError("Expecting ',' delimiter", text, at)
        at = _past_space(text, at + 1)


def _past_space(text: str, at: int) -> int:
    return _SPACE.match(text, at).end()  # type: ignore[union-attr]  # it matches anywhere
