"""What an answer settles on: the letter of a multiple choice, and the text after a marker.

0 or 1, higher is better; an answer that settles on nothing fails.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable

from ..errors import ScorerError
from ..score import Score
from ..signatures import explained
from .assertion import as_text
from .case import Case
from .declaration import declared
from .golden import alternatives, no_golden
from .reading import fold
from .rule import PASS, Rule, fail, rule, snippet, spelled

__all__ = ["answer_after", "choice", "text_after"]

_MARKUP = " \t\r\n*_`"
_END = 2_000  # characters at the end in which a letter is looked for


@declared(
    "assertion", example="choice()", output="The answer is (B).", value=1.0, given={"expected": "B"}
)
@explained
def choice(letters: str = "ABCD", *, column: str = "expected") -> Rule:
    """The letter chosen in a multiple-choice answer is the golden one; label: the letter that
    was chosen.

    The chosen letter is the first of these that exists: the letter after the last "answer is" or
    "answer:"; the letter that the answer begins with ("B", "(B) Paris", "B. Paris"); the last
    letter in parentheses or alone on a line; the only letter that is a word by itself. It must be a
    capital, unless it is the whole answer. The golden value may be "B", "b" or "(B)".

    Args:
        letters: the letters of the choices.
        column: the column with the golden letter.
    """
    if (
        not isinstance(letters, str)
        or len(set(letters)) != len(letters)
        or len(letters) < 2
        or not letters.isalpha()
        or not letters.isascii()
    ):
        raise ScorerError(
            f"choice was given the letters {letters!r}; give two or more different letters, as in"
            ' choice("ABCD").'
        )
    known = letters.upper()
    settle = _settler(known)

    def score(case: Case) -> Score:
        golden = as_text(case.example.column(column)).strip(" ().").upper()
        if len(golden) != 1 or golden not in known:
            return Score.none(
                f"missing letter: example {case.example.id!r} has none of {', '.join(known)} in the"
                f" column {column!r}"
            )
        found = settle(case.output)
        if found is None:
            return fail(f"chose none of {', '.join(known)}: {snippet(case.output[-120:])}")
        return Score(
            float(found == golden),
            found == golden,
            category=found,
            reason="" if found == golden else f"chose {found}, expected {golden}",
        )

    return rule(
        spelled("choice", letters, column=column if column != "expected" else None),
        "assertion",
        score,
        needs=[column],
    )


def _settler(letters: str) -> Callable[[str], str | None]:
    one = f"[{letters}]"
    whole = re.compile(rf"\W*({one})\W*", re.IGNORECASE)
    marked = re.compile(
        rf"answer(?:\s+is|\s+would\s+be)?\s*+:?[\s*_`\"']*+(?:option\s++|choice\s++)?[\s*_`\"'"
        rf"(\[]*+({one})(?![\w'\u2019])",
        re.IGNORECASE,
    )
    begins = re.compile(rf"[\s*_`]*(?:\(({one})\)|\[({one})\]|({one})(?:[).:\]]|\s*\n|\s+-))")
    held = re.compile(rf"[(\[]({one})[)\]]|(?m:^(?:[^\S\n]|[*_`])*+({one})(?:[^\S\n]|[*_`.])*+$)")
    alone = re.compile(rf"(?<![\w'\u2019])({one})(?![\w'\u2019])")

    def settle(text: str) -> str | None:
        if len(text) < 20 and (match := whole.fullmatch(text)):
            return match[1].upper()
        if len(text) > 2 * _END:
            head, tail = text[:_END], text[-_END:]
        else:
            head = tail = text
        wording = [match[1] for match in marked.finditer(tail) if match[1].isupper()]
        if wording:
            return wording[-1].upper()
        if match := begins.match(head):
            return match[1] or match[2] or match[3]
        kept = [match[1] or match[2] for match in held.finditer(tail)]
        if kept:
            return kept[-1]
        words = set(alone.findall(tail))
        if len(words) > 1:
            words -= {"A", "I"}  # words of English too
        return words.pop() if len(words) == 1 else None

    return settle


@declared(
    "assertion",
    example='answer_after("So the answer is")',
    output="So the answer is 42.",
    value=1.0,
    given={"expected": "42"},
)
@explained
def answer_after(
    marker: str = "answer is", *, column: str = "expected", ignore_case: bool = True
) -> Rule:
    """The text after the last marker, to the end of its line and without a final period, is the
    golden answer.

    The marker is found in any case. Markup, quotes and outer white space are ignored.

    Args:
        marker: the words before the answer.
        column: the column with the golden answer.
        ignore_case: whether upper and lower case count as equal.
    """
    if not isinstance(marker, str) or not marker.strip():
        raise ScorerError(
            f"answer_after was given {marker!r}; give the text before the answer, as in"
            ' answer_after("So the answer is").'
        )
    tidy: Callable[[str], str] = fold if ignore_case else str
    take = text_after(marker)

    def score(case: Case) -> Score:
        wanted = [as_text(one) for one in alternatives(case.example.column(column))]
        if not wanted:
            return no_golden(case, repr(column))
        found = take(case.output)
        if found is None:
            return fail(f"no {snippet(marker, 40)} in the answer {snippet(case.output[-120:])}")
        if any(tidy(found) == tidy(one.strip().removesuffix(".")) for one in wanted):
            return PASS
        return fail(f"answered {snippet(found)}, expected {snippet(' or '.join(wanted[:3]))}")

    shown = spelled(
        "answer_after",
        marker,
        column=column if column != "expected" else None,
        case=None if ignore_case else True,
    )
    return rule(shown, "assertion", score, needs=[column])


def text_after(marker: str) -> Callable[[str], str | None]:
    """Text -> what follows the last marker in its line, without markup, quotes and closing period;
    None without one.
    """
    find = re.compile(re.escape(marker.strip()).replace(r"\ ", r"\s+"), re.IGNORECASE)

    def take(text: str) -> str | None:
        last = deque(find.finditer(text), maxlen=1)
        if not last:
            return None
        end = last[0].end()
        line = text[end : end + _END].lstrip(":" + _MARKUP).partition("\n")[0].strip(_MARKUP)
        return line.removesuffix(".").strip(_MARKUP + "\"'\u201c\u201d")

    return take
