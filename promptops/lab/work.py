"""A study being done: what was answered before is linked, what is missing is asked, every answer is scored and recorded.

Runs, their places in the study and their scores are recorded batch by batch, so that a stop or a crash at any point
keeps all that was done; running it again does only the rest.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from ..engine.scoring import ScorePhase
from ..engine.sweep import Limits, Question, Sweep
from ..run import Attempt, Run, utc
from ..scorers.case import Case
from .design import Place, StudyDesign, question

if TYPE_CHECKING:
    from ..scorers.case import Ask
    from ..store import Store

__all__ = ["Tally", "Work", "find_runs", "runs_of"]

_COLUMNS = ", ".join(f"r.{field.name}" for field in fields(Run))
_ANSWERED = "(r.failure is null or r.failure in (select unnest(?)))"


@dataclass(slots=True)
class Tally:
    """What an arm has come to so far on one scorer."""

    scored: int = 0
    total: float = 0.0
    unscored: int = 0

    @property
    def mean(self) -> float | None:
        return self.total / self.scored if self.scored else None


class Work:
    """One pass over a design. `run()` is a coroutine for the lab's own loop; `stop()` may be called from any thread."""

    def __init__(self, plan: StudyDesign, store: Store, *, limits: Limits, provenance: Mapping[str, Any], ask: Ask | None = None) -> None:
        self.plan, self.store = plan, store
        self.reused = 0
        self.tallies: dict[tuple[int, str], Tally] = {}
        self._scorers = ScorePhase(plan.scorers, ask=ask)
        self._remote = any(scorer.remote for scorer in plan.scorers)
        self._waiting: list[tuple[Case, Place]] = []
        self._places: dict[str, list[Place]] = {}
        self._prints = [example.fingerprint for example in plan.dataset]
        self._asked: list[Place] = []
        self._lock = threading.Lock()
        self.sweep = Sweep(self._questions(), record=self._record, on_runs=self._take, limits=limits, provenance=provenance)

    async def run(self) -> None:
        """Link what is known, ask the rest, score everything. Where nothing is left to do, nothing is written."""
        linked = self._linked()
        known = self._known(linked)
        self._asked = [place for place in self.plan.places() if place not in linked and place not in known]
        self.reused = len(linked) + len(known)
        lacking = self._lacking(linked | known)
        if self._asked or known or lacking:
            self._event("started")
            self._link(known, reused=True)
            self._rescore(lacking)
            await self.sweep.run()
            await self._score_waiting()
            stopped = self.sweep.progress.stopped
            self._event("stopped" if stopped else "finished", stopped or "")

    def stop(self, reason: str = "stopped by hand") -> None:
        """Keep what is done, ask nothing more."""
        self.sweep.stop(reason)

    # -- what was there before

    def _linked(self) -> dict[Place, str]:
        """Places of this study that have an answered run already."""
        rows = self.store.rows(
            "select m.version_id, m.example_id, m.repeat, arg_max(r.id, r.started_at) from study_runs m join runs r on r.id = m.run_id "
            f"where m.study_id = ? and {_ANSWERED} group by all",
            [self.plan.id, _outcomes()],
        )
        arms = {arm.id: index for index, arm in enumerate(self.plan.arms)}
        examples = {example.id: index for index, example in enumerate(self.plan.dataset)}
        return {
            (arms[version], examples[example], int(repeat)): run
            for version, example, repeat, run in rows
            if version in arms and example in examples
        }

    def _known(self, linked: Mapping[Place, str]) -> dict[Place, str]:
        """Places whose question was answered before, by any study or call; also fills the table of keys."""
        missing = [place for place in self.plan.places() if place not in linked]
        for place in missing:
            self._places.setdefault(question(self.plan, place).key, []).append(place)
        if self.plan.fresh or not missing:
            return {}
        found = find_runs(self.store, self._places)
        return {place: run for key, run in found.items() for place in self._places[key]}

    def _lacking(self, places: Mapping[Place, str]) -> dict[Place, str]:
        """Answered places that lack a score by one of the scorers."""
        if not places or not self.plan.scorers:
            return {}
        rows = self.store.rows(
            "select distinct s.run_id, s.example_fingerprint, s.scorer, s.scorer_version from scores s where s.run_id in (select unnest(?))",
            [sorted(set(places.values()))],
        )
        have = set(map(tuple, rows))
        wanted = [(scorer.name, scorer.version) for scorer in self.plan.scorers]
        return {place: run for place, run in places.items() if any((run, self._prints[place[1]], *pair) not in have for pair in wanted)}

    def _rescore(self, places: Mapping[Place, str]) -> None:
        """Score recorded runs; no model is called for it."""
        if places:
            runs = runs_of(self.store, set(places.values()))
            self._score([(place, runs[run]) for place, run in places.items() if run in runs])

    # -- what is new

    def _questions(self) -> Iterator[Question]:
        seen: set[str] = set()
        for place in self._asked:
            asked = question(self.plan, place)
            if asked.key not in seen:
                seen.add(asked.key)
                yield asked

    def _record(self, runs: Sequence[Run], attempts: Sequence[Attempt]) -> None:
        self.store.append("attempts", [_row(attempt) for attempt in attempts])
        self.store.append("runs", [_row(run) for run in runs])

    def _take(self, runs: Sequence[Run]) -> None:
        """Answers as they come: their places are recorded where they count, and their scores."""
        placed = [(place, run) for run in runs for place in self._places.get(run.key, ())]
        self._link({place: run.id for place, run in placed}, reused=False)
        self._score([(place, run) for place, run in placed if run.scorable])

    def _link(self, places: Mapping[Place, str], *, reused: bool) -> None:
        if not places:
            return
        arms, data = self.plan.arms, self.plan.dataset
        self.store.append(
            "study_runs",
            [
                {
                    "study_id": self.plan.id,
                    "arm": arms[a].label,
                    "version_id": arms[a].id,
                    "example_id": data[e].id,
                    "example_fingerprint": self._prints[e],
                    "repeat": k,
                    "run_id": run,
                    "reused": reused,
                }
                for (a, e, k), run in places.items()
            ],
        )

    def _score(self, placed: Sequence[tuple[Place, Run]]) -> None:
        cases = [(Case(run.output or "", self.plan.dataset[place[1]], run), place) for place, run in placed]
        if self._remote:
            self._waiting += cases
        self._keep(self._scorers.rows([case for case, _ in cases]), cases)

    async def _score_waiting(self) -> None:
        """Scorers that may wait (judges, the user's functions), once the answers are in."""
        if self._waiting:
            rows = [row async for row in self._scorers.rows_async([case for case, _ in self._waiting])]
            self._keep(rows, self._waiting)
            self._waiting = []

    def _keep(self, rows: Iterable[dict[str, Any]], cases: Sequence[tuple[Case, Place]]) -> None:
        arms = {(case.run.id, place[1]): place[0] for case, place in cases}
        where = {self._prints[place[1]]: place[1] for _, place in cases}
        kept = list(rows)
        with self._lock:
            for row in kept:
                arm = arms[(row["run_id"], where[row["example_fingerprint"]])]
                tally = self.tallies.setdefault((arm, row["scorer"]), Tally())
                if row["value"] is None:
                    tally.unscored += 1
                else:
                    tally.scored += 1
                    tally.total += row["value"] if row["passed"] is None else float(row["passed"])
        self.store.append("scores", kept)

    def _event(self, event: str, detail: str = "") -> None:
        self.store.append("study_events", [{"study_id": self.plan.id, "at": utc(), "event": event, "detail": detail}])


def _row(value: Run | Attempt) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in fields(value)}


def find_runs(store: Store, keys: Iterable[str]) -> dict[str, str]:
    """key -> id of the latest run that answered it (or failed by the model's own doing)."""
    wanted = list(keys)
    if not wanted:
        return {}
    rows = store.rows(
        f"select r.key, arg_max(r.id, r.started_at) from runs r where r.key in (select unnest(?)) and {_ANSWERED} group by r.key",
        [wanted, _outcomes()],
    )
    return {key: run for key, run in rows}


def runs_of(store: Store, ids: Iterable[str]) -> dict[str, Run]:
    """Runs by id."""
    rows = store.rows(f"select {_COLUMNS} from runs r where r.id in (select unnest(?))", [list(ids)])
    return {row[0]: Run(*(_plain(value) for value in row)) for row in rows}


def _plain(value: Any) -> Any:
    return value.isoformat(timespec="microseconds") if hasattr(value, "isoformat") else value


def _outcomes() -> list[str]:
    from ..run import FAILURES

    return [name for name, kind in FAILURES.items() if kind == "outcome"]
