"""What a store knows of a team's store: whom it asks for the others' rows, and how a purge travels.

The folder or bucket itself is the matter of `scale/`; a store only looks there before it answers,
and says what it purged.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from ..run import utc
from .purges import Doomed, doomed_by

__all__ = ["Team", "Tombstone"]


class Team(Protocol):
    """The others who share a store."""

    def look(self, *, now: bool = False) -> None:
        """Bring what is new. now: also where that was done a moment ago. Never raises."""

    def share(self) -> None:
        """Hand over what was recorded here. Never raises."""

    def bury(self, stone: Tombstone) -> None:
        """Have every member remove this. Raises StoreError where nobody can be reached."""


@dataclass(frozen=True, slots=True)
class Tombstone:
    """One purge, as every member of a team carries it out.

    id: sorts by time; at: the moment of the purge (UTC); examples, study, before: what was named;
    runs: ids of the runs that went where it was asked for.
    """

    id: str
    at: str
    examples: tuple[str, ...] = ()
    study: str | None = None
    before: str | None = None
    runs: frozenset[str] = frozenset()

    @classmethod
    def now(
        cls, examples: Iterable[str], study: str | None, before: str | None, runs: Collection[str]
    ) -> Tombstone:
        """A purge of this moment."""
        name = f"{time.time_ns():016x}-{os.urandom(4).hex()}"
        return cls(name, utc(), tuple(sorted(set(examples))), study, before, frozenset(runs))

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Tombstone:
        """As `document` wrote it."""
        return cls(
            document["id"],
            document["at"],
            tuple(document["examples"]),
            document["study"],
            document["before"],
            frozenset(document["runs"]),
        )

    def document(self) -> dict[str, Any]:
        """As it is written into the shared folder."""
        return {
            "format": 1,
            "id": self.id,
            "at": self.at,
            "examples": list(self.examples),
            "study": self.study,
            "before": self.before,
            "runs": sorted(self.runs),
        }

    @property
    def at_ns(self) -> int:
        """The moment of the purge, in nanoseconds since 1970."""
        return int(self.id.partition("-")[0], 16)

    def doomed(self, con: Any) -> Doomed:
        """What goes of a store: what its own rows say is meant, and the runs that went elsewhere.
        Of a study's purge, runs that another study uses here stay.
        """
        found = doomed_by(con, self.examples, self.study, self.before)
        runs = self.runs
        if self.study is not None and runs:
            used = con.execute(
                "SELECT DISTINCT run_id FROM study_runs WHERE study_id <> ? AND run_id IN (SELECT"
                " unnest(?))",
                [self.study, sorted(runs)],
            ).fetchall()
            runs = runs - {run for (run,) in used}
        return replace(found, runs=found.runs | runs)

    def names_run(self, table: str, row: Mapping[str, Any]) -> str | None:
        """The run that goes because of this row, seen alone; None where none does."""
        if table in ("runs", "study_runs") and row.get("example_id") in self.examples:
            return row.get("id" if table == "runs" else "run_id")
        if self.before and table in ("runs", "live") and _is_before(row, self.before):
            return row.get("id")
        return None


def _is_before(row: Mapping[str, Any], before: str) -> bool:
    started = str(row.get("started_at") or "")
    return bool(started) and started.replace(" ", "T") < before.replace(" ", "T")
