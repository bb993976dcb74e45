"""What the last arm has lost against the first one so far, while a study runs: the newest losses,
to be read before it is done.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

from ..markup import without_data
from ..scorers.case import Case

__all__ = ["Loss", "Losses"]

KEPT = 20
_TEXT = 300  # characters of an answer that are kept


@dataclass(frozen=True, slots=True)
class Loss:
    """One example on which the last arm's outcome is below the first one's; texts are cut."""

    example_id: str
    asked: str
    candidate: str
    baseline: str


class Losses:
    """Meets every outcome of the primary once; holds what one arm has and the other has not yet,
    and the newest losses.

    last: the place of the last arm; count: losses so far; newest: the last of them, newest first.
    """

    def __init__(self, last: int) -> None:
        self._last = last
        self._waiting: dict[tuple[int, int], tuple[int, float, str]] = {}
        self.count = 0
        self.newest: deque[Loss] = deque(maxlen=KEPT)

    def meet(self, arm: int, place: tuple[int, int], outcome: float, case: Case) -> None:
        """One outcome of an arm at (example, repeat)."""
        if arm not in (0, self._last) or self._last == 0:
            return
        other = self._waiting.pop(place, None)
        text = case.output[:_TEXT] or case.run.failure or ""
        if other is None or other[0] == arm:
            self._waiting[place] = (arm, outcome, text)
            return
        mine = (outcome, text)
        candidate, baseline = (mine, other[1:]) if arm == self._last else (other[1:], mine)
        if candidate[0] < baseline[0]:
            self.count += 1
            self.newest.appendleft(
                Loss(case.example.id, _shown(case.example.inputs), candidate[1], baseline[1])
            )


def _shown(inputs: Any) -> str:
    return without_data(" · ".join(str(value) for value in inputs.values()))[:_TEXT]
