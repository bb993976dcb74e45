"""The scores that another tool's file holds, as scorers."""

from __future__ import annotations

from collections.abc import Mapping

from ..scorers.given_scores import RecordedScores
from .imported import Imported

__all__ = ["RecordedScores", "recorded_scorers"]


def recorded_scorers(found: Imported, ids: Mapping[str, str]) -> list[RecordedScores]:
    """The scorers of a file's runs, in order of appearance. ids: label -> the version's id."""
    out, judged = [], found.judged
    for name in found.scores:
        values = {
            (ids[run.version], run.example, run.repeat): run.scores.get(name) for run in found.runs
        }
        if any(value is not None for value in values.values()):
            kind = "judge" if name in judged else "user"
            out.append(RecordedScores.of(name, values, kind))
    return out
