"""Scores that another tool gave, as scorers: each says of an imported run what the file said of it,
and of any other run that it is unscored.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..canonical import canonical
from ..score import Score
from ..scorers.case import Case
from .imported import Imported

__all__ = ["RecordedScores", "recorded_scorers"]

Place = tuple[str, str, int]  # version id, example id, repeat


@dataclass(frozen=True, slots=True)
class RecordedScores:
    """One scorer of another tool, by its recorded values; implements `scorers.case.Scorer`.

    version: a hash of the values, so that two files' scores of one name are never mixed.
    """

    name: str
    values: Mapping[Place, float | None] = field(repr=False, compare=False)
    version: str = "1"
    kind: str = "user"
    needs: tuple[str, ...] = ()
    judges_failures: bool = True
    against: str | None = None
    remote: bool = False

    def score(self, case: Case) -> Score:
        """What the file says of the run."""
        place = (case.run.version_id, case.run.example_id or "", case.run.repeat)
        value = self.values.get(place)
        if value is None:
            return Score.none(f"missing score: the file has none named {self.name!r} for this run")
        return Score(value)

    def __str__(self) -> str:
        return self.name


def recorded_scorers(found: Imported, ids: Mapping[str, str]) -> list[RecordedScores]:
    """The scorers of a file's runs, in order of appearance. ids: label -> the version's id."""
    out = []
    for name in found.scores:
        values = {
            (ids[run.version], run.example, run.repeat): run.scores.get(name) for run in found.runs
        }
        if any(value is not None for value in values.values()):
            text = canonical([[*place, value] for place, value in sorted(values.items())])
            digest = hashlib.sha256(text.encode()).hexdigest()[:12]
            out.append(RecordedScores(name, values, f"i-{digest}"))
    return out
