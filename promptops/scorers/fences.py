"""Code fences of Markdown, read line by line: linear in the length of any text, which one pattern
cannot be.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict

__all__ = ["blocks", "unfenced"]

_BLANK = " \t"


def unfenced(text: str) -> str | None:
    """The inside of a text that is one fenced block from its first character to its last; None
    if it is not.
    """
    body = text.strip()
    fence = min(_run(body), _run(body[::-1])) if body[:1] == body[-1:] else 0
    first = body.find("\n")
    if fence < 3 or first < 0:
        return None
    inside = body[first + 1 : len(body) - fence].rstrip(_BLANK)
    return inside.removesuffix("\n")


def blocks(text: str) -> list[str]:
    """The inside of each fenced block whose fences are on lines of their own, in order; an open
    fence begins none.
    """
    lines = text.split("\n")
    closing: dict[tuple[str, int], list[int]] = defaultdict(list)
    for place, line in enumerate(lines):
        sign = line.strip(_BLANK)
        if _run(sign) == len(sign) > 2:
            closing[sign[0], len(sign)].append(place)
    found, place = [], 0
    while place < len(lines):
        end = _end(lines[place].lstrip(_BLANK), place, closing)
        if end is not None:
            found.append("\n".join(lines[place + 1 : end]))
            place = end
        place += 1
    return found


def _end(opening: str, place: int, closing: dict[tuple[str, int], list[int]]) -> int | None:
    """The line that closes the fence which a line opens: as long as that fence, or the longest
    shorter one for tildes.
    """
    length = _run(opening)
    if length < 3 or "`" in opening[length:]:
        return None
    for size in range(length, 2 if opening[0] == "~" else length - 1, -1):
        lines = closing.get((opening[0], size), [])
        after = bisect_right(lines, place)
        if after < len(lines):
            return lines[after]
    return None


def _run(text: str) -> int:
    """How many back-ticks, or tildes, a text begins with."""
    return len(text) - len(text.lstrip(text[0])) if text[:1] in ("`", "~") and text else 0
