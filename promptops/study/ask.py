"""One question at a time: a saved version that is called, or a judge that asks its model.

Recorded and reused like a study's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..engine.breaker import Breaker, fix_of
from ..engine.executor import Executor, HandsIn, Order, Pass
from ..engine.progress import Progress
from ..engine.question import Limits, Provenance, Question
from ..errors import CallError
from ..run import Attempt, Run
from ..version import PromptVersion
from .asking_claims import AskingClaims, Patience, question_claim
from .design import ArmDesign
from .provenance import provenance
from .questions import ask
from .records import keep_runs, keep_version, known_runs
from .resolve_model import ModelResolver

if TYPE_CHECKING:
    from .project import Project

__all__ = ["Asker", "in_form", "in_the_form_of"]

_TOGETHER_S = 0.005  # questions that come within it are asked together
_VERDICT_TOKENS = 4096  # of a judge whose form wants a bound: every model may write as many
_QUIET_S = 0.3  # without a further question, after which those of a batch are all there


def in_the_form_of(version: PromptVersion, models: ModelResolver) -> PromptVersion:
    """A judge's version in a form that its model takes: nobody chose one for it."""
    return in_form(version, models.form_for(version.model, version.api))


def in_form(version: PromptVersion, api: str) -> PromptVersion:
    """A judge's version in another request form."""
    if api == version.api:
        return version
    settings = version.settings
    if api == "anthropic" and not settings.keys() & {"max_tokens", "max_completion_tokens"}:
        settings["max_tokens"] = _VERDICT_TOKENS  # which that form never leaves open
    return PromptVersion.from_content({**version.content(), "api": api, "settings": settings})


