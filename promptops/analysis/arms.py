"""One arm of a comparison: what each example came to, repeats averaged; and two arms paired by
equal examples.

Unknown is never zero and never dropped: an example whose runs could not be scored stays, with
`scored` 0.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress
from typing import TYPE_CHECKING, Any

from ..errors import StatisticsError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Places = NDArray[np.intp]

__all__ = ["MEASURES", "Arm", "Outcomes", "Pairs", "pair", "part", "why_unscored"]

MEASURES = {
    "cost": "USD",
    "latency": "ms",
    "tokens": "tokens",
}  # lower is better, not on a 0-1 scale


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """One measure of one arm, a row per example (all arrays have the same length, in `examples`
    order).

    mean: over the scored repeats, NaN if none was; scored, attempted: counts of repeats;
    variance: of the repeats within the example (ddof 1), NaN if fewer than two; passed_all:
    whether every scored repeat passed.
    binary: every single outcome was 0 or 1. versions: the scorer's versions met (more than one
        cannot be compared).
    """

    examples: Sequence[str]
    mean: Floats
    scored: Floats
    attempted: Floats
    variance: Floats
    binary: bool = False
    kind: str = "assertion"
    versions: tuple[str, ...] = ("1",)
    calibrated: bool | None = None  # of a judge: whether it was measured against people

    @classmethod
    def of(
        cls,
        rows: Mapping[str, Sequence[float | None]],
        *,
        kind: str = "assertion",
        versions: tuple[str, ...] = ("1",),
    ) -> Outcomes:
        """From example id -> the outcomes of its repeats (None: unscored).

        Raises StatisticsError for NaN.
        """
        import numpy as np

        means, scored, variance = [], [], []
        every: list[float] = []
        for example, values in rows.items():
            known = [float(value) for value in values if value is not None]
            if any(value != value for value in known):
                raise StatisticsError(
                    f"example {example!r} has the score NaN; give None (unscored) for an"
                    " unknown score."
                )
            every += known
            means.append(sum(known) / len(known) if known else float("nan"))
            scored.append(len(known))
            variance.append(float(np.var(known, ddof=1)) if len(known) > 1 else float("nan"))
        binary = bool(every) and all(value in (0.0, 1.0) for value in every)
        attempted = np.array([len(values) for values in rows.values()], dtype=float)
        return cls(
            list(rows),
            np.array(means, float),
            np.array(scored, float),
            attempted,
            np.array(variance, float),
            binary,
            kind,
            versions,
        )

    @property
    def repeats(self) -> int:
        """K: the most repeats that any example was asked."""
        return int(self.attempted.max()) if len(self.attempted) else 0


@dataclass(frozen=True, slots=True, eq=False)
class Arm:
    """A version as it did on a set of examples: its outcomes per scorer, and cost, latency and
    tokens per example.

    label: how people know it ("v2"); facts: when and by what it was answered ({"first", "last",
    "fingerprints", "models", "calls", "reused", "cost_usd", "cost_unknown", "latency_p50",
    "latency_p95", "failures"}), where known; answers: example id -> the golden label that
    its answer gives, where golden answers are labels of few; shares: of examples whose repeats
    give several labels, the share of the answers that gives each.
    """

    version: str
    label: str
    scores: Mapping[str, Outcomes]
    measures: Mapping[str, Outcomes] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    answers: Mapping[str, str] = field(default_factory=dict)
    shares: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Two arms on the examples that both were asked, one measure. d is oriented: positive means the
    candidate did better.

    examples: paired ids; candidate, baseline: means per example; d: their difference (sign turned
        where lower is better);
    unscored: ids asked in both but without a score in one; only_candidate, only_baseline: how many
        ids were asked in one arm.
    """

    examples: tuple[str, ...]
    candidate: Floats
    baseline: Floats
    d: Floats
    repeats: int
    binary: bool
    unscored: tuple[str, ...]
    only_candidate: int
    only_baseline: int
    grid: float | None  # every d is a whole multiple of it; None if no such step is known
    within: tuple[float, float]  # mean variance between repeats: candidate, baseline (NaN if K = 1)
    failed: tuple[int, int, int, int]  # unscored and attempted runs: candidate, baseline
    measure: bool = False  # lower is better and there is no 0-1 scale: cost, latency, tokens
    scale: float = 1.0  # the largest difference that an example can show
    weights: Floats | None = None  # by which every outcome was multiplied, their mean being 1
    counted: bool = False  # weighed 0/1 outcomes of one repeat
    strata: Mapping[str, str] | None = None  # example -> its label, in a mean over labels

    @property
    def n(self) -> int:
        return len(self.examples)

    @property
    def missing(self) -> float:
        """Share of the shared examples that have no pair."""
        shared = self.n + len(self.unscored)
        return len(self.unscored) / shared if shared else 0.0

    def scaled(self, factors: Floats, *, weighing: bool, counted: bool = False) -> Pairs:
        """These pairs with every outcome multiplied by its factor, so that means over examples are
        weighted means; nothing that holds for 0/1 outcomes alone is left.

        Args:
            factors: one per example, with the mean 1.
            weighing: whether the factors are weights of the examples, which intervals account for.
            counted: whether the outcomes were 0 or 1, each of one repeat.
        """
        together = factors if self.weights is None else self.weights * factors
        return replace(
            self,
            candidate=self.candidate * factors,
            baseline=self.baseline * factors,
            d=self.d * factors,
            binary=False,
            grid=None,
            within=(math.nan, math.nan),
            scale=float(together.max()),
            weights=together if weighing or self.weights is not None else None,
            counted=counted,
        )


