"""Where each candidate of a search comes from and what happened to it, recorded as it happens.

The rows of a search are named by their place in it: a search that is run again writes the same
rows, which collapse to the first.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..run import utc
from ..study.records import keep_version

if TYPE_CHECKING:
    from ..store import Store
    from ..version import PromptVersion

__all__ = ["Candidate", "Event", "Lineage", "Proposal"]


@dataclass(frozen=True, slots=True)
class Event:
    """One step of a candidate. status: proposed, vetoed, raced_out, kept or best; n: val examples
    that it had answered; score: the mean of the primary on them.
    """

    version: str
    status: str
    n: int = 0
    score: float | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A text that a model proposed. text: "" if it gave none; refused: why nothing became of it,
    "" if a candidate did.
    """

    number: int
    how: str
    parents: tuple[str, ...]
    text: str
    run_id: str | None = None
    version: str | None = None
    refused: str = ""


@dataclass(slots=True)
class Candidate:
    """One version of a search. number: 0 for the seed; status: its last event's; n and score: as of
    its last rung; flags: what a reader should know of it, one sentence each.
    """

    version: PromptVersion
    number: int
    parents: tuple[str, ...] = ()
    how: str = "seed"
    feedback: str = ""
    status: str = "proposed"
    n: int = 0
    score: float | None = None
    tokens: float | None = None  # mean tokens of a call, in and out
    flags: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return self.version.id

    @property
    def label(self) -> str:
        """ "seed", else c and its number."""
        return f"c{self.number}" if self.number else "seed"


@dataclass(slots=True)
class Lineage:
    """The candidates, events and proposals of one search, in memory and in the store.

    id: of the search; prompt: the prompt's name; method: who makes the versions.
    """

    store: Store
    id: str
    prompt: str
    method: str
    candidates: dict[str, Candidate] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    proposals: list[Proposal] = field(default_factory=list)

    def begin(self, row: Mapping[str, object]) -> None:
        """Record the search; one that is run again stays as it was first recorded."""
        self.store.append("optimizations", [{"id": self.id, **row, "created_at": utc()}])

    def add(
        self,
        version: PromptVersion,
        *,
        parents: Sequence[str] = (),
        how: str = "seed",
        feedback: str = "",
        call_run: str | None = None,
    ) -> Candidate:
        """A new candidate; one that there is already stays as it was."""
        if version.id in self.candidates:
            return self.candidates[version.id]
        number = len(self.candidates)
        found = Candidate(version, number, tuple(parents), how, feedback)
        self.candidates[version.id] = found
        if number:
            keep_version(self.store, version, parents=parents, made_by=f"{self.method} {self.id}")
        row = {
            "optimization_id": self.id,
            "version_id": version.id,
            "number": number,
            "parents": json.dumps(list(parents)),
            "how": how,
            "call_run": call_run,
            "feedback": None,  # rows' own texts, which a purge of these could not find here
        }
        self.store.append("candidates", [row])
        return found

    def note(self, event: Event) -> None:
        """Something happened to a candidate."""
        number = len(self.events)
        self.events.append(event)
        candidate = self.candidates.get(event.version)
        if candidate is not None:
            candidate.status = event.status
            if event.n:
                candidate.n, candidate.score = event.n, event.score
        row = {
            "optimization_id": self.id,
            "number": number,
            "version_id": event.version,
            "status": event.status,
            "n": event.n,
            "score": event.score,
            "detail": event.detail,
            "event_at": utc(),
        }
        self.store.append("candidate_events", [row])

    def propose(self, proposal: Proposal) -> None:
        """A model proposed a text: recorded before anything is paid for it."""
        self.proposals.append(proposal)
        row = {
            "optimization_id": self.id,
            "number": proposal.number,
            "how": proposal.how,
            "parents": json.dumps(list(proposal.parents)),
            "run_id": proposal.run_id,
            "version_id": proposal.version,
            "refused": proposal.refused or None,
            "proposed_at": utc(),
        }
        self.store.append("proposals", [row])

    def children(self, version: str) -> list[Candidate]:
        """The candidates that were made from a version first of all."""
        return [each for each in self.candidates.values() if each.parents[:1] == (version,)]

    def vetoed(self) -> Sequence[Event]:
        """The versions that were refused before anything was paid for them."""
        return [event for event in self.events if event.status == "vetoed"]
