"""A drift monitor as a notebook shows it: its days, its alarms, and running a day."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypedDict

from ..monitor import watch
from ..monitor.drift_file import MonitorFile
from ..monitor.drift_rows import alarm_rows, day_rows, watched_lines
from ..monitor.live_watch import accept_live, run_any_day
from . import show
from .prompt import Prompt

if TYPE_CHECKING:
    from pandas import DataFrame

    from ..study.project import Project

__all__ = ["Monitor", "WatchOptions", "watched"]


class WatchOptions(TypedDict, total=False):
    """Keywords of `Lab.watch` beyond its own.

    env: the environment whose version is watched ("prod"); budget_usd: of the anchor, and of each
    day; two_sided: alarm also when it gets better, at half the stake each.
    """

    env: str
    budget_usd: float | None
    two_sided: bool


def watched(
    project: Project, prompt: Any, probe: Any, scorers: Sequence[Any], options: WatchOptions
) -> Monitor:
    """See Lab.watch."""
    name = prompt.name if isinstance(prompt, Prompt) else prompt
    known: WatchOptions = {"env": "prod", **options}
    found = watch.declare(project, name, probe, scorers, **known)
    return Monitor(project, found, scorers, probe)


class Monitor:
    """What `lab.watch` returns. It reads its file whenever it is asked, so that it shows what a
    scheduled job has counted meanwhile.

    path: of its file; note: why the last run could not find out, "" if it could.
    """

    def __init__(
        self,
        project: Project,
        found: watch.Watched,
        scorers: Sequence[object] | None = None,
        dataset: object = None,
    ) -> None:
        self.project, self.path, self.note = project, found.path, found.unknown
        self._scorers, self._dataset = scorers, dataset

    @property
    def file(self) -> MonitorFile:
        """What the monitor's file holds now. Raises StudyError if it cannot be read."""
        return MonitorFile.read(self.path)

    @property
    def name(self) -> str:
        """`<prompt>.<env>`."""
        return self.file.name

    @property
    def threshold(self) -> float:
        """The evidence at which it alarms: 365 days times the project's monitors."""
        return watch.thresholds(self.project)

    def run(self, day: str = "") -> Monitor:
        """Ask the probe for a day (UTC, default: today); a day counts once.

        Args:
            day: a date such as "2026-12-01", for simulated days.

        Returns:
            The monitor itself; `note` says why the day could not be found out, where it could not.
        """
        found = run_any_day(self.project, self.path, day, self._scorers, self._dataset)
        self.note = found.unknown
        return self

    @property
    def status(self) -> str:
        """quiet, alarm or unknown, of the last run."""
        found = watch.Watched(self.path, self.file, self.note)
        return ("quiet", "alarm", "unknown")[found.exit_code]

    def acknowledge(self, alarm: str, *, reason: str) -> Monitor:
        """Record that an alarm is known: it is shown, and no longer an exit code.

        Raises:
            StudyError: there is no such open alarm, or no reason is given.
        """
        watch.acknowledge(self.project, alarm, reason)
        return self

    def accept(self, *, reason: str) -> Monitor:
        """Take what is answered today for the new anchor, recorded with the reason.

        Raises:
            StudyError: no reason is given, or the anchor is incomplete.
        """
        known = self.file.declaration
        if self.file.live:
            accept_live(self.project, known["prompt"], known["env"], reason)
            return self
        given = (self._scorers, self._dataset)
        watch.accept(self.project, known["prompt"], known["env"], reason, *given)
        return self

    @property
    def alarms(self) -> DataFrame:
        """One row per alarm, the newest first: since when, how far, whose doing, and its state."""
        import pandas as pd

        return pd.DataFrame(alarm_rows([self.file]))

    @property
    def frame(self) -> DataFrame:
        """One row per scorer and day: mean, evidence, unscored, model and fingerprint."""
        import pandas as pd

        return pd.DataFrame(day_rows(self.file))

    def figure(self) -> Any:
        """The evidence over the days against its threshold, with deployments marked (plotly)."""
        return show.evidence_figure(self)

    def __repr__(self) -> str:
        from ..markup import plain

        found = watch.Watched(self.path, self.file, self.note)
        return plain("\n".join(watched_lines(found)))

    def _repr_html_(self) -> str:
        return show.html(self)
