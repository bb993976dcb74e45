"""One judgement of one run: a value in [0, 1] where higher is better, or unscored with the reason.

Unknown is never zero: a scorer that could not judge says `unscored`, and the row stays visible.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from .errors import ScorerError

__all__ = ["Score"]


# The cosine of a text with itself may be 1.0000000000000002: noise of rounding is not a fault.
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class Score:
    """value: in [0, 1], higher is better, or None if unscored; passed: only if the scorer has
    a threshold.

    raw_value and unit: the figure behind the value (ms, USD, characters, a 1-10 rating); reason:
    one sentence for people; unscored: why there is no value ("missing expected", "scorer_error:
    ...", a failure class), else None;
    category: a nominal verdict (a class name, "A" | "B" | "tie") where the scorer has one.
    name: set by scorers that give several verdicts from one call; "" is the scorer's own name.
    """

    value: float | None
    passed: bool | None = None
    raw_value: float | None = None
    unit: str = ""
    reason: str = ""
    unscored: str | None = None
    category: str | None = None
    name: str = ""

    def __post_init__(self) -> None:
        if (self.value is None) is (self.unscored is None) or self.unscored == "":
            raise ScorerError(
                "a score has a value, or says why it is unscored: exactly one of the two."
            )
        if self.value is None or (self.value.__class__ is float and 0.0 <= self.value <= 1.0):
            return
        if not hasattr(self.value, "__float__"):
            raise ScorerError(
                f"score {str(self.value)[:40]!r} is a {type(self.value).__name__}; expected a"
                " number in [0, 1]."
            )
        value = float(self.value)
        if -_ROUNDING <= value < 0.0 or 1.0 < value <= 1.0 + _ROUNDING:
            value = min(max(value, 0.0), 1.0)
        if not (math.isfinite(value) and 0.0 <= value <= 1.0):
            raise ScorerError(
                f"score {value!r} is outside [0, 1]; scale it, and keep the raw figure as"
                " `raw_value`."
            )
        object.__setattr__(self, "value", value)  # a bool or a numpy number becomes a float

    @classmethod
    def none(cls, why: str, *, name: str = "") -> Score:
        """An unscored judgement, with the reason."""
        return cls(None, unscored=why, name=name)

    @property
    def outcome(self) -> float | None:
        """What comparisons use: `passed` as 0 or 1 if there is a threshold, else `value`; None
        if unscored.
        """
        if self.value is None:
            return None
        return self.value if self.passed is None else float(self.passed)
