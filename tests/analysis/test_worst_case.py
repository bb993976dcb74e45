"""What may be missing may be the worst of it; one cluster may not carry an interval."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from promptops.analysis.arms import Arm, Outcomes
from promptops.analysis.clustered import clustered_mean
from promptops.analysis.compare import ComparisonContext, ComparisonFacts, compare
from promptops.analysis.decide import decide
from promptops.analysis.facts import RULES
from promptops.analysis.first_deployment import decide_first
from promptops.analysis.recompute import make_evidence, recompute
from promptops.policy import Guardrail, Policy


def versus(
    candidate: list[Any], baseline: list[Any], cost: Any = None, **more: Any
) -> ComparisonFacts:
    """One row per example, None if it is missing; cost: two lists."""
    arms = []
    for place, (label, values) in enumerate((("v2", candidate), ("v1", baseline))):
        rows = {f"e{i}": v if isinstance(v, list) else [v] for i, v in enumerate(values)}
        found = {} if cost is None else {"cost": Outcomes.of(_rows(cost[place]), kind="measure")}
        arms.append(Arm(f"p1-{label}", label, {"exact": Outcomes.of(rows)}, found))
    return compare(*arms, grounds=ComparisonContext(planned=len(candidate), **more))


def _rows(values: list[Any]) -> dict[str, list[Any]]:
    return {f"e{i}": [value] for i, value in enumerate(values)}


def test_leaving_out_the_losses_promotes_nothing() -> None:
    """20 won and 11 lost is not settled; 20 to 9, with two of 100 left out, is not either."""
    a = [0] * 20 + [1] * 11 + [1] * 69
    b: list[Any] = [1] * 20 + [None] * 2 + [0] * 9 + [1] * 69
    comparison = versus(b, a)
    assert comparison.primary.p_better <= 0.05
    verdict = decide(comparison)
    assert verdict.decision == "inconclusive"
    assert "every missing outcome" in verdict.reasons[-1]
    old = versus(b, a, rules=1)
    assert decide(old).decision == "promote"  # what release 0.1 said, and its bundles still say


@pytest.mark.parametrize("side", ["candidate", "baseline"])
def test_a_clear_lead_survives_what_is_missing(side: str) -> None:
    """The worst case is computed, not feared: a lead that bears it is promoted."""
    a: list[Any] = [0] * 40 + [1] * 60
    b: list[Any] = [1] * 100
    (b if side == "candidate" else a)[99] = None
    assert decide(versus(b, a)).decision == "promote"


def test_the_worst_case_never_rejects() -> None:
    """Ten won of 100 and two missing: at worst not settled, which is not a rejection."""
    verdict = decide(versus([1] * 98 + [None] * 2, [0] * 6 + [1] * 94))
    assert verdict.decision == "inconclusive"


def test_missing_repeats_count_like_missing_rows() -> None:
    """Of two repeats the failed one may be the one that was lost."""
    a: list[Any] = [[0, 0]] * 6 + [[1, 1]] * 44
    full = decide(versus([[1, 1]] * 50, a)).decision
    partly = decide(versus([[1, None]] * 4 + [[1, 1]] * 46, a)).decision
    assert (full, partly) == ("promote", "promote")
    assert decide(versus([[1, 1]] * 30 + [[1, None]] * 20, a)).decision != "promote"


def test_a_missing_cost_is_the_largest_seen() -> None:
    """A guardrail on cost that holds on what is known may not hold at worst."""
    n = 100
    policy = Policy(guardrails=(Guardrail("cost", 0.05),))
    a, b = [0] * 20 + [1] * 80, [1] * 100
    dear = [1.0] * 97 + [2.5] + [None] * 2
    assert decide(versus(b, a, ([1.0] * n, [1.0] * n)), policy).decision == "promote"
    assert decide(versus(b, a, (dear, [1.0] * n)), policy).decision == "inconclusive"


def test_missing_in_both_is_out_and_counted() -> None:
    """An example that neither arm answered tells nothing; that n is below the plan is said."""
    a: list[Any] = [0] * 20 + [1] * 78 + [None] * 2
    b: list[Any] = [1] * 98 + [None] * 2
    assert decide(versus(b, a)).decision == "promote"
    fewer = compare(
        *(Arm(x, x, {"exact": Outcomes.of(_rows(v[:98]))}) for x, v in (("v2", b), ("v1", a))),
        grounds=ComparisonContext(planned=100),
    )
    assert any("98 of 100 planned" in note for note in fewer.notes)


def test_a_first_deployment_counts_what_is_missing_as_0() -> None:
    """98 of 98 is above 98.5 %; with two missing it may be 98 %."""
    arm = Arm("p1-x", "v1", {"exact": Outcomes.of(_rows([1] * 98 + [None] * 2))})
    assert decide_first(arm, Policy(min_score=0.985)).decision == "inconclusive"
    assert decide_first(arm, Policy(min_score=0.97)).decision == "promote"


def test_the_bundle_recomputes_the_worst_case() -> None:
    """The check is a figure of the evidence like any other."""
    comparison = versus([1] * 99 + [None], [0] * 40 + [1] * 60)
    evidence = make_evidence(comparison, decide(comparison))
    assert evidence.rule["rules"] == RULES
    assert all(figure.same for figure in recompute(evidence))


# -- clusters


def labels(sizes: list[int]) -> list[str]:
    return [f"c{place}" for place, size in enumerate(sizes) for _ in range(size)]


def test_equal_clusters_are_as_they_were() -> None:
    """With clusters of one size CR2 is G/(G-1), and the degrees of freedom are G - 1."""
    values = np.random.default_rng(1).normal(size=60)
    now = clustered_mean(values, labels([6] * 10), form="cr2")
    before = clustered_mean(values, labels([6] * 10))
    assert now.se == pytest.approx(before.se, rel=1e-12)
    assert now.freedom == pytest.approx(9.0, rel=1e-9)
    assert now.interval == pytest.approx(before.interval, rel=1e-9)


def test_cr2_is_the_form_of_its_matrices() -> None:
    """The closed form equals the textbook matrices of Bell and McCaffrey."""
    sizes = [16, 4, 3, 2, 2, 1, 1, 1]
    values = np.random.default_rng(3).normal(size=30)
    found, n = clustered_mean(values, labels(sizes), form="cr2"), 30
    s = np.array(sizes, float)
    ends = np.cumsum(sizes)
    sums = np.array(
        [(values[e - k : e] - values.mean()).sum() for e, k in zip(ends, sizes, strict=True)]
    )
    assert found.se == pytest.approx(float(np.sqrt((sums**2 / (1 - s / n)).sum()) / n), rel=1e-12)
    c = np.eye(8) - np.outer(s, np.ones(8)) / n
    m = c @ np.diag(s + 0.02 * s * (s - 1)) @ c.T / np.sqrt(np.outer(1 - s / n, 1 - s / n))
    assert found.freedom == pytest.approx(float(np.trace(m) ** 2 / (m * m).sum()), rel=1e-12)


@pytest.mark.parametrize("sizes", [[200] + [1] * 10, [100] + [2] * 20, [100] + [5] * 20])
def test_a_dominating_cluster_leaves_no_interval(sizes: list[int]) -> None:
    """A guardrail then is unproven, the share is named, and so is the cluster."""
    n = sum(sizes)
    rng = np.random.default_rng(5)
    a, b = rng.random(n).round(3).tolist(), rng.random(n).round(3).tolist()
    groups = {f"e{i}": label for i, label in enumerate(labels(sizes))}
    comparison = versus(b, a, clusters=groups)
    figures = comparison.primary
    assert figures.bound is None
    assert figures.interval_method.startswith("not estimable: one cluster holds")
    assert decide(comparison, Policy(goal="not_worse", margin=0.9)).decision == "inconclusive"
    assert any(note.startswith("cluster c0 holds") for note in comparison.notes)
    assert figures.p_better <= 1  # the sign-flip test stands


def test_rare_losses_are_named_where_none_was_seen() -> None:
    """No failure in 30 leaves up to 10 %."""
    comparison = versus([0.6] * 30, [0.5] * 30)
    assert any("in 30: losses in up to 9.5 %" in note for note in comparison.notes)
