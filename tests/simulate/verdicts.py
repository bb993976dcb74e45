"""The size table of the verdicts: how often a version that is no better is promoted.

`python tests/simulate/verdicts.py` prints it with 20,000 studies per row (`--studies`), always with
the same figures. Rows that can be enumerated are. Each row stands beside the same row with its rule
broken. A row passes where the 99 % lower bound of its rate is at most 0.05 (0.06 for clusters).
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
from exact_rows import early_at_most, early_one, guarded_slice, slices_by_holm
from size_row import ALPHA, Row, e_of_means, e_table, half_table, p_of, p_table
from weight_rows import alike_by_weight, heavy_against_light, margin_by_weight

from promptops.analysis import multiplicity, paired_tests
from promptops.analysis.arms import Arm, Outcomes
from promptops.analysis.clustered import clustered_mean
from promptops.analysis.compare import compare
from promptops.analysis.decide import decide
from promptops.analysis.interaction import interaction
from promptops.analysis.random_effects import combine
from promptops.analysis.tried import Tried, TriedCandidate

SEED = 20261129
MARGIN = 0.05
LAYOUTS: dict[str, list[int]] = {
    "20 x 10": [10] * 20,
    "30 + 20x5": [30] + [5] * 20,
    "50 + 20x5": [50] + [5] * 20,
    "zipf 100, 50, 33, ...": [max(round(100 / k), 1) for k in range(1, 21)],
    "100 + 20x5": [100] + [5] * 20,
    "100 + 20x2": [100] + [2] * 20,
    "200 + 10x1": [200] + [1] * 10,
}


def enumerated(n: int, disagree: float) -> Row:
    """0/1 scores: every outcome of n examples. Broken: the higher mean wins."""
    size = naive = 0.0
    for changed in range(n + 1):
        chance = math.comb(n, changed) * disagree**changed * (1 - disagree) ** (n - changed)
        for won in range(changed + 1):
            share = chance * math.comb(changed, won) / 2**changed
            size += share * (p_of(won, changed - won) <= ALPHA)
            naive += share * (won > changed - won)
    return Row(f"0/1, n = {n}, {100 * disagree:.0f} % differ", ALPHA, None, size, naive)


def repeats(rng: np.random.Generator, studies: int, most: int, unequal: bool) -> Row:
    """Means of repeats of 40 examples. Broken: every answer counts as an example."""
    n, hits, broken = 40, 0, 0
    for _ in range(studies):
        chance = rng.beta(0.5, 0.5, n)
        k = rng.integers(1, most + 1, n) if unequal else np.full(n, most)
        b, a = rng.binomial(k, chance), rng.binomial(k, chance)
        grid = 1 / math.lcm(*{int(x) for x in k})
        hits += paired_tests.sign_flip((b - a) / k, grid=grid).p_greater <= ALPHA
        # Answers of one example agree more than those of two: half of the repeats are copies.
        many = np.repeat(np.sign(b - a), k)
        broken += p_of(int((many > 0).sum()), int((many < 0).sum())) <= ALPHA
    name = f"{'1 to ' if unequal else ''}{most} repeats, n = {n}"
    return Row(name, ALPHA, studies, hits / studies, broken / studies)


def skewed(rng: np.random.Generator, studies: int) -> Row:
    """Scores of Beta(0.3, 2), n = 25, each arm alike. Broken: the higher mean wins."""
    hits = broken = 0
    for _ in range(studies):
        d = (rng.beta(0.3, 2, 25) - rng.beta(0.3, 2, 25)).round(2)
        hits += paired_tests.sign_flip(d, grid=0.01).p_greater <= ALPHA
        broken += d.mean() > 0
    return Row("skewed scores, n = 25", ALPHA, studies, hits / studies, broken / studies)


def clusters(rng: np.random.Generator, studies: int, name: str, between: float) -> Row:
    """A true gain at exactly the margin, `not_worse` by the clustered bound; not estimable holds.

    Broken: G/(G-1) with G - 1 degrees of freedom, as release 0.1 had it.
    """
    sizes = np.array(LAYOUTS[name])
    index = np.repeat(np.arange(len(sizes)), sizes)
    labels = index.tolist()
    counts = [0, 0]
    for _ in range(studies):
        d = rng.normal(0, between, len(sizes))[index] + rng.normal(0, 0.5, len(index)) - MARGIN
        for place, form in enumerate(("cr2", "cr1")):
            found = clustered_mean(d, labels, level=0.90, form=form)  # type: ignore[arg-type]
            counts[place] += found.interval is not None and found.interval[0] > -MARGIN
    title = f"clusters {name}, sd {between}"
    return Row(title, 0.06, studies, counts[0] / studies, counts[1] / studies)


def arms(rng: np.random.Generator, studies: int, m: int, n: int) -> tuple[Any, Any]:
    """(b, c) of m candidates against one baseline on the same n examples: studies x m each."""
    chance = rng.beta(0.6, 0.3, (studies, n))
    baseline = rng.random((studies, n)) < chance
    won, lost = np.empty((studies, m), int), np.empty((studies, m), int)
    for place in range(m):
        candidate = rng.random((studies, n)) < chance
        won[:, place] = (candidate & ~baseline).sum(1)
        lost[:, place] = (~candidate & baseline).sum(1)
    return won, lost


def one_study(rng: np.random.Generator, studies: int, m: int) -> Row:
    """m candidates in one study, by Holm. Broken: each alone at full alpha."""
    won, lost = arms(rng, studies, m, 100)
    p = p_table(won, lost)
    hits = sum(float(multiplicity.holm(row).min()) <= ALPHA for row in p)
    broken = float((p <= ALPHA).any(1).mean())
    return Row(f"{m} candidates in one study", ALPHA, studies, hits / studies, broken)


def needed(order: int) -> float | None:
    """What the candidate of the study `order` (0 first) needs, one candidate per study."""
    rows = [TriedCandidate(f"s{k}", k, f"c{k}", 100, f"{k}", "exact@1") for k in range(order + 1)]
    return Tried(tuple(rows), f"c{order}").needed(ALPHA)


def many_studies(rng: np.random.Generator, studies: int, m: int) -> Row:
    """m candidates in as many studies on the same examples: E >= 20 k (k - 1) from the second on.

    Broken: the fixed test each time.
    """
    won, lost = arms(rng, studies, m, 100)
    p, e = p_table(won, lost), e_table(won, lost)
    passed = p[:, :1] <= ALPHA
    for k in range(1, m):
        passed = np.hstack([passed, e[:, k : k + 1] >= (needed(k) or 0)])
    broken = float((p <= ALPHA).any(1).mean())
    return Row(
        f"{m} candidates in {m} studies", ALPHA, studies, float(passed.any(1).mean()), broken
    )


def retries(rng: np.random.Generator, studies: int, times: int = 5) -> Row:
    """The pair asked afresh on the same 100 examples: pooled, E >= 20 from the second time on.

    Broken: the fixed test on each set of answers.
    """
    rows = [TriedCandidate(f"s{k}", k, "b", 100, f"{k}", "exact@1") for k in range(2)]
    wanted = Tried(tuple(rows), "b").needed(ALPHA) or 0.0
    n, hits, broken = 100, 0, 0
    for some in np.array_split(np.arange(studies), max(studies // 500, 1)):
        chance = rng.beta(0.6, 0.3, (len(some), n, 1))
        b, a = (rng.random((len(some), n, times)) < chance for _ in range(2))
        won, lost = b & ~a, a & ~b
        p = p_table(won.sum(1), lost.sum(1))
        passed = p[:, 0] <= ALPHA
        for k in range(2, times + 1):
            passed |= e_of_means(won[:, :, :k], lost[:, :, :k]) >= wanted
        hits += int(passed.sum())
        broken += int((p <= ALPHA).any(1).sum())
    return Row(f"{times} judgements of a pair", ALPHA, studies, hits / studies, broken / studies)


def growing(rng: np.random.Generator, studies: int, looks: int, step: int = 50) -> Row:
    """A dataset that grows by 50 rows before each judgement. Broken: the fixed test each time."""
    chance = rng.beta(0.6, 0.3, (studies, looks * step))
    b, a = rng.random(chance.shape) < chance, rng.random(chance.shape) < chance
    ends = np.arange(step, looks * step + 1, step) - 1
    won = (b & ~a).cumsum(1)[:, ends]
    lost = (a & ~b).cumsum(1)[:, ends]
    p, e = p_table(won, lost), e_table(won, lost)
    hits = (p[:, 0] <= ALPHA) | (e[:, 1:] >= 1 / ALPHA).any(1)
    broken = float((p <= ALPHA).any(1).mean())
    return Row(f"data grown {looks} times", ALPHA, studies, float(hits.mean()), broken)


@cache
def holds_at_worst(won: int, lost: int, out: int, n: int) -> bool:
    """Whether `decide` promotes where `out` more examples that the baseline has right are missing
    for the candidate. Which of the others are right in both does not matter.
    """
    d = [1.0] * won + [-1.0] * lost + [0.0] * (n - won - lost - out)
    rows: dict[str, list[float | None]] = {f"e{i}": [max(x, 0.0)] for i, x in enumerate(d)}
    other: dict[str, list[float | None]] = {f"e{i}": [max(-x, 0.0)] for i, x in enumerate(d)}
    for place in range(n - out, n):
        rows[f"e{place}"], other[f"e{place}"] = [None], [1.0]
    candidate = Arm("b", "v2", {"exact": Outcomes.of(rows)})
    baseline = Arm("a", "v1", {"exact": Outcomes.of(other)})
    return decide(compare(candidate, baseline)).decision == "promote"


def missing(rng: np.random.Generator, studies: int, n: int) -> Row:
    """An adversary leaves out 2 % of the rows, lost ones first; through `compare` and `decide`.

    Broken: what is missing is left out of the test.
    """
    hits = broken = 0
    for _ in range(studies):
        chance = rng.beta(0.6, 0.3, n)
        b, a = rng.random(n) < chance, rng.random(n) < chance
        won, lost = int((b & ~a).sum()), int((a & ~b).sum())
        out = min(lost, n // 50)
        if p_of(won, lost - out) > ALPHA:
            continue  # what is not promoted on the rest is not promoted at worst either
        broken += 1
        hits += holds_at_worst(won, lost - out, out, n)
    return Row(f"2 % left out, n = {n}", ALPHA, studies, hits / studies, broken / studies)


def early(rng: np.random.Generator, studies: int, m: int, n: int = 300) -> Row:
    """Looks after every batch, E >= 20 m at each, also at the last one. Broken: E >= 20 for each,
    and then the fixed test with ties by half at full alpha.
    """
    chance = rng.beta(0.6, 0.3, (studies, n))
    baseline = rng.random(chance.shape) < chance
    ends = np.arange(16, n + 1, 16) - 1
    hits, broken = np.zeros(studies, bool), np.zeros(studies, bool)
    for _ in range(m):
        candidate = rng.random(chance.shape) < chance
        won = (candidate & ~baseline).cumsum(1)
        lost = (baseline & ~candidate).cumsum(1)
        e = e_table(won[:, ends], lost[:, ends]).max(1)
        hits |= e >= m / ALPHA
        half = half_table(won[:, -1], lost[:, -1])
        broken |= (e >= 1 / ALPHA) | (half <= ALPHA)
    return Row(
        f"early stopping, {m} candidates", ALPHA, studies, float(hits.mean()), float(broken.mean())
    )


def over_tasks(rng: np.random.Generator, studies: int, sizes: tuple[int, ...]) -> Row:
    """True gains of tasks vary by a tenth around 0; judged over tasks, one of them large.

    Broken: judged over examples as if they were of one task.
    """
    n, hits, broken = np.array(sizes), 0, 0
    for _ in range(studies):
        gain = np.clip(rng.normal(0, 0.1, len(n)), -0.3, 0.3)
        won = rng.binomial(n, 0.15 + gain / 2)
        lost = rng.binomial(n - won, (0.15 - gain / 2) / (0.85 - gain / 2))
        d = (won - lost) / n
        variances = np.maximum((won + lost + 1) / n - d**2, 1e-6) / (n - 1)
        hits += combine(d.tolist(), variances.tolist()).p_better <= ALPHA
        broken += p_of(int(won.sum()), int(lost.sum())) <= ALPHA
    name = f"gains that vary over {len(n)} tasks"
    return Row(name, 0.06, studies, hits / studies, broken / studies)


def two_models(rng: np.random.Generator, studies: int, n: int = 60) -> Row:
    """A gain of 15 points on either model: how often it is shown to depend on the model.

    Broken: a verdict where the gain is significant on one model and not on the other.
    """
    draws = rng.multinomial(n, [0.25, 0.1, 0.65], (studies, 2))
    p = p_table(draws[:, :, 0], draws[:, :, 1]) <= ALPHA
    hits = 0
    for one, other in draws:
        gains = [rng.permutation(np.repeat([1.0, -1.0, 0.0], counts)) for counts in (one, other)]
        hits += interaction(gains, grid=1.0).p <= ALPHA
    broken = float((p[:, 0] != p[:, 1]).mean())
    return Row("a gain shown to depend on the model", ALPHA, studies, hits / studies, broken)


def table(studies: int, sizes: tuple[int, ...] = (100, 500)) -> Iterator[Row]:
    """Every row, each with a generator of its own. sizes: of the studies with 2 % left out."""
    rngs = iter(np.random.default_rng(SEED).spawn(60))
    for n, disagree in ((50, 0.2), (100, 0.2), (100, 0.5)):
        yield enumerated(n, disagree)
    yield repeats(next(rngs), studies, 3, unequal=False)
    yield repeats(next(rngs), studies, 3, unequal=True)
    yield skewed(next(rngs), studies)
    for name in LAYOUTS:
        for between in (0.1, 0.2):
            yield clusters(next(rngs), studies, name, between)
    for m in (2, 3, 5, 10, 20):
        yield one_study(next(rngs), studies, m)
    for m in (2, 3, 5, 10, 20):
        yield many_studies(next(rngs), studies, m)
    yield retries(next(rngs), studies)
    for looks in (2, 5):
        yield growing(next(rngs), studies, looks)
    for n in sizes:
        yield missing(next(rngs), studies, n)
    yield guarded_slice()
    yield slices_by_holm(next(rngs), studies)
    yield early_one()
    for m in (2, 3, 5):
        yield early(next(rngs), studies, m)
        yield early_at_most(m)
    for tasks in ((400, 100, 60, 40, 40, 20), (250,) * 18):
        yield over_tasks(next(rngs), studies, tasks)
    yield two_models(next(rngs), studies)
    yield alike_by_weight(next(rngs), studies)
    yield margin_by_weight(next(rngs), studies)
    yield heavy_against_light(next(rngs), studies)


def main() -> int:
    """Print the table in Markdown; 1 if a row does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=20_000, help="simulated per row")
    chosen = parser.parse_args()
    print("| what is tried | studies | promoted | limit | rule broken | holds |")
    print("| --- | --- | --- | --- | --- | --- |")
    held = True
    for row in table(chosen.studies):
        count = "enumerated" if row.studies is None else f"{row.studies:,}"
        held &= row.holds
        print(
            f"| {row.name} | {count} | {row.rate:.4f} | {row.limit} | {row.broken:.4f} |"
            f" {'yes' if row.holds else 'NO'} |",
            flush=True,
        )
    return 0 if held else 1


if __name__ == "__main__":
    raise SystemExit(main())
