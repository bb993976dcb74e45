"""Cells of (version, example, repeat) in, their runs and scores out: no study, no dataset, nothing
but the runs, attempts and scores that asking leaves.

Outcomes are taken as they come, not read back from the file. What was answered before, here or in
an earlier process, is not asked again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..dataset import Example
from ..engine.executor import Order, Pass
from ..engine.question import Limits, Question
from ..engine.scorer_needs import check_needs
from ..errors import ScorerError
from ..run import Attempt, Run
from ..score import Score
from ..scorers.case import Case, Scorer
from ..scoring.score_phase import Judgement, ScorePhase
from ..scoring.score_rows import blocks, recorded_name
from ..version import PromptVersion
from .ask import Asker
from .asking_claims import AskingClaims, Patience, question_claim
from .design import ArmDesign
from .queries.known_answers import answered_versions, answers_of
from .questions import question_of
from .records import keep_runs, keep_version, known_runs
from .score_study import unasked

if TYPE_CHECKING:
    from .project import Project

__all__ = ["Cell", "CellAsker", "Outcome"]

Scores = dict[str, Score]


@dataclass(frozen=True, slots=True)
class Cell:
    """One version on one example, for the `repeat`-th time (0 first)."""

    version: PromptVersion
    example: Example
    repeat: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a cell came to. scores: by the name that they are recorded under; reused: the answer was
    there before, and nothing was paid now.
    """

    cell: Cell
    run: Run
    scores: Mapping[str, Score]
    reused: bool


