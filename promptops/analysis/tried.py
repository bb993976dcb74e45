"""What was tried before on the same examples, and what that leaves for this verdict.

The first judgement of the first candidate is the fixed test at full alpha. A pair that is judged
again, or a further candidate against the same incumbent, is promoted by its e-value alone:
E >= 1 / alpha for the pair, E >= k (k - 1) / alpha for the k-th candidate. Those shares sum to at
most alpha, so that trying on until something passes gains little. An E-value of the pair is one of
all its answers; an earlier judgement whose answers are not among them, since its examples may be
others, is a try of its own and counts as a further candidate does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from . import words

__all__ = ["TriedCandidate", "Tried"]


@dataclass(frozen=True, slots=True)
class TriedCandidate:
    """One candidate judged in one study. order: of the study, 0 for the first; n: distinct
    examples; digest: of the runs of both arms, whatever their order; primary: name and version of
    the scorer; apart: whether its answers are not pooled with those at hand.
    """

    study: str
    order: int
    candidate: str
    n: int
    digest: str
    primary: str
    apart: bool = False


@dataclass(frozen=True, slots=True)
class Tried:
    """judgements: of this baseline on examples that overlap those at hand, oldest study first, the
    one at hand last; candidate: the version at hand.
    """

    judgements: tuple[TriedCandidate, ...] = ()
    candidate: str = ""

    @property
    def times(self) -> int:
        """How often this pair was judged, this time included: distinct runs and primaries."""
        own = {(j.digest, j.primary) for j in self.judgements if j.candidate == self.candidate}
        return max(len(own), 1)

    @property
    def _apart(self) -> int:
        """How many of these judgements rest on answers that are not pooled with those at hand."""
        own = [j for j in self.judgements if j.candidate == self.candidate]
        near = {(j.digest, j.primary) for j in own if not j.apart}
        return len({(j.digest, j.primary) for j in own if j.apart} - near)

    @property
    def earlier_studies(self) -> tuple[str, ...]:
        """Ids of the studies that judged this candidate before the one at hand, oldest first."""
        own = dict.fromkeys(j.study for j in self.judgements if j.candidate == self.candidate)
        return tuple(own)[:-1]

    @property
    def _first(self) -> int:
        return min((j.order for j in self.judgements if j.candidate == self.candidate), default=0)

    @property
    def before(self) -> int:
        """How many candidates were judged in studies before this candidate's first."""
        firsts: dict[str, int] = {}
        for j in self.judgements:
            firsts[j.candidate] = min(j.order, firsts.get(j.candidate, j.order))
        return sum(order < self._first for order in firsts.values())

    @property
    def beside(self) -> int:
        """How many candidates the study of its first judgement holds, itself included."""
        return len({j.candidate for j in self.judgements if j.order == self._first}) or 1

    @property
    def place(self) -> int:
        """Which candidate it is on these examples; those of one study share the last place."""
        return self.before + self.beside if self.before else 1

    def needed(self, alpha: float) -> float | None:
        """The e-value that a promotion needs; None if the fixed test is still to be used."""
        if self.before or self._apart:
            tries = self.before + self.beside + self._apart
            return tries * (tries - 1) / alpha
        return self.beside / alpha if self.times > 1 else None

    def statement(self, alpha: float, n: int, fresh: int | None = None) -> str:
        """What is in force, in one sentence.

        Args:
            alpha: of the policy.
            n: distinct examples.
            fresh: how many rows would settle the gain seen; None if that is not known.
        """
        wanted = self.needed(alpha)
        if wanted is None:
            return f"The first judgement on these {words.count(n, 'example')} known to this store."
        rows = f"{fresh:,} rows" if fresh is not None else "rows"
        what = f"needs E of {words.number(wanted)} or more, or {rows} that no earlier study asked"
        if self.before:
            return f"Candidate number {self.place} on these {words.count(n, 'example')}: {what}."
        times = "twice" if self.times == 2 else f"{self.times} times"
        return f"Judged {times} on these {words.count(n, 'example')}, known to this store: {what}."

    def document(self) -> dict[str, object]:
        """JSON-ready: what the evidence keeps."""
        return {"candidate": self.candidate, "judgements": [_document(j) for j in self.judgements]}

    @classmethod
    def from_document(cls, document: Mapping[str, Any] | None) -> Tried:
        """What `document()` gave; nothing was tried if it is absent."""
        if not document:
            return cls()
        rows: Sequence[Mapping[str, Any]] = document["judgements"]
        return cls(tuple(TriedCandidate(**row) for row in rows), str(document["candidate"]))


def _document(judged: TriedCandidate) -> dict[str, object]:
    """As every release reads it: the document of a pooled judgement has no further key."""
    return {name: held for name, held in asdict(judged).items() if name != "apart" or held}
