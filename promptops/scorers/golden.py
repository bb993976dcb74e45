"""What an answer is compared with, for every scorer alike: a plain text is that text,
`column="gold"` is this row's value of a column, and without either the golden answer is meant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Number
from typing import Any

from ..errors import ScorerError
from ..score import Score
from .case import Case
from .rule import spelled

__all__ = ["EXPECTED", "Golden", "alternatives", "check_fixed", "golden", "no_golden"]

EXPECTED = "expected"  # the column of the golden answer


@dataclass(frozen=True, slots=True)
class Golden:
    """of: case -> what is wanted; where: how a reason names it; needs: the columns that it reads;
    texts: see `Rule`.
    """

    rule: str
    of: Callable[[Case], Any]
    where: str
    needs: tuple[str, ...]
    texts: tuple[tuple[str, str], ...]
    shown: tuple[tuple[object, ...], tuple[tuple[str, object], ...]]

    def spelled(self, **options: object) -> str:
        """The rule with what it compares and its options, as it is named."""
        places, named = self.shown
        return spelled(self.rule, *places, **dict(named), **options)


def check_fixed(rule: str, value: object) -> None:
    """Raises ScorerError for a value that no answer can equal, such as a function."""
    plain = (str, Number, list, tuple, Mapping)  # a scalar of numpy has `item`
    if value is not None and not isinstance(value, plain) and not hasattr(value, "item"):
        raise ScorerError(
            f"{rule} was given {type(value).__name__!r}, a type of no answer, to compare with; give"
            f" a text, a number, a list or a dict, and name the rest, as in {rule}(column=...)."
        )


def golden(rule: str, text: object, column: str, called: str = "text") -> Golden:
    """What a rule compares answers with.

    Args:
        rule: the name of the scorer.
        text: one fixed value for all rows, or None.
        column: the column to read if there is no fixed value.
        called: the scorer's own name of the fixed value, by which it is declared again.

    Raises:
        ScorerError: the text is a number or the name of the golden column, or the column is not a
            name.
    """
    if not isinstance(column, str) or not column:
        raise ScorerError(
            f'{rule} was given column={column!r}; give the name of a column, as in column="gold".'
        )
    if text is None:
        read = (column,)
        return Golden(
            rule,
            lambda case: case.example.column(column),
            repr(column),
            read,
            (),
            (read, ()),
        )
    check_fixed(rule, text)
    if isinstance(text, float) and called == "text":
        raise ScorerError(
            f"{rule} was given the number {text!r} as the text to compare with; a threshold is"
            f" named, as in {rule}(at_least={text!r}), and a text is quoted."
        )
    if text == EXPECTED:
        raise ScorerError(
            f'{rule}("expected") compares with that very word; {rule}() compares with the golden'
            f' answer, {rule}(column="gold") with another column.'
        )
    texts = ((text, f'{rule}(column="{text}")'),) if isinstance(text, str) else ()
    return Golden(
        rule, lambda _: text, "the text that it was given", (), texts, ((), ((called, text),))
    )


def alternatives(value: object) -> list[object]:
    """The members of a golden list, any of which will do; else the value alone. Members that are
    None are not answers, so that [] means that the row has no golden answer.
    """
    several = list(value) if isinstance(value, (list, tuple)) else [value]
    return [one for one in several if one is not None]


def no_golden(case: Case, where: str) -> Score:
    """The score of a row whose golden answer holds nothing: unscored, since no answer is right."""
    return Score.none(
        f"missing golden answer: example {case.example.id!r} has an empty one in the column {where}"
    )
