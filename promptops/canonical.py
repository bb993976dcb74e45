"""One text for one value: canonical JSON (RFC 8785), and the tagged ids made from it.

The same value gives the same bytes on any machine, in Python and in JavaScript: keys in UTF-16
order, numbers as ECMAScript prints them (0 and 0.0 are one number), no spaces, no NaN, no integer
beyond 2^53 - 1, no lone surrogate.
"""

from __future__ import annotations

from .errors import VersionError
from .late_pattern import late_pattern

try:  # what json.encoder takes, too; importing that would import json's parser and re
    from _json import encode_basestring as _quoted
except ImportError:  # a Python without it
    from json.encoder import encode_basestring as _quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from typing import Any, TypeVar

    Json = TypeVar("Json")

__all__ = [
    "MAX_DEPTH",
    "MAX_INTEGER",
    "Written",
    "canonical",
    "copied",
    "digest",
    "encode_basestring",
    "json_copy",
    "number",
    "tagged",
    "written",
]

encode_basestring = _quoted
MAX_INTEGER = 2**53 - 1
MAX_DEPTH = (
    200  # deeper JSON is a bomb, not a value; well under the interpreter's own recursion limit
)
_ESCAPED = late_pattern(r'[\x00-\x1f"\\\ud800-\udfff]')
_SHORT = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}


class Written(str):
    """The canonical text of a value, which `canonical` takes for the value itself: what several
    values hold is so written once. Made by `written` alone.
    """

    __slots__ = ()


def written(value: object) -> Written:
    """The canonical text, to be put where the value would be. Raises VersionError."""
    return Written(canonical(value))


def canonical(value: object, where: str = "$") -> str:
    """The RFC 8785 text of a JSON value (None, bool, int, float, str, list or tuple, mapping with
    text keys).

    where: what the value is, for errors. Raises VersionError, which says what JSON cannot hold and
        where.
    """
    try:
        return _plain(value, 0)
    except (VersionError, TypeError, UnicodeEncodeError):
        out: list[str] = []
        _write(value, out, where, 0)
        return "".join(out)


def _plain(value: Any, depth: int) -> str:
    """The text of a value of Python's own types, in half the time of `_write`, which takes every
    value and names the place of a bad one. Raises some error for what it does not know.
    """
    kind, quoted = value.__class__, encode_basestring
    if kind is str:
        value.encode()  # a lone surrogate cannot be
        return quoted(value)
    if kind is Written:
        return str.__str__(value)
    if value is None:
        return "null"
    if kind is bool:
        return "true" if value else "false"
    if kind is int or kind is float:
        return number(value)
    if depth >= MAX_DEPTH:
        raise TypeError
    deeper = depth + 1
    if kind is dict:
        names = sorted(value)
        if not "".join(names).isascii():  # others are in another order
            raise TypeError
        members = [
            f"{quoted(name)}:{quoted(item)}"
            if (item := value[name]).__class__ is str and item.isascii()
            else f"{quoted(name)}:{_plain(item, deeper)}"
            for name in names
        ]
        return "{" + ",".join(members) + "}"
    if kind is not list and kind is not tuple:
        raise TypeError
    items = [
        quoted(item) if item.__class__ is str and item.isascii() else _plain(item, deeper)
        for item in value
    ]
    return "[" + ",".join(items) + "]"


def json_copy(value: object, where: str = "$") -> Any:
    """The value as dicts, lists, str, int, float, bool and None that share nothing with it; keys
    keep their order.

    What a version keeps must survive a file: so beside what `canonical` refuses, a float such as
    1e17, whose text would be read back as an integer beyond 2^53 - 1. Raises VersionError.
    """
    canonical(value, where)
    return _copied(value, where)


def copied(value: Json) -> Json:
    """A copy of what `json_copy` gave, without checking it again."""
    held: Any = value
    if held.__class__ is dict:
        held = {name: copied(item) for name, item in held.items()}
    elif held.__class__ is list:
        held = [copied(item) for item in held]
    value = held
    return value


def digest(value: object) -> str:
    """64 hex digits: SHA-256 of the canonical text in UTF-8."""
    import hashlib  # with OpenSSL behind it: a third of what importing the loader would take

    return hashlib.sha256(canonical(value).encode()).hexdigest()


def tagged(tag: str, value: object) -> str:
    """`tag` + "-" + the first 32 hex digits of the digest: an id that says which form it was made
    in.
    """
    return f"{tag}-{digest(value)[:32]}"


