"""A study's stay at one worker: it asks what it is sent, appends every answer to a segment before
anybody hears of it, and never opens a database.

Models and keys are the worker's own, by name. What it lacks is reported before anything is asked.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distributed import WorkerPlugin, get_worker

from .. import __version__
from ..engine.breaker import Breaker
from ..engine.loop import Background
from ..engine.question import Limits
from ..engine.sweep import Sweep
from ..errors import PromptOpsError, SetupError
from ..run import Attempt, Run
from ..scorers.case import Case
from ..scoring.score_phase import ScorePhase
from ..scoring.score_rows import blocks
from ..store import Store
from ..study.records import keep_runs
from ..study.resolve_model import ModelResolver
from .errands import AskedModel, BatchResult, Errand, ScorerText, Session

if TYPE_CHECKING:
    from distributed import Worker

__all__ = ["WorkerSession", "answer", "examine", "score", "stop"]


class WorkerSession(WorkerPlugin):  # type: ignore[misc]  # dask's, which has no types
    """Registered at every worker for as long as a study asks there; it travels as its `session`
    alone.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.name = session.topic

    def __reduce__(self) -> tuple[object, ...]:
        return WorkerSession, (self.session,)

    def setup(self, worker: Worker) -> None:
        """The worker's models, segment and loop; nothing is opened before the first answer."""
        self._worker = worker
        self._store = Store(folder_of(self.session))
        self._models = ModelResolver(None, self._store.keep_secret, self.session.models)
        self._loop = Background("promptops-worker")
        self._breakers: dict[str, Breaker] = {}
        self._sweeps: set[Sweep] = set()
        self._stopped = ""
        self._lock = threading.Lock()

    def teardown(self, worker: Worker) -> None:
        """The segment ends, and what was written is synced."""
        self._loop.close()
        self._store.close()

    def answer(self, errands: Sequence[Errand], limits: Limits) -> BatchResult:
        """Ask a batch. Raises SetupError if a model cannot be asked from here."""
        count = [0]

        def record(runs: Sequence[Run], attempts: Sequence[Attempt]) -> None:
            keep_runs(self._store, runs, attempts)
            count[0] += len(runs)
            rows = {"runs": [asdict(r) for r in runs], "attempts": [asdict(a) for a in attempts]}
            self._worker.log_event(self.session.topic, rows)

        models = {errand.model: self._model(errand.model) for errand in errands}
        sweep = Sweep(
            (errand.question(models[errand.model]) for errand in errands),
            record=record,
            limits=limits,
            provenance=self.session.provenance,
            breakers=self._breakers,
        )
        with self._lock:
            if self._stopped:
                return BatchResult(0, self._stopped)
            self._sweeps.add(sweep)
        try:
            self._loop.finish(sweep.run())
        finally:
            with self._lock:
                self._sweeps.discard(sweep)
        opened = next((one.open for one in self._breakers.values() if one.open), None)
        return BatchResult(count[0], opened or sweep.progress.stopped or "", opened is not None)

    def stop(self, reason: str) -> None:
        """Ask nothing more."""
        with self._lock:
            self._stopped = self._stopped or reason
            for sweep in self._sweeps:
                sweep.stop(reason)

    def _model(self, asked: AskedModel) -> Any:
        model = self._models.of(asked.name, asked.api)
        if model.label != asked.label:
            raise SetupError(
                f"{asked.name!r} is answered by {model.label} on {where()}, and by {asked.label}"
                " where the study was started; give both the same address, as in promptops.toml."
            )
        return model


def folder_of(session: Session) -> Path:
    """Where this worker's segments go: into the store that asks, where this host sees it, else into
    the one of the worker's own folder.
    """
    asking = Path(session.folder)
    return asking if (asking / session.proof).exists() else Path.cwd() / ".promptops"


def where() -> str:
    """This worker, for people."""
    return f"worker {get_worker().address} on {socket.gethostname()}"


def answer(session: Session, errands: Sequence[Errand], limits: Limits) -> BatchResult:
    """The task of a batch."""
    found: BatchResult = get_worker().plugins[session.topic].answer(errands, limits)
    return found


def stop(session: Session, reason: str, dask_worker: Any = None) -> None:
    """Run at a worker: its session ends early."""
    plugin = dask_worker.plugins.get(session.topic)
    if plugin is not None:
        plugin.stop(reason)


def examine(
    session: Session, models: Sequence[AskedModel], scorers: Sequence[ScorerText], release: str
) -> list[str]:
    """Run at a worker: one sentence for each thing that it would need and has not. release: of the
    process that asks.
    """
    if release != __version__:
        return [f"it has promptops-toolkit {__version__}, and this process has {release}"]
    text = []
    resolver = ModelResolver(None, declared=session.models)
    for asked in models:
        try:
            model = resolver.of(asked.name, asked.api)
            model.check(dict(asked.request))
            if model.label != asked.label:
                text.append(
                    f"{asked.name!r} is answered by {model.label} there, and by {asked.label} here"
                )
        except PromptOpsError as error:
            text.append(str(error).rstrip("."))
    for each in scorers:
        try:
            each.scorer()
        except PromptOpsError as error:
            text.append(str(error).rstrip("."))
    return text


def score(scorers: Sequence[ScorerText], cases: Sequence[Case]) -> list[dict[str, object]]:
    """The task of a batch of judgements: columns of the table `scores`."""
    import asyncio

    phase = ScorePhase([each.scorer() for each in scorers])

    async def remote() -> list[Any]:
        return [found async for found in phase.score_async(cases)]

    judged = [*phase.score(cases), *(asyncio.run(remote()) if phase.remote else [])]
    return [block.columns() for block in blocks(judged)]
