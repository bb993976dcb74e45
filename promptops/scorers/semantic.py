"""What an answer speaks of: words and names, in any case and form, never as part of another
word.
"""

from __future__ import annotations

import inspect
import re
import unicodedata
from collections.abc import Callable, Sequence

from ..errors import ScorerError
from ..score import Score
from ..signatures import explained
from .case import Case
from .declaration import declared
from .embedding import Embedder, Vectors, cosine
from .reading import bare
from .rule import PASS, Rule, rule, snippet, spelled
from .sentences import sentences

__all__ = ["mentions", "never_mentions"]

_VOWELS = "aeiou"
_SENTENCES = 200  # of an answer that are embedded
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
# between the words of a term: "charge back" is found in "charge-back"
_GAP = r"[\s\-\u2010-\u2015_/]+"
_START, _END = r"(?<![^\W_])", r"(?![^\W_])"
# scripts that write no spaces between words, where no boundary can be asked for
_UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN")


@declared("semantic", example='mentions("refund")', output="It was refunded.", value=1.0)
@explained
def mentions(
    term: str,
    *,
    aliases: Sequence[str] = (),
    forms: bool = True,
    fuzzy: float | None = None,
    embedder: Embedder | None = None,
    near: float = 0.8,
) -> Rule:
    """The answer mentions the term or one of its aliases as whole words; raw_value: how often.
    0 or 1.

    Texts are compared case-folded and without accents; a term of several words also matches with
    hyphens.

    Args:
        term: the word or words.
        aliases: other names of the term.
        forms: whether English inflections of each last word count too (refund: refunds, refunded,
            refunding); switch it off for unusual names.
        fuzzy: the similarity from which misspelt mentions count too (rapidfuzz's ratio in [0, 1],
            over the same number of words).
        embedder: used if no word is found: a sentence counts if the cosine of its embedding with
            that of the term or an alias is at least `near`.
        near: the lowest cosine at which a sentence counts.
    """
    count = _counter(term, aliases, forms, fuzzy)
    none = Score(
        0.0, False, raw_value=0.0, unit="mentions", reason=f"does not mention {snippet(term, 40)}"
    )

    def words(case: Case) -> Score:
        found, _ = count(case.output)
        return Score(1.0, True, raw_value=float(found), unit="mentions") if found else none

    spec = _named("mentions", term, aliases, forms, fuzzy)
    if embedder is None:
        return rule(spec, "semantic", words)
    _check_near(near)
    vectors = Vectors(embedder)

    async def score(case: Case) -> Score:
        found = words(case)
        return found if found.passed else await _nearest(vectors, [term, *aliases], case, near)

    return rule(
        f"{spec[:-1]}, near={near:g}, by={vectors.name})",
        "semantic",
        score,
        inner=vectors.version_now,
        remote=True,
    )


def _check_near(near: object) -> None:
    if isinstance(near, bool) or not isinstance(near, (int, float)) or not 0 < near <= 1:
        raise ScorerError(f"mentions was given near={near!r}; give a number above 0, at most 1.")


async def _nearest(vectors: Vectors, terms: Sequence[str], case: Case, near: float) -> Score:
    wording = sentences(case.output)[:_SENTENCES]
    given = vectors.of([*terms, *wording], [case])
    found = await given if inspect.isawaitable(given) else given
    closeness = [
        (cosine(one, two), sentence)
        for sentence, two in zip(wording, found[len(terms) :], strict=True)
        for one in found[: len(terms)]
    ]
    most, sentence = max(closeness, default=(0.0, ""))
    reason = f"nearest is {snippet(sentence)}" if sentence else "says nothing"
    return Score(float(most >= near), most >= near, raw_value=most, unit="cosine", reason=reason)


@declared("semantic", example='never_mentions("Globex")', output="Try Globex.", value=0.0)
@explained
def never_mentions(
    term: str, *, aliases: Sequence[str] = (), forms: bool = True, fuzzy: float | None = None
) -> Rule:
    """The answer mentions neither the term nor an alias, in any form; words are found as by
    `mentions`. 0 or 1.

    Args:
        term: the word or words.
        aliases: other names of the term.
        forms: as in `mentions`.
        fuzzy: as in `mentions`.
    """
    count = _counter(term, aliases, forms, fuzzy)

    def score(case: Case) -> Score:
        found, first = count(case.output)
        if not found:
            return PASS
        times = "once" if found == 1 else f"{found:,} times"
        return Score(
            0.0,
            False,
            raw_value=float(found),
            unit="mentions",
            reason=f"mentions {snippet(first, 40)} {times}",
        )

    return rule(_named("never_mentions", term, aliases, forms, fuzzy), "semantic", score)


def _named(name: str, term: str, aliases: Sequence[str], forms: bool, fuzzy: float | None) -> str:
    return spelled(
        name, term, aliases=list(aliases) or None, forms="off" if not forms else None, fuzzy=fuzzy
    )


def _counter(
    term: str, aliases: Sequence[str], forms: bool, fuzzy: float | None
) -> Callable[[str], tuple[int, str]]:
    """Text -> (how many mentions, the first one as found)."""
    if isinstance(aliases, str):
        raise ScorerError(
            f'aliases={aliases!r} is one text; give a list, as in aliases=["{aliases}"].'
        )
    if fuzzy is not None and (
        isinstance(fuzzy, bool) or not isinstance(fuzzy, (int, float)) or not 0.5 <= fuzzy <= 1
    ):
        raise ScorerError(f"mentions was given fuzzy={fuzzy!r}; give a similarity from 0.5 to 1.")
    words = [_words(text) for text in (term, *aliases)]
    stems = tuple({_stem(parts[-1]) if forms else parts[-1] for parts in words})
    # longest first, so that the longer of two names is the one reported
    each = sorted((_term(parts, forms) for parts in words), key=len, reverse=True)
    search = re.compile("|".join(each))

    def count(text: str) -> tuple[int, str]:
        plain = bare(text)
        if any(stem in plain for stem in stems):  # in most answers none is, and no search is needed
            found = search.findall(plain)
            if found:
                return len(found), found[0]
        return _misspelt(plain, words, fuzzy) if fuzzy is not None else (0, "")

    return count


def _misspelt(plain: str, terms: Sequence[Sequence[str]], fuzzy: float) -> tuple[int, str]:
    """(how many runs of as many words as a term come close to it, the first of them)."""
    from rapidfuzz import fuzz, process

    wording = _WORD.findall(plain)
    found: dict[int, str] = {}
    for words in terms:
        runs = [
            " ".join(wording[start : start + len(words)])
            for start in range(len(wording) - len(words) + 1)
        ]
        close = process.extract(
            " ".join(words), runs, scorer=fuzz.ratio, score_cutoff=100 * fuzzy, limit=None
        )
        found.update({place: run for run, _, place in close})
    return len(found), found[min(found)] if found else ""


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
    return (
        (_START if _spaced(words[0][0]) else "") + body + (_END if _spaced(words[-1][-1]) else "")
    )


def _forms(word: str) -> set[str]:
    """A word with its regular English inflections: plural, third person, past and -ing; also of a
    plural's singular.
    """
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
