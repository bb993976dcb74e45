"""Examples weighed by how often they are asked: the interval, and what a decision makes of it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

from promptops.analysis.arms import Arm, Outcomes, Pairs, pair
from promptops.analysis.compare import ComparisonContext, ComparisonFacts, compare
from promptops.analysis.decide import decide
from promptops.analysis.intervals import t_interval
from promptops.analysis.recompute import make_evidence, recompute
from promptops.analysis.weighted import (
    effective_n,
    weigh,
    weighted_interval,
    weighted_mean_interval,
)
from promptops.evidence import Evidence
from promptops.policy import Guardrail, Policy


def outcomes(values: Sequence[float]) -> Outcomes:
    return Outcomes.of({f"e{i}": [value] for i, value in enumerate(values)})


def pairs_of(candidate: Sequence[float], baseline: Sequence[float]) -> Pairs:
    return pair(outcomes(candidate), outcomes(baseline))


def weights_of(values: Sequence[float]) -> dict[str, float]:
    return {f"e{i}": float(value) for i, value in enumerate(values)}


def judged(won: int, lost: int, n: int, weights: Sequence[float] | None) -> ComparisonFacts:
    """The first `won` examples are won, the next `lost` lost."""
    candidate = [1.0] * won + [0.0] * lost + [1.0] * (n - won - lost)
    baseline = [0.0] * won + [1.0] * lost + [1.0] * (n - won - lost)
    arms = [
        Arm(label, label, {"exact": outcomes(values)})
        for label, values in (("v2", candidate), ("v1", baseline))
    ]
    named = {"weights": weights_of(weights), "weighed_by": "count"} if weights is not None else {}
    return compare(*arms, grounds=ComparisonContext(planned=n, **named))


def by_matrices(
    values: np.ndarray, weights: np.ndarray, groups: list[int], within: float
) -> tuple[float, float]:
    """(standard error, degrees of freedom) written out: one row per value, nothing simplified."""
    n, shares = len(values), weights / weights.sum()
    residual = np.eye(n) - np.outer(np.ones(n), shares)
    same = np.equal.outer(groups, groups)
    work = np.where(same, within, 0.0) + (1 - within) * np.eye(n)
    errors, square = residual @ values, np.zeros((n, n))
    se2 = 0.0
    for group in sorted(set(groups)):
        own = np.where(np.array(groups) == group, shares, 0.0)
        true, seen = own @ work @ own, own @ residual @ work @ residual.T @ own
        se2 += true / seen * float(own @ errors) ** 2
        square += true / seen * residual.T @ np.outer(own, own) @ residual
    product = square @ work
    return se2**0.5, float(np.trace(product) ** 2 / np.trace(product @ product))


@pytest.mark.parametrize("grouped", [False, True])
def test_the_interval_is_that_of_the_matrices(grouped: bool) -> None:
    """The traces are taken without building a matrix; here they are built."""
    rng = np.random.default_rng(5)
    weights = rng.lognormal(0, 1, 14)
    values = rng.normal(0.2, 0.5, 14)
    groups = [int(x) for x in rng.integers(0, 6, 14)] if grouped else list(range(14))
    se, freedom = by_matrices(values, weights, groups, 0.02)
    factors = weights / weights.mean()
    labels = [str(group) for group in groups] if grouped else None
    found = weighted_mean_interval(values * factors, factors, labels, level=0.9)
    assert isinstance(found, tuple)
    mean = float(np.average(values, weights=weights))
    half = float(stats.t.ppf(0.95, freedom)) * se
    assert found == pytest.approx((mean - half, mean + half), abs=1e-10)


def test_equal_weights_change_nothing() -> None:
    """Neither the pairs nor, where the formula is taken at its word, Student's interval."""
    pairs = pairs_of([1, 0, 1, 1], [0, 0, 1, 0])
    assert weigh(pairs, weights_of([7, 7, 7, 7])) is pairs
    values = np.array([0.3, -0.1, 0.5, 0.2, 0.0])
    found = weighted_mean_interval(values, np.ones(5), level=0.9)
    assert found == pytest.approx(t_interval(values, level=0.9), abs=1e-12)


def test_a_weight_is_a_share_of_the_mean_and_no_evidence() -> None:
    """A thousand uses of an example are one answer: ten times the counts say the same."""
    candidate, baseline = [1, 1, 0, 1, 1, 0], [0, 1, 0, 0, 1, 1]
    counts = [500, 20, 10, 5, 1, 1]
    one, ten = (
        weigh(pairs_of(candidate, baseline), weights_of([k * x for x in counts])) for k in (1, 10)
    )
    assert one.d.mean() == pytest.approx((500 + 5 - 1) / 537)
    assert np.allclose(one.d, ten.d)
    assert weighted_interval(one, None, 0.9) == weighted_interval(ten, None, 0.9)
    assert one.weights is not None
    assert effective_n(one.weights) == pytest.approx(537**2 / (500**2 + 400 + 100 + 25 + 2))


def test_the_test_is_the_exact_sign_flip_of_the_weighted_differences() -> None:
    """Whole counts, every choice of signs counted."""
    counts = [7, 4, 2, 1, 1]
    found = judged(2, 2, 5, counts).weighed
    assert found is not None
    sums = [
        sum(sign * count for sign, count in zip(signs, counts, strict=False))
        for signs in itertools.product((1, -1), repeat=4)
    ]
    wanted = sum(total >= 7 + 4 - 2 - 1 for total in sums) / len(sums)
    assert found.primary.p_better == pytest.approx(wanted)


