"""What the added rules cost: how often a version that is better is promoted, by the whole decision
of today and by the bare test of release 0.1, on the same simulated studies.

`python tests/simulate/power.py` prints it with 2,000 studies per row (`--studies`), always with the
same figures. The rows are of what 0.1 judged validly: one candidate, judged once, every answer
there, independent examples or balanced clusters. A row passes where at most two points are lost.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from size_row import ALPHA, p_of

from promptops.analysis import paired_tests
from promptops.analysis.arms import Arm, Outcomes
from promptops.analysis.clustered import clustered_mean
from promptops.analysis.compare import compare
from promptops.analysis.comparison_context import ComparisonContext
from promptops.analysis.decide import decide
from promptops.policy import Policy

SEED = 20261130
POINTS = 0.02
Scores = Sequence[Sequence[float]]


@dataclass(frozen=True, slots=True)
class Power:
    """name; before: share promoted by the test of 0.1; now: by today's decision."""

    name: str
    before: float
    now: float

    @property
    def holds(self) -> bool:
        return self.now >= self.before - POINTS


def decided(
    candidate: Scores,
    baseline: Scores,
    policy: Policy | None = None,
    *,
    clusters: Sequence[int] | None = None,
    tags: Sequence[str] | None = None,
) -> bool:
    """Whether today's decision promotes; a list of repeats per example."""
    names = [f"e{i}" for i in range(len(candidate))]
    rows = [
        Outcomes.of({name: list(each) for name, each in zip(names, arm, strict=True)})
        for arm in (candidate, baseline)
    ]
    grounds = ComparisonContext(
        clusters=None if clusters is None else dict(zip(names, map(str, clusters), strict=True)),
        tags={} if tags is None else {n: (tag,) for n, tag in zip(names, tags, strict=True)},
    )
    arms = Arm("b", "v2", {"exact": rows[0]}), Arm("a", "v1", {"exact": rows[1]})
    return decide(compare(*arms, grounds=grounds), policy).decision == "promote"


@cache
def of_counts(won: int, lost: int, n: int) -> bool:
    """Which examples are right in both does not matter where there is neither tag nor cluster."""
    d = [1.0] * won + [-1.0] * lost + [0.0] * (n - won - lost)
    return decided([[max(x, 0.0)] for x in d], [[max(-x, 0.0)] for x in d])


def plain(rng: np.random.Generator, studies: int, n: int, won: float, lost: float) -> Power:
    """0/1 scores of n examples: shares `won` and `lost` of them change."""
    draws = rng.multinomial(n, [won, lost, 1 - won - lost], studies)
    before = sum(p_of(int(b), int(c)) <= ALPHA for b, c, _ in draws)
    now = sum(of_counts(int(b), int(c), n) for b, c, _ in draws)
    name = f"0/1, n = {n}, +{100 * (won - lost):.0f} points"
    return Power(name, before / studies, now / studies)


def repeated(rng: np.random.Generator, studies: int, n: int = 60, k: int = 3) -> Power:
    """Means of three repeats, +12 points."""
    before = now = 0
    for _ in range(studies):
        chance = rng.beta(0.8, 0.8, n)[:, None]
        b = (rng.random((n, k)) < np.minimum(chance + 0.12, 1)).astype(float)
        a = (rng.random((n, k)) < chance).astype(float)
        d = b.mean(1) - a.mean(1)
        before += paired_tests.sign_flip(d, grid=1 / k).p_greater <= ALPHA
        now += decided(b.tolist(), a.tolist())
    return Power(f"{k} repeats, n = {n}", before / studies, now / studies)


def skewed(rng: np.random.Generator, studies: int, n: int = 40) -> Power:
    """Scores of Beta(0.3, 2) against lower ones."""
    before = now = 0
    for _ in range(studies):
        b, a = rng.beta(0.45, 2, n).round(2), rng.beta(0.3, 2, n).round(2)
        before += paired_tests.sign_flip(b - a, grid=0.01).p_greater <= ALPHA
        now += decided(b[:, None].tolist(), a[:, None].tolist())
    return Power(f"skewed scores, n = {n}", before / studies, now / studies)


def tagged(rng: np.random.Generator, studies: int, tags: int = 10, n: int = 200) -> Power:
    """+10 points on each of ten tags: the check of the slices stands beside the test."""
    before = now = 0
    names = [f"t{i % tags}" for i in range(n)]
    for _ in range(studies):
        d = rng.choice([1.0, -1.0, 0.0], n, p=[0.16, 0.06, 0.78])
        passed = p_of(int((d > 0).sum()), int((d < 0).sum())) <= ALPHA
        before += passed
        if passed:  # a check can only hold a promotion back
            b, a = np.maximum(d, 0)[:, None], np.maximum(-d, 0)[:, None]
            now += decided(b.tolist(), a.tolist(), tags=names)
    return Power(f"{tags} tags, n = {n}, +10 points", before / studies, now / studies)


def clustered(rng: np.random.Generator, studies: int, between: float) -> Power:
    """`not_worse` on 20 clusters of 10, where the clustered bound of 0.1 keeps its level."""
    before = now = 0
    labels = np.repeat(np.arange(20), 10).tolist()
    for _ in range(studies):
        shift = rng.normal(0, between, 20)[labels]
        a = rng.random(200)
        b = np.clip(a + shift * 0.2 + rng.normal(-0.02, 0.2, 200), 0, 1).round(3)
        a = a.round(3)
        found = clustered_mean(b - a, labels, level=0.90, form="cr1")
        before += found.interval is not None and found.interval[0] > -0.05
        policy = Policy(goal="not_worse")
        now += decided(b[:, None].tolist(), a[:, None].tolist(), policy, clusters=labels)
    return Power(f"not worse, 20 clusters of 10, sd {between}", before / studies, now / studies)


def table(studies: int) -> Iterator[Power]:
    """Every row, each with a generator of its own."""
    rngs = iter(np.random.default_rng(SEED).spawn(20))
    for n, won, lost in ((50, 0.2, 0.05), (100, 0.15, 0.05), (200, 0.15, 0.05), (400, 0.1, 0.05)):
        yield plain(next(rngs), studies, n, won, lost)
    yield repeated(next(rngs), studies)
    yield skewed(next(rngs), studies)
    yield tagged(next(rngs), studies)
    for between in (0.1, 0.2):
        yield clustered(next(rngs), studies, between)


def main() -> int:
    """Print the table in Markdown; 1 if a row does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=2_000, help="simulated per row")
    chosen = parser.parse_args()
    print("| what is judged | promoted by 0.1's test | by today's decision | holds |")
    print("| --- | --- | --- | --- |")
    kept = True
    for row in table(chosen.studies):
        kept &= row.holds
        print(
            f"| {row.name} | {row.before:.3f} | {row.now:.3f} | {'yes' if row.holds else 'NO'} |",
            flush=True,
        )
    return 0 if kept else 1


if __name__ == "__main__":
    raise SystemExit(main())
