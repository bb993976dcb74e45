"""Many versions at once: each with its interval, every pair tested on the primary, quality compared
with cost.

A rank is not a verdict: who is really better is in `duels`, whose p are two-sided and Holm-adjusted
over all pairs. The best of many leads partly by chance, and `notes` says by how much.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Literal

from ..errors import StudyError
from . import multiplicity, paired_tests, words
from .arms import MEASURES, Arm, Outcomes, pair, why_unscored
from .facts import GRID, Ties, gain_interval, mean_interval, on_scale
from .standing import Duel, MeanScore, Standing
from .units import labels_of, units_of

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["Duel", "Ranking", "MeanScore", "Standing", "leaderboard"]

ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Ranking:
    """standings: best first; duels: every pair once, in that order."""

    primary: str
    standings: tuple[Standing, ...]
    duels: tuple[Duel, ...]
    notes: tuple[str, ...]

    @property
    def frame(self) -> DataFrame:
        """One row per arm, best first."""
        import pandas as pd

        rows = []
        for s in self.standings:
            row = {
                "label": s.label,
                "version": s.version,
                "rank": s.rank,
                "n": s.primary.n,
                "unscored": s.primary.unscored,
            }
            row |= {self.primary: s.primary.mean, "low": s.primary.low, "high": s.primary.high}
            row |= {name: score.mean for name, score in s.scores.items() if name != self.primary}
            rows.append({**row, **s.measures, "front": s.front, "contender": s.contender})
        return pd.DataFrame(rows).set_index("label")

    @property
    def duels_frame(self) -> DataFrame:
        """One row per pair."""
        import pandas as pd

        return pd.DataFrame(
            [{name: getattr(duel, name) for name in Duel.__slots__} for duel in self.duels],
            columns=list(Duel.__slots__),
        )

    def duel(self, b: str, a: str) -> Duel:
        """b against a, whichever way round it was tested.

        Raises StudyError for arms that are not here.
        """
        for found in self.duels:
            if (found.b, found.a) == (b, a):
                return found
            if (found.b, found.a) == (a, b):
                return _turned(found)
        raise StudyError(
            f"the leaderboard has no pair {b!r} and {a!r}; it has"
            f" {', '.join(s.label for s in self.standings)}."
        )

    def statement(self) -> str:
        """Who leads, over whom it is shown to, and over whom it is not."""
        first, *others = self.standings
        head = (
            f"{first.label} leads on {self.primary} with {words.percent(first.primary.mean)}"
            f" ({_span(first.primary)}{_left_out(first.primary)})"
        )
        beaten = [s.label for s in others if not s.contender]
        open_ = [s.label for s in others if s.contender]
        shown = (
            f"shown to be better than {', '.join(beaten)}"
            if beaten
            else "shown to be better than none"
        )
        left = f"; not settled against {', '.join(open_)}" if open_ else ""
        return f"{head}; {shown}{left}." if others else f"{head}."


def leaderboard(
    arms: Sequence[Arm],
    *,
    primary: str | None = None,
    clusters: Mapping[str, str] | None = None,
    ties: Ties = "full",
    alpha: float = ALPHA,
) -> Ranking:
    """All arms on the primary (default: the first scorer of the first arm).

    clusters: example id -> group. Raises StudyError without arms, for two arms of one label, or an
    arm without the primary; StatisticsError if arms were scored by different versions of the
    scorer.
    """
    if not arms:
        raise StudyError("a leaderboard needs at least one version; evaluate some first.")
    labels = [arm.label for arm in arms]
    if len(set(labels)) < len(labels):
        raise StudyError(
            f"two arms are called {next(x for x in labels if labels.count(x) > 1)!r}; give each its"
            " own label."
        )
    name = primary or next((scorer for arm in arms for scorer in arm.scores), "")
    for arm in arms:
        if name not in arm.scores:
            raise StudyError(why_unscored(arms) or _no_score(arm, name))
    scores = [
        {scorer: _score(outcomes, clusters) for scorer, outcomes in arm.scores.items()}
        for arm in arms
    ]
    order = sorted(
        range(len(arms)), key=lambda i: (-_or(scores[i][name].mean, -math.inf), labels[i])
    )
    duels = _duels([arms[i] for i in order], name, clusters, ties, alpha)
    beaten = {duel.a for duel in duels if duel.b == labels[order[0]] and duel.verdict == "better"}
    measures = [{m: _mean(arm.measures[m]) for m in MEASURES if m in arm.measures} for arm in arms]
    fronts = _front(
        [scores[i][name].mean for i in range(len(arms))],
        [found.get("cost", math.nan) for found in measures],
    )
    means = [scores[i][name].mean for i in range(len(arms))]
    standings = tuple(
        Standing(
            label=labels[i],
            version=arms[i].version,
            rank=1 + sum(other > means[i] + 1e-12 for other in means),
            primary=scores[i][name],
            scores=scores[i],
            measures=measures[i],
            front=fronts[i],
            contender=labels[i] not in beaten,
        )
        for i in order
    )
    return Ranking(name, standings, duels, tuple(_notes(standings, arms, name)))


def _no_score(arm: Arm, name: str) -> str:
    if not name:
        return f"{arm.label} has no scores; score every version with the same scorer first."
    return (
        f"{arm.label} has no scores by {name!r} (it has {', '.join(arm.scores) or 'none'}); name"
        " another primary, or score every version with it first."
    )


def _score(outcomes: Outcomes, clusters: Mapping[str, str] | None) -> MeanScore:
    known = outcomes.scored > 0
    values = outcomes.mean[known]
    labels = None
    if clusters:
        grouped = [
            clusters.get(example, f"example {example}")
            for example, here in zip(outcomes.examples, known, strict=True)
            if here
        ]
        labels = grouped if len(set(grouped)) < len(grouped) else None
    found = mean_interval(values, outcomes.binary and outcomes.repeats == 1, labels)
    low, high = on_scale(found, values) or (None, None)
    return MeanScore(
        float(values.mean()) if len(values) else math.nan,
        low,
        high,
        len(values),
        len(known) - len(values),
    )


def _duels(
    arms: Sequence[Arm], name: str, clusters: Mapping[str, str] | None, ties: Ties, alpha: float
) -> tuple[Duel, ...]:
    """Every pair, with the higher-ranked one as b."""
    found = []
    for b, a in combinations(arms, 2):
        pairs = pair(b.scores[name], a.scores[name])
        grouped = labels_of(pairs, clusters)
        test = paired_tests.sign_flip(
            units_of(pairs.d, grouped)[0], grid=pairs.grid or GRID, ties=ties
        )
        low, high, _, _ = gain_interval(pairs, grouped, bootstrap=False)
        gain = float(pairs.d.mean()) if pairs.n else 0.0
        won, lost = int((pairs.d > 1e-12).sum()), int((pairs.d < -1e-12).sum())
        found.append(
            (
                b.label,
                a.label,
                pairs.n,
                gain,
                low,
                high,
                won,
                lost,
                test.p_two_sided,
                test.p_greater <= test.p_less,
            )
        )
    adjusted = multiplicity.holm([row[8] for row in found]).tolist()
    out = []
    for row, p in zip(found, adjusted, strict=True):
        verdict: Literal["better", "worse", "open"] = (
            "open" if p > alpha else "better" if row[9] else "worse"
        )
        out.append(Duel(*row[:9], p, verdict))
    return tuple(out)


def _turned(duel: Duel) -> Duel:
    verdict: Literal["better", "worse", "open"] = {"better": "worse", "worse": "better"}.get(
        duel.verdict, "open"
    )  # type: ignore[assignment]
    low = -duel.high if duel.high is not None else None
    high = -duel.low if duel.low is not None else None
    return Duel(
        duel.a,
        duel.b,
        duel.n,
        -duel.gain,
        low,
        high,
        duel.losses,
        duel.wins,
        duel.p,
        duel.adjusted,
        verdict,
    )


def _front(quality: Sequence[float], cost: Sequence[float]) -> list[bool | None]:
    """Pareto: whether no other known arm is at least as good and as cheap, and better in one of the
    two.
    """
    points = [(q, c) for q, c in zip(quality, cost, strict=True) if q == q and c == c]
    out: list[bool | None] = []
    for q, c in zip(quality, cost, strict=True):
        known = q == q and c == c
        out.append(
            not any(q2 >= q and c2 <= c and (q2 > q or c2 < c) for q2, c2 in points)
            if known
            else None
        )
    return out


def _notes(standings: Sequence[Standing], arms: Sequence[Arm], name: str) -> list[str]:
    notes = []
    sizes = {s.primary.n for s in standings}
    if len(sizes) > 1:
        notes.append(
            f"The arms are not scored on the same examples ({min(sizes):,} to {max(sizes):,});"
            " ranks mix them, duels use shared examples only."
        )
    first = standings[0].primary
    if len(standings) > 1 and first.low is not None and first.high is not None:
        luck = (first.high - first.low) / 2 / 1.96 * multiplicity.optimism(len(standings))
        notes.append(
            f"The best of {len(standings)} equal versions would appear up to"
            f" {words.points(luck).lstrip('+')} too good; confirm the winner on a test split."
        )
    if any(s.front is None for s in standings):
        notes.append(
            "The cost of some arms is unknown (no price), so they are not compared with cost."
        )
    kinds = {arm.scores[name].kind for arm in arms if arm.scores[name].calibrated is not True}
    if "judge" in kinds:
        notes.append(f"{name} is an uncalibrated judge: its agreement with people is not measured.")
    return notes


def _left_out(score: MeanScore) -> str:
    """How many examples a mean leaves out; "" if it leaves out none."""
    if not score.unscored:
        return ""
    return f"; {score.unscored:,} of {words.count(score.n + score.unscored, 'example')} not scored"


def _span(score: MeanScore) -> str:
    return f"95 % interval {words.interval(score.low, score.high)}"


def _mean(outcomes: Outcomes) -> float:
    known = outcomes.mean[outcomes.scored > 0]
    return float(known.mean()) if len(known) else math.nan


def _or(value: float, other: float) -> float:
    return value if value == value else other
