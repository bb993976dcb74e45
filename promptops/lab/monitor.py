"""A drift monitor as a notebook shows it: its days, its alarms, and running a day."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypedDict

from ..markup import plain_repr
from ..monitor import watch
from ..monitor.drift_file import MonitorFile
from ..monitor.drift_rows import alarm_rows, day_rows, watched_lines
from ..monitor.live_watch import accept_live, run_any_day
from ..signatures import explained_methods
from . import show
from .prompt import prompt_name

if TYPE_CHECKING:
    from pandas import DataFrame

    from ..study.project import Project

__all__ = ["Monitor", "WatchOptions", "watched"]


class WatchOptions(TypedDict, total=False):
    """The additional keywords of `Lab.watch`.

    env: the environment whose version is monitored ("prod"); budget_usd: the budget of the anchor,
    and of each day; two_sided: also alarm if it gets better, with half the stake on each side.
    """

    env: str
    budget_usd: float | None
    two_sided: bool


def watched(
    project: Project, prompt: Any, probe: Any, scorers: Sequence[Any], options: WatchOptions
) -> Monitor:
    """See Lab.watch."""
    name = prompt_name(prompt)
    known: WatchOptions = {"env": "prod", **options}
    found = watch.declare(project, name, probe, scorers, **known)
    return Monitor(project, found, scorers, probe)


@explained_methods
class Monitor:
    """The result of `lab.watch`. It reads its file at each access, so it shows what a scheduled job
    has recorded in the meantime.

    path: the path of its file; note: why the last run had no result, "" if it had one.
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
        """The current content of the monitor's file. Raises StudyError if it cannot be read."""
        return MonitorFile.read(self.path)

    @property
    def name(self) -> str:
        """`<prompt>.<env>`."""
        return self.file.name

    @property
    def threshold(self) -> float:
        """The evidence at which it alarms: 365 days times the number of the project's monitors."""
        return watch.thresholds(self.project)

    def run(self, day: str = "") -> Monitor:
        """Run the probe for a day (UTC, default: today); a day counts once.

        Args:
            day: a date such as "2026-12-01", for simulated days.

        Returns:
            The monitor itself; `note` gives the reason if the day has no result.
        """
        found = run_any_day(self.project, self.path, day, self._scorers, self._dataset)
        self.note = found.unknown
        return self

    @property
    def status(self) -> str:
        """The result of the last run: quiet, alarm or unknown."""
        found = watch.Watched(self.path, self.file, self.note)
        return ("quiet", "alarm", "unknown")[found.exit_code]

    def acknowledge(self, alarm: str, *, reason: str) -> Monitor:
        """Acknowledge an alarm: it is still shown, but no longer sets the exit code.

        Raises:
            StudyError: if there is no such open alarm, or no reason is given.
        """
        watch.acknowledge(self.project, alarm, reason)
        return self

    def accept(self, *, reason: str) -> Monitor:
        """Accept today's answers as the new anchor, recorded with the reason.

        Raises:
            StudyError: if no reason is given, or the anchor is incomplete.
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
        """One row per alarm, newest first: since when, how large, the cause, and its state."""
        import pandas as pd

        return pd.DataFrame(alarm_rows([self.file]))

    @property
    def frame(self) -> DataFrame:
        """One row per scorer and day: mean, evidence, unscored, model and fingerprint."""
        import pandas as pd

        return pd.DataFrame(day_rows(self.file))

    def figure(self) -> object:
        """The evidence over the days against its threshold, with deployments marked (plotly)."""
        return show.evidence_figure(self)

    @plain_repr
    def __repr__(self) -> str:
        found = watch.Watched(self.path, self.file, self.note)
        return "\n".join(watched_lines(found))

    def _repr_html_(self) -> str:
        return show.html(self)
