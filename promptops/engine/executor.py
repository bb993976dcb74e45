"""Who makes the runs: the protocol by which everything above asks questions, and its default, which
asks them from this process.

An executor only makes runs and hands them over. What a run counts for, and where it is kept, is the
matter of who asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from ..run import Attempt, Run
from .breaker import Breaker
from .progress import HandedIn, Progress
from .question import Limits, Provenance, Question
from .sweep import Sweep

__all__ = ["Executor", "HandsIn", "InProcess", "Order", "Pass"]


@dataclass(frozen=True, slots=True)
class Order:
    """What an executor is to do.

    questions: pulled one by one, in this order for each endpoint; record(runs, attempts): keeps a
    group durably, before anything else learns of it; on_runs(runs): the same runs, once they are
    recorded; breakers: label -> breaker, shared by passes that follow each other at the same
    endpoints.
    """

    questions: Iterable[Question]
    record: Callable[[Sequence[Run], Sequence[Attempt]], object]
    on_runs: Callable[[Sequence[Run]], object] | None = None
    limits: Limits = field(default_factory=Limits)
    provenance: Provenance = field(default_factory=Provenance)
    breakers: dict[str, Breaker] | None = None


class Pass(Protocol):
    """One pass over an order's questions."""

    @property
    def progress(self) -> Progress:
        """The progress so far; may be read from any thread."""
        ...

    def expect(self, total: int) -> None:
        """Say how many questions there will be."""
        ...

    def stop(self, reason: str = "stopped by hand") -> None:
        """Ask nothing more, from any thread: within a second everything done is recorded."""
        ...

    async def run(self) -> None:
        """Ask until all is answered, or the stop. Raises as `Sweep.run` does."""
        ...


@runtime_checkable
class Executor(Protocol):
    """Makes runs of questions: in this process, or wherever its workers are."""

    def start(self, order: Order) -> Pass:
        """A pass over the order's questions, which its `run` makes."""
        ...


@runtime_checkable
class HandsIn(Protocol):
    """An executor whose answers may come after its passes have ended."""

    @property
    def handed_in(self) -> HandedIn | None:
        """What waits for the next pass; None if nothing does."""
        ...


@dataclass(frozen=True, slots=True)
class InProcess:
    """Asks from this process, on the event loop that awaits the pass."""

    def start(self, order: Order) -> Sweep:
        """A sweep over the order's questions."""
        return Sweep(
            order.questions,
            record=order.record,
            on_runs=order.on_runs,
            limits=order.limits,
            provenance=order.provenance,
            breakers=order.breakers,
        )
