"""What the data say about one measure: both means, the difference with its interval, the exact
test, what n could see.

Positive `gain` means that the candidate did better, whichever way the measure points. Formulas and
defaults: the statistics contract in the guide (exact one-sided sign-flip; Tango for 0/1, else t
and BCa; Wilson, t or clustered t for one arm). The same input gives the same figures; the
bootstrap's seed is fixed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Literal

from . import e_values, intervals, paired_tests
from .arms import MEASURES, Outcomes, Pairs, pair
from .clustered import clustered_mean
from .detectable import detectable, needed_n
from .little_spread import by_label, clustered_bound, constant
from .units import labels_of, units_in
from .weighted import weighted_interval, weighted_mean_interval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = [
    "RULES",
    "Difference",
    "Ties",
    "difference",
    "figures_of",
    "gain_interval",
    "mean_interval",
    "on_scale",
    "rounded",
]

Ties = Literal["full", "half"]

GRID = 0.001  # of scores that are not means of a few 0/1 outcomes
# how figures and verdicts follow from the data: 1 is release 0.1; 3 knows what few losses show
RULES = 3
LEVEL = 0.90  # of differences: its lower end is the one-sided 95 % bound
BCA_LIMIT = 2000  # beyond, the t interval alone
SEED = 20_260_101


@dataclass(frozen=True, slots=True)
class Difference:
    """Figures of one measure over n pairs. Shares are 0-1; cost in USD, latency in ms. None: cannot
    be known from these data.

    low, high: 90 % interval of `gain`; bound: its one-sided 95 % lower bound for guardrails; wins,
    losses: examples where the candidate did better, worse (b and c); p_better, p_worse: exact
    one-sided sign-flip; e_value: against "no better" (None off the 0-1 scale); sd: of the per-unit
    differences; mde: smallest gain found with 80 % power at this n; n_needed: pairs that would
    settle this gain with 80 % power; clusters: units where examples are grouped, else None; within:
    mean variance between repeats (candidate, baseline).
    """

    name: str
    kind: str
    unit: str
    binary: bool
    n: int
    clusters: int | None
    repeats: int
    candidate: float
    candidate_interval: tuple[float, float] | None
    baseline: float
    baseline_interval: tuple[float, float] | None
    gain: float
    low: float | None
    high: float | None
    bound: float | None
    interval_method: str
    wins: int
    losses: int
    p_better: float
    p_worse: float
    test_method: str
    e_value: float | None
    sd: float | None
    effect: float | None
    mde: float | None
    n_needed: int | None
    within: tuple[float | None, float | None]
    between: float | None
    unscored: int
    only_candidate: int
    only_baseline: int
    failed: tuple[int, int, int, int]
    calibrated: bool | None = None

    @property
    def lower_is_better(self) -> bool:
        return self.name in MEASURES

    @property
    def ties(self) -> int:
        return self.n - self.wins - self.losses

    @property
    def missing(self) -> float:
        """Share of the shared examples without a pair."""
        shared = self.n + self.unscored
        return self.unscored / shared if shared else 0.0

    def document(self) -> dict[str, object]:
        """JSON-ready; numbers rounded to 12 significant figures, so that other hardware says the
        same.
        """
        return {key: rounded(value) for key, value in asdict(self).items()}


def difference(
    name: str,
    candidate: Outcomes,
    baseline: Outcomes,
    *,
    clusters: Mapping[str, str] | None = None,
    alpha: float = 0.05,
    ties: Ties = "full",
    rules: int = RULES,
) -> tuple[Difference, Pairs]:
    """The facts of one measure, and the pairs that they rest on.

    clusters: example id -> group, None if examples are independent. Raises StatisticsError as
        `pair` does.
    """
    pairs = pair(candidate, baseline, lower_is_better=name in MEASURES)
    figures = figures_of(
        name, pairs, candidate, clusters=clusters, alpha=alpha, ties=ties, rules=rules
    )
    return figures, pairs


def figures_of(
    name: str,
    pairs: Pairs,
    scorer: Outcomes,
    *,
    clusters: Mapping[str, str] | None = None,
    alpha: float = 0.05,
    ties: Ties = "full",
    rules: int = RULES,
) -> Difference:
    """The facts of some pairs. scorer: outcomes that say of which kind they are."""
    labels = labels_of(pairs, clusters)
    units, largest = units_in(pairs, labels)
    grid = None if name in MEASURES or pairs.scale != 1.0 else pairs.grid or GRID
    test = paired_tests.sign_flip(units, grid=grid, ties=ties)
    low, high, bound, method = gain_interval(pairs, labels, rules=rules)
    return Difference(
        name=name,
        kind=scorer.kind,
        unit=MEASURES.get(name, ""),
        binary=pairs.binary,
        n=pairs.n,
        clusters=len(units) if labels is not None else None,
        repeats=pairs.repeats,
        candidate=float(pairs.candidate.mean()) if pairs.n else math.nan,
        candidate_interval=_arm_interval(pairs, pairs.candidate, labels, rules),
        baseline=float(pairs.baseline.mean()) if pairs.n else math.nan,
        baseline_interval=_arm_interval(pairs, pairs.baseline, labels, rules),
        gain=_gain(pairs.d),
        low=low,
        high=high,
        bound=bound,
        interval_method=method,
        wins=int((pairs.d > 1e-12).sum()),
        losses=int((pairs.d < -1e-12).sum()),
        p_better=test.p_greater,
        p_worse=test.p_less,
        test_method=test.method,
        e_value=None if name in MEASURES else _e_value(units, largest),
        **asdict(_sensitivity(pairs, labels, units, alpha, rules)),
        within=(_known(pairs.within[0]), _known(pairs.within[1])),
        between=_between(pairs, units) if labels is None else None,
        unscored=len(pairs.unscored),
        only_candidate=pairs.only_candidate,
        only_baseline=pairs.only_baseline,
        failed=pairs.failed,
        calibrated=scorer.calibrated,
    )


@dataclass(frozen=True, slots=True)
class _Sensitivity:
    """How small a difference these units could show: their spread, the gain in units of it, the
    smallest gain that is found 4 times in 5, and how many examples the one found would take.
    """

    sd: float | None
    effect: float | None
    mde: float | None
    n_needed: int | None


def _sensitivity(
    pairs: Pairs, labels: list[str] | None, units: Floats, alpha: float, rules: int
) -> _Sensitivity:
    spread = _sd(units)
    unit_gain = _gain(pairs.d) * pairs.n / len(units) if len(units) else 0.0
    return _Sensitivity(
        sd=spread,
        effect=unit_gain / spread if spread else None,
        mde=detectable(pairs, labels, len(units), alpha, spread, rules),
        n_needed=needed_n(pairs, labels, unit_gain, spread, alpha, rules),
    )


def gain_interval(
    pairs: Pairs,
    labels: list[str] | None,
    *,
    level: float = LEVEL,
    bootstrap: bool = True,
    rules: int = RULES,
) -> tuple[float | None, float | None, float | None, str]:
    """Interval of the mean gain, its lower bound for guardrails (one-sided, (1 + level) / 2), and
    the method's name.

    bootstrap: whether the bound of continuous scores is the lower of t and BCa. None if no
        estimate exists: fewer than two units.
    """
    d = pairs.d
    if not len(d):
        return None, None, None, "none"
    if pairs.weights is not None:
        return weighted_interval(pairs, labels, level)
    if pairs.strata is not None and rules >= 3:
        plain = replace(pairs, strata=None)
        within = None if labels is None else gain_interval(plain, labels, level=level)
        return by_label(pairs, labels, within, level)
    if labels is not None:
        grouped = clustered_mean(d, labels, level=level, form=_form(rules))
        low, high = grouped.interval or (None, None)
        if grouped.se == 0.0:
            return constant(pairs, grouped.clusters, level)
        if grouped.dominated:
            held = f"not estimable: one cluster holds {100 * grouped.largest:.0f} %"
            return None, None, None, held
        if low is None or grouped.se is None:
            return None, None, None, "none"
        bound, method = low, "clustered t"
        if rules >= 3 and pairs.binary:
            bound = clustered_bound(pairs, low, grouped.se, level)
            method += "; Tango for the bound" if bound < low else ""
        return low, high, bound, method
    if pairs.binary and pairs.repeats == 1:
        low, high = intervals.tango(int((d > 0).sum()), int((d < 0).sum()), len(d), level=level)
        return low, high, low, "Tango score"
    found = intervals.t_interval(d, level=level)
    if found is None:
        return constant(pairs, len(d), level) if len(d) > 1 else (None, None, None, "none")
    accelerated = (
        intervals.bca(d, level=level, seed=SEED) if bootstrap and len(d) <= BCA_LIMIT else None
    )
    if accelerated is None:
        return *found, found[0], "t"
    return *found, min(found[0], accelerated[0]), "t; BCa for the bound"


def _arm_interval(
    pairs: Pairs, values: Floats, labels: list[str] | None, rules: int
) -> tuple[float, float] | None:
    """95 % interval of one arm's mean; scores are cut to [0, 1], the range of a share."""
    if pairs.weights is not None:
        held = weighted_mean_interval(values, pairs.weights, labels, level=0.95)
        found = held if isinstance(held, tuple) else None
    else:
        found = mean_interval(values, pairs.binary and pairs.repeats == 1, labels, rules)
    return found if rules < 2 or pairs.measure else on_scale(found, values, pairs.scale)


