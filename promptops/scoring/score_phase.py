"""The score phase: every case meets every scorer, and each pair ends in a score or in the reason
why it is missing.

Scoring never calls a model but through `Case.ask`, and can be repeated over recorded runs at any
time. Built-in rules run inline. Users' functions run in threads of their own under a watchdog: one
that crashes, hangs or eats the memory costs its own row, never another scorer's. Infrastructure
failures stay unscored; a model's own failure fails the scorers that it concerns.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from ..dataset.example import Example
from ..engine.scorer_needs import check_names
from ..models.foreign import Raised, awaited, from_outside
from ..run import utc
from ..score import Score
from ..scorers.case import Ask, BatchScorer, Case, Scorer
from ..scorers.judged_by import JudgedBy
from ..store.recorder import say
from .one_case import crashed, inline, scores_of, withheld
from .score_rows import Block, CaseColumns, Judgement, ScoreRow, blocks, score_row
from .watchdog import Watchdog

__all__ = ["Judgement", "ScorePhase"]


# judges wait in `ask`, which has deadlines of its own: this many times a user's scorer's time
JUDGE_PATIENCE = 20
_BATCH = 32  # cases handed to a worker thread at once
_AHEAD = 4  # batches in flight for each worker
_ALL = 1_000_000  # more than there will be


class ScorePhase:
    """Scorers over cases. scorers: names must differ; ask: how judges reach their model; timeout_s,
    memory_mb: what one call of a user's scorer may take (memory: growth of the process meanwhile);
    concurrency: threads, and judges at once; together: all judges at once, and for as long as it
    takes, since their questions go into batches; since: vectors of texts from before this moment
    are not used again.
    """

    def __init__(
        self,
        scorers: Sequence[Scorer],
        *,
        ask: Ask | None = None,
        timeout_s: float = 30.0,
        concurrency: int = 8,
        memory_mb: int = 4096,
        together: bool = False,
        since: str = "",
    ) -> None:
        check_names(scorers)
        self.scorers = tuple(scorers)
        self.inline = tuple(scorer for scorer in self.scorers if not scorer.remote)
        self.remote = tuple(scorer for scorer in self.scorers if scorer.remote)
        self._ask, self._since = ask, since
        self._timeout_s = timeout_s
        self._concurrency = max(1, concurrency)
        self._memory_mb = memory_mb
        self._judges = _ALL if together else self._concurrency
        self._ahead = _ALL if together else self._concurrency * _AHEAD
        self._patience_s = None if together else timeout_s * JUDGE_PATIENCE
        self.judged = 0  # pairs of a case and a scorer that came to a judgement

    def score(self, cases: Iterable[Case]) -> Iterator[Judgement]:
        """The inline scorers' judgements, case by case in the order of `scorers`."""
        each = [(scorer, not scorer.needs and scorer.against is None) for scorer in self.inline]
        for case in cases:
            answered = case.run.failure is None
            for scorer, always in each:
                found = (None if answered and always else withheld(scorer, case)) or inline(
                    scorer, case
                )
                self.judged += 1
                if isinstance(found, Score):
                    yield case, scorer, found
                else:
                    for score in found:
                        yield case, scorer, score

    def score_blocks(self, cases: list[Case]) -> list[Block]:
        """`score` in blocks, as they are recorded. One answer meets all scorers before the next
        one, since what they read it as is kept for a moment.
        """
        if not cases:
            return []
        each = [
            (scorer, not scorer.needs and scorer.against is None, list[Score | list[Score]]())
            for scorer in self.inline
        ]
        for case in cases:
            answered = case.run.failure is None
            for scorer, always, given in each:
                found = None if answered and always else withheld(scorer, case)
                given.append(inline(scorer, case) if found is None else found)
        self.judged += len(cases) * len(each)
        out, columns = list[Block](), CaseColumns.of(cases)
        for scorer, _, given in each:
            single = [score for score in given if isinstance(score, Score) and not score.name]
            if len(single) == len(given):  # nearly always
                out.append(Block(scorer.name, scorer, cases, single, columns))
                continue
            listed = [[score] if isinstance(score, Score) else score for score in given]
            pairs = zip(cases, listed, strict=True)
            out += blocks((case, scorer, score) for case, scores in pairs for score in scores)
        return out

    def rows(self, cases: Iterable[Case]) -> Iterator[ScoreRow]:
        """`score` as rows of the table `scores`."""
        prints = _Prints()
        for case, scorer, score in self.score(cases):
            yield score_row(case, scorer, score, prints.of(case), utc())

    async def rows_async(self, cases: Iterable[Case]) -> AsyncIterator[ScoreRow]:
        """`score_async` as rows of the table `scores`."""
        prints = _Prints()
        async for case, scorer, score in self.score_async(cases):
            yield score_row(case, scorer, score, prints.of(case), utc())

    async def score_async(self, cases: Iterable[Case]) -> AsyncIterator[Judgement]:
        """The remote scorers' judgements, as they come.

        Warns at the end of what could not be stopped.
        """
        if not self.remote:
            return
        dog = Watchdog(self._timeout_s, self._memory_mb, self._concurrency)
        gate = asyncio.Semaphore(self._judges)
        pending: set[asyncio.Task[list[Judgement]]] = set()
        work = self._work(cases, dog, gate)
        try:
            while True:
                for part in islice(work, max(0, self._ahead - len(pending))):
                    pending.add(asyncio.create_task(part))
                if not pending:
                    break
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    found = task.result()
                    self.judged += len({id(case) for case, _, _ in found})
                    for judgement in found:
                        yield judgement
        finally:
            for task in pending:
                task.cancel()
            if left := dog.close():
                say(_still(left))
            if dog.stood_still:
                say(dog.stood_still)

    def _work(self, cases: Iterable[Case], dog: Watchdog, gate: asyncio.Semaphore) -> Iterator[Any]:
        """Batches of cases for each remote scorer in turn, so that a slow one does not hold up the
        others.
        """
        source = iter(cases)
        while batch := list(islice(source, _BATCH)):
            for scorer in self.remote:
                yield self._batch(scorer, list(map(self._noting, batch)), dog, gate)

    def _noting(self, case: Case) -> Case:
        """The case as one scorer gets it, which notes the models that reply."""
        judged_by, ask = JudgedBy(self._since), case.ask or self._ask
        return replace(case, ask=judged_by.asking(ask) if ask else None, judged_by=judged_by)

    async def _batch(
        self, scorer: Scorer, batch: list[Case], dog: Watchdog, gate: asyncio.Semaphore
    ) -> list[Judgement]:
        out: list[Judgement] = []
        asked: list[Case] = []
        for case in batch:
            found = withheld(scorer, case)
            if found is None:
                asked.append(case)
            else:
                out.append((case, scorer, found))
        many = (
            await self._many(scorer, asked, dog, gate)
            if isinstance(scorer, BatchScorer) and len(asked) > 1
            else None
        )
        if many is not None:
            return out + [(case, scorer, score) for case, score in zip(asked, many, strict=True)]
        results = await dog.each(scorer.name, scorer.score, asked)
        try:
            finished = await asyncio.gather(
                *(
                    self._finish(scorer, case, found, dog, gate)
                    for case, found in zip(asked, results, strict=True)
                )
            )
        except asyncio.CancelledError:
            for result in results:  # those whose turn had not come
                if (
                    inspect.iscoroutine(result)
                    and inspect.getcoroutinestate(result) == inspect.CORO_CREATED
                ):
                    result.close()
            raise
        for case, scores in zip(asked, finished, strict=True):
            out += [(case, scorer, score) for score in scores]
        return out

    async def _many(
        self, scorer: BatchScorer, asked: list[Case], dog: Watchdog, gate: asyncio.Semaphore
    ) -> list[Score] | None:
        """The scores of a whole batch; None if it failed, so that each case is asked about alone
        and one cannot harm the rest.
        """
        [result] = await dog.each(scorer.name, scorer.score_many, [asked])
        try:
            found = await self._awaited(
                scorer, result, dog, gate, lambda: dog.again(scorer.name, scorer.score_many, asked)
            )
        except BaseException as error:
            if from_outside(error):
                raise
            return None
        whole = (
            isinstance(found, (list, tuple))
            and len(found) == len(asked)
            and all(isinstance(score, Score) for score in found)
        )
        return list(found) if whole else None

    async def _finish(
        self, scorer: Scorer, case: Case, result: object, dog: Watchdog, gate: asyncio.Semaphore
    ) -> list[Score]:
        try:
            found = await self._awaited(
                scorer, result, dog, gate, lambda: dog.again(scorer.name, scorer.score, case)
            )
            return (
                [crashed(found.error, scorer, case)]
                if isinstance(found, Raised)
                else scores_of(scorer, found)
            )
        except BaseException as error:
            if from_outside(error):
                raise
            return [crashed(error, scorer, case)]

    async def _awaited(
        self,
        scorer: Scorer,
        result: object,
        dog: Watchdog,
        gate: asyncio.Semaphore,
        again: Callable[[], Awaitable[object]],
    ) -> Any:
        """A result, awaited if it has to be: a user's in a loop of its own, a judge's in this
        one. Raised, or raises what it raised.
        """
        if inspect.isawaitable(result):
            if scorer.kind == "user":
                return await dog.wait_for(scorer.name, result, again)
            async with gate:
                return await asyncio.wait_for(awaited(result), self._patience_s)
        return Raised(result) if isinstance(result, BaseException) else result


class _Prints:
    """Fingerprints of examples, each derived once for the judgements of a case that follow each
    other.
    """

    def __init__(self) -> None:
        self._example: Example | None = None
        self._print = ""

    def of(self, case: Case) -> str:
        if case.example is not self._example:
            self._example, self._print = case.example, case.example.fingerprint
        return self._print


def _still(left: Sequence[str]) -> str:
    return (
        f"{len(left)} call(s) of {', '.join(sorted(set(left)))} did not stop when cut off and still"
        " run in background threads; their rows are unscored, all others are complete. Restart the"
        " kernel to be rid of them."
    )
