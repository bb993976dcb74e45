"""Questions asked by batches: handed in once, collected by this pass or by any later one, in this
process or another.

An answer is recorded before its batch counts as collected, so that a crash at any point loses none
and, with the rules of `hand_over`, pays for none twice.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from ..errors import CallError, SetupError, StudyError
from ..failure_classes import FAILURES
from ..markup import count
from ..models.batches import Outcome, TakesBatches
from ..redact import HoldsSecrets, environment_secrets
from ..run import Attempt, Run
from .batch_ledger import BatchLedger, Intent, item_id
from .batch_rows import BatchRows
from .budget import Budget
from .clock import SYSTEM, Clock
from .executor import InProcess, Order, Pass
from .hand_over import BatchPace, HandOver
from .prices import check_money
from .progress import HandedIn, Ledger, Progress, together
from .question import Question
from .run_rows import RowBuilder
from .stop_signal import Stop

__all__ = ["BatchPace", "Batches"]

_GROUP = 500  # runs recorded at once
_GRACE_S = 0.5  # that a stop leaves to what is on its way


class Batches:
    """An executor: remote models are asked by batches, all others from this process."""

    def __init__(
        self, ledger: BatchLedger, pace: BatchPace | None = None, clock: Clock = SYSTEM
    ) -> None:
        self.ledger, self.pace, self.clock = ledger, pace or BatchPace(), clock
        self.until = clock.now() + self.pace.wait_s
        self._passes: list[BatchPass] = []

    @property
    def handed_in(self) -> HandedIn | None:
        """What waits for the next pass."""
        found: HandedIn | None = None
        for each in self._passes:
            waiting = each.handed_in
            found = waiting.with_(found) if waiting is not None else found
        return found

    def start(self, order: Order) -> BatchPass:
        """A pass over the order's questions."""
        self._passes.append(made := BatchPass(order, self))
        return made