class CellAsker:
    """Answers cells by the project's models, and judges the answers by the scorers.

    Used on the project's loop; `stop` may be called from any thread. Two that ask for the same cell
    at the same time pay for one call, also in two processes.
    prompt: the prompt's name, for the rows; role: what the runs are for, "" for model or target.
    Raises ScorerError for scorers that compare with another version's answers: those need a study.
    """

    def __init__(
        self,
        project: Project,
        scorers: Sequence[Scorer],
        *,
        prompt: str = "",
        role: str = "",
        limits: Limits | None = None,
        on_judged: Callable[[Run, int], object] | None = None,
    ) -> None:
        """on_judged: is given each run of a judge with the characters that it was asked, also those
        that are on record already, so that a budget counts the same whenever it is asked.
        """
        for scorer in scorers:
            if scorer.against is not None:
                raise ScorerError(
                    f"{scorer.name} compares with the answers of another version, which only a"
                    " study has; leave it out here, or use evaluate."
                )
        self._project, self._prompt, self._role = project, prompt, role
        self._scorers = tuple(scorers)
        self._limits = limits or Limits(prices=project.prices, calls=project.calls)
        self._where = project.provenance()
        self._judges = Asker(project, self._limits, where=self._where)
        self._on_judged = on_judged
        self._judged: set[tuple[str, str]] = set()  # (run, fingerprint) that judges were asked here
        self._phase = ScorePhase(self._scorers, ask=self._ask_judge)
        self._runs: dict[str, Run] = {}  # key -> its answer
        self._scores: dict[tuple[str, str], Scores] = {}  # (run, example's fingerprint) -> scores
        self._arms: dict[str, ArmDesign] = {}  # by the version's id
        self._stored: frozenset[str] | None = None  # versions that had answers when this began
        self._flying: dict[str, asyncio.Future[None]] = {}  # key -> who waits for its answer
        self._claims = AskingClaims(project.store.folder)  # before the first look for answers
        self._shared = False  # whether others have asked meanwhile, and may ask again
        self._passes: set[Pass] = set()
        self.stopped = ""  # why calls are missing; "" if none are

    def check(self, examples: Iterable[Example]) -> list[str]:
        """What the rows lack for the scorers, one sentence each. Raises ScorerError as
        `needs.check_needs`.
        """
        return check_needs(self._scorers, examples)

    def within(self, *, usd: float | None, tokens: int | None) -> Limits:
        """The limits of an `ask` that may spend this much."""
        return replace(self._limits, budget_usd=usd, budget_tokens=tokens)

    def stop(self, reason: str) -> None:
        """Ask nothing more; within a second what is done is recorded. From any thread."""
        self.stopped = self.stopped or reason
        for each in tuple(self._passes):
            each.stop(reason)

    def came(self, cells: Iterable[Cell]) -> list[tuple[Cell, Run]]:
        """Those of the cells that have an answer by now, also of an `ask` that was given up."""
        known = ((cell, self._runs.get(self._question(cell).key)) for cell in cells)
        return [(cell, run) for cell, run in known if run is not None]

    @property
    def under_way(self) -> tuple[int, int]:
        """(answers that have come, answers that are asked) of what is asked now; from any
        thread.
        """
        going = [each.progress for each in tuple(self._passes)]
        return sum(each.done for each in going), sum(each.total or 0 for each in going)

    async def ask(self, cells: Sequence[Cell], limits: Limits | None = None) -> list[Outcome]:
        """The outcomes in the order of the cells; without those that a stop or a budget left
        unasked (see `stopped`).

        Raises:
            SetupError: a model cannot be asked at all.
        """
        asked = [(cell, self._question(cell)) for cell in cells]
        await self._look_up({cell.version.id for cell in cells})
        before = {q.key for _, q in asked if q.key in self._runs and self._runs[q.key].scorable}
        await self._answer([pair for pair in asked if pair[1].key not in before], limits)
        got = [(cell, question.key) for cell, question in asked if question.key in self._runs]
        cases = [(self._runs[key], cell.example) for cell, key in got]
        await self._judge([pair for pair in cases if pair[0].scorable])
        return [
            Outcome(cell, run, self._scores.get((run.id, example.fingerprint), {}), key in before)
            for (cell, key), (run, example) in zip(got, cases, strict=True)
        ]

    # -- answers

    def _question(self, cell: Cell) -> Question:
        version = cell.version
        arm = self._arms.get(version.id)
        if arm is None:
            model = self._project.model(version.model)
            arm = self._arms[version.id] = ArmDesign("", version, model, self._prompt)
            keep_version(self._project.store, version)
        return question_of(arm, cell.example, cell.repeat, role=self._role, root=self._project.root)

    async def _look_up(self, versions: set[str]) -> None:
        """Bring the answers of earlier processes to memory, once for each version that has any."""
        store = self._project.store
        if self._stored is None:
            self._stored = await asyncio.to_thread(answered_versions, store)
        wanted = versions & self._stored
        if not wanted:
            return
        self._stored -= wanted
        names = [scorer.version for scorer in self._scorers]
        found = await asyncio.to_thread(answers_of, store, sorted(wanted), names)
        self._runs.update((run.key, run) for run in found.runs)
        for place, scores in found.scores.items():
            self._scores.setdefault(place, {}).update(scores)

    async def _answer(self, asked: list[tuple[Cell, Question]], limits: Limits | None) -> None:
        others = [self._flying[q.key] for _, q in asked if q.key in self._flying]
        mine = {q.key: (cell, q) for cell, q in asked if q.key not in self._flying}
        if mine and not self.stopped:
            loop = asyncio.get_running_loop()
            self._flying.update((key, loop.create_future()) for key in mine)
            try:
                await self._claimed(mine, limits)
            finally:
                for key in mine:
                    self._flying.pop(key).set_result(None)
        if others:
            await asyncio.wait(others)

    async def _claimed(
        self, mine: Mapping[str, tuple[Cell, Question]], limits: Limits | None
    ) -> None:
        """Ask what no other process has asked since the last look; what one asks at this moment is
        waited for.
        """
        folder, left = self._project.store.folder, dict(mine)
        claims, self._claims = self._claims, AskingClaims(folder)
        with claims:
            async with claims.beating(self.stop):
                wait = Patience("the search")
                others = await asyncio.to_thread(claims.take, map(question_claim, mine))
                others = self._shared = others or self._shared
                while others:
                    who = claims.waits_for()  # first: the look sees all that one who ended recorded
                    known = await asyncio.to_thread(known_runs, self._project.store, list(left))
                    self._runs.update(known)
                    left = {key: pair for key, pair in left.items() if key not in known}
                    theirs = sum(map(claims.theirs, map(question_claim, left)))
                    others = theirs > 0 and await wait.more(theirs, who, lambda: bool(self.stopped))
                if left and not self.stopped:
                    await self._sweep(left, limits)
                self._shared = self._shared or claims.overtaken
        self._claims = AskingClaims(folder)

    async def _sweep(
        self, mine: Mapping[str, tuple[Cell, Question]], limits: Limits | None
    ) -> None:
        def take(runs: Sequence[Run]) -> None:
            self._runs.update((run.key, run) for run in runs)
            scorable = [run for run in runs if run.scorable]
            cases = [Case(run.output or "", mine[run.key][0].example, run) for run in scorable]
            self._keep(list(self._phase.score(cases)))

        order = Order(
            [question for _, question in mine.values()],
            self._record,
            take,
            limits or self._limits,
            self._where,
        )
        going = self._project.executor.start(order)
        self._passes.add(going)
        try:
            if self.stopped:
                going.stop(self.stopped)
            await going.run()
        finally:
            self._passes.discard(going)
        if going.progress.stopped:
            self.stopped = self.stopped or going.progress.stopped

    def _record(self, runs: Sequence[Run], attempts: Sequence[Attempt]) -> None:
        keep_runs(self._project.store, runs, attempts)

    # -- scores

    async def _judge(self, pairs: Sequence[tuple[Run, Example]]) -> None:
        """Give every answer the scores that it lacks: of judges and users' functions, and all of an
        answer that was there before.
        """
        lacking = [Case(r.output or "", e, r) for r, e in pairs if self._lacks(r, e, self._scorers)]
        if not lacking:
            return
        inline = [
            case for case in lacking if self._lacks(case.run, case.example, self._phase.inline)
        ]
        self._keep(list(self._phase.score(inline)))
        if self._phase.remote:
            self._keep([found async for found in self._phase.score_async(lacking)])

        if self._on_judged is not None:
            self._judged.update((case.run.id, case.example.fingerprint) for case in lacking)

    async def _ask_judge(
        self, version: PromptVersion, values: Mapping[str, object], repeat: int
    ) -> Run:
        run = await self._judges.ask(version, values, repeat)
        if self._on_judged is not None:
            fixed = sum(len(str(message.get("content"))) for message in version.template)
            self._on_judged(run, fixed + sum(len(str(value)) for value in values.values()))
        return run

    def _lacks(self, run: Run, example: Example, scorers: Sequence[Scorer]) -> bool:
        place = run.id, example.fingerprint
        have = self._scores.get(place, {})
        # the calls of a judge that are on record have to be counted all the same
        uncounted = self._on_judged is not None and place not in self._judged
        return any(
            (uncounted and scorer.kind == "judge")
            or (
                scorer.name not in have
                and not any(name.startswith(f"{scorer.name}/") for name in have)
            )
            for scorer in scorers
        )

    def _keep(self, judgements: Sequence[Judgement]) -> None:
        given = [found for found in judgements if not unasked(found[2].unscored)]
        for block in blocks(given):
            self._project.store.append_columns("scores", block.columns())
        for case, scorer, score in given:
            place = case.run.id, case.example.fingerprint
            self._scores.setdefault(place, {})[recorded_name(scorer, score)] = score
