"""One pass over questions at the workers: batches go out, answers come back one group at a time and
are recorded here as they come.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..engine.budget import used_up
from ..engine.executor import Order
from ..engine.progress import Ledger, Progress
from ..engine.question import Question
from ..engine.recording import Recorder
from ..errors import SetupError
from .errands import AskedModel, BatchResult, Errand, Session, answers_of, errand_of
from .scheduler import addresses_of, connected, examined, proof_of
from .worker_spending import WorkerSpending

if TYPE_CHECKING:
    from distributed import Future

__all__ = ["WorkerPass"]

_TURN_S = 0.5  # how often workers are counted
_FIRST, _MOST = 32, 1_000  # questions in a batch
_BATCH_S = 3.0  # that a batch should take
_LATE_S = 2.0  # for answers of a batch that are still on their way when it has ended


@dataclass(slots=True)
class _Batch:
    """What one worker is at. Shares: of the limits."""

    future: object  # dask's
    task: asyncio.Task[BatchResult]
    keys: list[str]
    began: float
    concurrency: int | None
    usd: float
    tokens: float


class WorkerPass:
    """See `engine.executor.Pass`."""

    def __init__(self, address: str, session: Session, order: Order) -> None:
        self._address, self._session, self._order = address, session, order
        self._questions = iter(order.questions)
        self._ledger = Ledger(None)
        self._recorder = Recorder(order.record, order.on_runs, self._ledger, self._recorded)
        self._errands: dict[str, tuple[Errand, bool]] = {}  # key -> errand, whether remote; open
        self._again: deque[str] = deque()  # keys that came back unanswered
        self._exhausted, self._pulled = False, 0
        self._flying: dict[str, _Batch] = {}  # by worker
        self._examined: set[AskedModel] = set()
        self._rate: dict[str, float] = {}  # worker -> questions a second
        self._spent = WorkerSpending()
        self._alone = False  # the rest of the budget is for one batch
        self._reason = ""
        self._error: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._client: Any = None
        self._workers: list[str] = []

    @property
    def progress(self) -> Progress:
        """Its state now; may be read from any thread."""
        flying = dict(self._flying)
        return replace(
            self._ledger.snapshot(),
            in_flight=sum(
                min(len(batch.keys), batch.concurrency or len(batch.keys))
                for batch in flying.values()
            ),
            concurrency={worker: batch.concurrency or 0 for worker, batch in flying.items()},
            stopped=self._reason or None,
            counted_usd=self._spent.usd,
            counted_tokens=self._spent.tokens,
        )

    def expect(self, total: int) -> None:
        """Say how many questions there will be."""
        self._ledger.total = total

    def stop(self, reason: str = "stopped by hand") -> None:
        """Ask nothing more, at any worker; from any thread."""
        self._reason = self._reason or reason
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # it is over
                loop.call_soon_threadsafe(lambda: loop.create_task(self._halt()))

    async def run(self) -> None:
        """Ask until all is answered, or the stop. Raises SetupError if a worker cannot do its
        part, and as `Sweep.run` does.
        """
        self._loop = asyncio.get_running_loop()
        self._ledger.begin()
        recording = asyncio.create_task(self._recorder.run())
        proof = proof_of(self._session)
        proof.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        proof.touch()
        try:
            async with connected(self._address) as self._client:
                await self._attended()
        finally:
            proof.unlink(missing_ok=True)
            self._recorder.close()
            await asyncio.wait([recording])
            self._ledger.end()
        if self._error is not None:
            raise self._error
        if self._recorder.error is not None:
            raise self._recorder.error

    async def _attended(self) -> None:
        from .worker_session import WorkerSession

        client = self._client
        self._workers = await examined(client, self._session, ())
        await client.register_plugin(WorkerSession(self._session))
        client.subscribe_topic(self._session.topic, self._arrive)
        try:
            await self._dispatch()
        except asyncio.CancelledError:
            self._reason = self._reason or "the program was interrupted."
            await self._halt()
            raise
        finally:
            with contextlib.suppress(Exception):  # a scheduler that is gone has forgotten us
                client.unsubscribe_topic(self._session.topic)
                await client.unregister_worker_plugin(self._session.topic)

    # -- sending

    async def _dispatch(self) -> None:
        while True:
            if not self._reason:
                await self._send()
            if not self._flying:
                return
            await asyncio.wait(
                [batch.task for batch in self._flying.values()],
                timeout=_TURN_S,
                return_when=asyncio.FIRST_COMPLETED,
            )
            found = await addresses_of(self._client)
            if set(found) - set(self._workers):
                self._examined.clear()  # who joined is looked at before it is sent anything
            self._workers = found
            for worker, batch in list(self._flying.items()):
                if batch.task.done():
                    await self._settle(worker, batch)
                elif worker not in self._workers:
                    batch.task.cancel()
                    await self._client.cancel([batch.future])
                    await asyncio.sleep(0.2)  # what it sent before it died is on its way
                    self._return(worker, batch)

    async def _send(self) -> None:
        if self._alone and self._flying:
            return
        for worker in self._workers:
            if worker in self._flying:
                continue
            concurrency = self._room()
            keys = self._taken(worker) if concurrency != 0 else []
            if not keys:
                return
            try:
                await self._check([self._errands[key][0].model for key in keys])
            except Exception as error:
                self._fail(error)
                return
            self._flying[worker] = self._sent(worker, keys, concurrency)
            if self._alone:
                return

    def _sent(self, worker: str, keys: list[str], concurrency: int | None) -> _Batch:
        from .worker_session import answer

        limits = self._order.limits
        parts = 1 if self._alone else max(1, len(self._workers) - len(self._flying))
        usd = self._left(limits.budget_usd, self._spent.usd, "usd") / parts
        tokens = self._left(limits.budget_tokens, self._spent.tokens, "tokens") / parts
        share = replace(
            limits,
            concurrency=concurrency,
            budget_usd=None if limits.budget_usd is None else usd,
            budget_tokens=None if limits.budget_tokens is None else int(tokens),
        )
        future = self._client.submit(
            answer,
            self._session,
            [self._errands[key][0] for key in keys],
            share,
            workers=[worker],
            allow_other_workers=False,
            pure=False,
            retries=0,
        )
        task = asyncio.create_task(_result(future))
        return _Batch(future, task, keys, time.monotonic(), concurrency, usd, tokens)

    def _left(self, budget: float | None, spent: float, name: str) -> float:
        if budget is None:
            return 0.0
        held: float = sum(getattr(batch, name) for batch in self._flying.values())
        return max(0.0, budget - spent - held)

    def _room(self) -> int | None:
        """Calls in flight that one more worker may have; None: it finds out."""
        total = self._order.limits.concurrency
        if total is None:
            return None
        used = sum(batch.concurrency or 0 for batch in self._flying.values())
        return min(total - used, -(-total // max(1, len(self._workers))))

    def _taken(self, worker: str) -> list[str]:
        """The next questions for a worker, as many as it answers in a few seconds."""
        rate = self._rate.get(worker, 0.0)
        size = min(_MOST, max(_FIRST, int(rate * _BATCH_S)))
        keys: list[str] = []
        while len(keys) < size:
            if self._again:
                keys.append(self._again.popleft())
                continue
            question = self._next()
            if question is None:
                break
            if question.key in self._errands:
                self._ledger.fewer(1)  # asked already, and not answered yet
                continue
            self._errands[question.key] = (errand_of(question), question.model.remote)
            keys.append(question.key)
        return keys

    def _next(self) -> Question | None:
        if self._exhausted:
            return None
        try:
            question = next(self._questions, None)
        except Exception as error:  # what came before is still asked
            question, self._error = None, error
        if question is None:
            self._exhausted, self._ledger.total = True, self._pulled
        else:
            self._pulled += 1
        return question

    async def _check(self, models: list[AskedModel]) -> None:
        fresh = set(models) - self._examined
        if fresh:
            await examined(self._client, self._session, fresh)
            self._examined |= fresh

    # -- coming back

    def _arrive(self, event: tuple[float, Mapping[str, Any]]) -> None:
        """A group of answers, on the loop. Those that cannot be read are not asked again."""
        try:
            answers = answers_of(event[1])
        except SetupError as error:
            return self._fail(error)
        for run, attempts in answers:
            errand = self._errands.pop(run.key, None)
            if errand is None:
                continue  # answered by another worker meanwhile: the first counts
            if self._order.limits.budgeted:
                self._spent.answered(run, attempts, self._order.limits.prices)
            self._recorder.add((run, attempts, errand[1]))

    async def _settle(self, worker: str, batch: _Batch) -> None:
        try:
            found = batch.task.result()
        except asyncio.CancelledError:
            return self._return(worker, batch)
        except Exception as error:
            if worker in await addresses_of(self._client):
                self._fail(error)
            self._return(worker, batch)
            return
        until = time.monotonic() + _LATE_S
        while self._open(batch) > len(batch.keys) - found.count and time.monotonic() < until:
            await asyncio.sleep(0.01)
        if found.count and self._open(batch) == len(batch.keys):  # asked again, they are paid again
            self._fail(
                SetupError(f"no answer of worker {worker} arrived; see the scheduler's log.")
            )
        self._rate[worker] = found.count / max(0.05, time.monotonic() - batch.began)
        self._return(worker, batch)
        if found.broken:
            self.stop(found.stopped)
        elif found.stopped and not self._reason:
            self._starve(found)

    def _starve(self, found: BatchResult) -> None:
        """A share of the budget did not reach: the rest of it is for one batch at a time, and when
        that asks nothing either, the budget is used up.
        """
        if self._alone and not found.count:
            limits = self._order.limits
            self._reason = (
                used_up(
                    (limits.earlier_usd, self._spent.usd, limits.budget_usd),
                    (limits.earlier_tokens, self._spent.tokens, limits.budget_tokens),
                    " over all workers",
                )
                or found.stopped
            )
        self._alone = True

    def _open(self, batch: _Batch) -> int:
        return sum(key in self._errands for key in batch.keys)

    def _return(self, worker: str, batch: _Batch) -> None:
        """What the batch did not answer is asked by others."""
        del self._flying[worker]
        self._again.extend(key for key in batch.keys if key in self._errands)

    # -- stopping

    def _fail(self, error: BaseException) -> None:
        self._error = self._error or error
        self.stop(f"it could not go on: {error}")

    async def _halt(self) -> None:
        from .worker_session import stop

        if self._client is not None and self._flying:
            with contextlib.suppress(Exception):  # a worker that is gone has stopped
                await self._client.run(
                    stop, self._session, self._reason, workers=list(self._flying)
                )

    def _recorded(self, runs: object, error: Exception | None) -> None:
        if error is not None:
            self.stop(f"recording failed: {error}")


async def _result(future: Future) -> BatchResult:
    found: BatchResult = await future
    return found
