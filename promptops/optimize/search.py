"""A search: begun on the project's loop, watched and stopped from any thread, the same when it is
run again.

Its id names all that decides it: seed version, method, scorers, train, val, goal, budget and the
seed of its random numbers. The same search again replays what is recorded, and pays for the rest.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any, Literal

from ..canonical import tagged
from ..dataset import Dataset
from ..engine.loop import refuse_at_exit
from ..engine.question import Limits
from ..errors import PromptOpsError, StudyError
from ..scorers.case import Scorer
from ..study.ask import Asker
from ..study.ask_cells import CellAsker
from ..study.asking_claims import AskingClaims, Patience
from ..study.design import as_dataset, as_version
from ..study.plan import Plan, PlanTerms, freeze
from ..study.preflight import checked_scorers
from ..study.searched_rows import keep_searched
from ..version import PromptVersion
from .headroom import Headroom, look
from .lineage import Candidate, Event, Lineage
from .methods import method_of
from .selection import Selection, front_of, winner_of
from .spending import Allowance, Spending
from .task import NothingNew, Optimizer, Task
from .unseen import checked_train, visible
from .veto import Vetoes, golden_columns

if TYPE_CHECKING:
    from ..study.project import Project

__all__ = ["Goal", "Search", "SearchDesign", "begin", "designed"]

_GRACE_S = 0.5  # for a method whose seconds are over

Goal = Literal["better", "cheaper"]


@dataclass(frozen=True, slots=True)
class SearchDesign:
    """What is searched. seed: the version to be beaten, `given` as it was passed in; data: the
    whole dataset, of which the search sees train and val; rng: the seed of the random numbers.
    """

    given: Any
    seed: PromptVersion
    prompt: str
    data: Dataset
    scorers: tuple[Scorer, ...]
    method: Optimizer
    allowance: Allowance
    goal: Goal = "better"
    rng: int = 0
    concurrency: int | None = None
    context_tokens: int | None = None

    @property
    def splits(self) -> tuple[Dataset, Dataset]:
        """train and val: they hold no test row, and no copy of one."""
        return visible(self.data, self.seed)

    def document(self) -> dict[str, Any]:
        """What decides the search, JSON-ready."""
        train, val = self.splits
        return {
            "method": self.method.name,
            "options": dict(self.method.document()),
            "scorers": [[scorer.name, scorer.version] for scorer in self.scorers],
            "splits": {"train": train.fingerprint, "val": val.fingerprint},
            "goal": self.goal,
            "rng_seed": self.rng,
            "budget": self.allowance.document(),
            **({"context_tokens": self.context_tokens} if self.context_tokens else {}),
        }


def designed(
    project: Project,
    version: Any,
    dataset: object,
    scorers: Sequence[Any],
    *,
    method: str | Optimizer,
    allowance: Allowance,
    **chosen: Any,
) -> SearchDesign:
    """The checked design of a search. chosen: goal, rng, concurrency, context_tokens.

    Raises StudyError, ScorerError or SetupError for whatever makes it pointless to begin.
    """
    content, prompt, _, _ = as_version(version)
    checked = tuple(checked_scorers(scorers))
    if not checked:
        raise StudyError("a search needs a primary scorer; pass scorers=[equals()].")
    data = as_dataset(dataset, project.store, project.root)
    for name in ("train", "val", "test"):
        if not len(data.split(name)):
            raise StudyError(
                f"the split {name!r} of {data.name!r} is empty; a search needs train, val and test:"
                " pass the whole dataset, with 40 rows or more."
            )
    if chosen.get("goal", "better") not in ("better", "cheaper"):
        raise StudyError(f'goal is {chosen["goal"]!r}; choose "better" or "cheaper".')
    found = method_of(method)
    design = SearchDesign(version, content, prompt, data, checked, found, allowance, **chosen)
    try:
        json.dumps(design.document())
    except Exception as error:
        raise StudyError(
            f"document() of the method {found.name!r} is not JSON ({type(error).__name__}:"
            f" {error}); return a mapping of what decides how it searches, as in dict(k=6)."
        ) from error
    project.model(content.model)
    train = checked_train(data, content)
    CellAsker(project, checked).check(train)
    reason = Vetoes(content, train, golden_columns(checked)).against(content)
    if reason:
        raise StudyError(f"the seed cannot be improved by this search: {reason}")
    return design


@dataclass(eq=False)
class Search:
    """One search of this process. id: `o1-`...; plan: of its confirmation, frozen before it began;
    headroom: what there was to win, None until that is known; error: what broke it, None without.
    """

    project: Project
    design: SearchDesign
    id: str
    plan: Plan
    lineage: Lineage
    spending: Spending
    asker: CellAsker
    proposer: Asker
    task: Task
    headroom: Headroom | None = None
    choice: Selection | None = None
    stopping: str = ""
    work: Future[None] | None = None
    _running: asyncio.Task[None] | None = field(default=None, repr=False)

    @property
    def status(self) -> str:
        """running, finished, stopped or failed."""
        if self.work is None or not self.work.done():
            return "running"
        if self.work.cancelled() or self.work.exception() is not None:
            return "failed"
        return "stopped" if self.stopping else "finished"

    @property
    def seed_value(self) -> PromptVersion:
        """The content of the seed."""
        return self.design.seed

    @property
    def best(self) -> Candidate:
        """The best so far on val: the seed where nothing is better."""
        found = self.choice or winner_of(self.lineage, self.task, self.design.goal)
        return found.winner

    @property
    def front(self) -> list[Candidate]:
        """Those that nothing beats in both quality and tokens, best quality first."""
        return front_of(self.lineage, self.task)

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait until it is done. Raises what broke it, and TimeoutError."""
        if self.work is None:
            return
        try:
            self.work.result(timeout_s)
        except KeyboardInterrupt:
            self.stop("interrupted")
            with contextlib.suppress(Exception):
                self.work.exception(timeout=30.0)
            raise

    def stop(self, reason: str = "stopped by hand") -> None:
        """Ask nothing more, from any thread, also in the middle of a proposal; what is done is
        kept.
        """
        if self.status != "running":
            return
        self.stopping = self.stopping or reason
        self.task.halted = self.task.halted or reason
        self.asker.stop(reason)
        self.proposer.stop(reason)
        running = self._running
        if running is not None:
            running.get_loop().call_soon_threadsafe(running.cancel)

    async def run(self) -> None:
        """Look at the headroom, search, choose. The same search in another process is waited for:
        what it asked is replayed.
        """
        name = f"search {self.id}"
        with AskingClaims(self.project.store.folder) as claims:
            async with claims.beating(self.stop):
                if await asyncio.to_thread(claims.take, [name]):
                    wait = Patience(f"the search {self.id[:9]}", math.inf)
                    while (who := claims.waits_for()) and claims.theirs(name):
                        if not await wait.more(1, who, lambda: bool(self.stopping)):
                            break
                await self._run()

    async def _run(self) -> None:
        self._running = asyncio.ensure_future(self._searched())
        seconds, watch = self.spending.seconds_left, None
        if seconds is not None:
            watch = self._running.get_loop().call_later(seconds, self._time_over)
        try:
            await self._running
        except asyncio.CancelledError:
            if not self.stopping and not self.spending.exhausted:
                raise
        finally:
            self._running = None
            if watch is not None:
                watch.cancel()
        self.choice = winner_of(self.lineage, self.task, self.design.goal)
        winner = self.choice.winner
        detail = self.choice.why or self.stopping or self.spending.exhausted
        self.lineage.note(Event(winner.id, "best", winner.n, winner.score, detail))

    async def _searched(self) -> None:
        design, method = self.design, self.design.method
        self.headroom = await look(self.task, design.scorers[0], len(design.data.test))
        if self.headroom is not None:
            self.task.note(design.seed, "kept")
        try:
            await method.run(self.task, Random(f"{design.rng}:{method.name}"))
        except NothingNew:
            return
        except PromptOpsError:
            raise
        except Exception as error:
            raise StudyError(
                f"the method {method.name!r} broke: {type(error).__name__}: {error}; what was asked"
                " is recorded, so fix the method, and the same search goes on from there."
            ) from error

    def _time_over(self) -> None:
        """The seconds are over: ask nothing more, and wait a moment for the method to see that."""
        reason = self.spending.look()
        self.asker.stop(reason)
        self.proposer.stop(reason)
        running = self._running
        if running is not None:
            running.get_loop().call_later(_GRACE_S, running.cancel)


