"""What an arm has come to so far on a scorer, for anyone who watches a study run."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Tally"]


@dataclass(slots=True)
class Tally:
    """What an arm has come to so far on one scorer. squares: the sum of squared outcomes, for an
    interval while it runs.
    """

    scored: int = 0
    total: float = 0.0
    squares: float = 0.0
    unscored: int = 0

    def add(self, outcome: float | None, times: int = 1) -> None:
        """So many judgements more with this outcome: passed as 0 or 1 if there is a threshold, else
        the value; None: unscored.
        """
        if outcome is None:
            self.unscored += times
            return
        self.scored += times
        self.total += outcome * times
        self.squares += outcome * outcome * times

    @property
    def mean(self) -> float | None:
        return self.total / self.scored if self.scored else None
