"""One question at a time: a saved version that is called, or a judge that asks its model. Recorded and reused like a study's."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..engine.calling import Limits
from ..engine.sweep import Sweep
from ..errors import CallError
from ..run import Attempt, Run
from ..version import PromptVersion
from .answer import Answer
from .design import ArmDesign, ask
from .home import provenance
from .keeping import find_runs, keep_version, row_of, runs_where

if TYPE_CHECKING:
    from .lab import Lab

__all__ = ["Desk"]


class Desk:
    """Asks on behalf of one lab. Equal questions that are asked at the same time are asked once."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._open: dict[str, asyncio.Task[Run]] = {}
        self._gate: asyncio.Semaphore | None = None

    def call(self, version: PromptVersion, values: Mapping[str, Any], *, prompt: str, label: str, fresh: bool) -> Answer:
        """Ask now, and wait for the answer. Raises RenderError, SetupError, or CallError where nothing came back."""
        arm = ArmDesign(label, version, self._lab._model(version.model), prompt)
        asked = ask(arm, None, values, 0)
        arm.model.check(asked.call.request)
        if not fresh:
            known = find_runs(self._lab.store, [asked.key])
            if known:
                return Answer(runs_where(self._lab.store, "r.id = ?", [known[asked.key]])[0], label=label, reused=True)
        keep_version(self._lab.store, version, prompt=prompt, label=label)
        done = self._lab._loop.submit(self._ask(asked))
        try:
            run = done.result()
        except KeyboardInterrupt:
            done.cancel()
            raise
        if not run.scorable:
            raise CallError(run.failure_detail or f"{label} got no answer.", failure=run.failure or "internal")
        return Answer(run, label=label)

    async def ask(self, version: PromptVersion, values: Mapping[str, Any], repeat: int) -> Run:
        """A judge's question, on the lab's own loop: recorded, reused, never asked twice at once."""
        arm = ArmDesign("judge", version, self._lab._model(version.model), "")
        asked = ask(arm, None, values, repeat, source="judge")
        known = find_runs(self._lab.store, [asked.key])
        if known:
            return runs_where(self._lab.store, "r.id = ?", [known[asked.key]])[0]
        if asked.key not in self._open:
            task = asyncio.create_task(self._ask(asked))
            self._open[asked.key] = task
            task.add_done_callback(lambda _: self._open.pop(asked.key, None))
        return await self._open[asked.key]

    async def _ask(self, asked: Any) -> Run:
        found: list[Run] = []
        sweep = Sweep(
            [asked],
            record=self._record,
            on_runs=found.extend,
            limits=Limits(prices=self._lab._prices),
            provenance=provenance(self._lab._root),
        )
        await sweep.run()
        if not found:
            raise CallError(sweep.progress.stopped or "the call was stopped before an answer came.", failure="cancelled")
        return found[0]

    def _record(self, runs: Sequence[Run], attempts: Sequence[Attempt]) -> None:
        self._lab.store.append("attempts", [row_of(attempt) for attempt in attempts])
        self._lab.store.append("runs", [row_of(run) for run in runs])
