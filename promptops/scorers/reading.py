"""How scorers read an answer: folded text, strict JSON, and a path into it.

Reading never fails on any text: what is not JSON is reported to be not JSON, with the reason. The
last few readings are kept, so that several scorers of one answer read it once.
"""

from __future__ import annotations

import functools
import json
import re
import unicodedata
from collections.abc import Callable
from typing import Any

from ..canonical import MAX_DEPTH
from ..dataset.strict import DECODER
from ..errors import ScorerError

__all__ = ["ABSENT", "NotJSON", "bare", "find", "fold", "parse_path", "read_json", "same"]

ABSENT: object = type(
    "Absent", (), {"__repr__": lambda _: "ABSENT"}
)()  # no such key, which null is not
_KEPT = 1 << 20  # characters; a longer text is read again each time rather than held in memory
_INVISIBLE = dict.fromkeys([0xAD, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF])
_ACCENTS = dict.fromkeys(range(0x300, 0x370))
_STEP = re.compile(r"""\.?([^.\[\]"']+)|\[(-?\d+)\]|\[(?:"([^"]*)"|'([^']*)')\]""")


class NotJSON:
    """What `read_json` gives for a text that is not JSON: why."""

    __slots__ = ("why",)

    def __init__(self, why: str) -> None:
        self.why = why


def _remembered(read: Callable[[str], Any]) -> Callable[[str], Any]:
    kept = functools.lru_cache(maxsize=8)(read)

    @functools.wraps(read)
    def reader(text: str) -> object:
        return kept(text) if len(text) <= _KEPT else read(text)

    return reader


@_remembered
def fold(text: str) -> str:
    """Case-folded and NFKC-normalised: how texts are compared where case does not matter (Unicode
    D145).
    """
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


@_remembered
def bare(text: str) -> str:
    """`fold`, without accents of Latin, Greek and Cyrillic letters, invisible characters and curly
    apostrophes.
    """
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKD", fold(text)).translate(_ACCENTS)
    return (
        unicodedata.normalize("NFKC", plain)
        .translate(_INVISIBLE)
        .replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    )


@_remembered
def read_json(text: str) -> object:
    """The value of a JSON text (RFC 8259, white space around it allowed), or NotJSON.

    Stricter than Python's reader: NaN and Infinity, a key given twice, lone surrogates, integers of
    thousands of digits and more than 200 levels are refused. The value is shared: read it, never
    change it.
    """
    try:
        value = DECODER.decode(text)
    except RecursionError:
        return NotJSON(f"nested deeper than {MAX_DEPTH} levels")
    except ValueError as error:
        return NotJSON("the answer is empty" if not text.strip() else str(error)[:200])
    if text.count("[") + text.count("{") > MAX_DEPTH and _deep(value):
        return NotJSON(f"nested deeper than {MAX_DEPTH} levels")
    if "\\u" in text or not text.isascii():
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            return NotJSON("holds a lone surrogate, which is not text")
    return value


def parse_path(path: str) -> tuple[str | int, ...]:
    """`user.name`, `items[0].id`, `["odd.key"]` as steps.

    Raises ScorerError, which says what a path looks like.
    """
    steps: list[str | int] = []
    position = 0
    text = path.removeprefix("$") if isinstance(path, str) else ""
    while position < len(text):
        match = _STEP.match(text, position)
        if match is None or (position == 0 and match[0].startswith(".") and text == path):
            steps = []
            break
        name, index, double, single = match.groups()
        quoted = double if double is not None else single
        steps.append(int(index) if index is not None else name if name is not None else quoted)
        position = match.end()
    if not steps:
        raise ScorerError(
            f'the path {path!r} cannot be read; write it as user.name, items[0].id or ["odd.key"].'
        )
    return tuple(steps)


def find(value: object, path: tuple[str | int, ...]) -> Any:
    """What is at a path, or ABSENT."""
    for step in path:
        if isinstance(step, str) and isinstance(value, dict):
            value = value.get(step, ABSENT)
        elif isinstance(step, int) and isinstance(value, list) and -len(value) <= step < len(value):
            value = value[step]
        else:
            return ABSENT
    return value


def same(one: object, two: object, tolerance: float = 0.0) -> bool:
    """Equality of JSON values: 1 is 1.0 but never true; numbers may differ by `tolerance`
    (absolute).
    """
    if isinstance(one, bool) or isinstance(two, bool):
        return one is two
    if isinstance(one, (int, float)) and isinstance(two, (int, float)):
        return one == two or abs(one - two) <= tolerance
    if isinstance(one, dict) and isinstance(two, dict):
        return one.keys() == two.keys() and all(same(one[key], two[key], tolerance) for key in one)
    if isinstance(one, (list, tuple)) and isinstance(two, (list, tuple)):
        return len(one) == len(two) and all(map(lambda a, b: same(a, b, tolerance), one, two))
    return type(one) is type(two) and bool(one == two)


def _deep(value: object) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [
            item
            for holder in level
            if isinstance(holder, (dict, list))
            for item in (holder.values() if isinstance(holder, dict) else holder)
        ]
        if not level:
            return False
    return True
