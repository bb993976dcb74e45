"""A study being done: what was answered before is linked, what is missing is asked, every answer is
scored and recorded.

Runs, their places in the study and their scores are recorded batch by batch, so that a stop or a
crash at any point keeps all that was done; running it again does only the rest.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..engine.executor import Executor, HandsIn, InProcess, Order, Pass
from ..engine.progress import HandedIn, Progress, together
from ..engine.question import Limits, Provenance, Question
from ..models.protocol import Prepares
from ..run import Attempt, Run, utc
from ..store.make_ready import make_ready_beside
from .asking_claims import AskingClaims, Patience, claim_names
from .design import StudyDesign
from .made_questions import MadeQuestions
from .other_model import Answerers
from .place_rows import link
from .queries.recorded_runs import answered_places
from .questions import question
from .records import find_runs, keep_runs
from .score_study import Place, StudyScoring, judged

if TYPE_CHECKING:
    from ..scorers.case import Scorer
    from ..store import Store
    from .ask import Asker
    from .early_stopping import EarlyStop

__all__ = ["StudyRun"]

Answers = Mapping[Place, str]  # place -> its run


class StudyRun:
    """One pass over a design.

    `run()` is a coroutine for the project's loop; `stop()` may be called from any thread.
    asker: asks for the judges, and knows what is left of the limits that they share.
    """

    def __init__(
        self,
        design: StudyDesign,
        store: Store,
        *,
        limits: Limits,
        provenance: Provenance,
        asker: Asker | None = None,
        settling: EarlyStop | None = None,
        executor: Executor | None = None,
    ) -> None:
        self.design, self.store, self._executor = design, store, executor or InProcess()
        self._provenance, self._settling = provenance, settling
        self._left = asker.left if asker is not None else lambda: limits
        self._earlier: list[Progress] = []  # of the batches that are done
        self._to_ask, self._halted = 0, ""
        self._reused: Counter[int] = Counter()
        self.marking = StudyScoring(
            store,
            design.dataset,
            design.scorers,
            arms=len(design.arms),
            ask=asker.ask if asker is not None else None,
            together=isinstance(self._executor, HandsIn),
            since=design.since,
        )
        self._places: dict[
            str, list[Place]
        ] = {}  # key -> the places without an answer that it would answer
        self._asked: list[str] = []  # keys
        self._made = MadeQuestions()
        self._answerers = Answerers()
        self.sweep = self._sweep(limits)

    def _sweep(self, limits: Limits) -> Pass:
        return self._executor.start(
            Order(self._questions(), self._record, self._take, limits, self._provenance)
        )

    def _next_sweep(self) -> None:
        """One sweep more, within what the earlier ones and the judges left of the budget."""
        left = self._left()
        self._earlier.append(self.sweep.progress)
        self.sweep = self._sweep(left)
        if self._halted:
            self.sweep.stop(self._halted)
        self.sweep.expect(len(self._asked))

    async def run(self) -> None:
        """Link what is known, ask the rest, score everything. What another process on the project
        asks already is waited for.

        Where nothing is left to do, nothing is written.
        """
        with AskingClaims(self.store.folder) as claims:
            async with claims.beating(self.stop):
                await self._run(claims)

    async def _run(self, claims: AskingClaims) -> None:
        if self._settling is not None:
            from .early_stopping import early

            if early(self.store, self.design.id) is None:
                await self._run_settling(claims, self._settling)
            return
        linked, known, lacking = await self._looked_up(claims)
        self._asked = [key for key, places in self._places.items() if places[0] not in known]
        self._reused = Counter(place[0] for place in (*linked, *known))
        self._to_ask = len(self._asked)
        self.sweep.expect(self._to_ask)
        if not (self._asked or known or lacking):
            return
        self._event("started")
        link(self.store, self.design, known, reused=True)
        self._score(lacking)
        if self._asked:
            make_ready_beside(self.store.access.main.path)
            await self.sweep.run()
        await self.marking.finish()
        self._over(self.stopped)

    async def _run_settling(self, claims: AskingClaims, settling: EarlyStop) -> None:
        """Batch by batch in the shuffled order, until the e-values settle it, or all is in."""
        from .early_stopping import LOOKED

        linked, known, lacking = await self._looked_up(claims)
        self._reused = Counter(place[0] for place in (*linked, *known))
        self._to_ask = self.design.planned - self._reused.total()
        keys = {place: key for key, found in self._places.items() for place in found}
        if self.design.planned == len(linked) and not lacking:
            return  # all of it is in
        self._event("started", LOOKED)
        before: set[str] = set()  # keys that earlier batches asked
        for batch in settling.batches:
            examples = set(batch)
            places = [place for place in self.design.places() if place[1] in examples]
            link(
                self.store,
                self.design,
                {place: known[place] for place in places if place in known},
                reused=True,
            )
            answered = {
                place: run
                for found in (linked, known)
                for place, run in found.items()
                if place[1] in examples
            }
            self._score(self._lacking(answered))
            fresh = dict.fromkeys(keys[place] for place in places if place not in answered)
            self._asked = [
                key for key in fresh if key not in before
            ]  # equal rows of an earlier batch have their answer
            before.update(fresh)
            if self._asked:
                self._next_sweep()
                await self.sweep.run()
            await self.marking.finish()
            if self.stopped or self._halted:
                self._over(self.stopped or self._halted)
                return
            text = await asyncio.to_thread(settling.look)
            if text is not None:
                self._to_ask = sum(done.done for done in self._earlier) + self.sweep.progress.done
                self._event("settled", text)
                return
        self._event("finished")

    def _over(self, stopped: str | None) -> None:
        """The pass has ended, with this left to do."""
        event = "finished" if not stopped else "handed_in" if self.handed_in else "stopped"
        self._event(event, stopped or "")

    @property
    def handed_in(self) -> HandedIn | None:
        """What waits in batches; None if nothing does."""
        return self._executor.handed_in if isinstance(self._executor, HandsIn) else None

    def _score(self, lacking: Mapping[Place, str]) -> None:
        """Score answers that were there before."""
        places: dict[str, list[Place]] = {}
        for place, run in lacking.items():
            places.setdefault(run, []).append(place)
        self.marking.take_recorded(places)

    @property
    def progress(self) -> Progress:
        """How far the calls are, over all batches; may be read from any thread."""
        now, before = self.sweep.progress, [p for p in self._earlier if p.done or p.counted_tokens]
        if not before:
            return now if not self._earlier else replace(now, total=self._to_ask)
        return together(now, before, self._to_ask)

    @property
    def stopped(self) -> str | None:
        """Why calls or judgements are missing; None if every question has its answer or its
        failure, and every answer its scores.
        """
        return self.unasked or self.marking.short or None

    @property
    def unasked(self) -> str | None:
        """Why calls are missing; None if none are."""
        progress = self.sweep.progress
        lost = (progress.total or 0) - progress.done
        if progress.stopped or not progress.finished or lost <= 0:
            return progress.stopped
        return f"{lost:,} of {progress.total:,} questions came to neither an answer nor a failure."

    @property
    def answered_alike(self) -> bool:
        """Whether this pass asked all that it has, of models that are each surely one model, and no
        score rests on a model's reply.
        """
        return not self.reused and self._answerers.alike and not self.marking.asked_models

    @property
    def reused(self) -> int:
        """Places that were answered before, at no cost now."""
        return self._reused.total()

    def reused_of(self, arm: int) -> int:
        """Those of one arm."""
        return self._reused[arm]

    def stop(self, reason: str = "stopped by hand") -> None:
        """Keep what is done, ask nothing more."""
        self._halted = reason
        self.sweep.stop(reason)
        self.marking.stop(reason)

    # -- what was there before

    async def _looked_up(self, claims: AskingClaims) -> tuple[Answers, Answers, Answers]:
        """Places that have their answer in this study; those whose question was answered before;
        and those of both that lack a score. What others ask at this moment is waited for.
        """
        linked, known, lacking = self._look()
        judges = [scorer for scorer in self.design.scorers if scorer.kind == "judge"]
        paid = len(linked) + len(known) < self.design.planned or (judges and lacking)
        if not paid or isinstance(self._executor, HandsIn):  # batches have a ledger of their own
            return linked, known, lacking
        names = claim_names(self.design, judges, self._places, self.design.places())
        if not await asyncio.to_thread(claims.take, names):
            return linked, known, lacking
        wait = Patience(self.design.name)
        while True:
            who = claims.waits_for()  # first: the look sees all that one who has ended recorded
            linked, known, lacking = await asyncio.to_thread(self._look)
            found = {**linked, **known}
            keys = [key for key, places in self._places.items() if places[0] not in found]
            unjudged = self._lacking(found, judges)
            left = sum(map(claims.theirs, claim_names(self.design, judges, keys, unjudged)))
            if not (left and await wait.more(left, who, lambda: bool(self._halted))):
                return linked, known, lacking

    def _look(self) -> tuple[Answers, Answers, Answers]:
        linked = self._linked()
        known = self._known(linked)
        return linked, known, self._lacking({**linked, **known})

    def _linked(self) -> dict[Place, str]:
        """Places of this study that have an answered run already."""
        if not self.store.has("study_runs"):
            return {}
        rows = answered_places(self.store, self.design.id)
        arms = {arm.id: index for index, arm in enumerate(self.design.arms)}
        examples = {example.id: index for index, example in enumerate(self.design.dataset)}
        return {
            (arms[version], examples[example], int(repeat)): run
            for version, example, repeat, run in rows
            if version in arms and example in examples
        }

    def _known(self, linked: Mapping[Place, str]) -> dict[Place, str]:
        """Places whose question was answered before, by any study or call; also fills the table of
        keys.
        """
        keys = {place: key for key, places in self._places.items() for place in places}
        self._places = {}
        missing = [place for place in self.design.places() if place not in linked]
        if missing and isinstance(self._executor, InProcess):
            self._prepare()
        for place in missing:
            key = keys.get(place)  # of an earlier look: a question's key does not change
            asked = question(self.design, place) if key is None else None
            places = self._places.setdefault(asked.key if asked is not None else str(key), [])
            if asked is not None and not places:
                self._made.keep(asked)
            places.append(place)
        if self.design.fresh or not missing:
            return {}
        found = find_runs(self.store, self._places)
        return {place: run for key, run in found.items() for place in self._places[key]}

    def _prepare(self) -> None:
        """Calls are about to be made, most likely: questions take a while to make."""
        for arm in self.design.arms:
            if isinstance(arm.model, Prepares):
                arm.model.prepare()

    def _lacking(self, places: Answers, by: Sequence[Scorer] | None = None) -> Answers:
        """Answered places that lack a score by one of the study's scorers, or of these."""
        scorers = self.design.scorers if by is None else by
        if not places or not scorers:
            return {}
        have, data = judged(self.store, list(places.values()), scorers), self.design.dataset
        return {place: run for place, run in places.items() if have.lacks(run, data[place[1]])}

    def _questions(self) -> Iterator[Question]:
        for key in self._asked:
            place, made = self._places[key][0], self._made.take(key)
            # an answer to an equal row may have come since the question was made for that row
            if made is None or made.example_id != self.design.dataset[place[1]].id:
                made = question(self.design, place, key)
            yield made

    def _record(self, runs: Sequence[Run], attempts: Sequence[Attempt]) -> None:
        keep_runs(self.store, runs, attempts)

    def _take(self, runs: Sequence[Run]) -> None:
        """Answers as they come: their places are recorded where they count, and their scores."""
        self._answerers.note(runs)
        placed = [(place, run) for run in runs for place in self._places.get(run.key, ())]
        link(self.store, self.design, {place: run.id for place, run in placed}, reused=False)
        self.marking.take([(place, run) for place, run in placed if run.scorable])

    def _event(self, event: str, detail: str = "") -> None:
        self.store.append(
            "study_events",
            [{"study_id": self.design.id, "event_at": utc(), "event": event, "detail": detail}],
        )
