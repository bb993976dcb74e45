"""A study while this process runs it: how far it is, waiting for it, and stopping it.

A stop keeps all that was done, and the same cell finishes the rest.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from concurrent.futures import CancelledError, Future
from typing import TYPE_CHECKING

from ..analysis import words
from ..errors import SetupError, StudyError
from ..garbage import collecting_rarely
from ..models.protocol import HasNotes
from ..models.target import TargetModel
from .other_model import other_models
from .unscripted import Scripts

if TYPE_CHECKING:
    from ..dataset import Dataset
    from ..engine.loop import Background
    from ..engine.progress import HandedIn, Progress
    from .live_losses import Losses
    from .study_record import StudyRecord
    from .study_run import StudyRun
    from .tally import Tally

__all__ = ["RunningStudy"]

_BEGUN_S = 2.0  # how long an interrupt waits for work that the loop has not yet taken up
_GOODBYE_S = 30.0  # how long an interrupt waits until what is in flight is recorded


class RunningStudy:
    """One pass over a study on the project's loop. Its parts may be read from any thread.

    record: of the study, so that it is known here also when the store is gone meanwhile; first:
    whether no pass came before.
    """

    def __init__(self, record: StudyRecord, work: StudyRun, *, first: bool = False) -> None:
        self.record = record
        self._first = first
        self._scripts = Scripts(work)
        self._work = work
        self._future: Future[None] | None = None
        self._begun = threading.Event()

    def begin(self, loop: Background) -> None:
        """Start the work.

        It is a step of its own, so that an interrupt that falls into it finds the study registered.
        """
        self._future = loop.submit(self._run(), begun=self._hold)

    async def _run(self) -> None:
        try:
            with collecting_rarely():
                await self._work.run()
        finally:
            await asyncio.to_thread(self._work.store.share)

    def _hold(self, future: Future[None]) -> None:
        """Keep the future on the loop's thread, where no interrupt falls."""
        self._future = future
        self._begun.set()

    @property
    def name(self) -> str:
        return self.record.name

    @property
    def dataset(self) -> Dataset:
        """The examples as they were read for this pass."""
        return self._work.design.dataset

    @property
    def status(self) -> str:
        """running, finished, handed_in (batches are to be collected), stopped or failed."""
        if self._future is None or not self._future.done():
            return "running"
        cancelled = self._future.cancelled()
        if cancelled or self._future.exception() is not None or self.unscripted:
            return "failed"
        if not self._work.stopped:
            return "finished"
        return "handed_in" if self.handed_in is not None else "stopped"

    @property
    def handed_in(self) -> HandedIn | None:
        """What waits in batches once the pass has ended; None if nothing does, or somebody has
        to see to it first.
        """
        return self._work.handed_in

    @property
    def progress(self) -> Progress:
        """How far the calls are."""
        return self._work.progress

    @property
    def reused(self) -> int:
        """Runs that were there before and cost nothing now."""
        return self._work.reused

    @property
    def reused_targets(self) -> str:
        """A sentence where answers of the user's own function are those of an earlier run; "" if
        none are.
        """
        arms = self._work.design.arms
        names = {arm.model.label for arm in arms if isinstance(arm.model, TargetModel)}
        if not names or not self.reused:
            return ""
        return (
            f"{words.count(self.reused, 'answer')} of {', '.join(sorted(names))} "
            f"{'is' if self.reused == 1 else 'are'} taken from earlier runs: its code, defaults, "
            "captured values, and the modules, variables and files that it names are unchanged "
            "(a service behind it is not seen); fresh=True asks again."
        )

    @property
    def unscripted(self) -> str:
        """What a ScriptedModel was asked that nobody scripted, one sentence; "" if nothing
        was.
        """
        return self._scripts.fault(self.name)

    @property
    def losses(self) -> Losses:
        """What the last arm has lost against the first so far."""
        return self._work.marking.losses

    def shortfalls(self) -> list[str]:
        """What is missing once it is done: one sentence each, with the next step."""
        marking = self._work.marking
        if self.status == "handed_in":
            return []
        stopped = self._work.unasked if marking.open else self._work.stopped
        out = []
        if stopped:
            out.append(
                f"{self.name} stopped: {stopped.rstrip('.')}. Run the cell again to finish it;"
                " what is done is kept."
            )
        if marking.open:
            out.append(
                f"{marking.open:,} judgements of {self.name} are open, nobody gave them "
                f"({marking.why}); run the cell again to ask for them."
            )
        return out

    def notes(self) -> list[str]:
        """What a reader should know about how the answers came about, one sentence each."""
        models = {arm.model.label: arm.model for arm in self._work.design.arms}
        text = [
            note for model in models.values() if isinstance(model, HasNotes) for note in model.notes
        ]
        if self._first and self._work.answered_alike:
            return text
        record = self.record
        return [*text, *other_models(self._work.store, record.sources(), record.scorers)]

    def tally(self, arm: int, scorer: str) -> Tally | None:
        """What an arm (by its place) has come to so far on a scorer."""
        return self._work.marking.tallies.get((arm, scorer))

    def done_of(self, arm: int, version: str) -> int:
        """Answered cells of an arm so far, reused ones included."""
        found = self.progress.arms.get(version)
        return (found.done if found is not None else 0) + self._work.reused_of(arm)

    def stop(self, reason: str) -> None:
        """Stop asking within a second; everything done is kept."""
        self._work.stop(reason)

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait until it is done.

        Raises:
            StudyError: it was cancelled.
            SetupError: a ScriptedModel was asked what nobody scripted.
            TimeoutError: it is not done after `timeout_s` seconds.
            KeyboardInterrupt: as it came, after what is done has been recorded.
        """
        try:
            if self._future is not None:
                self._future.result(timeout_s)
        except (CancelledError, asyncio.CancelledError):
            raise StudyError(
                f"{self.name} was cancelled; run the cell again to finish it."
            ) from None
        except KeyboardInterrupt:
            raise self.interrupted() from None
        if self.unscripted:
            raise SetupError(self.unscripted)

    def interrupted(self) -> KeyboardInterrupt:
        """Stop asking, wait until what is done is recorded, and say in the interrupt what is
        kept.
        """
        self.stop("interrupted")
        self._begun.wait(_BEGUN_S)
        if self._future is not None:
            with contextlib.suppress(TimeoutError, CancelledError):
                self._future.exception(timeout=_GOODBYE_S)
        progress = self.progress
        total = f" of {progress.total:,}" if progress.total is not None else ""
        return KeyboardInterrupt(
            f"{progress.done - progress.failures:,}{total} calls of {self.name} are answered and "
            "kept; run the same again to go on."
        )
