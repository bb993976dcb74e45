"""What all workers of a pass spent, as its budget counts it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..engine.budget import counted
from ..engine.retries import may_be_billed
from ..run import Attempt, Run

__all__ = ["WorkerSpending"]


@dataclass(slots=True)
class WorkerSpending:
    """An attempt without an answer that may be on the bill counts as the dearest answer so far."""

    usd: float = 0.0
    tokens: int = 0
    _dearest: tuple[float, int] = (0.0, 0)

    def answered(
        self, run: Run, attempts: Sequence[Attempt], prices: Mapping[str, object] | None
    ) -> None:
        """One answer, or the failure of a question, has arrived."""
        usd, tokens = counted(run, len(run.request), prices)
        self._dearest = max(self._dearest[0], usd), max(self._dearest[1], tokens)
        lost = sum(map(may_be_billed, attempts))
        if lost and run.output is None and run.cost_usd is None:
            usd, tokens = 0.0, 0  # all that was sent for it is among them
        self.usd += usd + lost * self._dearest[0]
        self.tokens += tokens + lost * self._dearest[1]