def why_unscored(arms: Sequence[Arm]) -> str:
    """One sentence on the arms among these that hold no score at all, with what to do; "" if
    each has some, or nothing is known of them.
    """
    silent = [arm for arm in arms if not arm.scores and arm.facts.get("calls")]
    dead = [arm for arm in silent if arm.facts.get("failed") == arm.facts["calls"]]
    if dead:
        failures: Counter[str] = Counter()
        for arm in dead:
            failures.update(arm.facts.get("failures") or {})
        worst, count = failures.most_common(1)[0] if failures else ("internal", 0)
        all_ = " and ".join(f"all {arm.facts['calls']:,} calls of {arm.label}" for arm in dead)
        return (
            f"{all_} failed, most often with {worst} ({count:,}); read their failures in"
            " study.runs(), fix it, and run the cell again."
        )
    if silent:
        names = " and ".join(arm.label for arm in silent)
        return (
            f"{names} {'has' if len(silent) == 1 else 'have'} answers and not one score; run the"
            " cell again, or study.rescore([...])."
        )
    return ""


def pair(candidate: Outcomes, baseline: Outcomes, *, lower_is_better: bool = False) -> Pairs:
    """The examples of both arms side by side, in the baseline's order.

    Raises StatisticsError if the two were scored by different versions of the scorer.
    """
    import numpy as np

    if set(candidate.versions) != set(baseline.versions) or len(candidate.versions) > 1:
        found = ", ".join(sorted({*candidate.versions, *baseline.versions}))
        raise StatisticsError(
            f"the arms were scored by different versions of the scorer ({found}); re-score both"
            " with study.rescore() first."
        )
    ci, bi = _shared(candidate.examples, baseline.examples)
    known = (candidate.scored[ci] > 0) & (baseline.scored[bi] > 0) if len(ci) else np.zeros(0, bool)
    left, right = candidate.mean[ci[known]], baseline.mean[bi[known]]
    names = (
        baseline.examples
        if len(bi) == len(baseline.examples)
        else [baseline.examples[j] for j in bi]
    )
    return Pairs(
        examples=tuple(names) if known.all() else tuple(compress(names, known)),
        candidate=left,
        baseline=right,
        d=(right - left) if lower_is_better else (left - right),
        repeats=max(candidate.repeats, baseline.repeats),
        binary=candidate.binary and baseline.binary and not lower_is_better,
        grid=_grid(candidate, baseline, ci[known], bi[known]),
        unscored=() if known.all() else tuple(compress(names, ~known)),
        only_candidate=len(candidate.examples) - len(ci),
        only_baseline=len(baseline.examples) - len(ci),
        within=(_mean(candidate.variance[ci[known]]), _mean(baseline.variance[bi[known]])),
        failed=(*_lost(candidate, ci), *_lost(baseline, bi)),
        measure=lower_is_better,
    )


def _shared(candidate: Sequence[str], baseline: Sequence[str]) -> tuple[Places, Places]:
    """Places of the shared examples in both, in the baseline's order."""
    import numpy as np

    if list(candidate) == list(baseline):  # the usual case, and a million runs are common
        return np.arange(len(baseline)), np.arange(len(baseline))
    where = {example: index for index, example in enumerate(candidate)}
    shared = [(where[example], index) for index, example in enumerate(baseline) if example in where]
    return np.array([i for i, _ in shared], dtype=int), np.array([j for _, j in shared], dtype=int)


def _grid(candidate: Outcomes, baseline: Outcomes, ci: Places, bi: Places) -> float | None:
    """1 / the least common multiple of the repeats, for 0/1 outcomes; None for others, or past
    1/1000.
    """
    if not (candidate.binary and baseline.binary and len(ci)):
        return None
    step = math.lcm(*_counts(candidate.scored[ci]), *_counts(baseline.scored[bi]))
    return 1 / step if step <= 1000 else None


def _counts(scored: Floats) -> set[int]:
    """The different numbers of repeats; one of them is the usual case."""
    least, most = scored.min(), scored.max()
    return {int(least)} if least == most else {int(count) for count in set(scored.tolist())}


def _mean(values: Floats) -> float:
    known = values[values == values]
    return float(known.mean()) if len(known) else float("nan")


def _lost(outcomes: Outcomes, index: Places) -> tuple[int, int]:
    attempted = int(outcomes.attempted[index].sum())
    return attempted - int(outcomes.scored[index].sum()), attempted


def part(arm: Arm, ids: Collection[str]) -> Arm:
    """The arm on these examples only; its facts stay those of all its runs."""
    kept = {
        name: _part(outcomes, ids)
        for group in (arm.scores, arm.measures)
        for name, outcomes in group.items()
    }
    return Arm(
        arm.version,
        arm.label,
        {name: kept[name] for name in arm.scores},
        {name: kept[name] for name in arm.measures},
        arm.facts,
        {example: label for example, label in arm.answers.items() if example in ids},
        {example: shares for example, shares in arm.shares.items() if example in ids},
    )


def _part(o: Outcomes, ids: Collection[str]) -> Outcomes:
    import numpy as np

    keep = np.array([example in ids for example in o.examples], dtype=bool)
    names = [example for example in o.examples if example in ids]
    return Outcomes(
        names,
        o.mean[keep],
        o.scored[keep],
        o.attempted[keep],
        o.variance[keep],
        o.binary,
        o.kind,
        o.versions,
        o.calibrated,
    )