def test_a_gain_on_what_is_asked_rarely_is_held_back() -> None:
    """Won are 30 questions asked once, lost are 4 asked a thousand times each."""
    rare = judged(30, 4, 100, [1] * 30 + [1000] * 4 + [50] * 66)
    alone = judged(30, 4, 100, None)
    assert decide(alone).decision == "promote"
    verdict = decide(rare)
    assert verdict.decision == "inconclusive"
    [check] = [check for check in verdict.checks if check.name == "weights"]
    assert check.status == "unproven"
    assert "weighed by count" in check.text
    assert rare.primary.gain == alone.primary.gain


def test_weights_never_promote() -> None:
    """A column made after the answers are known cannot turn a refusal into a promotion."""
    made_up = judged(4, 4, 60, [1e6] * 4 + [1] * 56)
    assert decide(made_up).decision == decide(judged(4, 4, 60, None)).decision == "inconclusive"
    assert not [check for check in decide(made_up).checks if check.name == "weights"]


def test_one_heavy_example_that_came_out_even_is_not_a_gain() -> None:
    """Signs alone would take it for one that always does (p < 1e-6); its interval does not."""
    heavy = judged(25, 0, 60, [1] * 59 + [40])
    assert heavy.weighed is not None
    assert heavy.weighed.primary.p_better < 1e-6
    verdict = decide(heavy)
    assert verdict.decision == "inconclusive"
    assert "not shown" in verdict.checks[-1].text


def test_dominating_weight_leaves_nothing_to_estimate() -> None:
    """One question of 60 has 90 % of the uses."""
    found = judged(25, 1, 60, [1] * 59 + [540]).weighed
    assert found is not None
    assert found.primary.bound is None
    assert "90 % of the weight" in found.primary.interval_method


def test_mild_weights_promote_and_the_bundle_verifies() -> None:
    """The figures by weight are in the evidence, and are computed again from it."""
    found = judged(40, 8, 120, [1 + i % 3 for i in range(120)])
    policy = Policy(weights="count")
    verdict = decide(found, policy)
    assert verdict.decision == "promote"
    assert [check.status for check in verdict.checks if check.name == "weights"] == ["pass"]
    evidence = make_evidence(found, verdict, policy)
    again = Evidence.from_document(evidence.document())
    assert again.digest == evidence.digest
    figures = recompute(again)
    assert all(figure.same for figure in figures)
    named = {figure.name for figure in figures}
    assert {"by weight.gain", "by weight.effective_n", "verdict.weights"} <= named
    document = evidence.document()
    document["weights"] = [*document["weights"][:-1], 500]
    other = recompute(Evidence.from_document(document))
    assert {figure.name for figure in other if not figure.same} > {"by weight.gain"}


def test_a_policy_by_weight_needs_the_weights() -> None:
    """A comparison without them, or by another column, is not promoted under such a policy."""
    verdict = decide(judged(40, 8, 120, None), Policy(weights="count"))
    assert verdict.decision == "inconclusive"
    assert "weights='count'" in verdict.checks[-1].next
    other = decide(judged(40, 8, 120, [1 + i % 3 for i in range(120)]), Policy(weights="uses"))
    assert other.decision == "inconclusive"


@pytest.mark.parametrize("goal", ["better", "not_worse"])
def test_guardrails_hold_by_weight_too(goal: str) -> None:
    """The primary itself as a guardrail at 5 points: lost are the examples asked most."""
    counts = [1.0] * 40 + [12.0] * 3 + [1.0] * 157
    policy = Policy(goal=goal, guardrails=(Guardrail("exact", 0.05),))  # type: ignore[arg-type]
    assert decide(judged(40, 3, 200, None), policy).decision == "promote"
    assert decide(judged(40, 3, 200, counts), policy).decision == "inconclusive"


def test_a_guardrail_that_falls_by_weight_alone_holds_the_promotion_back() -> None:
    """The primary gains by count and by weight; the guardrail is lost on 3 of 200 that are asked
    twelve times as often. A guardrail of a tag is a check of its own.
    """
    counts = [1.0] * 40 + [12.0] * 3 + [1.0] * 157
    n, ones = 200, [1.0] * 200
    candidate = {"exact": outcomes(ones), "form": outcomes([1.0] * 40 + [0.0] * 3 + [1.0] * 157)}
    baseline = {"exact": outcomes([0.0] * 40 + [1.0] * 160), "form": outcomes(ones)}
    arms = Arm("v2", "v2", candidate), Arm("v1", "v1", baseline)
    policy = Policy(guardrails=(Guardrail("form", 0.05),))
    weighed = ComparisonContext(planned=n, weights=weights_of(counts), weighed_by="count")
    plain = compare(*arms, primary="exact", grounds=ComparisonContext(planned=n))
    assert decide(plain, policy).decision == "promote"
    found = compare(*arms, primary="exact", grounds=weighed)
    assert decide(found).decision == "promote"
    verdict = decide(found, policy)
    assert verdict.decision == "inconclusive"
    assert "form" in verdict.checks[-1].text


@pytest.mark.parametrize(("share", "decision"), [(1.0, "promote"), (0.5, "inconclusive")])
def test_a_share_of_alpha_is_all_that_the_weighted_gain_may_use(
    share: float, decision: str
) -> None:
    """A heavy example that came out even: the gain is shown at 90 %, not at 95 %."""
    assert decide(judged(25, 0, 60, [1] * 59 + [13]), share=share).decision == decision
