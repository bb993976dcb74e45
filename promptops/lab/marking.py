"""Scoring as it is recorded: answers in, rows of the table `scores` out, and a running tally for whoever watches.

Answers are scored as they come. Scorers that may wait (judges, users' functions), or that compare with another version's
answer, get theirs once the answers are in. No model is called but through `ask`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..engine.scoring import ScorePhase
from ..run import FAILURES, Run
from ..scorers.case import Case, Scorer
from .keeping import runs_where
from .losses import Losses

if TYPE_CHECKING:
    from ..dataset import Dataset
    from ..scorers.case import Ask
    from ..store import Store

__all__ = ["Marking", "Place", "Tally"]

Place = tuple[int, int, int]  # arm, example, repeat: indices into the design


@dataclass(slots=True)
class Tally:
    """What an arm has come to so far on one scorer. squares: the sum of squared outcomes, for an interval while it runs."""

    scored: int = 0
    total: float = 0.0
    squares: float = 0.0
    unscored: int = 0

    @property
    def mean(self) -> float | None:
        return self.total / self.scored if self.scored else None


class Marking:
    """Scores placed runs of one study. tallies: (arm, scorer) -> Tally; losses: of the last arm by the primary; both are safe
    to read from any thread. arms: how many the study has.
    """

    def __init__(self, store: Store, dataset: Dataset, scorers: Sequence[Scorer], *, arms: int = 1, ask: Ask | None = None) -> None:
        self._store, self._dataset = store, dataset
        self._primary = scorers[0].name if scorers else ""
        self.losses = Losses(arms - 1)
        self._now = ScorePhase([scorer for scorer in scorers if not scorer.remote and scorer.against is None])
        self._against = [scorer for scorer in scorers if scorer.against is not None]
        self._late = ScorePhase([scorer for scorer in scorers if scorer.remote and scorer.against is None], ask=ask)
        self._ask = ask
        self._waiting: list[tuple[Place, Case]] = []
        self._lock = threading.Lock()
        self.tallies: dict[tuple[int, str], Tally] = {}
        self.open, self.why = 0, ""  # judgements that nobody gave, and why: they are not recorded, so that the next run asks

    def take(self, placed: Iterable[tuple[Place, Run]]) -> None:
        """Score these now, as far as that needs no waiting."""
        cases = [(place, Case(run.output or "", self._dataset[place[1]], run)) for place, run in placed]
        if self._late.scorers or self._against:
            self._waiting += cases
        if self._now.scorers:
            self._keep(self._now.rows(case for _, case in cases), cases)

    async def finish(self) -> None:
        """Score what had to wait."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        if self._against:
            found = self._references({str(scorer.against) for scorer in self._against})
            for scorer in self._against:
                cases = [
                    (place, replace(case, reference=found.get((str(scorer.against), case.example.fingerprint, place[2]))))
                    for place, case in waiting
                ]
                phase = ScorePhase([scorer], ask=self._ask)
                self._keep(phase.rows(case for _, case in cases), cases)
                self._keep([row async for row in phase.rows_async(case for _, case in cases)], cases)
        if self._late.remote:
            rows = [row async for row in self._late.rows_async(case for _, case in waiting)]
            self._keep(rows, waiting)

    def _references(self, versions: set[str]) -> dict[tuple[str, str, int], Run]:
        """(version id, example fingerprint, repeat) -> its latest scorable run."""
        runs = runs_where(self._store, "r.version_id in (select unnest(?)) order by r.started_at", [sorted(versions)])
        return {(run.version_id, run.example_fingerprint or "", run.repeat): run for run in runs if run.scorable}

    def _keep(self, rows: Iterable[Mapping[str, Any]], cases: Sequence[tuple[Place, Case]]) -> None:
        where: dict[tuple[str, str], list[tuple[Place, Case]]] = {}
        for place, case in cases:
            where.setdefault((case.run.id, case.example.fingerprint), []).append((place, case))
        found = list(rows)
        kept = [row for row in found if not _unasked(row)]
        if len(kept) < len(found):
            self.open += len(found) - len(kept)
            self.why = next(row["unscored"] for row in found if _unasked(row))
        if not kept:
            return
        with self._lock:
            for row in kept:
                for place, case in where[row["run_id"], row["example_fingerprint"]]:
                    _count(self.tallies.setdefault((place[0], row["scorer"]), Tally()), row)
                    if row["scorer"] == self._primary and row["value"] is not None:
                        self.losses.meet(place[0], place[1:], _outcome(row), case)
        self._store.append("scores", kept)


# what stands in the row of a judge that was never answered, for a reason that is not the judge's own
_UNASKED = (
    *(f"judge_error: {name}" for name, kind in FAILURES.items() if kind in ("transient", "setup", "stopped")),
    "scorer_error: CallError",
)


def _unasked(row: Mapping[str, Any]) -> bool:
    return row["unscored"] is not None and row["unscored"].startswith(_UNASKED)


def _count(tally: Tally, row: Mapping[str, Any]) -> None:
    if row["value"] is None:
        tally.unscored += 1
        return
    outcome = _outcome(row)
    tally.scored += 1
    tally.total += outcome
    tally.squares += outcome * outcome


def _outcome(row: Mapping[str, Any]) -> float:
    """Passed as 0 or 1 where there is a threshold, else the value."""
    return float(row["value"] if row["passed"] is None else row["passed"])
