"""What serves where: a deployment as a notebook shows it, and an environment's history as a
table.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..markup import plain_repr
from ..study.deployment_rows import COLUMNS, rows_of
from . import show

if TYPE_CHECKING:
    from pandas import DataFrame

    from ..analysis.verdict import Verdict
    from ..registry.deployment import DeploymentEntry
    from ..study.project import Project
    from ..study.promote import Promoted

__all__ = ["Deployment", "History"]


class Deployment:
    """One entry of an environment's history, with every field of the registry's entry (number, id,
    env, kind, at, author, reason, evidence, ...). changed: whether this call wrote it; note: the
    message if nothing was written.
    """

    def __init__(
        self, entry: DeploymentEntry, *, note: str = "", verdict: Verdict | None = None
    ) -> None:
        self.entry, self.note, self.verdict = entry, note, verdict

    @classmethod
    def of(cls, step: Promoted) -> Deployment:
        """Make a deployment that can be displayed from a promotion or a rollback."""
        return cls(step.entry, note=step.note, verdict=step.verdict)

    def __getattr__(self, name: str) -> object:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.entry, name)

    def __dir__(self) -> list[str]:
        return sorted(
            {*super().__dir__(), *(name for name in dir(self.entry) if not name.startswith("_"))}
        )

    @plain_repr
    def __repr__(self) -> str:
        from ..markup import plain

        entry = self.entry
        state = "" if entry.changed else " (nothing changed)"
        text = f" {self.note}" if self.note else ""
        return plain(
            f"<{entry.prompt} v{entry.number} in {entry.env} since"
            f" {entry.at[:19].replace('T', ' ')} UTC by {entry.author},"
            f" {_step(entry)}{state}.{text}>"
        )

    def _repr_html_(self) -> str:
        return show.html(self)


def _step(entry: DeploymentEntry) -> str:
    """promote, rollback, or which version is a canary for how many."""
    return (
        f"canary {(entry.canary.number and f'v{entry.canary.number}') or entry.canary.id[:11]} for"
        f" {entry.canary.percent:g} % beside"
        if entry.canary
        else entry.kind
    )


class History:
    """The deployments of one environment of one prompt, oldest first."""

    def __init__(self, project: Project, prompt: str, env: str) -> None:
        self.project, self.prompt, self.env = project, prompt, env

    @property
    def deployments(self) -> tuple[DeploymentEntry, ...]:
        return tuple(self.project.registry.history(self.prompt, self.env))

    def at(self, moment: str) -> DeploymentEntry | None:
        """The deployment that served at a time ("2026-11-25 14:00", UTC), by the dates in the
        history; None before the first one.
        """
        wanted = moment.strip().replace(" ", "T")
        before = [entry for entry in self.deployments if entry.at[: len(wanted)] <= wanted]
        return before[-1] if before else None

    @property
    def frame(self) -> DataFrame:
        """One row per deployment: at, version, kind, author, reason, evidence, forced, percent,
        duration_s.
        """
        import pandas as pd

        return pd.DataFrame(list(rows_of(self.deployments, self.prompt)), columns=list(COLUMNS))

    def over_time(self, primary: str | None = None) -> DataFrame:
        """One row per study of a version that served here, oldest first: the mean with its 95 %
        interval, and the examples that changed since.
        """
        from ..study.over_time import over_time

        deployed = {entry.id: f"v{entry.number}" for entry in self.deployments}
        return over_time(self.project, deployed, primary)

    def __iter__(self) -> Iterator[DeploymentEntry]:
        return iter(self.deployments)

    def __len__(self) -> int:
        return len(self.deployments)

    @plain_repr
    def __repr__(self) -> str:
        steps = "; ".join(
            f"{entry.at[:16].replace('T', ' ')} {_step(entry)} {entry.label} by {entry.author}"
            for entry in self.deployments[-6:]
        )
        return f"<{self.prompt} in {self.env}: {steps or 'nothing was ever deployed'}>"

    def _repr_html_(self) -> str:
        return show.html(self)