def number(value: int | float) -> str:
    """A number as ECMAScript's Number::toString prints it (ECMA-262 section 6.1.6.1.20)."""
    if isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise VersionError(
                f"an integer of {value.bit_length()} bits is beyond 2^53 - 1, which JSON readers do"
                " not keep; pass it as text."
            )
        return int.__repr__(value)  # an IntEnum has a text of its own
    if value != value or value in (float("inf"), float("-inf")):
        raise VersionError(f"{value!r} is not a JSON number; pass a finite one.")
    if value == 0:
        return "0"
    mantissa, _, exponent = float.__repr__(abs(value)).partition(
        "e"
    )  # a numpy float prints its type
    whole, _, part = mantissa.partition(".")
    part = "" if part == "0" else part
    digits = (whole + part).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + part) - len((whole + part).lstrip("0")))
    digits = digits.rstrip("0")
    return ("-" if value < 0 else "") + _place(digits, point)


def _place(digits: str, point: int) -> str:
    """ECMAScript's layout of `digits` x 10^(point - len(digits))."""
    count = len(digits)
    if count <= point <= 21:
        return digits + "0" * (point - count)
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return "0." + "0" * -point + digits
    tail = f".{digits[1:]}" if count > 1 else ""
    return f"{digits[0]}{tail}e{'+' if point > 0 else '-'}{abs(point - 1)}"


def _text(text: str, where: str) -> str:
    if text.isascii():  # no surrogate is in it, and json's writer in C escapes the same characters
        return encode_basestring(text)

    def replace(match: re.Match[str]) -> str:
        char = match[0]
        if char >= "\ud800":
            raise VersionError(
                f"{where} holds a lone surrogate ({ord(char):#06x}), which UTF-8 cannot carry;"
                " clean the text first."
            )
        return _SHORT.get(char) or f"\\u{ord(char):04x}"

    return (
        '"' + _ESCAPED.sub(replace, text) + '"'
    )  # not formatted: an enum of text formats as its own name


def _write(value: object, out: list[str], where: str, depth: int) -> None:
    if isinstance(value, Written):
        out.append(str.__str__(value))
    elif isinstance(value, str):
        out.append(_text(value, where))
    elif value is None or value is True or value is False:
        out.append({None: "null", True: "true", False: "false"}[value])
    elif isinstance(value, (int, float)):
        out.append(_number(value, where))
    elif depth >= MAX_DEPTH:
        raise VersionError(f"{where[:80]}... is nested deeper than {MAX_DEPTH} levels; flatten it.")
    elif isinstance(value, (list, tuple)):
        _write_list(value, out, where, depth)
    elif hasattr(value, "keys"):
        _write_object(value, out, where, depth)
    else:
        raise VersionError(
            f"{where} is a {type(value).__name__}, which JSON cannot hold; pass text, a number, a"
            " list or a dict."
        )


def _number(value: int | float, where: str) -> str:
    try:
        return number(value)
    except VersionError as error:
        raise VersionError(f"{where}: {error}") from None


def _copied(value: Any, where: str) -> object:
    if isinstance(value, str):
        return str.__str__(value)
    if value is None or value is True or value is False:
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if value.is_integer() and MAX_INTEGER < abs(value) < 1e21:
            raise VersionError(
                f"{where} is {float(value)!r}, a whole number beyond 2^53 - 1; pass it as text, or"
                " a smaller one."
            )
        return float(value)
    if isinstance(value, (list, tuple)):
        return [_copied(item, where) for item in value]
    # a mapping by its keys
    names = value.keys()
    return {str.__str__(key): _copied(value[key], f"{where}.{key}") for key in names}


def _write_list(
    value: list[object] | tuple[object, ...], out: list[str], where: str, depth: int
) -> None:
    out.append("[")
    for index, item in enumerate(value):
        if index:
            out.append(",")
        _write(item, out, f"{where}[{index}]", depth + 1)
    out.append("]")


def _write_object(value: object, out: list[str], where: str, depth: int) -> None:
    keys = list(value.keys())  # type: ignore[attr-defined]
    for key in keys:
        if not isinstance(key, str):
            raise VersionError(
                f"{where} has the key {key!r}, a {type(key).__name__}; JSON keys are text."
            )
    try:
        if all(map(str.isascii, keys)):
            keys.sort()
        else:
            keys.sort(key=lambda key: key.encode("utf-16-be"))
    except UnicodeEncodeError:
        raise VersionError(
            f"{where} has a key that holds a lone surrogate; clean the text first."
        ) from None
    out.append("{")
    for index, key in enumerate(keys):
        if index:
            out.append(",")
        out.append(_text(key, where) + ":")
        _write(value[key], out, f"{where}.{key}", depth + 1)  # type: ignore[index]
    out.append("}")
