"""Many questions, asked as fast as their endpoints take them, every answer recorded before it
counts.

Questions are pulled when there is room for them, so that a hundred thousand take no more memory
than a thousand. An answer keeps its place until it is recorded, so that a crash costs no more calls
than may be in flight at once. No failure of one question stops the others. A stop, from any thread
and at any moment, acts within a second and keeps everything that was done.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..errors import StudyError
from ..models.foreign import as_exception, from_outside, told
from ..models.protocol import Model
from ..redact import HoldsSecrets, environment_secrets
from ..run import Attempt, Run
from .adaptive_concurrency import Pace
from .breaker import Breaker
from .budget import Budget
from .clock import Timing
from .lane import Lane
from .prices import check_money, prepare_prices
from .progress import Ledger, Progress
from .question import Limits, Provenance, Question
from .recording import Recorder
from .retries import Caller, NotAsked
from .run_rows import RowBuilder
from .stop_signal import Stop

__all__ = ["Limits", "Progress", "Provenance", "Question", "Sweep"]

LOCAL = 8  # calls at once of a model in this process, where the caller names no number
_AHEAD = 256  # questions pulled while their own endpoint is full and another has room
_GRACE_S = {
    "cancelled": 0.5,
    "internal": 0.5,
    "circuit_open": 2.0,
}  # until calls in flight are cut off; else they may end


class Sweep:
    """One pass over questions; `run` is awaited once, on any event loop.

    questions: pulled on that loop, in their order for each endpoint; one whose key is in flight
    already is not asked again. record(runs, attempts): keeps a group durably. on_runs(runs): the
    same runs, once they are recorded. Both are called in one thread that is not the loop's.
    provenance: a Provenance, or a mapping with its fields. breakers: label -> breaker, shared by
    sweeps that follow each other at the same endpoints.
    """

    def __init__(
        self,
        questions: Iterable[Question],
        *,
        record: Callable[[Sequence[Run], Sequence[Attempt]], object],
        on_runs: Callable[[Sequence[Run]], object] | None = None,
        limits: Limits | None = None,
        provenance: Provenance | Mapping[str, Any] | None = None,
        timing: Timing | None = None,
        breakers: dict[str, Breaker] | None = None,
    ) -> None:
        self._breakers = {} if breakers is None else breakers
        self._questions = iter(questions)
        self._limits = limits or Limits()
        timing = timing or Timing()
        self._clock, self._chance = timing.clock, timing.rng
        where = (
            provenance if isinstance(provenance, Provenance) else Provenance(**(provenance or {}))
        )
        self._filing = RowBuilder(where, environment_secrets())
        self._budget = Budget.of(self._limits)
        self._stop = Stop(self._stopping)
        self._ledger = Ledger(None)
        self._recorder = Recorder(record, on_runs, self._ledger, self._recorded)
        self._lanes: dict[str, Lane] = {}
        self._met: dict[int, Model] = {}  # models that were checked, by identity
        self._keys: set[str] = set()  # of questions that are asked and not recorded yet
        self._pulled, self._exhausted = 0, False
        self._ahead = 0  # questions in backlogs
        self._priced: set[str] = set()
        self._error: Exception | None = None
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[object] | None = None  # that awaits `run`
        self._early: str | None = None  # the reason of a stop before the start
        self._over: asyncio.Event = asyncio.Event()

    def expect(self, total: int) -> None:
        """Say how many questions there will be, for progress and the time left."""
        self._ledger.total = total

    def stop(self, reason: str = "stopped by hand") -> None:
        """Ask nothing more; calls in flight get half a second to end.

        May be called from any thread, and again.
        """
        with self._lock:
            loop = self._loop
            if loop is None:
                self._early = reason
                return
        try:
            loop.call_soon_threadsafe(self._stop_by_hand, reason)
        except RuntimeError:  # the loop is closed: the sweep is over
            return

    @property
    def progress(self) -> Progress:
        """The progress so far; may be read from any thread at any time."""
        lanes = list(self._lanes.items())
        return replace(
            self._ledger.snapshot(),
            in_flight=sum(lane.caller.pace.in_flight for _, lane in lanes),
            waiting=sum(lane.caller.waiting for _, lane in lanes),
            concurrency={label: lane.caller.pace.limit for label, lane in lanes},
            history={label: tuple(lane.caller.pace.history) for label, lane in lanes},
            stopped=self._stop.reason if self._stop.code is not None else None,
            counted_usd=self._budget.spent_usd,
            counted_tokens=self._budget.spent_tokens,
        )

    async def run(self) -> None:
        """Ask until all is answered, or the stop. Raises SetupError before anything is sent to an
        endpoint that cannot answer; what the questions' iterator, `record` (twice) or `on_runs`
        raised, after keeping what was done.
        """
        with self._lock:
            if self._loop is not None:
                raise StudyError(
                    "a sweep runs once; make a new one, it will ask only what is missing."
                )
            self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
            early = self._early
        self._ledger.begin()
        recording = asyncio.create_task(self._recorder.run())
        try:
            if early is not None:
                self._stop_by_hand(early)
            self._pump()
            await self._over.wait()
            if self._error is not None:
                self._stop.set("internal", f"it could not go on: {self._error}")
        except asyncio.CancelledError:
            self._stop.set("cancelled", "the program was interrupted.")
            raise
        finally:
            await self._end(recording)
        if self._error is not None:
            raise self._error
        if self._recorder.error is not None:
            raise self._recorder.error

    async def _end(self, recording: asyncio.Task[None]) -> None:
        """Nothing is left in flight, everything finished is recorded."""
        self._cut()
        tasks = [task for lane in self._lanes.values() for task in lane.tasks]
        if tasks:
            await asyncio.wait(tasks)
        for lane in self._lanes.values():
            lane.caller.pace.close()
        self._recorder.close()
        await asyncio.wait([recording])
        self._ledger.end()

    # -- asking

    def _pump(self) -> None:
        """Start what there is room for; called whenever that may have changed."""
        try:
            while self._stop.code is None and self._start_one():
                pass
        except BaseException as error:  # a model that cannot be asked at all
            if from_outside(error):
                raise
            self._error = as_exception(error)
            self._stop.set("internal", str(self._error))
        ends = self._stop.code is not None or (self._exhausted and not self._ahead)
        if ends and not any(lane.tasks for lane in self._lanes.values()):
            self._over.set()

    def _start_one(self) -> bool:
        """Start one question, or put one aside for an endpoint that is full; whether to go on."""
        room = not self._lanes
        for lane in self._lanes.values():
            if lane.room:
                room = True
                if lane.backlog:
                    self._ahead -= 1
                    self._start(lane, lane.backlog.popleft())
                    return True
        if not room or self._exhausted or self._ahead >= _AHEAD:
            return False
        question = self._next()
        if question is None:
            return not self._exhausted
        lane = self._lane(question)
        if lane.room:
            self._start(lane, question)
        else:
            lane.backlog.append(question)
            self._ahead += 1
        return True

    def _next(self) -> Question | None:
        """The next question that is not in flight; None for one that is, and at the end.

        A source that breaks off has ended: what it gave before is still asked, then `run` raises
        what it raised.
        """
        try:
            question = next(self._questions, None)
        except BaseException as error:
            if from_outside(error):
                raise
            question, self._error = None, as_exception(error)
        if question is None:
            self._exhausted = True
            self._ledger.total = self._pulled
        elif question.key in self._keys:
            self._ledger.fewer(1)
            return None
        else:
            self._keys.add(question.key)
            self._pulled += 1
        return question

    def _lane(self, question: Question) -> Lane:
        """The question's endpoint.

        Raises SetupError if its model cannot be asked, or a money budget lacks its price.
        """
        model, limits = question.model, self._limits
        if model.label not in self._lanes:
            self._lanes[model.label] = self._opened(model)
        if question.unrendered:
            return self._lanes[model.label]
        if id(model) not in self._met:
            if model.remote:
                model.check(question.call.chat)
                prepare_prices(question.model_name)
            self._met[id(model)] = model
            if isinstance(model, HoldsSecrets):
                caller = self._lanes[model.label].caller
                caller.filing = caller.filing.with_secrets(model.secrets)
        if (
            self._budget.usd is not None
            and model.remote
            and question.model_name not in self._priced
        ):
            check_money([question.model_name], limits.prices)
            self._priced.add(question.model_name)
        return self._lanes[model.label]

    def _opened(self, model: Model) -> Lane:
        limits = self._limits
        fixed = limits.concurrency if model.remote else limits.concurrency or LOCAL
        pace = Pace(self._clock, fixed)
        breaker = self._breakers.setdefault(
            model.label, Breaker(model.label, patience_s=limits.deadline_s)
        )
        return Lane(
            Caller(
                limits,
                pace,
                self._budget,
                breaker,
                self._stop,
                self._filing,
                self._clock,
                self._chance,
                self._pump,
            )
        )

    def _start(self, lane: Lane, question: Question) -> None:
        loop = self._loop or asyncio.get_running_loop()
        task = loop.create_task(self._ask(lane, question))
        lane.tasks.add(task)

        def ended(task: asyncio.Task[None]) -> None:
            lane.tasks.discard(task)
            if lane.room or not lane.tasks:  # an answer that is being recorded keeps its place
                self._pump()

        task.add_done_callback(ended)

    async def _ask(self, lane: Lane, question: Question) -> None:
        try:
            run, attempts = await lane.caller.ask(question)
        except BaseException as error:
            if isinstance(error, NotAsked) or self._ordered(error):
                self._keys.discard(question.key)
                return
            run, attempts = (
                lane.caller.filing.unsent(question, "internal", told(error)),
                [],
            )  # it costs this question only
        pace = lane.caller.pace
        pace.hold()
        # most places are at work while some answers are recorded; each group costs two thread hops
        self._recorder.enough = max(1, pace.limit // 4)
        self._recorder.add((run, attempts, question.model.remote))

    def _ordered(self, error: BaseException) -> bool:
        """Whether a call's task ended because the sweep or its loop ends.

        Nobody else cancels it but the model itself.
        """
        if isinstance(error, asyncio.CancelledError):
            return self._stop.code is not None or self._task is None or self._task.cancelling() > 0
        return from_outside(error)

    def _recorded(self, runs: Sequence[Run], error: Exception | None) -> None:
        for run in runs:
            self._keys.discard(run.key)
            self._lanes[run.endpoint].caller.pace.release()
        if error is not None:
            self._stop.set("internal", f"recording failed: {error}")
        self._pump()

    # -- stopping

    def _stop_by_hand(self, reason: str) -> None:
        if self._over.is_set():
            return  # it was through before the stop came
        self._stop.set("cancelled", reason)
        if self._stop.code != "cancelled":  # it was ending already, at leisure
            self._stopping("cancelled")

    def _stopping(self, code: str) -> None:
        """The stop is set: what is in flight may end, for a while."""
        loop = asyncio.get_running_loop()
        if code in _GRACE_S:
            loop.call_later(_GRACE_S[code], self._cut)
        loop.call_soon(self._pump)

    def _cut(self) -> None:
        """Cut off what is in flight."""
        for lane in self._lanes.values():
            for task in lane.tasks:
                task.cancel()
