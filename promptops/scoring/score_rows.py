"""Scores as rows of the store, in blocks that are written at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypedDict

from ..run import utc
from ..score import Score
from ..scorers.case import Case, Scorer

__all__ = [
    "Block",
    "CaseColumns",
    "Judgement",
    "ScoreRow",
    "blocks",
    "recorded_name",
    "row",
    "score_row",
]
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
class CaseColumns:
    """What a score's row says of its case, of several cases that were judged."""

    run_ids: list[str]
    fingerprints: list[str]
    judged_by: list[str | None]

    @classmethod
    def of(cls, cases: Sequence[Case]) -> CaseColumns:
        return cls(
            [case.run.id for case in cases],
            [case.example.fingerprint for case in cases],
            [by.text if (by := case.judged_by) else None for case in cases],
        )


@dataclass(frozen=True, slots=True)
class Block:
    """Judgements of one scorer under one name: scores[i] is of cases[i]. name: as in the table
    `scores`; case_columns: of `cases`.
    """

    name: str
    scorer: Scorer
    cases: list[Case]
    scores: list[Score]
    case_columns: CaseColumns

    @property
    def outcomes(self) -> list[float | None]:
        """`Score.outcome` of each."""
        return [
            score.value if score.passed is None or score.value is None else float(score.passed)
            for score in self.scores
        ]

    def columns(self) -> dict[str, object]:
        """As rows of the table `scores`, column by column."""
        scores = self.scores
        return {
            "run_id": self.case_columns.run_ids,
            "example_fingerprint": self.case_columns.fingerprints,
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
            "judged_by": self.case_columns.judged_by,
        }


def blocks(judgements: Iterable[Judgement]) -> list[Block]:
    """Judgements, grouped by the name that they are recorded under."""
    found: dict[tuple[str, str], tuple[str, Scorer, list[Case], list[Score]]] = {}
    for case, scorer, score in judgements:
        key = scorer.name, score.name
        group = found.get(key)
        if group is None:
            group = found[key] = recorded_name(scorer, score), scorer, [], []
        group[2].append(case)
        group[3].append(score)
    out: list[Block] = []
    for name, scorer, cases, scores in found.values():
        # mostly each scorer judged the same cases, whose columns are made once then
        known = out[-1].case_columns if out and out[-1].cases == cases else CaseColumns.of(cases)
        out.append(Block(name, scorer, cases, scores, known))
    return out


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