class Asker:
    """Asks on behalf of one project. Equal questions that are asked at the same time are asked
    once.

    limits: of a study whose judges ask here; spent: what else that study has spent so far, as a
    Progress, so that judging and answering share one budget (the most that judging can go over is
    what its calls in flight cost beyond their reservations);
    where: the cell that started that study, which has long ended when its judges ask (None: the one
        that runs); role: what the questions of `ask` are for; executor: instead of the project's;
    since: answers to `ask` from before this moment are not used again, "" if all are.
    """

    def __init__(
        self,
        project: Project,
        limits: Limits | None = None,
        spent: Callable[[], Progress] | None = None,
        where: Provenance | None = None,
        role: str = "judge",
        executor: Executor | None = None,
        since: str = "",
    ) -> None:
        self._executor = executor or project.executor
        self._project, self._where, self._role = project, where, role
        self._since = since
        self._limits = limits or Limits(prices=project.prices, calls=project.calls)
        self._spent = spent
        # of judges' endpoints: what refused the questions of one sweep refuses those of the next
        self._breakers: dict[str, Breaker] = {}
        self._sweeps: list[Pass] = []  # of this asker, for what they spent
        self._open: dict[
            str, asyncio.Future[Run]
        ] = {}  # key of a judge's question -> who waits for it
        self._queue: list[Question] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._going: set[Pass] = set()  # sweeps that are under way
        self._halted = ""

    def stop(self, reason: str) -> None:
        """Ask nothing more, and give up the calls in flight: who waits gets a CallError. From any
        thread.
        """
        self._halted = self._halted or reason
        for each in tuple(self._going):
            each.stop(reason)

    def call(
        self,
        version: PromptVersion,
        values: Mapping[str, object],
        *,
        prompt: str,
        label: str,
        fresh: bool,
    ) -> tuple[Run, bool]:
        """Ask now, and wait for the answer.

        Returns:
            The run, and whether it was answered before.

        Raises:
            RenderError, SetupError: the question cannot be asked.
            CallError: no answer came back.
        """
        arm = ArmDesign(label, version, self._project.model(version.model, version.api), prompt)
        asked = ask(arm, None, values, 0, root=self._project.root)
        arm.model.check(asked.call.chat)
        with AskingClaims(self._project.store.folder) as claims:
            known = None if fresh else self._answered(asked.key)
            if known is not None:
                return self._as_kept(known), True
            keep_version(self._project.store, version, prompt=prompt, label=label)
            claim = question_claim(asked.key)
            others = not fresh and claims.take([claim], own_studies=False)
            run, reused = self._project.loop.finish(
                self._ask_claimed(asked, claims, Patience(label) if others else None)
            )
        if not run.scorable:
            raise CallError(
                _unanswered(label, arm.model.label, run), failure=run.failure or "internal"
            )
        return self._as_kept(run), reused

    def recall(
        self,
        version: PromptVersion,
        values: Sequence[Mapping[str, object]],
        *,
        prompt: str,
        label: str,
    ) -> list[Run | None]:
        """The recorded answers to these questions, by one look-up, or None. Raises
        as `call` does for a question that cannot be asked.
        """
        arm = ArmDesign(label, version, self._project.model(version.model, version.api), prompt)
        keys = [ask(arm, None, each, 0, root=self._project.root).key for each in values]
        known = known_runs(self._project.store, keys)
        return [self._as_kept(known[key]) if key in known else None for key in keys]

    def _as_kept(self, run: Run) -> Run:
        """As the store has it: what is shown in a cell is in the notebook's file, where no key may
        be.
        """
        clean = self._project.store.clean
        return replace(
            run,
            output=run.output and clean(run.output),
            tool_calls=run.tool_calls and clean(run.tool_calls),
        )

    async def ask(self, version: PromptVersion, values: Mapping[str, object], repeat: int) -> Run:
        """A judge's question, on the project's loop: recorded, reused, never asked twice at once.
        Raises CallError if it was stopped.

        Questions that come at the same time are looked up, asked and recorded together: they share
        one pace and one write.
        """
        version = in_the_form_of(version, self._project.models)
        arm = ArmDesign("judge", version, self._project.model(version.model, version.api), "")
        asked = ask(
            arm, None, values, repeat, role=self._role
        )  # what it is shown are answers: none of it is a path
        waiting = self._open.get(asked.key)
        if waiting is None:
            waiting = self._open[asked.key] = asyncio.get_running_loop().create_future()
            waiting.add_done_callback(
                lambda done: done.cancelled() or done.exception()
            )  # one whose asker is gone is not an error
            if not self._queue:
                self._tasks.add(flush := asyncio.create_task(self._flush()))
                flush.add_done_callback(self._tasks.discard)
            self._queue.append(asked)
        return await asyncio.shield(waiting)

    async def _flush(self) -> None:
        """Answer what is asked at this moment: from the store if it can, the rest in one
        sweep.
        """
        await self._gather()
        batch, self._queue = self._queue, []
        # an equal question that comes after the answer waits for the next look, not for this one
        mine = {asked.key: self._open.get(asked.key) for asked in batch}
        error: Exception = CallError(
            "the call was stopped before an answer came.", failure="cancelled"
        )
        try:
            for run in await asyncio.to_thread(self._known, [asked.key for asked in batch]):
                self._answer(run)
            loop = asyncio.get_running_loop()
            rest = [asked for asked in batch if asked.key in self._open]
            for asked in rest:
                self._breakers.setdefault(
                    asked.model.label, Breaker(asked.model.label, judging=True)
                )
            closed = next((r for b in self._breakers.values() if (r := b.open)), None)
            if closed is not None:
                error = CallError(closed, failure="circuit_open")
            elif rest:
                sweep = self._sweep(
                    rest, lambda runs: loop.call_soon_threadsafe(self._answers, list(runs))
                )
                await self._run(sweep)
                if sweep.progress.stopped:
                    waits = sweep.progress.handed_in is not None
                    why = "cancelled" if waits else "circuit_open"
                    error = CallError(sweep.progress.stopped, failure=why)
        except Exception as raised:
            error = raised
        finally:
            for key, left in mine.items():
                if left is not None and self._open.get(key) is left:
                    del self._open[key]
                if left is not None and not left.done():
                    left.set_exception(error)

    async def _gather(self) -> None:
        """Wait for the questions that are asked together: all of them, where they go into a
        batch.
        """
        await asyncio.sleep(_TOGETHER_S)
        if isinstance(self._executor, HandsIn):
            come = -1
            while come < len(self._queue):
                come = len(self._queue)
                await asyncio.sleep(_QUIET_S)

    def _known(self, keys: Sequence[str]) -> list[Run]:
        known = known_runs(self._project.store, keys).values()
        return [run for run in known if run.started_at >= self._since]

    def _answers(self, runs: Sequence[Run]) -> None:
        for run in runs:
            self._answer(run)

    def _answer(self, run: Run) -> None:
        waiting = self._open.pop(run.key, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(run)

    def _sweep(
        self, questions: Sequence[Question], on_runs: Callable[[Sequence[Run]], object]
    ) -> Pass:
        where = self._where or provenance(self._project.root)
        sweep = self._executor.start(
            Order(questions, self._record, on_runs, self.left(), where, self._breakers)
        )
        if self._limits.budgeted:
            self._sweeps.append(sweep)
        return sweep

    async def _run(self, sweep: Pass) -> None:
        """Run a sweep that `stop` reaches."""
        self._going.add(sweep)
        try:
            if self._halted:
                sweep.stop(self._halted)
            await sweep.run()
        finally:
            self._going.discard(sweep)

    def left(self) -> Limits:
        """The limits, less what was spent here, and by the study on its answers."""
        limits = self._limits
        if not self._limits.budgeted:
            return limits
        spent = [sweep.progress for sweep in self._sweeps]
        if self._spent is not None:
            spent.append(self._spent())
        usd, tokens = (
            sum(max(each.cost_usd, each.counted_usd) for each in spent),
            sum(max(each.tokens_in + each.tokens_out, each.counted_tokens) for each in spent),
        )
        usd, tokens = min(usd, limits.budget_usd or 0.0), min(tokens, limits.budget_tokens or 0)
        return replace(
            limits,
            budget_usd=None if limits.budget_usd is None else limits.budget_usd - usd,
            budget_tokens=None if limits.budget_tokens is None else limits.budget_tokens - tokens,
            earlier_usd=usd,
            earlier_tokens=tokens,
        )

    def _answered(self, key: str) -> Run | None:
        return known_runs(self._project.store, [key]).get(key)

    async def _ask_claimed(
        self, asked: Question, claims: AskingClaims, wait: Patience | None
    ) -> tuple[Run, bool]:
        """The answer, and whether somebody else asked for it. wait: with which an answer is waited
        for that another process may be asking for; None if none does.
        """
        async with claims.beating():
            while wait is not None:
                who = claims.waits_for()  # first: the look sees all that one who ended recorded
                known = await asyncio.to_thread(self._answered, asked.key)
                if known is not None:
                    return known, True
                if not await wait.more(1, who, lambda: bool(self._halted)):
                    break
            return await self._ask(asked), False

    async def _ask(self, asked: Question) -> Run:
        found: list[Run] = []
        sweep = self._sweep([asked], found.extend)
        await self._run(sweep)
        if not found:
            raise CallError(
                sweep.progress.stopped or "the call was stopped before an answer came.",
                failure="cancelled",
            )
        return found[0]

    def _record(self, runs: Sequence[Run], attempts: Sequence[Attempt]) -> None:
        keep_runs(self._project.store, runs, attempts)


def _unanswered(label: str, endpoint: str, run: Run) -> str:
    """Who got no answer, from where, why, and what to do about it."""
    why, fix = (run.failure_detail or "").rstrip("."), fix_of(run.failure)
    told = f"{label} got no answer from {endpoint}" + (f": {why}" if why else "")
    return f"{told}; {fix}." if fix else f"{told}."
