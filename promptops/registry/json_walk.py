"""The text of a registry read a prompt at a time, so that an error names the one it is in."""

from __future__ import annotations

from ..errors import RegistryCorrupt
from ..late_pattern import late_pattern

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from json import JSONDecodeError
    from typing import Any

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


_SPACE = late_pattern(r"[ \t\n\r]*")


def _fault(what: str, text: str, at: int) -> JSONDecodeError:
    from json import JSONDecodeError

    return JSONDecodeError(what, text, at)


def walked(text: str, keep: Callable[[str, object], Any]) -> Any:
    """The value of a JSON text.

    Raises ValueError, or RegistryCorrupt if a key occurs twice outside a version.
    """

    from json import JSONDecoder  # with `re`: a third of what importing promptops would take

    whole = JSONDecoder(parse_constant=no_constant, object_pairs_hook=no_duplicates).raw_decode
    # most of a large file, read in two thirds of the time
    versions = JSONDecoder(parse_constant=no_constant).raw_decode

    def entered(at: int, read: Callable[[str, int], tuple[Any, int]]) -> tuple[Any, int]:
        return _object(text, at, read, whole) if text[at : at + 1] == "{" else whole(text, at)

    def part(name: str, at: int) -> tuple[Any, int]:
        return (versions if name == "versions" else whole)(text, at)

    def prompt(name: str, at: int) -> tuple[Any, int]:
        value, at = entered(at, part)
        return keep(name, value), at

    def field(name: str, at: int) -> tuple[Any, int]:
        return entered(at, prompt) if name == "prompts" else whole(text, at)

    document, at = entered(_past_space(text, 0), field)
    if _past_space(text, at) != len(text):
        raise _fault("Extra data", text, at)
    return document


def _object(
    text: str,
    at: int,
    read: Callable[[str, int], tuple[Any, int]],
    decode: Callable[[str, int], tuple[Any, int]],
) -> tuple[dict[str, object], int]:
    """The object that opens at `at`, each value as `read(key, where it begins)` gives it, and where
    it ends. decode(text, at): the value that begins there, and its end.
    """
    out: dict[str, Any] = {}
    at = _past_space(text, at + 1)
    if text[at : at + 1] == "}":
        return out, at + 1
    while True:
        if text[at : at + 1] != '"':
            raise _fault("Expecting property name enclosed in double quotes", text, at)
        key, at = decode(text, at)
        at = _past_space(text, at)
        if text[at : at + 1] != ":":
            raise _fault("Expecting ':' delimiter", text, at)
        if key in out:
            raise _twice(key)
        out[key], at = read(key, _past_space(text, at + 1))
        at = _past_space(text, at)
        if text[at : at + 1] == "}":
            return out, at + 1
        if text[at : at + 1] != ",":
            raise _fault("Expecting ',' delimiter", text, at)
        at = _past_space(text, at + 1)


def _past_space(text: str, at: int) -> int:
    return _SPACE.match(text, at).end()  # type: ignore[union-attr]  # it matches anywhere
