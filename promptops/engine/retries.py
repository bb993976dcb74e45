"""One question, asked until it is answered or given up: the only retry layer there is.

Whatever the model does, `ask` returns one run with at most one failure class of `FAILURES`, and
every attempt that was sent. Transient failures are tried again after full jitter (1 s doubling to
60 s) or what Retry-After asks (less than a second is believed four times), within the attempts and
the total time allowed; a wait that would end after the deadline is not begun. A question whose
attempts may have been billed four times is given up: its answer would be paid for again. Nothing
else is retried.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ..errors import CallError, SetupError
from ..failure_classes import FAILURES
from ..models.foreign import from_outside, told
from ..models.protocol import Reply
from ..run import Attempt, Run, new_id
from .adaptive_concurrency import Pace
from .breaker import Breaker, VersionOnModel
from .budget import Budget, Ticket
from .call_log import attempt_ended, attempt_sent
from .clock import SYSTEM, Clock
from .prices import Spent, cost_of_failure
from .question import Limits, Provenance, Question
from .response_format import held
from .run_rows import PendingCall, RowBuilder, detail_of
from .stop_signal import Stop

__all__ = ["Caller", "Limits", "NotAsked", "Provenance", "Question", "may_be_billed"]

FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
# attempts after which a Retry-After of less than a second is no longer believed, and the longest
# wait in its place
BELIEVED, LONGEST_UNBELIEVED_S = 4, 16.0
MOST_PAID = 4  # attempts of one question that may be on the bill though no answer came


class NotAsked(Exception):
    """The sweep stopped before this question was sent."""


def _nothing() -> None:
    """Nobody listens."""


@dataclass(slots=True)
class Caller:
    """What the calls to one endpoint share; `ask` is the verb. stop: shared by all endpoints of a
    sweep.

    waiting: questions between two attempts, whose place others may use; on_wait: called when there
    is one more.
    """

    limits: Limits
    pace: Pace
    budget: Budget
    breaker: Breaker
    stop: Stop = field(default_factory=Stop)
    filing: RowBuilder = field(default_factory=RowBuilder)
    clock: Clock = SYSTEM
    rng: random.Random = field(default_factory=random.Random)
    on_wait: Callable[[], None] = _nothing
    waiting: int = 0

    async def ask(self, question: Question) -> tuple[Run, list[Attempt]]:
        """The run and its attempts, in order: none of a question that cannot be put. Raises
        NotAsked when the sweep stopped before anything was sent.
        """
        if question.unrendered:
            return self.filing.unsent(question, "render_error", question.unrendered), []
        now = self.clock.now()
        asked = PendingCall(question, new_id(), now, self.clock.wall(), now)
        try:
            while True:
                outcome = await self._attempt(asked)
                if isinstance(outcome, Reply):
                    return self.filing.answered(asked, outcome), asked.attempts
                wait = self._wait_before_next(asked, outcome)
                if wait is None:
                    return (
                        self.filing.failed(asked, outcome.failure, detail_of(outcome)),
                        asked.attempts,
                    )
                await self._wait(wait)
        except NotAsked:
            pass
        except asyncio.CancelledError:
            if self.stop.code is None:
                raise
        if not asked.attempts:
            raise NotAsked(self.stop.reason)
        return (
            self.filing.failed(asked, self.stop.code or "cancelled", self.stop.reason),
            asked.attempts,
        )

    # -- one attempt

    async def _attempt(self, asked: PendingCall) -> Reply | CallError:
        """What came of it; noted in the attempts, the ledger, the pace and the breaker either
        way.
        """
        question = asked.question
        self._check_stopped()
        if not self.pace.try_enter():
            await self.pace.enter()
        try:
            self._check_stopped()
            ticket = (
                await self._reserve(question)
                if self.budget.limited and question.model.remote
                else None
            )
            self._count_call(question, ticket)
            asked.sent_at, asked.sent_wall = self.clock.now(), self.clock.wall()
            attempt_sent(asked.run_id, len(asked.attempts) + 1, question)
            outcome: Reply | CallError
            try:
                outcome = await self._complete(asked)
                if outcome.failure is None and (
                    outcome.tool_calls or "response_format" in question.call.chat
                ):
                    outcome = held(outcome, question.call.chat)
            except CallError as error:
                outcome = error
            except BaseException:  # cancelled on its way
                self._note(
                    asked,
                    CallError(
                        self.stop.reason or "cancelled on its way.",
                        failure=self.stop.code or "cancelled",
                    ),
                    ticket,
                )
                raise
            self._note(asked, outcome, ticket)
            return outcome
        finally:
            self.pace.leave()

    async def _complete(self, asked: PendingCall) -> Reply:
        """The model's answer within the attempt's time; every exception becomes a CallError of one
        class.
        """
        question, left = asked.question, self.limits.timeout_s
        if self.limits.deadline_s is not None:
            left = max(0.001, min(left, asked.began + self.limits.deadline_s - asked.sent_at))
        call, model = question.call, question.model
        try:
            if not model.remote:  # it keeps its own time: a thread cannot be cut off from outside
                return await model.complete(
                    call if call.timeout_s is not None else replace(call, timeout_s=left)
                )
            async with asyncio.timeout(left):
                return await model.complete(call)
        except CallError as error:
            if error.failure in FAILURES and FAILURES[error.failure] != "scoring":
                raise
            raise CallError(
                f"unknown failure class {error.failure!r}: {error}",
                failure="internal",
                code=error.code,
            ) from error
        except TimeoutError:
            raise CallError(f"no answer within {left:.3g} s.", failure="timeout_read") from None
        except SetupError as error:
            raise CallError(str(error), failure="bad_request") from error
        except (
            BaseException
        ) as error:  # a model's own cancellation or interrupt is its failure, not an order to stop
            if from_outside(error):
                raise
            raise CallError(told(error), failure="internal") from error

    def _note(self, asked: PendingCall, outcome: Reply | CallError, ticket: Ticket | None) -> None:
        ended, question = self.clock.now(), asked.question
        failure, remote = outcome.failure, question.model.remote
        status = _status(outcome) if isinstance(outcome, CallError) else 200 if remote else None
        cost = self._cost(question, outcome, status)
        asked.attempts.append(self.filing.attempt(asked, ended, outcome, status, cost))
        attempt_ended(asked.attempts[-1])
        asked.last_end = ended
        if ticket is not None:
            self._pay(ticket, outcome, cost)
        if remote:
            self._learn(asked.sent_at, outcome)
        detail = asked.attempts[-1].detail or ""  # free of secrets
        code = (outcome.code or "") if isinstance(outcome, CallError) else ""
        reason = self.breaker.note(
            failure,
            asked.sent_at,
            ended,
            detail,
            VersionOnModel(question.version_id, question.model_name),
            code,
            again=len(asked.attempts) > 1,
        )
        if reason is not None:
            self.stop.set("circuit_open", reason)

    def _learn(self, sent_at: float, outcome: Reply | CallError) -> None:
        """Tell the pace how the attempt went."""
        failure = outcome.failure
        if failure is None or FAILURES[failure] == "outcome":
            self.pace.answered(sent_at)
        elif failure == "rate_limit":
            self.pace.limited(
                sent_at, outcome.retry_after_s if isinstance(outcome, CallError) else None
            )
        elif failure in ("server_error", "overloaded", "timeout_read"):
            self.pace.server_failed(sent_at)
        if isinstance(outcome, Reply) and outcome.headers:
            self.pace.read(outcome.headers)

    def _pay(self, ticket: Ticket, outcome: Reply | CallError, cost: float | None) -> None:
        if isinstance(outcome, Reply):
            self.budget.settle(ticket, cost, outcome.tokens_in, outcome.tokens_out)
        elif cost is None:  # sent, and perhaps paid for: settled at the reservation
            self.budget.settle(ticket, None, None, None)
        else:
            self.budget.settle(ticket, cost, 0, 0)

    async def _reserve(self, question: Question) -> Ticket:
        ticket = await self.budget.reserve(question.model_name, question.call.chat)
        if ticket is None:
            self.stop.set("budget_stop", self.budget.reason())
            raise NotAsked
        if self.stop.code is not None:
            self.budget.settle(ticket, 0.0, 0, 0)
            raise NotAsked
        return ticket

    def _count_call(self, question: Question, ticket: Ticket | None) -> None:
        calls = self.limits.calls
        if calls is None or not question.model.remote or calls.take():
            return
        if ticket is not None:
            self.budget.settle(ticket, 0.0, 0, 0)
        self.stop.set(
            "budget_stop",
            f"all {calls.sent:,} calls that were allowed are made, retries included; allow more and"
            " run again to go on.",
        )
        raise NotAsked

    def _check_stopped(self) -> None:
        if self.stop.code is not None:
            raise NotAsked

    # -- between attempts

    async def _wait(self, seconds: float) -> None:
        self.waiting += 1
        self.on_wait()
        try:
            await self.stop.sleep(self.clock, seconds)
        finally:
            self.waiting -= 1

    def _wait_before_next(self, asked: PendingCall, error: CallError) -> float | None:
        """Seconds before the next attempt; None to give up."""
        tried = len(asked.attempts)
        if (
            FAILURES[error.failure] != "transient"
            or not asked.question.model.remote
            or self._enough(asked.attempts)
            or sum(map(may_be_billed, asked.attempts)) >= MOST_PAID
        ):
            return None
        if error.retry_after_s is not None:
            wait = max(0.0, error.retry_after_s)
            wait += self.rng.uniform(
                0.0, 0.05 + 0.1 * min(wait, 10.0)
            )  # so that all do not come back in one moment
            if wait < FIRST_WAIT_S:  # such a promise may be kept a few times
                wait = max(wait, self._jitter(tried - BELIEVED, LONGEST_UNBELIEVED_S))
        else:
            wait = self._jitter(tried, LONGEST_WAIT_S)
        deadline = self.limits.deadline_s
        if deadline is not None and asked.last_end + wait >= asked.began + deadline:
            return None
        return wait

    def _jitter(self, tried: int, longest_s: float) -> float:
        """A wait after so many attempts, 0 after none."""
        most = min(longest_s, FIRST_WAIT_S * 2.0 ** (tried - 1))
        return self.rng.uniform(0.0, most) if tried > 0 else 0.0

    def _enough(self, attempts: list[Attempt]) -> bool:
        limits, refused = self.limits, sum(each.failure == "rate_limit" for each in attempts)
        return refused >= limits.max_refusals or len(attempts) - refused >= limits.max_attempts

    def _cost(
        self, question: Question, outcome: Reply | CallError, status: int | None
    ) -> float | None:
        """USD of one attempt; None if that is unknown."""
        if isinstance(outcome, Reply):
            if outcome.cost_usd is not None or not question.model.remote:
                return outcome.cost_usd
            return self.budget.bill(question.model_name, Spent.of(outcome))
        return (
            cost_of_failure(outcome.failure, status, outcome.code)
            if question.model.remote
            else None
        )


def may_be_billed(attempt: Attempt) -> bool:
    """Whether an attempt went out and nobody knows whether an answer was made. A reply that holds
    no completion is known: anyone who sent it had none.
    """
    return attempt.cost_usd is None and attempt.http_status != 200


def _status(error: CallError) -> int | None:
    """The HTTP status, with which the code begins where there was one ("429
    insufficient_quota").
    """
    status = (error.code or "").partition(" ")[0]
    return int(status) if len(status) == 3 and status.isascii() and status.isdecimal() else None