def on_scale(
    interval: tuple[float, float] | None, values: Floats, scale: float = 1.0
) -> tuple[float, float] | None:
    """The interval of a mean of scores from 0 to `scale`, cut to the range of a share."""
    if interval is None or values.min() < 0 or values.max() > scale:
        return interval
    return max(interval[0], 0.0), min(interval[1], 1.0)


def mean_interval(
    values: Floats, binary: bool, labels: list[str] | None = None, rules: int = RULES
) -> tuple[float, float] | None:
    """95 % interval of one arm's mean: t on clusters where `labels` are given, Wilson for 0/1, else
    t on examples.
    """
    if not len(values):
        return None
    if labels is not None:
        return clustered_mean(values, labels, level=0.95, form=_form(rules)).interval
    if binary:
        return intervals.wilson(round(float(values.sum())), len(values), level=0.95)
    return intervals.t_interval(values, level=0.95)


def _form(rules: int) -> Literal["cr1", "cr2"]:
    return "cr2" if rules >= 2 else "cr1"


def _gain(d: Floats) -> float:
    """The mean; what is left of float noise where gains and losses cancel is 0."""
    if not len(d):
        return 0.0
    mean = float(d.mean())
    return mean if abs(mean) > 1e-13 * float(abs(d).max()) else 0.0


def _e_value(units: Floats, largest: float) -> float | None:
    """None if scores are off the 0-1 scale."""
    if len(units) and float(abs(units).max()) > largest * (1 + 1e-9):
        return None
    return e_values.e_value(units / largest)


def _sd(values: Floats) -> float | None:
    """None if n < 2 or constant."""
    spread = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    return spread if spread > 1e-12 else None


def _between(pairs: Pairs, units: Floats) -> float | None:
    """omega^2 = var(d) - (sA^2 + sB^2) / K, at least 0: how much examples differ beyond the
    repeats' noise.
    """
    if pairs.repeats < 2 or len(units) < 2 or any(value != value for value in pairs.within):
        return None
    return max(float(units.var(ddof=1)) - sum(pairs.within) / pairs.repeats, 0.0)


def _known(value: float) -> float | None:
    return None if value != value else value


def rounded(value: object) -> object:
    """JSON-ready: 12 significant figures, None for what is not finite, tuples as lists."""
    if isinstance(value, float):
        return None if not math.isfinite(value) else float(f"{value:.12g}")
    if isinstance(value, (tuple, list)):
        return [rounded(item) for item in value]
    return value
