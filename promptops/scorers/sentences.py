"""Sentences and words of English prose, by rules: the same on any machine, with nothing to
download.
"""

from __future__ import annotations

import re

__all__ = ["sentences", "tokens"]

# words whose period may end a sentence before a capital, and words whose period never does
_ABBREVIATED = """
jr sr inc ltd co corp bros etc al ed approx dept est jan feb mar apr jun jul aug sep sept oct nov \
dec mon tue wed thu fri sat sun
ave blvd rd mt ft u.s u.k u.n a.m p.m ph.d b.a m.a b.sc m.sc d.c ca
"""
_TITLED = (
    "mr mrs ms dr prof rev gen sen rep gov lt col sgt capt st vs e.g i.e fig no vol pp messrs hon"
    " adm maj cf"
)
_ABBREVIATIONS, _TITLES = frozenset(_ABBREVIATED.split()), frozenset(_TITLED.split())
_END = re.compile(
    r"(?<![.!?\u2026\u3002\uff01\uff1f\u0964])([.!?\u2026\u3002\uff01\uff1f\u0964]++)"
    r"([\"'\u201d\u2019)\]*_]*+)(?=\s|$)|[\u3002\uff01\uff1f]"
)
_PIECES = re.compile(r"\.{2,}|--|[()\[\]{}<>;@#$%&*?!\"\u201c\u201d]|``|[:,](?!\d)")
_CLITIC = re.compile(r"(?<=[^' ])('(?:s|m|d|ll|re|ve)|n't)$", re.IGNORECASE)
_JOINED = re.compile(
    r"\b(can)(not)\b|\b(gon)(na)\b|\b(got)(ta)\b|\b(wan)(na)\b|\b(gim)(me)\b|\b(lem)(me)\b",
    re.IGNORECASE,
)


def sentences(text: str) -> list[str]:
    """A text's sentences, ended by . ! ? or their kin before white space; a line end alone ends
    none.

    An ellipsis, and a period after a common abbreviation, end one only before a capital; after a
    title ("Dr.") or an initial a period ends none.
    """
    found, start = [], 0
    for match in _END.finditer(text):
        following = text[match.end() : match.end() + 24].lstrip()
        if (
            following
            and not match[2]
            and _goes_on(
                match[1] or "", text[max(start, match.start() - 24) : match.start()], following
            )
        ):
            continue
        piece = text[start : match.end()].strip()
        if piece:
            found.append(piece)
        start = match.end()
    rest = text[start:].strip()
    return [*found, rest] if rest else found


def _goes_on(mark: str, before: str, following: str) -> bool:
    """Whether the sentence goes on after a mark that might end it."""
    capital = following.lstrip("\"'(\u201c*_")[:1].isupper()
    if mark in ("...", "\u2026"):
        return not capital
    last = before.split()[-1:] if mark == "." else []
    word = last[0].strip("(\"'\u201c[*_").lower() if last else ""
    if word in _TITLES or (len(word) == 1 and word.isalpha()):
        return True
    return word in _ABBREVIATIONS and not capital


def tokens(text: str) -> list[str]:
    """Words as the Penn Treebank parts them: punctuation and contractions ("DO", "N'T") are words
    of their own, hyphens stay inside.
    """
    found: list[str] = []
    for word in _PIECES.sub(
        lambda match: f" {match[0]} ",
        _JOINED.sub(lambda match: " ".join(filter(None, match.groups())), text),
    ).split():
        match = _CLITIC.search(word.rstrip("'"))
        if match is not None and match.start():
            found += [word[: match.start()], match[0]]
        else:
            found.append(word)
    return found
