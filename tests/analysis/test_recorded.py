"""On real recorded outputs the verdicts are right: published accuracies come back, and the decision
is what an independent computation says.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import binomtest, permutation_test

from promptops.analysis.arms import Arm, Outcomes
from promptops.analysis.compare import ComparisonContext, ComparisonFacts, compare
from promptops.analysis.decide import decide
from promptops.analysis.repeats import at_k
from promptops.analysis.slices import slices
from promptops.analysis.standings import leaderboard

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
TASKS = (
    sorted(
        {
            row["slice"]
            for row in json.loads((DATA / "bbh" / "published.json").read_text())["figures"]
        }
    )
    if (DATA / "bbh").is_dir()
    else ["none"]
)

pytestmark = pytest.mark.skipif(
    not (DATA / "bbh").is_dir(),
    reason="the recorded studies (shared/data) are not beside the repository",
)


def lines(*parts: str) -> Iterator[dict[str, Any]]:
    with DATA.joinpath(*parts).open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


@pytest.fixture(scope="module")
def bbh() -> dict[str, dict[str, float]]:
    """version -> example id -> right or wrong, as recorded upstream."""
    found: dict[str, dict[str, float]] = {}
    for row in lines("bbh", "outputs.jsonl"):
        found.setdefault(row["version"], {})[row["example_id"]] = float(row["correct"])
    return found


def study(bbh: dict[str, dict[str, float]], task: str | None = None) -> ComparisonFacts:
    arms = [
        Arm(
            f"p1-{v}",
            v,
            {
                "exact": Outcomes.of(
                    {e: [x] for e, x in bbh[v].items() if task is None or e.startswith(f"{task}/")}
                )
            },
        )
        for v in ("v2-cot", "v1-direct")
    ]
    tags = {example: (example.split("/")[0],) for example in arms[0].scores["exact"].examples}
    return compare(arms[0], arms[1], grounds=ComparisonContext(tags=tags))


@pytest.mark.parametrize("task", TASKS)
def test_a_bbh_task_gets_the_verdict_that_scipy_s_binomial_gives(
    bbh: dict[str, dict[str, float]], task: str
) -> None:
    """Published accuracies, b and c counted by hand, and p by another library."""
    comparison = study(bbh, task)
    figures = comparison.primary
    published = {
        row["version"]: row
        for row in json.loads((DATA / "bbh" / "published.json").read_text())["figures"]
        if row["slice"] == task
    }
    assert 100 * figures.candidate == pytest.approx(published["v2-cot"]["published"], abs=0.05)
    assert 100 * figures.baseline == pytest.approx(published["v1-direct"]["published"], abs=0.05)
    ours = [e for e in bbh["v1-direct"] if e.startswith(f"{task}/")]
    b = sum(bbh["v2-cot"][e] > bbh["v1-direct"][e] for e in ours)
    c = sum(bbh["v2-cot"][e] < bbh["v1-direct"][e] for e in ours)
    assert (figures.wins, figures.losses, figures.n) == (b, c, published["v2-cot"]["n"])
    better = float(binomtest(b, b + c, alternative="greater").pvalue)
    worse = float(binomtest(c, b + c, alternative="greater").pvalue)
    assert (figures.p_better, figures.p_worse) == pytest.approx((better, worse), rel=1e-9)
    expected = "promote" if better <= 0.05 else "reject" if worse <= 0.05 else "inconclusive"
    assert decide(comparison).decision == expected


def test_pooled_bbh_is_a_win_that_says_where_it_loses(bbh: dict[str, dict[str, float]]) -> None:
    """Chain of thought wins over 4,500 examples and loses in some tasks: each of those is
    reported.
    """
    comparison = study(bbh)
    assert comparison.primary.n == 4500
    assert decide(comparison).decision == "promote"
    found = slices(comparison)
    losing = {task for task in TASKS if study(bbh, task).primary.gain < 0}
    assert losing
    assert {row.tag for row in found.against} == losing
    assert len(found.rows) == 18
    assert all("wins overall but loses in" in text for text in found.simpson)
    marked = {row.tag for row in found.rows if row.marked and row.gain < 0}
    assert marked <= losing
    assert "of 4,500 examples" in comparison.statement()


def test_a_hundred_samples_of_a_puzzle_are_one_puzzle() -> None:
    """game24: the mean over samples favours v1-io, best of 100 favours v2-cot, and both count 100
    puzzles, not 10,000 answers.
    """
    samples: dict[str, dict[str, list[float | None]]] = {}
    for row in lines("game24", "outputs.jsonl"):
        if row["version"] in ("v1-io", "v2-cot"):
            samples.setdefault(row["version"], {}).setdefault(row["example_id"], []).append(
                float(row["recorded_score"])
            )
    cot, io = (Outcomes.of(samples[v]) for v in ("v2-cot", "v1-io"))
    arms = [
        Arm(
            f"p1-{label}",
            label,
            {
                "mean": outcomes,
                "best of 100": at_k(outcomes, 100),
                "best of 10": at_k(outcomes, 10),
            },
        )
        for label, outcomes in (("v2-cot", cot), ("v1-io", io))
    ]
    comparison = compare(arms[0], arms[1])
    mean, best = comparison["mean"], comparison["best of 100"]
    assert (mean.n, mean.repeats, best.n, best.repeats) == (100, 100, 100, 1)
    assert (mean.candidate, mean.baseline) == pytest.approx((0.040, 0.073), abs=0.0006)
    assert (best.candidate, best.baseline) == (0.49, 0.33)
    assert mean.gain < 0 < best.gain
    assert best.interval_method == "Tango score"
    assert mean.test_method == "convolution"
    d = comparison.pairs("mean").d
    theirs = permutation_test(
        (d, 0 * d),
        lambda x, y: (x - y).sum(),
        permutation_type="samples",
        n_resamples=20_000,
        alternative="less",
        rng=1,
    )
    assert mean.p_worse == pytest.approx(float(theirs.pvalue), abs=0.015)
    assert best.p_better == pytest.approx(
        float(binomtest(best.wins, best.wins + best.losses, alternative="greater").pvalue)
    )
    assert "100 repeats per example are averaged first: 100 examples count" in " ".join(
        comparison.notes
    )


def test_four_models_on_grade_school_maths_are_ordered() -> None:
    """gsm8k: published accuracies, and every pair settled but those that an independent test leaves
    open.
    """
    found: dict[str, dict[str, float]] = {}
    for row in lines("gsm8k_openai", "outputs.jsonl"):
        found.setdefault(row["version"], {})[row["example_id"]] = float(row["correct"])
    board = leaderboard(
        [
            Arm(f"p1-{v}", v, {"exact": Outcomes.of({e: [x] for e, x in rows.items()})})
            for v, rows in found.items()
        ]
    )
    published = {
        r["version"]: r["published"]
        for r in json.loads((DATA / "gsm8k_openai" / "published.json").read_text())["figures"]
    }
    for standing in board.standings:
        assert 100 * standing.primary.mean == pytest.approx(published[standing.label], abs=0.05)
    assert [s.label for s in board.standings] == sorted(published, key=lambda v: -published[v])
    for duel in board.duels:
        p = float(binomtest(duel.wins, duel.wins + duel.losses).pvalue)
        assert duel.p == pytest.approx(p, rel=1e-9)
        assert (duel.verdict == "open") is (duel.adjusted > 0.05)
