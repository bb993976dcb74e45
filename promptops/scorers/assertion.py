"""Assertions on the text of an answer: each passes or fails, and says why it failed.

Texts are compared Unicode-normalised. An empty answer is an answer: it fails what it does not
fulfil.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import ScorerError
from ..score import Score
from ..signatures import explained
from .case import Case
from .declaration import declared
from .golden import EXPECTED, alternatives, check_fixed, no_golden
from .reading import NotJSON, fold, read_json, same
from .rule import PASS, Rule, fail, rule, snippet, spelled, verdict

__all__ = [
    "contains",
    "contains_all",
    "contains_any",
    "ends_with",
    "equals",
    "one_of",
    "starts_with",
]


@declared("assertion", example="equals()", output="Paris", value=1.0, given={"expected": "Paris"})
@explained
def equals(value: object = None, *, column: str = "expected", ignore_case: bool = False) -> Rule:
    """The answer equals the golden one: this row's value of the column (default), or a fixed value.

    Texts are compared after Unicode NFC, without outer white space. For numbers, lists and objects
    the answer is parsed as JSON and the values compared, ignoring key order and white space; true
    and false may be in any case ("True"). If the golden value is a list, the answer may also equal
    any one of its members.

    Args:
        value: a fixed value; None means the row's value of `column`.
        column: the column with the golden answer.
        ignore_case: whether upper and lower case count as equal.
    """
    if value == "expected":
        raise ScorerError(
            'equals("expected") compares with that very word; equals() compares with the column.'
        )
    check_fixed("equals", value)
    if value is not None:
        texts = ((value, f'equals(column="{value}")'),) if isinstance(value, str) else ()
        return rule(
            spelled("equals", value, ignore_case=ignore_case),
            "assertion",
            _equal_to(lambda _: value, ignore_case, "value"),
            texts=texts,
        )
    shown = spelled("equals", column, ignore_case=ignore_case)
    if column != "expected":
        shown = spelled("equals", column=column, ignore_case=ignore_case)
    return rule(
        shown,
        "assertion",
        _equal_to(lambda case: case.example.column(column), ignore_case, repr(column)),
        needs=[column],
    )


def _always(value: object) -> Callable[[Case], object]:
    return lambda _: value


def _equal_to(
    wanted: Callable[[Case], Any], ignore_case: bool, where: str
) -> Callable[[Case], Score]:
    tidy = fold if ignore_case else _composed

    def score(case: Case) -> Score:
        value, output = wanted(case), case.output
        if isinstance(value, str):
            if output == value or tidy(output).strip() == tidy(value).strip():
                return PASS
            return fail(f"answered {snippet(output)}, expected {snippet(value)}")
        if isinstance(value, bool):
            return verdict(
                fold(output).strip() == str(value).lower(),
                f"answered {snippet(output)}, expected {value}",
            )
        found = read_json(output)
        if not isinstance(found, NotJSON) and same(found, value):
            return PASS
        if isinstance(value, (list, tuple)):
            each = alternatives(value)
            if not each and not isinstance(found, list):  # [] may be what JSON is to hold
                return no_golden(case, where)
            if any(_equal_to(_always(one), ignore_case, where)(case).passed for one in each):
                return PASS
        return fail(f"answered {snippet(output)}, expected {snippet(value)}")

    return score


@declared("assertion", example='contains("refund")', output="We REFUND you.", value=1.0)
@explained
def contains(
    text: str | None = None, *, column: str | None = None, ignore_case: bool = True
) -> Rule:
    """The answer contains the text (or this row's value of the column, or the golden answer), even
    within a word; `mentions` finds whole words. For a list, any member is enough.

    Args:
        text: what to find; None means the row's value of `column`, or the golden answer.
        column: a column of the row; None means the golden answer.
        ignore_case: whether upper and lower case count as equal.
    """
    return _part(
        _Part("contains", str, lambda part, whole: part in whole, "does not hold"),
        text,
        column,
        ignore_case,
    )


@declared("assertion", example='starts_with("Dear")', output="Dear Ms Lee,", value=1.0)
@explained
def starts_with(
    text: str | None = None, *, column: str | None = None, ignore_case: bool = True
) -> Rule:
    """The answer begins with the text, ignoring outer white space.

    Args:
        text: the beginning; None means the row's value of `column`, or the golden answer.
        column: a column of the row; None means the golden answer.
        ignore_case: whether upper and lower case count as equal.
    """
    return _part(
        _Part(
            "starts_with",
            str.lstrip,
            lambda part, whole: whole.startswith(part),
            "does not begin with",
        ),
        text,
        column,
        ignore_case,
    )


@declared("assertion", example='ends_with("regards.")', output="Kind regards.", value=1.0)
@explained
def ends_with(
    text: str | None = None, *, column: str | None = None, ignore_case: bool = True
) -> Rule:
    """The answer ends with the text, ignoring outer white space.

    Args:
        text: the end; None means the row's value of `column`, or the golden answer.
        column: a column of the row; None means the golden answer.
        ignore_case: whether upper and lower case count as equal.
    """
    return _part(
        _Part(
            "ends_with", str.rstrip, lambda part, whole: whole.endswith(part), "does not end with"
        ),
        text,
        column,
        ignore_case,
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """trim: what is left of both texts before they are folded, since folding may make letters of
    spaces and back.
    """

    name: str
    trim: Callable[[str], str]
    holds: Callable[[str, str], bool]
    fault: str


def _part(kind: _Part, text: str | None, column: str | None, ignore_case: bool) -> Rule:
    name, trim, holds = kind.name, kind.trim, kind.holds
    if text is not None and column is not None:
        raise ScorerError(
            f'{name} takes a text or a column: {name}("refund"), or {name}(column="keyword").'
        )
    tidy = fold if ignore_case else _composed
    cased = None if ignore_case else True
    if text is None:
        read = column or EXPECTED

        def by_row(case: Case) -> Score:
            value = case.example.column(read)
            parts = [text for one in alternatives(value) if (text := as_text(one)).strip()]
            if not parts:  # an empty text is in every answer
                return no_golden(case, repr(read))
            whole = tidy(trim(case.output))
            return verdict(
                any(holds(tidy(trim(part)), whole) for part in parts),
                f"{kind.fault} {snippet(' or '.join(parts))}",
            )

        shown = spelled(name, column=column, case=cased)
        return rule(shown, "assertion", by_row, needs=[read])
    part = tidy(trim(_text(name, text)))
    failed = fail(f"{kind.fault} {snippet(text)}")

    def score(case: Case) -> Score:
        return PASS if holds(part, tidy(trim(case.output))) else failed

    return rule(
        spelled(name, text, case=cased),
        "assertion",
        score,
        texts=((str(text), f'{name}(column="{text}")'),),
    )


@declared(
    "assertion",
    example='contains_any("refund", "money back")',
    output="Your money back.",
    value=1.0,
)
@explained
def contains_any(*texts: str, ignore_case: bool = True) -> Rule:
    """The answer contains at least one of the texts.

    Args:
        texts: the texts to find.
        ignore_case: whether upper and lower case count as equal.
    """
    tidy = fold if ignore_case else _composed
    parts = [tidy(text) for text in _texts("contains_any", texts)]
    failed = fail("holds none of " + ", ".join(snippet(text, 30) for text in texts[:5]))

    def score(case: Case) -> Score:
        whole = tidy(case.output)
        return PASS if any(part in whole for part in parts) else failed

    return rule(
        spelled("contains_any", *texts, case=None if ignore_case else True), "assertion", score
    )


@declared(
    "assertion",
    example='contains_all("name", "date")',
    output="The date is set.",
    value=0.5,
    whole=False,
)
@explained
def contains_all(*texts: str, ignore_case: bool = True) -> Rule:
    """The share of the texts that the answer contains; passed if it contains all.

    Args:
        texts: the texts to find.
        ignore_case: whether upper and lower case count as equal.
    """
    tidy = fold if ignore_case else _composed
    parts = [(tidy(text), text) for text in _texts("contains_all", texts)]

    def score(case: Case) -> Score:
        whole = tidy(case.output)
        missing = [text for part, text in parts if part not in whole]
        if not missing:
            return PASS
        reason = "does not hold " + ", ".join(snippet(text, 30) for text in missing[:5])
        return Score(1 - len(missing) / len(parts), False, reason=reason)

    return rule(
        spelled("contains_all", *texts, case=None if ignore_case else True), "assertion", score
    )


@declared("assertion", example='one_of("yes", "no")', output=" Yes ", value=1.0)
@explained
def one_of(*choices: str | Sequence[str], ignore_case: bool = True) -> Rule:
    """The whole answer, ignoring outer white space, is one of the texts; label: the text that it
    equals.

    Args:
        choices: the texts.
        ignore_case: whether upper and lower case count as equal.
    """
    flat = [
        text for choice in choices for text in ([choice] if isinstance(choice, str) else choice)
    ]
    tidy = fold if ignore_case else _composed
    scores = {
        tidy(text).strip(): Score(1.0, True, category=text) for text in _texts("one_of", flat)
    }
    allowed = ", ".join(snippet(text, 20) for text in flat[:6])

    def score(case: Case) -> Score:
        found = scores.get(tidy(case.output).strip()) if len(case.output) < 100_000 else None
        return found or fail(f"answered {snippet(case.output)}, expected one of {allowed}")

    return rule(spelled("one_of", *flat, case=None if ignore_case else True), "assertion", score)


def as_text(value: object) -> str:
    """A column's value as text: text as it is, true and false as JSON writes them, all else as
    Python prints it.
    """
    if isinstance(value, str):
        return value
    return str(value).lower() if isinstance(value, bool) else str(value)


def _composed(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _text(name: str, text: object) -> str:
    if not isinstance(text, str) or not text.strip():
        raise ScorerError(f"{name} was given {text!r}; give a text that is not empty.")
    return text


def _texts(name: str, texts: Sequence[object]) -> list[str]:
    if not texts:
        raise ScorerError(f'{name} was given no text; name at least one, as in {name}("refund").')
    return [_text(name, text) for text in texts]
