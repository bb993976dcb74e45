"""Scoring as it is recorded: answers in, rows of the table `scores` out, and a running tally for
anyone who watches.

Answers are scored as they come. Scorers that may wait (judges, users' functions), or that compare
with another version's answer, get theirs once the answers are in. No model is called but through
`ask`.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..canonical import canonical
from ..failure_classes import FAILURES
from ..key_shapes import HIDDEN
from ..redact import Redactor
from ..run import Run
from ..scorers.case import Case, Scorer
from ..scoring.score_phase import Judgement, ScorePhase
from ..scoring.score_rows import Block, CaseColumns, blocks
from .live_losses import Losses
from .queries.recorded_runs import runs_of, runs_where
from .queries.scorer_rows import scored_runs
from .tally import Tally

if TYPE_CHECKING:
    from ..dataset import Dataset, Example
    from ..scorers.case import Ask
    from ..store import Store
    from ..store.access import Fresh

__all__ = ["Judged", "Place", "StudyScoring", "judged", "unasked"]

Place = tuple[int, int, int]  # arm, example, repeat: indices into the design
Once = dict[
    tuple[str, str], tuple[Case, list[Place]]
]  # (run's id, example's fingerprint) -> the case, and its places in the study

_AT_ONCE = 500  # answers whose scores are in memory at once


class StudyScoring:
    """Scores placed runs of one study. tallies: (arm, scorer) -> Tally; losses: of the last arm by
    the primary; both are safe to read from any thread; asked_models: whether a score rests on a
    model's reply. arms: how many the study has; together: judges are asked by batches; since: as in
    `ScorePhase`.
    """

    def __init__(
        self,
        store: Store,
        dataset: Dataset,
        scorers: Sequence[Scorer],
        *,
        arms: int = 1,
        ask: Ask | None = None,
        together: bool = False,
        since: str = "",
    ) -> None:
        self._store, self._dataset = store, dataset
        self._primary = scorers[0].name if scorers else ""
        self.losses = Losses(arms - 1)
        self._redactor = Redactor()
        self._now = ScorePhase(
            [scorer for scorer in scorers if not scorer.remote and scorer.against is None]
        )
        self._against = [scorer for scorer in scorers if scorer.against is not None]
        self._late = [scorer for scorer in scorers if scorer.remote and scorer.against is None]
        self._ask, self._together, self._since = ask, together, since
        self._waiting: dict[
            str, list[Place]
        ] = {}  # run's id -> its places; the runs are read again then
        self._judging: asyncio.Future[None] | None = None
        self._halted = ""
        self.asked_models = False
        self._lock = threading.Lock()
        self.tallies: dict[tuple[int, str], Tally] = {}
        self.open, self.why = (
            0,
            "",
        )  # judgements that nobody gave, and why: they are not recorded, so that the next run asks
        self._due = self._judged = 0  # pairs of an answer and a scorer: to be judged, and judged

    def take(self, placed: Iterable[tuple[Place, Run]], *, recorded: bool = False) -> None:
        """Score these now, as far as that needs no waiting. recorded: as they are in the store."""
        if self._late or self._against:
            placed = list(placed)
            for place, run in placed:
                self._waiting.setdefault(run.id, []).append(place)
        if self._now.scorers:
            if recorded:
                placed = [each for each in placed if not self._lacks_a_secret(*each)]
            once = self._placed(placed)
            self._due += len(once) * len(self._now.scorers)
            before = self._now.judged
            self._keep(self._now.score_blocks([case for case, _ in once.values()]), once)
            self._judged += self._now.judged - before

    def take_recorded(self, places: Mapping[str, Sequence[Place]], *, fresh: Fresh = True) -> None:
        """Score answers that were recorded before: a run's id -> its places in the study. fresh:
        see `Store.rows`.
        """
        for runs in runs_of(self._store, places, fresh=fresh):
            for start in range(0, len(runs), _AT_ONCE):
                part = runs[start : start + _AT_ONCE]
                self.take(
                    [(place, run) for run in part if run.scorable for place in places[run.id]],
                    recorded=True,
                )

    def _lacks_a_secret(self, place: Place, run: Run) -> bool:
        """Whether an answer was recorded without a secret of its example, which may be all."""
        if HIDDEN not in (run.output or ""):
            return False
        example = canonical(self._dataset.examples[place[1]].document())
        if self._redactor(example) == example:
            return False  # the model itself wrote this
        self.open += 1
        self.why = (
            f"answers that were recorded without a secret of their example ({HIDDEN}) cannot be"
            " scored by a scorer that is new; fresh=True asks again."
        )
        return True

    async def finish(self) -> None:
        """Score what had to wait, portion by portion, each recorded as it comes. After `stop` no
        judge is asked any more: what they did not say is open, and asked for by the next run;
        users' functions see what is in.
        """
        waiting, self._waiting = self._waiting, {}
        try:
            self._judging = asyncio.ensure_future(self._finish(waiting))
            await self._judging
        except asyncio.CancelledError:
            if not self._halted:
                raise
        finally:
            self._judging = None

    @property
    def short(self) -> str:
        """Why judgements are missing, once `finish` is through; "" if each answer has one of
        each scorer.
        """
        if self.open:
            return self.why
        missing = self._due - self._judged
        if not missing:
            return ""
        return (
            self._halted
            or f"{missing:,} of {self._due:,} judgements were neither given nor refused."
        )

    def stop(self, reason: str) -> None:
        """Ask no judge any more, and end what is being asked. From any thread."""
        self._halted = reason
        if (task := self._judging) is not None:
            task.get_loop().call_soon_threadsafe(task.cancel)

    async def _finish(self, waiting: Mapping[str, Sequence[Place]]) -> None:
        answers = sum(
            len({self._dataset[place[1]].fingerprint for place in places})
            for places in waiting.values()
        )
        self._due += answers * (len(self._against) + len(self._late))
        portions = runs_of(self._store, waiting)
        while (runs := await asyncio.to_thread(next, portions, None)) is not None:
            cases = [(place, self._case(place, run)) for run in runs for place in waiting[run.id]]
            if self._against:
                found = self._references(sorted({case.example.fingerprint for _, case in cases}))
                for scorer in self._against:
                    against = str(scorer.against)
                    once = _once(
                        (
                            place,
                            replace(
                                case,
                                reference=found.get((against, case.example.fingerprint, place[2])),
                            ),
                        )
                        for place, case in cases
                    )
                    await self._judge([scorer], once)
            if self._late:
                await self._judge(self._late, _once(cases))

    async def _judge(self, scorers: Sequence[Scorer], once: Once) -> None:
        asked = [scorer for scorer in scorers if not self._halted or scorer.kind != "judge"]
        if len(asked) < len(scorers):
            self.open, self.why = self.open + len(once) * (len(scorers) - len(asked)), self._halted
        phase, cases = (
            ScorePhase(asked, ask=self._ask, together=self._together, since=self._since),
            [case for case, _ in once.values()],
        )
        self._keep(phase.score_blocks(cases), once)
        found: list[Judgement] = []
        left = len(cases) * len(phase.remote)
        try:
            async for judgement in phase.score_async(cases):
                found.append(judgement)
                if len(found) >= _AT_ONCE:
                    left -= len(found)
                    self._keep(blocks(found), once)
                    found = []
        except asyncio.CancelledError:
            self.open, self.why = self.open + max(0, left - len(found)), self._halted
            raise
        finally:
            self._keep(blocks(found), once)
            self._judged += phase.judged

    def _references(self, prints: list[str]) -> dict[tuple[str, str, int], Run]:
        """(version id, example fingerprint, repeat) -> its latest scorable run, of these
        examples.
        """
        versions = sorted({str(scorer.against) for scorer in self._against})
        where = (
            "r.version_id in (select unnest(?)) and r.example_fingerprint in (select unnest(?))"
            " order by r.started_at"
        )
        runs = runs_where(self._store, where, [versions, prints])
        return {
            (run.version_id, run.example_fingerprint or "", run.repeat): run
            for run in runs
            if run.scorable
        }

    def _placed(self, placed: Iterable[tuple[Place, Run]]) -> Once:
        """`_once` of answers at their places."""
        found: Once = {}
        for place, run in placed:
            key = run.id, self._dataset.examples[place[1]].fingerprint
            if key in found:
                found[key][1].append(place)
            else:
                found[key] = self._case(place, run), [place]
        return found

    def _case(self, place: Place, run: Run) -> Case:
        return Case(run.output or "", self._dataset.examples[place[1]], run)

    def _keep(self, found: Iterable[Block], once: Once) -> None:
        known: CaseColumns | None = None
        places: list[list[Place]] = []
        for block in found:
            kept = self._asked(block)
            if not kept.cases:
                continue
            if kept.case_columns is not known:  # mostly the scorers judged the same cases
                known = kept.case_columns
                keys = zip(known.run_ids, known.fingerprints, strict=True)
                places = [once[key][1] for key in keys]
                self.asked_models |= any(known.judged_by)
            with self._lock:
                self._count(kept, places)
            self._store.append_columns("scores", kept.columns())

    def _asked(self, block: Block) -> Block:
        """The block without what nobody gave."""
        reasons = [score.unscored for score in block.scores]
        if not any(reasons) or not any(map(unasked, reasons)):
            return block
        pairs = list(zip(block.cases, block.scores, strict=True))
        kept = [(case, score) for case, score in pairs if not unasked(score.unscored)]
        self.open += len(pairs) - len(kept)
        self.why = next(reason for reason in reasons if reason is not None and unasked(reason))
        cases, scores = [case for case, _ in kept], [score for _, score in kept]
        return Block(block.name, block.scorer, cases, scores, CaseColumns.of(cases))

    def _count(self, block: Block, places: Sequence[Sequence[Place]]) -> None:
        """Tally a block. places: of each of its cases."""
        outcomes = block.outcomes
        # most scorers give few different outcomes
        counted = Counter(
            (place[0], outcome)
            for found, outcome in zip(places, outcomes, strict=True)
            for place in found
        )
        for (arm, outcome), times in counted.items():
            self.tallies.setdefault((arm, block.name), Tally()).add(outcome, times)
        if block.name == self._primary:
            for case, found, outcome in zip(block.cases, places, outcomes, strict=True):
                if outcome is not None:
                    for place in found:
                        self.losses.meet(place[0], place[1:], outcome, case)


class Judged:
    """Which scores the store has of some runs, by some scorers as they are now."""

    def __init__(
        self, scorers: Sequence[Scorer], rows: Iterable[tuple[str, str, str, str]]
    ) -> None:
        self._wanted = [(scorer.name, scorer.version) for scorer in scorers]
        self._have = {
            (run, fingerprint, name, version)
            for run, fingerprint, whole, version in rows
            for name in _names(whole)
        }

    def lacks(self, run: str, example: Example) -> bool:
        """Whether a scorer has not judged the run against the example yet."""
        if not self._have:
            return bool(self._wanted)
        return any((run, example.fingerprint, *pair) not in self._have for pair in self._wanted)


def judged(store: Store, runs: Sequence[str], scorers: Sequence[Scorer]) -> Judged:
    """What is there of these runs."""
    return Judged(scorers, scored_runs(store, runs, [scorer.version for scorer in scorers]))


def _names(scorer: str) -> list[str]:
    """The scorer itself, and for one of several verdicts ("rubric/clarity") the scorer that gave
    it.
    """
    return [scorer, *(scorer[:at] for at, char in enumerate(scorer) if char == "/")]


def _once(cases: Iterable[tuple[Place, Case]]) -> Once:
    """Each case once, with all of its places in the study: equal rows of a dataset share a run."""
    found: Once = {}
    for place, case in cases:
        known = found.setdefault((case.run.id, case.example.fingerprint), (case, []))
        known[1].append(place)
    return found


# what is in the row of a judge that was never answered, for a reason that is not the judge's
# own
_UNASKED = (
    *(
        f"judge_error: {name}"
        for name, kind in FAILURES.items()
        if kind in ("transient", "setup", "stopped")
    ),
    "scorer_error: CallError",
    "scorer_error: SetupError",
)


def unasked(reason: str | None) -> bool:
    """Whether a judgement is missing because nobody could give it: the next pass asks for it."""
    return reason is not None and reason.startswith(_UNASKED)
