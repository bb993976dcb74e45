"""`study.progress`: how far a study is while this process runs it, and the way to stop it."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from ..signatures import explained
from ..store.recorder import outside
from ..study import over_time
from . import show
from .comparison import Comparison

if TYPE_CHECKING:
    from ..engine.progress import Progress
    from ..study.live_losses import Losses
    from ..study.recorded_study import RecordedStudy
    from ..study.score_study import Tally

__all__ = ["StudyProgress"]


class StudyProgress:
    """How far one study is. What only a run in this process can know is None for a study that was
    opened from the store.
    """

    def __init__(self, recorded: RecordedStudy) -> None:
        self.recorded = recorded

    @property
    def calls(self) -> Progress | None:
        """Calls done, planned and failed, with rate, cost and tokens."""
        running = self.recorded.running
        return running.progress if running is not None else None

    @property
    def reused(self) -> int:
        """Answers that were recorded before and cost nothing now."""
        return self.recorded.running.reused if self.recorded.running is not None else 0

    @property
    def losses(self) -> Losses | None:
        """What the last arm has lost against the first so far."""
        return self.recorded.running.losses if self.recorded.running is not None else None

    def tally(self, arm: int, scorer: str | None = None) -> Tally | None:
        """What an arm has come to so far.

        Args:
            arm: its place in the study, from 0.
            scorer: None: the primary.
        """
        running = self.recorded.running
        name = scorer or self.recorded.record.primary
        return running.tally(arm, name) if running is not None else None

    def done_of(self, arm: int) -> int:
        """Answered cells of an arm (by its place) so far, reused ones included."""
        running, record = self.recorded.running, self.recorded.record
        return running.done_of(arm, record.arms[arm].version) if running is not None else 0

    @explained
    def peek(self, *, candidate: object = None, baseline: object = None) -> Comparison:
        """`study.compare` on what is in so far, without waiting: only the e-values may decide, so
        that looking early does not inflate the false-alarm rate.

        Args:
            candidate, baseline: versions or labels, chosen as in `study.compare`.
        """
        found = over_time.peek(self.recorded, candidate, baseline)
        return Comparison.shown(found, self.recorded.project)

    def stop(self, reason: str = "stopped by hand") -> None:
        """Stop asking within a second; everything done is kept, and the same cell finishes it."""
        if self.recorded.running is not None:
            self.recorded.running.stop(reason)

    def follow(self) -> None:
        """Wait in a script, with a line of progress; warns of what is missing.

        Raises:
            StudyError, SetupError: what stopped the study from running at all.
        """
        running = self.recorded.running
        if running is None:
            return
        try:
            show.follow(self)
        except KeyboardInterrupt:
            raise running.interrupted() from None
        self.recorded.wait()
        for sentence in (*running.notes(), *running.shortfalls()):
            warnings.warn(sentence, stacklevel=outside())

    def __repr__(self) -> str:
        return f"<progress of {self.recorded.name}: {show.progress(self)}>"

    def _repr_html_(self) -> str:
        return show.html(self)
