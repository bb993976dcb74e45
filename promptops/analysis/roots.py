"""A root between two ends by Brent's method: scipy's answers, bit for bit, without the import of
`scipy.optimize`, which takes longer than a comparison.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from ..errors import StatisticsError

XTOL: Final = 2e-12  # scipy's own, as is the next
RTOL: Final = 8.881784197001252e-16
_STEPS: Final = 100


def root(
    function: Callable[[float], float],
    low: float,
    high: float,
    *,
    xtol: float = XTOL,
    rtol: float = RTOL,
) -> float:
    """Where a continuous function of one number is 0, by Brent (1973): secants and inverse
    parabolas, and a bisection whenever they gain too little.

    Raises StatisticsError if the function has the same sign at both ends, or a root is not closed
    in on.
    """
    before, here = float(low), float(high)
    at_before, at_here = float(function(before)), float(function(here))
    if at_before == 0:
        return before
    if at_here == 0:
        return here
    if not at_before * math.copysign(1.0, at_here) < 0:
        raise StatisticsError(
            f"the function is {at_before:g} at {low:g} and {at_here:g} at {high:g}; expected"
            " opposite signs."
        )
    across, at_across, last, step = 0.0, 0.0, 0.0, 0.0  # across: the end beyond the root
    for _ in range(_STEPS):
        if at_before and at_here and math.copysign(1.0, at_before) != math.copysign(1.0, at_here):
            across, at_across = before, at_before
            last = step = here - before
        if abs(at_across) < abs(at_here):
            before, here, across = here, across, here
            at_before, at_here, at_across = at_here, at_across, at_here
        least, half = (xtol + rtol * abs(here)) / 2, (across - here) / 2
        if at_here == 0 or abs(half) < least:
            return here
        tried = _step(before, here, across, at_before, at_here, at_across)
        well = abs(last) > least and abs(at_here) < abs(at_before)
        if well and 2 * abs(tried) < min(abs(last), 3 * abs(half) - least):
            last, step = step, tried
        else:
            last = step = half
        before, at_before = here, at_here
        here += step if abs(step) > least else math.copysign(least, half)
        at_here = float(function(here))
    raise StatisticsError(f"no root was closed in on between {low:g} and {high:g}.")


def _step(
    before: float, here: float, across: float, at_before: float, at_here: float, at_across: float
) -> float:
    """From here to the root of the secant, or of the inverse parabola through three points;
    infinity if there is none.
    """
    try:
        if before == across:
            return -at_here * (here - before) / (at_here - at_before)
        slope = (at_before - at_here) / (before - here)
        other = (at_across - at_here) / (across - here)
        return (
            -at_here
            * (at_across * other - at_before * slope)
            / (other * slope * (at_across - at_before))
        )
    except ZeroDivisionError:
        return math.inf
