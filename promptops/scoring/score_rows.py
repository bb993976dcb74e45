"""Scores as rows of the store, in blocks that are written at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypedDict

from ..run import utc
from ..score import Score
from ..scorers.case import Case, Scorer

__all__ = ["Block", "Judgement", "ScoreRow", "blocks", "recorded_name", "row", "score_row"]
Judgement = tuple[Case, Scorer, Score]


class ScoreRow(TypedDict):
    """A row of the table `scores`."""

    run_id: str
    example_fingerprint: str
    scorer: str
    scorer_version: str
    value: float | None
    passed: bool | None
    raw_value: float | None
    unit: str
    reason: str
    unscored: str | None
    category: str | None
    scored_at: str
    judged_by: str | None


@dataclass(frozen=True, slots=True)
class Block:
    """Judgements of one scorer under one name: scores[i] is of cases[i]. name: as in the table
    `scores`.
    """

    name: str
    scorer: Scorer
    cases: list[Case]
    scores: list[Score]

    def columns(self) -> dict[str, object]:
        """As rows of the table `scores`, column by column."""
        scores = self.scores
        return {
            "run_id": [case.run.id for case in self.cases],
            "example_fingerprint": [case.example.fingerprint for case in self.cases],
            "scorer": self.name,
            "scorer_version": self.scorer.version,
            "value": [score.value for score in scores],
            "passed": [score.passed for score in scores],
            "raw_value": [score.raw_value for score in scores],
            "unit": [score.unit for score in scores],
            "reason": [score.reason for score in scores],
            "unscored": [score.unscored for score in scores],
            "category": [score.category for score in scores],
            "scored_at": utc(),
            "judged_by": [by.text if (by := case.judged_by) else None for case in self.cases],
        }


def blocks(judgements: Iterable[Judgement]) -> list[Block]:
    """Judgements, grouped by the name that they are recorded under."""
    found: dict[tuple[str, str], Block] = {}
    for case, scorer, score in judgements:
        block = found.get((scorer.name, score.name))
        if block is None:
            block = found[scorer.name, score.name] = Block(
                recorded_name(scorer, score), scorer, [], []
            )
        block.cases.append(case)
        block.scores.append(score)
    return list(found.values())


def recorded_name(scorer: Scorer, score: Score) -> str:
    """The name in the table `scores`: one of several verdicts is `scorer/verdict`."""
    return f"{scorer.name}/{score.name}" if score.name else scorer.name


def row(case: Case, scorer: Scorer, score: Score, scored_at: str | None = None) -> ScoreRow:
    """A row of the table `scores`; one of several verdicts is named `scorer/verdict`.

    example_fingerprint: of the example that the run was judged by, so that a row whose golden
    answer was edited is judged again although its run is the same.
    """
    return score_row(case, scorer, score, case.example.fingerprint, scored_at or utc())


def score_row(
    case: Case, scorer: Scorer, score: Score, fingerprint: str, scored_at: str
) -> ScoreRow:
    """A row of the table `scores`."""
    return {
        "run_id": case.run.id,
        "example_fingerprint": fingerprint,
        "scorer": recorded_name(scorer, score),
        "scorer_version": scorer.version,
        "value": score.value,
        "passed": score.passed,
        "raw_value": score.raw_value,
        "unit": score.unit,
        "reason": score.reason,
        "unscored": score.unscored,
        "category": score.category,
        "scored_at": scored_at,
        "judged_by": case.judged_by.text if case.judged_by is not None else None,
    }