class BatchPass:
    """One pass: hands in what is in no batch, and collects what is there.

    It ends where all is answered, its time is up, or a person has to decide.
    """

    def __init__(self, order: Order, executor: Batches) -> None:
        self._order, self._own, self._pace = order, executor, executor.pace
        self._ledger, self._clock = executor.ledger, executor.clock
        self._rows = BatchRows(
            RowBuilder(order.provenance, environment_secrets()),
            Budget.of(order.limits),
            executor.clock,
        )
        self._tally = Ledger(None)
        self._here: Pass | None = None  # for models that take no batches
        self._left: dict[str, Question] = {}  # key -> remote question without an answer
        self._back: dict[str, int] = {}
        self._stop = Stop()
        self._over = HandOver(
            self._ledger,
            self._rows,
            self._clock,
            executor.pace,
            self._stop,
            order.limits.deadline_s,
        )
        self._ended = False
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._work: asyncio.Task[None] | None = None
        self._early: str | None = None

    # -- as any pass

    def expect(self, total: int) -> None:
        """Say how many questions there will be."""
        self._tally.total = total

    def stop(self, reason: str = "stopped by hand") -> None:
        """Look no more; batches that were handed in go on at the provider. From any thread."""
        with self._lock:
            loop = self._loop
            if loop is None:
                self._early = reason
                return
        with suppress(RuntimeError):  # the loop is closed: the pass is over
            loop.call_soon_threadsafe(self._stop_by_hand, reason)

    @property
    def handed_in(self) -> HandedIn | None:
        """What waits in batches."""
        left, opened = set(self._left), list(self._over.open.values())
        counts = [(len(left.intersection(each.keys)), each) for each in opened]
        waiting = [(count, each) for count, each in counts if count]
        if not waiting:
            return None
        back = sum(min(count, self._back.get(each.id, 0)) for count, each in waiting)
        total = sum(count for count, _ in waiting)
        return HandedIn(min(each.at for _, each in waiting), total, back)

    @property
    def progress(self) -> Progress:
        """The state now; may be read from any thread."""
        waiting = self.handed_in
        usd, tokens = self._rows.budget.committed  # what is handed in is as good as spent
        now = replace(
            self._tally.snapshot(),
            handed_in=waiting,
            time_left_s=None,
            counted_usd=usd,
            counted_tokens=tokens,
        )
        here = self._here.progress if self._here is not None else None
        if here is not None:
            now = together(now, [replace(here, elapsed_s=0.0)], now.total)
        return replace(now, stopped=self._why(waiting, here) if self._ended else None)

    def _why(self, waiting: HandedIn | None, here: Progress | None) -> str | None:
        """Why answers are missing, once the pass has ended."""
        if here is not None and here.stopped:
            return here.stopped
        if not self._left:
            return None
        short = self._rows.budget.reason() if self._over.short else ""
        known = self._stop.reason or self._over.person or short
        return known or (str(waiting) + "." if waiting else None)

    async def run(self) -> None:
        """Hand in, look, collect. Raises SetupError before anything is sent to a model that takes
        no batches; what `record` or `on_runs` raised.
        """
        with self._lock:
            if self._loop is not None:
                raise StudyError("a pass runs once; start another one.")
            self._loop, early = asyncio.get_running_loop(), self._early
        self._tally.begin()
        self._work = asyncio.create_task(self._all())
        if early is not None:
            self._stop_by_hand(early)
        try:
            await self._work
        except asyncio.CancelledError:
            if self._stop.code != "cancelled" or not self._work.cancelled():
                raise
        finally:
            for door in self._over.doors.values():
                await door.aclose()
            self._tally.end()
            self._ended = True

    def _stop_by_hand(self, reason: str) -> None:
        self._stop.set("cancelled", reason)
        if self._here is not None:
            self._here.stop(reason)
        if self._work is not None and self._loop is not None:
            self._loop.call_later(_GRACE_S, self._work.cancel)

    async def _all(self) -> None:
        questions = {q.key: q for q in await asyncio.to_thread(list, self._order.questions)}
        self._tally.total = len(questions)
        unsent = [q for q in questions.values() if q.unrendered]
        here = [q for q in questions.values() if not q.unrendered and not q.model.remote]
        self._left = {q.key: q for q in questions.values() if not q.unrendered and q.model.remote}
        self._open_doors()
        filing = self._rows.filing
        await self._record([(filing.unsent(q, "render_error", q.unrendered), []) for q in unsent])
        if here:
            self._here = InProcess().start(replace(self._order, questions=here))
            if self._stop.code is not None:
                self._here.stop(self._stop.reason)
            await self._here.run()
        await self._rounds()

    def _open_doors(self) -> None:
        """Raises SetupError if a model takes no batches, or a money budget lacks its price."""
        for question in self._left.values():
            model, place = question.model, (question.model.label, question.call.api)
            if place in self._over.doors:
                continue
            model.check(question.call.chat)
            if not isinstance(model, TakesBatches):
                raise SetupError(
                    f"{model.label} does not support batches; leave batch=True out for its"
                    " versions."
                )
            self._over.doors[place] = model.batches(question.call.api)
            if isinstance(model, HoldsSecrets):
                self._rows.filing = self._rows.filing.with_secrets(model.secrets)
        if self._order.limits.budget_usd is not None:
            names = {question.model_name for question in self._left.values()}
            check_money(sorted(names), self._order.limits.prices)

    # -- rounds

    async def _rounds(self) -> None:
        wait = self._pace.first_s
        while self._left and self._stop.code is None:
            before = len(self._left)
            placed = {key for each in self._over.open.values() if each.batch for key in each.keys}
            if not placed.issuperset(self._left):
                async with self._ledger.turn():
                    await self._over.place(self._left)
            for intent in list(self._over.open.values()):
                if intent.batch and self._stop.code is None:
                    await self._look(intent)
            running = any(not self._over.person or each.batch for each in self._over.open.values())
            # what answers cost less than was held for them may pay for further questions
            running |= self._over.short and len(self._left) < before
            rest = self._own.until - self._clock.now()
            if not self._left or rest <= 0 or not running:
                return
            await self._stop.sleep(self._clock, min(wait, rest))
            wait = min(wait * 1.5, self._pace.longest_s)

    # -- answers

    async def _look(self, intent: Intent) -> None:
        """What has become of a batch; its answers if it has ended."""
        door = self._over.doors[intent.endpoint, intent.api]
        mine = [key for key in intent.keys if key in self._left and key not in intent.collected]
        try:
            seen = await door.look(intent.batch)
            self._back[intent.id] = seen.back
            if not seen.ended:
                return
            requests = {
                item_id(key): self._left[key].call.request if key in self._left else {}
                for key in intent.keys
            }
            found = await door.results(intent.batch, requests)
        except CallError as error:
            if error.failure == "not_found_model":  # deleted, or of another key: nobody knows
                self._over.person = (
                    f"{intent.endpoint} does not show the batch {intent.batch} to this key; use"
                    f" the key that it was handed in with, or run `promptops batches forget"
                    f" {intent.id}` to ask its {count(len(mine), 'question')} again."
                )
            elif FAILURES[error.failure] == "setup":
                self._over.halt(f"{intent.endpoint} does not show a batch: {error}")
            return
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            self._over.person = (
                f"{intent.endpoint} shows the batch {intent.batch} in another form than its"
                f" documentation says ({type(error).__name__}: {error}); run again to look again."
            )
            return
        await self._collect(intent, mine, found)

    async def _collect(
        self, intent: Intent, mine: Sequence[str], found: Mapping[str, Outcome]
    ) -> None:
        """Record what came of these questions of a batch that has ended."""
        async with self._ledger.turn():  # who waits for the same batch records each answer once
            taken, open_ = await asyncio.to_thread(self._since, intent, mine)
            known = [
                key for key in mine if key not in taken and key in open_ and item_id(key) in found
            ]
            rows = [self._rows.row(self._left[key], intent, found[item_id(key)]) for key in known]
            await self._record([(run, [attempt]) for run, attempt in rows])
            if done := [*known, *taken]:
                await asyncio.to_thread(self._ledger.collected, intent, done)
        await asyncio.to_thread(self._take, list(taken.values()))
        for key in done:
            del self._left[key]  # what another pass recorded as a failure is placed again
        unread = open_.difference(done)
        if not unread:
            del self._over.open[intent.id]
            return
        self._over.open[intent.id] = replace(intent, collected=intent.collected.union(done))
        self._over.person = (
            f"the results of {count(len(unread), 'question')} in the batch"
            f" {intent.batch} of {intent.endpoint} cannot be read, though the batch has ended; run"
            f" again to read them again, or run `promptops batches forget {intent.id}` to ask them"
            " again, which may pay for them twice."
        )

    def _since(self, intent: Intent, keys: Sequence[str]) -> tuple[dict[str, Run], set[str]]:
        """What other passes recorded of these questions since this one looked, and those that are
        open.
        """
        taken = self._ledger.recorded(keys)
        for key, run in taken.items():
            self._rows.settled(key, run)
        open_ = {
            key
            for each in self._ledger.waiting(keys)
            if each.id == intent.id
            for key in (set(each.keys) - each.collected).intersection(keys)
        }
        return taken, open_

    def _take(self, runs: Sequence[Run]) -> None:
        """Hand on what another pass recorded."""
        self._tally.add(runs, [], [False] * len(runs))
        if self._order.on_runs is not None and runs:
            self._order.on_runs(runs)

    async def _record(self, found: Sequence[tuple[Run, list[Attempt]]]) -> None:
        """Keep rows, then count them and hand them on; a stop waits for it."""
        for start in range(0, len(found), _GROUP):
            part = found[start : start + _GROUP]
            writing = asyncio.ensure_future(asyncio.to_thread(self._write, part))
            try:
                await asyncio.shield(writing)
            except asyncio.CancelledError:
                await writing
                raise

    def _write(self, part: Sequence[tuple[Run, list[Attempt]]]) -> None:
        runs = [run for run, _ in part]
        attempts = [attempt for _, tried in part for attempt in tried]
        self._order.record(runs, attempts)
        self._tally.add(runs, attempts, [bool(tried) for _, tried in part])
        if self._order.on_runs is not None:
            self._order.on_runs(runs)
