"""Which texts are one text written twice: equal but for how they are typed.

What does not count: case, white space, compatibility forms and accents, characters that nobody
sees, quotation marks, dashes, marks of emphasis, HTML's entities and the punctuation of sentences,
zeros before a number and commas within one, and letters of another script that look like Latin
ones within a Latin word. Brackets, signs and decimal points count, since they change what is asked.
Another wording of the same question is another text: no rule on characters tells a paraphrase from
a new question.
"""

from __future__ import annotations

import re
import unicodedata

__all__ = ["folded"]

_DATA = re.compile(r"data:[^,]{0,200};base64,", re.IGNORECASE)
_ESCAPED = re.compile(r"\\[nrt]")
_SENTENCE = re.compile(r"(?<![.,;:!?])[.,;:!?]++(?=\s|$)")
_BULLET = re.compile(r"^[ \t]*[-*#>]+(?=\s)", re.MULTILINE)
_EMPHASIS = re.compile(r"(?<![\w*~])[*_~]++(?=\S)|(?<=[^\s*_~])[*_~]++(?!\w)")
_MARKED = re.compile(r"[-*#>]")
_ENDED = re.compile(r"[.,;:!?]")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_ZEROS = re.compile(r"(?<![\d.,])0+(?=\d)")
_WORD = re.compile(r"\w+")
_UNSEEN = re.compile(
    "[\u0300-\u036f\u00ad\u0600-\u0605\u061c\u06dd\u070f\u08e2\u180e\u200b-\u200f\u202a-\u202e"
    "\u2060-\u2064\u2066-\u206f\ufe00-\ufe0f\ufeff\ufff9-\ufffb\U0001d173-\U0001d17a"
    "\U000e0001-\U000e007f]+"
)
_FOREIGN = re.compile("[\u0370-\u03ff\u0400-\u052f]")
_TYPED = str.maketrans(
    {
        **dict.fromkeys(
            "\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u00ab\u00bb\u2039\u203a", '"'
        ),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
        **dict.fromkeys("\u2022\u00b7\u25aa", "*"),
    }
)
# Cyrillic and Greek small letters and the Latin ones that they look like.
_ALIKE = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455"
    "\u04bb\u0501\u051b\u051d\u03b1\u03bf\u03c1\u03bd\u03b9",
    "aeopcyxijshdqwaopvi",
)


def _unescaped(text: str) -> str:
    import html  # with 2,231 names of characters, for the few texts that have one

    return html.unescape(text)


def folded(text: str) -> str:
    """The same for two texts that differ only in how they are typed; "" if nothing is left. An
    image or a file as a data: address is nothing that anybody typed, and stays as it is.
    """
    if _DATA.match(text):
        return text
    # each pattern only where its sign is: most texts are plain, and many are read at once
    typed = _unescaped(text) if "&" in text else text
    if "\\" in typed:
        typed = _ESCAPED.sub(" ", typed)
    shown = (typed if typed.isascii() else _plain_letters(typed)).casefold()
    words = _BULLET.sub("", shown) if _MARKED.search(shown) else shown
    for quote in "\"'`":
        words = words.replace(quote, "")
    if "*" in words or "_" in words or "~" in words:
        words = _EMPHASIS.sub("", words)
    bare = _SENTENCE.sub(" ", words) if _ENDED.search(words) else words
    if "," in bare:
        bare = _THOUSANDS.sub("", bare)
    if "0" in bare:
        bare = _ZEROS.sub("", bare)
    return " ".join(bare.split()) or " ".join(shown.split())


def _plain_letters(text: str) -> str:
    """Without accents and invisible characters (zero-width spaces, soft hyphens, marks of
    direction), which would make as many near-copies of a row as one likes.
    """
    apart = unicodedata.normalize("NFKD", text.translate(_TYPED))
    plain = unicodedata.normalize("NFKC", _UNSEEN.sub("", apart)).casefold()
    return _WORD.sub(_latin, plain) if _FOREIGN.search(plain) else plain


def _latin(word: re.Match[str]) -> str:
    """The word with its look-alikes as Latin letters, where it has a Latin letter at all."""
    text = word[0]
    return text.translate(_ALIKE) if any("a" <= char <= "z" for char in text) else text
