"""What an answer speaks of: words and names, in any case and form, never as part of another word."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence

from ..errors import ScorerError
from ..score import Score
from .case import Case
from .reading import bare
from .rule import PASS, Rule, rule, snippet, spelled

__all__ = ["mentions", "never_mentions"]

_VOWELS = "aeiou"
_GAP = r"[\s\-\u2010-\u2015_/]+"  # between the words of a term: "charge back" is found in "charge-back"
_START, _END = r"(?<![^\W_])", r"(?![^\W_])"
# scripts that write no spaces between words, where no boundary can be asked for
_UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN")


def mentions(term: str, *, aliases: Sequence[str] = (), forms: bool = True) -> Rule:
    """The answer names the term or one of its aliases, as words of their own; measure: how often.

    Compared case-folded and without accents; a term of several words also matches with hyphens. forms: English
    inflections of each last word count too (refund: refunds, refunded, refunding); switch it off for odd names.
    """
    count = _counter(term, aliases, forms)
    none = Score(0.0, False, measure=0.0, unit="mentions", reason=f"does not mention {snippet(term, 40)}")

    def score(case: Case) -> Score:
        found, _ = count(case.output)
        return Score(1.0, True, measure=float(found), unit="mentions") if found else none

    return rule(_named("mentions", term, aliases, forms), "semantic", score)


def never_mentions(term: str, *, aliases: Sequence[str] = (), forms: bool = True) -> Rule:
    """The answer names neither the term nor an alias, in no form of them; words are found as by `mentions`."""
    count = _counter(term, aliases, forms)

    def score(case: Case) -> Score:
        found, first = count(case.output)
        if not found:
            return PASS
        times = "once" if found == 1 else f"{found:,} times"
        return Score(0.0, False, measure=float(found), unit="mentions", reason=f"mentions {snippet(first, 40)} {times}")

    return rule(_named("never_mentions", term, aliases, forms), "semantic", score)


def _named(name: str, term: str, aliases: Sequence[str], forms: bool) -> str:
    return spelled(name, term, aliases=list(aliases) or None, forms="off" if not forms else None)


def _counter(term: str, aliases: Sequence[str], forms: bool) -> Callable[[str], tuple[int, str]]:
    """Text -> (how many mentions, the first one as found)."""
    if isinstance(aliases, str):
        raise ScorerError(f'aliases={aliases!r} is one text; give a list, as in aliases=["{aliases}"].')
    words = [_words(text) for text in (term, *aliases)]
    stems = tuple({_stem(parts[-1]) if forms else parts[-1] for parts in words})
    # longest first, so that the longer of two names is the one reported
    each = sorted((_term(parts, forms) for parts in words), key=len, reverse=True)
    search = re.compile("|".join(each))

    def count(text: str) -> tuple[int, str]:
        plain = bare(text)
        if not any(stem in plain for stem in stems):  # most answers: no search at all
            return 0, ""
        found = search.findall(plain)
        return len(found), found[0] if found else ""

    return count


def _words(term: object) -> list[str]:
    parts = re.split(_GAP, bare(term).strip()) if isinstance(term, str) else []
    parts = [part for part in parts if part]
    if not parts:
        raise ScorerError(f"mentions was given {term!r}; give a word or a name.")
    return parts


def _term(words: list[str], forms: bool) -> str:
    last = sorted(_forms(words[-1]), key=len, reverse=True) if forms else [words[-1]]
    body = _GAP.join(map(re.escape, words[:-1])) + (_GAP if len(words) > 1 else "")
    body += "(?:" + "|".join(map(re.escape, last)) + ")"
    return (_START if _spaced(words[0][0]) else "") + body + (_END if _spaced(words[-1][-1]) else "")


def _forms(word: str) -> set[str]:
    """A word with its regular English inflections: plural, third person, past and -ing; also of a plural's singular."""
    if not (word.isascii() and word.isalpha() and len(word) > 2):
        return {word}
    bases = {word}
    if word.endswith("ies") and len(word) > 4:
        bases.add(word[:-3] + "y")
    elif word.endswith("s") and len(word) > 3 and not word.endswith(("ss", "us", "is")):
        bases.add(word[:-1])
    return bases | {form for base in bases for form in _inflected(base)}


def _inflected(base: str) -> set[str]:
    if base.endswith("e"):
        return {base + "s", base + "d", base[:-1] + "ing"}
    if base.endswith("y") and base[-2] not in _VOWELS:
        return {base[:-1] + "ies", base[:-1] + "ied", base + "ing", base + "s"}
    found = {base + "s", base + "ed", base + "ing"}
    if base.endswith(("s", "x", "z", "ch", "sh")):
        found.add(base + "es")
    if base[-1] not in _VOWELS + "wxy" and base[-2] in _VOWELS and base[-3] not in _VOWELS:
        found |= {base + base[-1] + "ed", base + base[-1] + "ing"}
    return found


def _stem(word: str) -> str:
    """A prefix that every form of the word has: what a quick search looks for."""
    shortest = min(_forms(word), key=len)
    return shortest[:-1] if len(shortest) > 2 and shortest[-1] in "ey" else shortest


def _spaced(letter: str) -> bool:
    return letter.isascii() or not unicodedata.name(letter, "").startswith(_UNSPACED)
