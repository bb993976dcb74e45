"""`study.progress`: how far a study is while this process runs it, and the way to stop it."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from ..markup import plain_repr, shorten
from ..signatures import explained
from ..store.recorder import outside
from . import show

if TYPE_CHECKING:
    from ..engine.progress import Progress
    from ..study.live_losses import Losses
    from ..study.recorded_study import RecordedStudy
    from ..study.tally import Tally
    from .comparison import Comparison

__all__ = ["StudyProgress"]


class StudyProgress:
    """The progress of one study. Values that only a run in this process can know are None for a
    study opened from the store.
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
        """The number of recorded answers that were reused, at no cost."""
        return self.recorded.running.reused if self.recorded.running is not None else 0

    @property
    def losses(self) -> Losses | None:
        """The losses of the last arm against the first so far."""
        return self.recorded.running.losses if self.recorded.running is not None else None

    def tally(self, arm: int, scorer: str | None = None) -> Tally | None:
        """The results of an arm so far.

        Args:
            arm: the arm's index in the study, from 0.
            scorer: the scorer; None: the primary.
        """
        running = self.recorded.running
        name = scorer or self.recorded.record.primary
        return running.tally(arm, name) if running is not None else None

    def done_of(self, arm: int) -> int:
        """The number of answered cells of an arm (by its index) so far, including reused ones."""
        running, record = self.recorded.running, self.recorded.record
        return running.done_of(arm, record.arms[arm].version) if running is not None else 0

    @explained
    def peek(self, *, candidate: object = None, baseline: object = None) -> Comparison:
        """`study.compare` on the answers so far, without waiting. Only the e-values may decide, so
        looking early does not inflate the false-alarm rate.

        Args:
            candidate, baseline: versions or labels, chosen as in `study.compare`.
        """
        from ..study import over_time
        from .comparison import Comparison

        found = over_time.peek(self.recorded, candidate, baseline)
        return Comparison.shown(found, self.recorded.project)

    def stop(self, reason: str = "stopped by hand") -> None:
        """Stop making calls within a second; everything is kept, and the same cell finishes it."""
        if self.recorded.running is not None:
            self.recorded.running.stop(reason)

    def follow(self) -> None:
        """Wait in a script, with a line of progress; warns about missing answers.

        Raises:
            StudyError, SetupError: if the study could not run.
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

    @plain_repr
    def __repr__(self) -> str:
        return f"<progress of {shorten(self.recorded.name, 200)}: {show.progress(self)}>"

    def _repr_html_(self) -> str:
        return show.html(self)
