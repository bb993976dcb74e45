"""What a store knows of a team's store: whom it asks for the others' rows, and how a purge travels.

The folder or bucket itself is the matter of `scale/`; a store only looks there before it answers,
and says what it purged.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from ..run import utc
from .purges import Doomed, Named, doomed_by, utc_moment

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection as Connection

__all__ = ["Team", "Tombstone"]


class Team(Protocol):
    """The others who share a store."""

    def look(self, *, now: bool = False) -> None:
        """Bring what is new. now: also when that was done a moment ago. Never raises."""

    def share(self) -> None:
        """Hand over what was recorded here. Never raises."""

    def bury(self, stone: Tombstone) -> None:
        """Have every member remove this. Raises StoreError if nobody can be reached."""


@dataclass(frozen=True, slots=True)
class Tombstone:
    """One purge, as every member of a team carries it out.

    id: sorts by time; at: the moment of the purge (UTC); named: what was asked for; runs: ids of
    the runs and live rows that went if it was asked.
    """

    id: str
    at: str
    named: Named
    runs: frozenset[str] = frozenset()

    @classmethod
    def now(cls, named: Named, runs: Collection[str]) -> Tombstone:
        """A purge of this moment."""
        name = f"{time.time_ns():016x}-{os.urandom(4).hex()}"
        return cls(name, utc(), named, frozenset(runs))

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Tombstone:
        """As `document` wrote it."""
        named = Named(
            tuple(document["examples"]),
            tuple(document.get("live", ())),
            document["study"],
            utc_moment(document["before"]),
            utc_moment(document.get("live_before")),
        )
        return cls(document["id"], document["at"], named, frozenset(document["runs"]))

    def document(self) -> dict[str, Any]:
        """As it is written into the shared folder."""
        return {
            "format": 1,
            "id": self.id,
            "at": self.at,
            "examples": list(self.named.examples),
            "live": list(self.named.live),
            "study": self.named.study,
            "before": self.named.before,
            "live_before": self.named.live_before,  # a name of its own: an older release, which
            "runs": sorted(self.runs),  # knows it not, takes these ids and nothing else
        }

    @property
    def at_ns(self) -> int:
        """The moment of the purge, in nanoseconds since 1970."""
        return int(self.id.partition("-")[0], 16)

    def doomed(self, con: Connection) -> Doomed:
        """What goes of a store: what its own rows say is meant, and the runs that went elsewhere.
        Of a study's purge, runs that another study uses here stay.
        """
        found = doomed_by(con, self.named)
        runs = self.runs
        if self.named.study is not None and runs:
            used = con.execute(
                "SELECT DISTINCT run_id FROM study_runs WHERE study_id <> ? AND run_id IN (SELECT"
                " unnest(?))",
                [self.named.study, sorted(runs)],
            ).fetchall()
            runs = runs - {run for (run,) in used}
        return replace(found, runs=found.runs | runs)
