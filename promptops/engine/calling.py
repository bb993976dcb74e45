"""One question, asked until it is answered or given up: the only retry layer there is.

Whatever the model does, `ask` returns one run with at most one failure class of `run.FAILURES`, and every attempt that
was sent. Transient failures are tried again after full jitter (1 s doubling to 60 s) or what Retry-After asks, within
the attempts and the total time allowed; a wait that would end after the deadline is not begun. Nothing else is retried.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..canonical import canonical
from ..errors import CallError, SetupError, VersionError
from ..models.protocol import Call, Model, Reply
from ..run import FAILURES, Attempt, Run, new_id, utc
from .breaker import Breaker
from .budget import Budget, Ticket
from .clock import SYSTEM, Clock
from .pace import Pace
from .prices import cost_of

__all__ = ["Caller", "Limits", "NotAsked", "Provenance", "Question", "unasked"]

FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
_DETAIL = 2000  # characters kept of a failure's detail
_BILLED = frozenset({"timeout_read", "connection", "internal"})  # sent, and perhaps paid for: settled at the reservation


@dataclass(frozen=True, slots=True)
class Question:
    """A call with what its run is filed under. key: `run.reuse_key` of it."""

    call: Call
    model: Model
    key: str
    prompt: str
    version_id: str
    model_name: str
    example_id: str | None = None
    example_fingerprint: str | None = None
    source: str = "model"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a sweep may use. None: no limit, and for concurrency: found out as it goes (see pace).

    timeout_s: of one attempt; deadline_s: of one call with its retries and waits; prices: see `prices.price_of`.
    """

    concurrency: int | None = None
    budget_usd: float | None = None
    budget_tokens: int | None = None
    deadline_s: float | None = 600.0
    timeout_s: float = 120.0
    max_attempts: int = 8
    prices: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        for name in ("concurrency", "max_attempts", "timeout_s", "deadline_s"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise SetupError(f"{name} is {value!r}; give a number above 0.")
        for name in ("budget_usd", "budget_tokens"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise SetupError(f"{name} is {value!r}; give 0 or more, or None for no budget.")


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a run was asked from: the hash of the notebook cell's source, the git commit and whether it was dirty."""

    cell: str | None = None
    git_commit: str | None = None
    git_dirty: bool | None = None


class NotAsked(Exception):
    """The sweep stopped before this question was answered. attempts: those that were sent and came back."""

    def __init__(self, reason: str, attempts: list[Attempt]) -> None:
        super().__init__(reason)
        self.attempts = attempts


class Stop:
    """Whether to stop, shared by the calls of a sweep. code: cancelled, budget_stop, circuit_open or internal."""

    __slots__ = ("_event", "code", "reason")

    def __init__(self) -> None:
        self.code: str | None = None
        self.reason = ""
        self._event = asyncio.Event()

    def set(self, code: str, reason: str) -> None:
        """Stop for this reason; the first one stays."""
        if self.code is None:
            self.code, self.reason = code, reason
            self._event.set()

    async def sleep(self, clock: Clock, seconds: float) -> None:
        """Wait, but no longer than until the stop."""
        waits = [asyncio.ensure_future(clock.sleep(seconds)), asyncio.ensure_future(self._event.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()


@dataclass(slots=True)
class _State:
    """One question on its way."""

    question: Question
    run_id: str
    began: float
    started_at: str
    attempts: list[Attempt] = field(default_factory=list)
    sent_at: float = 0.0
    sent_wall: float = 0.0
    last_end: float = 0.0
    error: CallError | None = None


@dataclass(slots=True)
class Caller:
    """What the calls to one endpoint share; `ask` is the verb. stop: shared by all endpoints of a sweep."""

    limits: Limits
    pace: Pace
    budget: Budget
    breaker: Breaker
    stop: Stop = field(default_factory=Stop)
    provenance: Provenance = field(default_factory=Provenance)
    clock: Clock = SYSTEM
    chance: random.Random = field(default_factory=random.Random)
    waiting: int = 0  # questions between two attempts, whose place others may use

    async def ask(self, question: Question) -> tuple[Run, list[Attempt]]:
        """The run and its attempts, in order. Raises NotAsked when the sweep stopped first."""
        now = self.clock.now()
        state = _State(question, new_id(), now, utc(self.clock.wall()), last_end=now)
        try:
            return await self._until_done(state), state.attempts
        except asyncio.CancelledError:
            self._check_stopped(state)
            raise

    async def _until_done(self, state: _State) -> Run:
        while True:
            reply = await self._attempt(state)
            if reply is not None:
                return self._run(state, reply)
            error = state.error
            assert error is not None
            wait = self._wait_before_next(state, error)
            if wait is None:
                return self._failed(state, error)
            self.waiting += 1
            try:
                await self.stop.sleep(self.clock, wait)
            finally:
                self.waiting -= 1

    # -- one attempt

    async def _attempt(self, state: _State) -> Reply | None:
        """The reply; None after a failure, which is then in state.error. The attempt is noted either way."""
        question, remote = state.question, state.question.model.remote
        self._check_stopped(state)
        if not self.pace.try_enter():
            await self.pace.enter()
        try:
            self._check_stopped(state)
            ticket = await self._reserve(state) if remote and self.budget.limited else None
            state.sent_at, state.sent_wall = self.clock.now(), self.clock.wall()
            reply: Reply | None
            try:
                reply, state.error = await self._complete(state), None
            except CallError as error:
                reply, state.error = None, error
            except BaseException:  # cancelled on its way: it may be paid for
                if ticket is not None:
                    self.budget.settle(ticket, None, None, None)
                raise
            return self._settle(state, reply, ticket)
        finally:
            self.pace.leave()

    async def _complete(self, state: _State) -> Reply:
        """The model's answer within the attempt's time; every exception becomes a CallError of one class."""
        question = state.question
        left = self.limits.timeout_s
        if self.limits.deadline_s is not None:
            left = max(0.001, min(left, state.began + self.limits.deadline_s - state.sent_at))
        call = question.call if question.call.timeout_s is not None else replace(question.call, timeout_s=left)
        model = question.model
        try:
            if not model.remote:
                return await model.complete(call)
            async with asyncio.timeout(min(left, call.timeout_s or left)):
                return await model.complete(call)
        except CallError as error:
            if error.failure in FAILURES and FAILURES[error.failure] != "scoring":
                raise
            raise CallError(f"unknown failure class {error.failure!r}: {error}", failure="internal", code=error.code) from error
        except TimeoutError:
            raise CallError(f"no answer within {left:.0f} s.", failure="timeout_read") from None
        except SetupError as error:
            raise CallError(str(error), failure="bad_request") from error
        except Exception as error:
            raise CallError(f"{type(error).__name__}: {error}", failure="internal") from error

    def _settle(self, state: _State, reply: Reply | None, ticket: Ticket | None) -> Reply | None:
        """Note the attempt in the row, the ledger, the pace and the breaker."""
        ended, error = self.clock.now(), state.error
        failure = error.failure if error is not None else reply.failure if reply is not None else None
        detail = _detail(error) if error is not None else None
        state.attempts.append(
            Attempt(
                run_id=state.run_id,
                number=len(state.attempts) + 1,
                started_at=utc(state.sent_wall),
                latency_ms=(ended - state.sent_at) * 1e3,
                status=_status(error) if error is not None else 200 if state.question.model.remote else None,
                failure=failure,
                detail=detail if reply is None else reply.failure_detail,
                request_id=error.request_id if error is not None else reply.request_id if reply is not None else None,
                waited_ms=max(0.0, (state.sent_at - state.last_end) * 1e3),
                tokens_in=reply.tokens_in if reply is not None else None,
                tokens_out=reply.tokens_out if reply is not None else None,
            )
        )
        state.last_end = ended
        if not state.question.model.remote:
            return reply
        if ticket is not None:
            self._pay(ticket, state, reply, failure)
        if failure is None or FAILURES[failure] == "outcome":
            self.pace.answered(state.sent_at)
        elif failure == "rate_limit":
            self.pace.limited(state.sent_at)
        elif failure in ("server_error", "overloaded"):
            self.pace.server_failed()
        if reply is not None and reply.headers:
            self.pace.read(reply.headers)
        reason = self.breaker.note(failure, state.sent_at, ended, detail or "")
        if reason is not None:
            self.stop.set("circuit_open", reason)
        return reply

    def _pay(self, ticket: Ticket, state: _State, reply: Reply | None, failure: str | None) -> None:
        if reply is not None:
            self.budget.settle(ticket, self._cost(state.question, reply), reply.tokens_in, reply.tokens_out)
        elif failure in _BILLED:
            self.budget.settle(ticket, None, None, None)
        else:
            self.budget.settle(ticket, 0.0, 0, 0)

    async def _reserve(self, state: _State) -> Ticket:
        ticket = await self.budget.reserve(state.question.model_name, state.question.call.request)
        if ticket is None:
            self.stop.set("budget_stop", self.budget.reason())
            raise NotAsked(self.stop.reason, state.attempts)
        if self.stop.code is not None:
            self.budget.settle(ticket, 0.0, 0, 0)
            raise NotAsked(self.stop.reason, state.attempts)
        return ticket

    def _check_stopped(self, state: _State) -> None:
        if self.stop.code is not None:
            raise NotAsked(self.stop.reason, state.attempts)

    def _wait_before_next(self, state: _State, error: CallError) -> float | None:
        """Seconds before the next attempt; None to give up."""
        tried = len(state.attempts)
        if FAILURES[error.failure] != "transient" or not state.question.model.remote or tried >= self.limits.max_attempts:
            return None
        if error.retry_after_s is not None:
            wait = max(0.0, error.retry_after_s)
            wait += self.chance.uniform(0.0, 0.05 + 0.1 * min(wait, 10.0))  # so that all do not come back in one moment
        else:
            wait = self.chance.uniform(0.0, min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** (tried - 1)))
        deadline = self.limits.deadline_s
        if deadline is not None and state.last_end + wait >= state.began + deadline:
            return None
        return wait

    # -- the row

    def _cost(self, question: Question, reply: Reply) -> float | None:
        if reply.cost_usd is not None:
            return reply.cost_usd
        if not question.model.remote:
            return None
        return cost_of(self.budget.price(question.model_name), reply.tokens_in, reply.tokens_out, reply.tokens_cached)

    def _run(self, state: _State, reply: Reply) -> Run:
        return Run(
            output=reply.text,
            tool_calls=json_text(list(reply.tool_calls)) if reply.tool_calls else None,
            finish_reason=reply.finish_reason,
            failure=reply.failure,
            failure_detail=reply.failure_detail,
            tokens_in=reply.tokens_in,
            tokens_out=reply.tokens_out,
            tokens_cached=reply.tokens_cached,
            cost_usd=self._cost(state.question, reply),
            first_token_ms=reply.first_token_ms,
            model_returned=reply.model,
            fingerprint=reply.fingerprint,
            **self._common(state),
        )

    def _failed(self, state: _State, error: CallError) -> Run:
        return Run(output=None, failure=error.failure, failure_detail=_detail(error), **self._common(state))

    def _common(self, state: _State) -> dict[str, Any]:
        return {
            **_filed(state.question, self.provenance),
            "id": state.run_id,
            "latency_ms": (state.last_end - state.began) * 1e3,
            "attempts": len(state.attempts),
            "started_at": state.started_at,
        }


def unasked(question: Question, failure: str, detail: str, provenance: Provenance | None = None) -> Run:
    """The run of a question that was never sent, for a reason of ours (render_error, ...)."""
    return Run(
        **_filed(question, provenance or Provenance()),
        id=new_id(),
        output=None,
        failure=failure,
        failure_detail=detail[:_DETAIL],
        attempts=0,
        started_at=utc(),
    )


def json_text(value: Any) -> str:
    """Canonical JSON of anything that a provider sent: what canonical JSON cannot hold is written as text."""
    try:
        return canonical(value)
    except (VersionError, RecursionError):
        return canonical(_plain(value, 0))


def _plain(value: Any, depth: int) -> Any:
    if depth > 100:
        return "(nested deeper than 100 levels)"
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, Mapping):
        return {_plain(str(key), depth): _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, depth + 1) for item in value]
    if value is None or isinstance(value, bool):
        return value
    try:
        canonical(value)
    except VersionError:
        return str(value)[:_DETAIL]
    return value


def _filed(question: Question, provenance: Provenance) -> dict[str, Any]:
    call = question.call
    return {
        "key": question.key,
        "prompt": question.prompt,
        "version_id": question.version_id,
        "model": question.model_name,
        "endpoint": question.model.label,
        "source": question.source,
        "example_id": question.example_id,
        "example_fingerprint": question.example_fingerprint,
        "repeat": call.repeat,
        "request": json_text(call.request),
        "cell": provenance.cell,
        "git_commit": provenance.git_commit,
        "git_dirty": provenance.git_dirty,
    }


def _detail(error: CallError) -> str:
    told = str(error)
    return (f"{error.code}: {told}" if error.code and error.code not in told else told)[:_DETAIL]


def _status(error: CallError) -> int | None:
    """The HTTP status, with which the code begins where there was one ("429 insufficient_quota")."""
    status = (error.code or "").partition(" ")[0]
    return int(status) if len(status) == 3 and status.isascii() and status.isdecimal() else None
