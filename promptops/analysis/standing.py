"""One version's place among many, and one pair of them tested on the examples both answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    pass

__all__ = ["Duel", "MeanScore", "Standing"]


@dataclass(frozen=True, slots=True)
class MeanScore:
    """Mean outcome of one scorer over n scored examples, its 95 % interval (None: cannot be given),
    and how many were not scored.
    """

    mean: float
    low: float | None
    high: float | None
    n: int
    unscored: int


@dataclass(frozen=True, slots=True)
class Standing:
    """One arm. rank: 1 is the highest mean of the primary, equal means share it; measures: means of
    cost (USD), latency (ms), tokens per example;
    front: no other arm is as good and cheaper, or better and as cheap (None: cost unknown);
        contender: not shown worse than the leader.
    """

    label: str
    version: str
    rank: int
    primary: MeanScore
    scores: Mapping[str, MeanScore]
    measures: Mapping[str, float]
    front: bool | None
    contender: bool


@dataclass(frozen=True, slots=True)
class Duel:
    """b against a on the primary. gain: mean of b - a over n pairs, with its 90 % interval; p:
    two-sided exact sign-flip;
    adjusted: Holm over all pairs; verdict: "better", "worse" or "open" at .05. "open" is not
        "equal".
    """

    b: str
    a: str
    n: int
    gain: float
    low: float | None
    high: float | None
    wins: int
    losses: int
    p: float
    adjusted: float
    verdict: Literal["better", "worse", "open"]
