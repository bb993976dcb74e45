"""JSON read strictly: what two readers could understand differently is refused, with the reason.

A key given twice, NaN and Infinity, lone surrogates, integers of thousands of digits and bombs of
depth are faults of the file (RFC 8259, sections 4, 6, 8.2 and 9), never silently one value or
another.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

__all__ = ["DECODER", "item", "parse"]

_SPACE = " \t\r\n"  # JSON's white space


def parse(text: str) -> Any:
    """The value of a JSON text. Raises ValueError, whose text is the fault alone."""
    value, end = item(text, 0)
    rest = text[end:].lstrip(_SPACE)
    if rest:
        raise ValueError(
            f"unexpected text follows the value at column {_column(text, len(text) - len(rest))}:"
            f" {rest[:20].rstrip(_SPACE)!r}"
        )
    return value


def item(text: str, start: int) -> tuple[Any, int]:
    """The value that begins at `start` (white space before it skipped) and where it ends.

    Raises ValueError as `parse` does.
    """
    begin = start
    while begin < len(text) and text[begin] in _SPACE:
        begin += 1
    try:
        value, end = DECODER.raw_decode(text, begin)
        if text.find("\\u", begin, end) >= 0:
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("it is nested too deep to be data") from None
    except UnicodeEncodeError:
        raise ValueError(
            "it holds a lone surrogate (half a character), which is not text"
        ) from None
    except json.JSONDecodeError as error:
        raise ValueError(
            f"it is not JSON: {error.msg[:1].lower()}{error.msg[1:]}, at"
            f" {_place(text, begin, error.pos)}"
        ) from None
    except ValueError as error:
        raise ValueError(
            "it holds an integer of thousands of digits" if "digits" in str(error) else str(error)
        ) from None
    return value, end


def _column(text: str, position: int) -> int:
    return position - text.rfind("\n", 0, position)


def _place(text: str, begin: int, position: int) -> str:
    below = text.count("\n", begin, position)
    return f"column {_column(text, position)}{f', {below} lines further down' if below else ''}"


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"it holds {name}, which JSON cannot represent")


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise ValueError(f"the key {name[:40]!r} occurs twice in one object")
            seen.add(name)
    return found


DECODER = json.JSONDecoder(
    parse_constant=_no_constant, object_pairs_hook=_once
)  # what scorers read answers with, too
