"""Scores that were given elsewhere, as scorers: each gives an imported run the value of its table,
and leaves any other run unscored.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..canonical import canonical
from ..score import Score
from .case import Case

__all__ = ["Place", "RecordedScores"]

Place = tuple[str, str, int]  # version id, example id, repeat


@dataclass(frozen=True, slots=True)
class RecordedScores:
    """One scorer by its recorded values; implements `scorers.case.Scorer`. kind: "judge" if a model
    gave them elsewhere, which no promotion rests on until the judge is measured against people.

    version: a hash of the values, so that two tables' scores of one name are never mixed.
    """

    name: str
    values: Mapping[Place, float | None] = field(repr=False, compare=False)
    version: str = "1"
    kind: str = "user"
    needs: tuple[str, ...] = ()
    judges_failures: bool = True
    against: str | None = None
    remote: bool = False

    @classmethod
    def of(
        cls, name: str, values: Mapping[Place, float | None], kind: str = "user"
    ) -> RecordedScores:
        """The scorer with the version that its values give."""
        text = canonical([[*place, value] for place, value in sorted(values.items())])
        return cls(name, values, f"i-{hashlib.sha256(text.encode()).hexdigest()[:12]}", kind)

    def score(self, case: Case) -> Score:
        """The value of the table for the run."""
        place = (case.run.version_id, case.run.example_id or "", case.run.repeat)
        value = self.values.get(place)
        if value is None:
            return Score.none(f"missing score: the file has none named {self.name!r} for this run")
        return Score(value)

    def __str__(self) -> str:
        return self.name
