"""What sways a judge beside merit: the place of an answer in a pair, and its length."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..analysis.intervals import clopper_pearson, quantile
from ..errors import StudyError
from ..signatures import explained

__all__ = ["Length", "Position", "correlation", "position_bias"]


@dataclass(frozen=True, slots=True)
class Position:
    """pairs: judged in both orders; same: one verdict in both; first, second: orders that disagree
    towards the answer shown first, or shown second. share: first / (first + second), low and high
    its exact 95 % interval; 1/2 is no bias. swapped: whether both orders were shown: else first and
    second count verdicts, and the position cannot be distinguished from the answers' merit.
    """

    pairs: int
    same: int
    first: int
    second: int
    share: float | None
    low: float | None
    high: float | None
    swapped: bool = True


@dataclass(frozen=True, slots=True)
class Length:
    """r: correlation of the logarithm of an answer's length with what the judge gave beyond people
    (its error), with its 95 % interval (Fisher's z); beyond: False if no label is beside, so
    that longer answers may just be better ones.
    """

    r: float | None
    low: float | None
    high: float | None
    n: int
    beyond: bool


@explained
def position_bias(first: Sequence[str], second: Sequence[str] | None = None) -> Position:
    """Measure how much the position of an answer influences a judge of pairs.

    With only one order, the verdicts for each position are counted and `swapped` is False: a bias
    cannot then be distinguished from better answers in one position.

    Args:
        first: one verdict per pair, "A", "tie" or "B", with A shown first.
        second: the verdicts on the same pairs with A shown second.
    """
    if second is None:
        ahead, behind, same = (
            sum(x == "A" for x in first),
            sum(x == "B" for x in first),
            sum(x == "tie" for x in first),
        )
    else:
        value = {"A": 1, "tie": 0, "B": -1}
        odd = [x for x in (*first, *second) if x not in value]
        if odd or len(first) != len(second):
            one = f" and one is {odd[0]!r}" if odd else ""
            raise StudyError(
                f"the two orders have {len(first)} and {len(second)} verdicts{one}; expected 'A',"
                " 'tie' or 'B' for each pair in both."
            )
        lean = [value[x] - value[y] for x, y in zip(first, second, strict=True)]
        ahead, behind, same = (
            sum(x > 0 for x in lean),
            sum(x < 0 for x in lean),
            sum(x == 0 for x in lean),
        )
    known = ahead + behind
    low, high = clopper_pearson(ahead, known) if known else (None, None)
    return Position(
        len(first),
        same,
        ahead,
        behind,
        ahead / known if known else None,
        low,
        high,
        second is not None,
    )


def correlation(lengths: Sequence[float], gave: Sequence[float], *, beyond: bool) -> Length:
    """Pearson's r with Fisher's interval, as a length bias; r is None if either of the two does
    not vary.
    """
    import numpy as np

    if np.std(lengths) < 1e-12 or np.std(gave) < 1e-12:
        return Length(None, None, None, len(lengths), beyond)
    r = float(np.corrcoef(lengths, gave)[0, 1])
    z, half = (
        math.atanh(min(max(r, -0.999999), 0.999999)),
        quantile(0.95) / math.sqrt(max(len(lengths) - 3, 1)),
    )
    return Length(r, math.tanh(z - half), math.tanh(z + half), len(lengths), beyond)
