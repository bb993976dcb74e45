"""What came back in batches, as the rows of runs and attempts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from ..errors import CallError
from ..models.batches import BatchDoor, Outcome
from ..models.protocol import Reply
from ..run import Attempt, Run, new_id
from .batch_ledger import Intent
from .budget import Budget, Ticket
from .clock import Clock
from .prices import BATCH_SHARE, Spent
from .question import Question
from .response_format import held
from .run_rows import PendingCall, RowBuilder, detail_of

__all__ = ["BatchRows", "Group", "cut", "groups"]

Group = tuple[str, str, str]  # endpoint, request form, model's name: what one batch is of


@dataclass(slots=True)
class BatchRows:
    """Makes the rows, and keeps the money: a question's cost is reserved from its hand-over until
    its answer is here.
    """

    filing: RowBuilder
    budget: Budget
    clock: Clock
    tickets: dict[str, Ticket] = field(default_factory=dict)  # by the question's key

    def hold(self, question: Question, *, sent: bool = False) -> bool:
        """Hold back half of what a single call may cost; whether it fits. sent: it is in a batch
        already, and held in any case.
        """
        if not self.budget.limited or question.key in self.tickets:
            return True
        ticket = self.budget.hold(question.model_name, question.call.chat, BATCH_SHARE, sent=sent)
        if ticket is not None:
            self.tickets[question.key] = ticket
        return ticket is not None

    def row(self, question: Question, intent: Intent, outcome: Outcome) -> tuple[Run, Attempt]:
        """The run of an outcome, and its one attempt. The time that a batch takes says nothing of a
        single call's, so the run has none.
        """
        if isinstance(outcome, Reply) and outcome.failure is None:
            outcome = held(outcome, question.call.chat)
        asked = PendingCall(question, new_id(), 0.0, intent.at, 0.0, sent_wall=intent.at)
        cost = self._cost(question, outcome)
        status = 200 if isinstance(outcome, Reply) else None
        asked.last_end = max(0.0, self.clock.wall() - intent.at)
        attempt = self.filing.attempt(asked, asked.last_end, outcome, status, cost)
        attempt = replace(attempt, waited_ms=0.0)
        asked.attempts.append(attempt)
        self._settle(question, outcome, cost)
        run = (
            self.filing.answered(asked, outcome)
            if isinstance(outcome, Reply)
            else self.filing.failed(asked, outcome.failure, detail_of(outcome))
        )
        return replace(run, latency_ms=None), attempt

    def settled(self, key: str, run: Run) -> None:
        """A question's answer was recorded by another pass."""
        ticket = self.tickets.pop(key, None)
        if ticket is not None:
            self.budget.settle(ticket, run.cost_usd, run.tokens_in, run.tokens_out)

    def _cost(self, question: Question, outcome: Outcome) -> float | None:
        """USD; a request that failed in a batch is not billed."""
        if isinstance(outcome, CallError):
            return 0.0
        if outcome.cost_usd is not None:
            return outcome.cost_usd
        return self.budget.bill(question.model_name, Spent.of(outcome))

    def _settle(self, question: Question, outcome: Outcome, cost: float | None) -> None:
        ticket = self.tickets.pop(question.key, None)
        if ticket is None:
            return
        if isinstance(outcome, Reply):
            self.budget.settle(ticket, cost, outcome.tokens_in, outcome.tokens_out)
        else:
            self.budget.settle(ticket, 0.0, 0, 0)


def groups(questions: Iterable[Question]) -> Iterator[tuple[Group, list[Question]]]:
    """Questions by what one batch may hold: one endpoint, request form and model."""

    def group(question: Question) -> Group:
        return question.model.label, question.call.api, question.model_name

    for key, found in groupby(sorted(questions, key=group), group):
        yield key, list(found)


def cut(questions: Sequence[Question], door: BatchDoor) -> Iterator[list[Question]]:
    """Portions that one batch of a provider takes."""
    part: list[Question] = []
    room = door.most_bytes
    for question in questions:
        size = _size(question.call.request)
        if part and (len(part) >= door.most or size > room):
            yield part
            part, room = [], door.most_bytes
        part.append(question)
        room -= size
    if part:
        yield part


def _size(request: Mapping[str, object]) -> int:
    """Bytes of a request in a batch, with what surrounds it."""
    return len(json.dumps(request, ensure_ascii=False, default=str).encode()) + 200
