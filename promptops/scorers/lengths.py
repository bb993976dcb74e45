"""Assertions on how long an answer is, in characters or words."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import ScorerError
from ..score import Score
from ..signatures import explained
from .case import Case
from .declaration import declared
from .rule import Rule, rule, spelled

__all__ = ["length", "word_count"]


@declared("assertion", example="word_count(at_most=3)", output="one two three four", value=0.0)
@explained
def word_count(at_least: int = 0, at_most: int | None = None) -> Rule:
    """The number of words (runs of non-space) is in the range, inclusive; raw_value: the number
    of words.

    Args:
        at_least: the fewest words.
        at_most: the most; None: no limit.
    """
    return _counted("word_count", at_least, at_most, lambda text: len(text.split()), "words")


@declared("assertion", example="length(at_most=280)", output="short", value=1.0)
@explained
def length(at_least: int = 0, at_most: int | None = None) -> Rule:
    """The number of characters (Unicode code points) is in the range, inclusive; raw_value: the
    number of characters.

    Args:
        at_least: the fewest characters.
        at_most: the most; None: no limit.
    """
    return _counted("length", at_least, at_most, len, "characters")


def _counted(
    name: str, at_least: int, at_most: int | None, count: Callable[[str], int], unit: str
) -> Rule:
    for bound in (at_least, 0 if at_most is None else at_most):
        if isinstance(bound, bool) or not isinstance(bound, int) or bound < 0:
            raise ScorerError(
                f"{name} was given the bound {bound!r}; bounds are whole numbers from 0."
            )
    if (at_least == 0 and at_most is None) or (at_most is not None and at_most < at_least):
        raise ScorerError(
            f"{name}(at_least={at_least}, at_most={at_most}) allows everything or nothing; give a"
            " range."
        )

    wanted = _range(at_least, at_most)

    def score(case: Case) -> Score:
        found = count(case.output)
        ok = found >= at_least and (at_most is None or found <= at_most)
        reason = "" if ok else f"has {found:,} {unit}, expected {wanted}"
        return Score(float(ok), ok, raw_value=float(found), unit=unit, reason=reason)

    return rule(spelled(name, at_least=at_least or None, at_most=at_most), "assertion", score)


def _range(low: int, high: int | None) -> str:
    if high is None:
        return f"at least {low:,}"
    return f"at most {high:,}" if not low else f"{low:,} to {high:,}"
