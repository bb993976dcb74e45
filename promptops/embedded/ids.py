"""Finds an id, an address or an amount in a text: by what its samples look like, else by the name
of its key.

A sample decides which of several ids is meant; without one the nearest number beside the key's
words is taken, which is often the wrong one, as it would be for a reader who was shown nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

__all__ = ["find", "is_id_key"]

_RUN = re.compile(r"[#XN]{2,}|\d+|[^\W\d_]+|[^\w]|_")
_CODE = re.compile(r"(?<![\w-])#?(?:[A-Za-z]{1,8}[-_#]?)?\d[\w-]*\d(?!\w)")
_NEAR = 40  # characters before an id in which the words of its key speak for it
_ID_WORDS = frozenset(("id", "ids", "no", "nr", "number", "num", "code", "ref", "reference", "key"))
_KINDS = {
    "email": re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}"),
    "phone": re.compile(r"(?<!\w)\+?\d[\d ()/-]{6,18}\d(?!\w)"),
    "amount": re.compile(
        r"[$€£]\s?\d[\d.,]{0,40}|\d[\d.,]{0,40}\s?(?:[$€£]|(?:euros?|dollars?|pounds?|USD|EUR|GBP)"
        r"\b)",
        re.I,
    ),
    "date": re.compile(
        r"(?<!\d)\d{4}-\d{2}-\d{2}(?!\d)|(?<!\d)\d{1,2}[./]\d{1,2}[./]\d{2,4}(?!\d)"
    ),
    "url": re.compile(r"https?://[^\s<>\"']{3,300}"),
}
_SAME = {
    "mail": "email",
    "price": "amount",
    "sum": "amount",
    "total": "amount",
    "link": "url",
    "telephone": "phone",
}


def is_id_key(key: str) -> bool:
    """Whether a key's name asks for something that is in the text as it is."""
    return _kind(key) is not None or bool(_parts(key) & _ID_WORDS)


def find(text: str, key: str, samples: Sequence[str] = ()) -> str | None:
    """The id that `key` asks for, written as in the samples; None if the text holds none."""
    if samples:
        pattern, prefix = _pattern(tuple(samples))
        match = _nearest(text, list(pattern.finditer(text)), key)
        return _written(match, prefix) if match else None
    kind = _kind(key)
    found = list((_KINDS[kind] if kind else _CODE).finditer(text))
    match = _nearest(text, found, key)
    return match[0].strip() if match else None


def _parts(key: str) -> set[str]:
    return {part.lower() for part in re.findall(r"[A-Z]?[a-z]+|[A-Z]+|\d+", key)}


def _kind(key: str) -> str | None:
    for part in _parts(key):
        kind = _SAME.get(part, part)
        if kind in _KINDS:
            return kind
    return None


def _nearest(text: str, found: Sequence[re.Match[str]], key: str) -> re.Match[str] | None:
    """The one that the words of the key precede most closely, else the first."""
    if len(found) < 2:
        return found[0] if found else None
    names = _parts(key) - _ID_WORDS
    best, least = found[0], _NEAR + 1
    for match in found[:200]:
        before = text[max(0, match.start() - _NEAR) : match.start()].lower()
        gap = min(
            (len(before) - before.rfind(name) - len(name) for name in names if name in before),
            default=_NEAR + 1,
        )
        if gap < least:
            best, least = match, gap
    return best


@lru_cache(maxsize=500)
def _pattern(samples: tuple[str, ...]) -> tuple[re.Pattern[str], str]:
    """(what ids like the samples look like, the letters and marks that all of them begin with).

    Digits may be one fewer or two more than shown; a mark between letters and digits may be missing
    or another one.
    """
    shapes: dict[str, None] = {}
    for sample in samples[:20]:
        parts = []
        for at, run in enumerate(_RUN.findall(sample)):
            if run.isdigit() or (len(run) > 1 and set(run) <= set("#XN")):
                parts.append(rf"\d{{{max(1, len(run) - 1)},{len(run) + 2}}}")
            elif run.isalpha():
                parts.append(re.escape(run) if at == 0 else rf"[^\W\d_]{{1,{len(run) + 1}}}")
            else:
                parts.append(rf"[ {re.escape(run)}_–]?" if run == "-" else re.escape(run))
        shapes["".join(parts)] = None
    first = re.match(r"[^\d]*?(?=\d|[#XN]{2})", samples[0])
    prefix = first[0] if first else ""
    if not all(sample.startswith(prefix) for sample in samples):
        prefix = ""
    return re.compile(rf"(?<![\w-])(?:{'|'.join(shapes)})(?!\w)", re.I), prefix


def _written(match: re.Match[str], prefix: str) -> str:
    """As the samples write it: U 48213 as u-48213 where they begin with "u-"."""
    digits = re.search(r"\d", match[0])
    return f"{prefix}{match[0][digits.start() :]}" if prefix and digits else match[0]
