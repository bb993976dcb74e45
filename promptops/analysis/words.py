"""Numbers as people say them: points, odds, money, durations.

One place, so that every view says the same.
"""

from __future__ import annotations

import math

from ..markup import count

__all__ = [
    "count",
    "duration",
    "e_value",
    "interval",
    "money",
    "money_between",
    "number",
    "odds",
    "p_number",
    "p_value",
    "percent",
    "points",
    "signed",
]


def odds(p: float) -> str:
    """A probability as "1 in N", rounded to two figures: .000028 is "1 in 36,000"; above a half,
    "about even or worse".
    """
    if not p > 0:
        return "less than 1 in 10^15"
    if p > 0.5:
        return "more often than not"
    n = 1 / p
    if n > 1e15:
        return "less than 1 in 10^15"
    scale = 10 ** max(math.floor(math.log10(n)) - 1, 0)
    return f"1 in {round(n / scale) * scale:,}"


def p_value(p: float) -> str:
    """A one-sided p value with what it means: `p = 0.007, one-sided (about 1 in 150 by chance)`."""
    shown = p_number(p)
    sign = "" if shown.startswith("<") else "= "
    return (
        f"p {sign}{shown}, one-sided ({'about ' if 1e-15 <= p <= 0.5 else ''}{odds(p)} by chance)"
    )


def p_number(p: float) -> str:
    """A p value as every view shows it: `< 0.0001`, `0.0008`, `0.25`."""
    return "< 0.0001" if p < 0.0001 else number(p, 1 if p < 0.1 else 2)


def e_value(value: float) -> str:
    """Evidence as a monitor or a guard reports it: `3.18`, `365`, and `1.4 × 10^10` from a million
    on, where further digits say nothing.
    """
    if value < 1e6:
        return number(value, 3)
    figure, _, power = f"{value:.1e}".partition("e")
    return f"{figure} × 10^{int(power)}"


def percent(value: float, digits: int = 1) -> str:
    """A share as a percentage; "–" where unknown."""
    return "–" if value != value else f"{100 * value:.{digits}f} %"


def signed(value: float, digits: int = 1) -> str:
    """A number with its sign, a real minus."""
    text = f"{abs(value):.{digits}f}"
    return f"{'−' if value < 0 and float(text) else '+'}{text}"


def points(value: float, digits: int = 1) -> str:
    """A difference of shares in percentage points."""
    return "–" if value != value else f"{signed(100 * value, digits)} points"


def interval(
    low: float | None, high: float | None, *, scale: float = 100.0, digits: int = 1
) -> str:
    """`low to high`, scaled; "not known" without one."""
    if low is None or high is None or low != low or high != high:
        return "not known"
    return f"{_minus(low * scale, digits)} to {_minus(high * scale, digits)}"


def number(value: float | None, digits: int = 3) -> str:
    """`digits` significant figures, as a power of ten where it would be mostly zeros; "–" where
    unknown.
    """
    if value is None or value != value:
        return "–"
    if value == 0:
        return "0"
    if not 1e-9 <= abs(value) < 1e15:
        figures, _, power = f"{value:.{digits - 1}e}".partition("e")
        return f"{figures} × 10^{int(power)}".replace("-", "−")
    places = max(digits - 1 - math.floor(math.log10(abs(value))), 0)
    return f"{value:,.{places}f}".replace("-", "−")


def money(value: float | None) -> str:
    """USD; "unknown" where it is, never 0 for it."""
    if value is None or value != value:
        return "unknown"
    return f"${value:,.2f}" if abs(value) >= 0.1 or value == 0 else f"${number(value, 2)}"


def money_between(low: float, high: float) -> str:
    """A range of USD, as one figure where both ends read alike."""
    first, last = money(low), money(high)
    return first if first == last else f"{first} to {last}"


def duration(seconds: float | None) -> str:
    """Seconds as people say them: 0.13 ms, 2.4 ms, 85 ms, 3.2 s, 4 min, 2 h 10 min, 3 days."""
    if seconds is None or seconds != seconds:
        return "–"
    if 0 < seconds < 0.00995:  # a call that takes 0.1 ms does not take 0 ms
        return f"{number(seconds * 1000, 2)} ms"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    if seconds < 86400:
        return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60)} min"
    return f"{seconds / 86400:.0f} days"


def _minus(value: float, digits: int) -> str:
    text = f"{abs(value):.{digits}f}"
    return f"−{text}" if value < 0 and float(text) else text