def begin(project: Project, design: SearchDesign) -> Search:
    """Record the search, freeze the plan of its confirmation, and begin."""
    document = design.document()
    id_ = tagged("o1", {"seed": design.seed.id, "prompt": design.prompt, **document})
    running = project.searches.get(id_)
    if isinstance(running, Search) and running.status == "running":
        return running
    plan = freeze(project, design.prompt, design.data, design.scorers, PlanTerms(split="test"))
    lineage = Lineage(project.store, id_, design.prompt, design.method.name)
    row = {
        "prompt": design.prompt,
        "seed_version": design.seed.id,
        "method": design.method.name,
        "design": json.dumps(document, ensure_ascii=False),
        "plan_id": plan.id,
        "author": project.author,
    }
    keep_searched(project.store, design.splits)
    lineage.begin(row)
    lineage.add(design.seed)
    refuse_at_exit()
    # its ledger is apart
    limits = Limits(design.concurrency, prices=project.prices, calls=project.calls)
    spending, (train, val) = Spending(design.allowance, prices=project.prices), design.splits
    counts = spending.metered or spending.left is not None
    judged = partial(spending.pay, role="judge") if counts else None
    asker = CellAsker(
        project, design.scorers, prompt=design.prompt, limits=limits, on_judged=judged
    )
    proposer = Asker(project, limits, where=project.provenance(), role="propose")
    golden = golden_columns(design.scorers)
    vetoes = Vetoes(design.seed, train, golden, design.context_tokens)
    task = Task(
        design.seed, (train, val), (asker, proposer), spending, lineage, vetoes, design.scorers
    )
    search = Search(project, design, id_, plan, lineage, spending, asker, proposer, task)
    project.searches[id_] = search
    search.work = project.loop.submit(search.run())
    return search


def saved(search: Search, note: str) -> int:
    """Number the best candidate under its prompt; returns the number.

    Raises StudyError if the search found nothing better than its seed, or has no prompt.
    """
    best, prompt = search.best, search.design.prompt
    if best.number == 0:
        raise StudyError(
            "the search found nothing better than its seed on val, so there is nothing to"
            " save; another method, or more budget, may."
        )
    if not prompt:
        raise StudyError(
            "the seed is a scratch version without a prompt; save the best yourself, as in"
            ' lab.prompt("name").save(search.best).'
        )
    from ..study.records import keep_version

    project = search.project
    number = project.registry.save(prompt, best.version, note=note, author=project.author)
    keep_version(
        project.store,
        best.version,
        prompt=prompt,
        label=f"v{number}",
        note=note,
        parents=best.parents,
        made_by=f"{search.design.method.name} {search.id}",
    )
    return number


def failure_of(search: Search) -> PromptOpsError | None:
    """What broke it, None if nothing did."""
    if search.work is None or not search.work.done() or search.work.cancelled():
        return None
    error = search.work.exception()
    return error if isinstance(error, PromptOpsError) else None
