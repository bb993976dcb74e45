"""Law: balanced accuracy is decided by what the examples of each label can show. Where none of the
few examples of a rare label changed, that says little of it.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from promptops.analysis import intervals
from promptops.analysis.arms import Arm, Outcomes
from promptops.analysis.classes import GoldenLabels
from promptops.analysis.compare import ComparisonContext, ComparisonFacts, compare
from promptops.analysis.decide import decide
from promptops.policy import Guardrail, Policy

BALANCED = "balanced_accuracy"
NOT_WORSE = Policy(goal="not_worse", primary=BALANCED)
GUARDED = Policy(goal="not_worse", guardrails=(Guardrail(BALANCED, 0.05),))


def compared(
    changes: dict[str, tuple[int, int, int]], clusters: dict[str, str] | None = None
) -> ComparisonFacts:
    """changes: label -> examples, won, lost. What nobody won or lost, both have right."""
    golden, ours, theirs = {}, {}, {}
    for label, (n, won, lost) in changes.items():
        for i in range(n):
            name = f"{label}{i}"
            golden[name] = (label,)
            theirs[name], ours[name] = float(i >= won), float(not won <= i < won + lost)
    arms = [
        Arm(
            name,
            name,
            {"equals(expected)": Outcomes.of({k: [v] for k, v in held.items()})},
            answers={k: golden[k][0] if v else "other" for k, v in held.items()},
        )
        for name, held in (("new", ours), ("old", theirs))
    ]
    grounds = ComparisonContext(labels=GoldenLabels(golden), clusters=clusters)
    return compare(*arms, grounds=grounds, primary=BALANCED)


def test_a_rare_label_without_a_change_is_as_uncertain_as_its_number_says() -> None:
    """The bound had been 1.3 points below 0, whatever 8 examples can show of half the measure."""
    found = compared({"common": (192, 0, 0), "rare": (8, 0, 0)})
    ends = [intervals.tango(0, 0, n, level=0.90)[0] / 2 for n in (192, 8)]
    assert (
        found.primary.bound == pytest.approx(-math.hypot(*ends)) == pytest.approx(-0.1266, abs=1e-4)
    )
    for policy in (NOT_WORSE, GUARDED):
        assert decide(found, policy).decision == "inconclusive"
    enough = compared({"common": (150, 0, 0), "rare": (50, 0, 0)})
    assert decide(enough, NOT_WORSE).decision == "promote"


def test_a_gain_on_the_common_label_is_none_where_the_rare_one_is_not_known() -> None:
    found = compared({"common": (192, 19, 0), "rare": (8, 0, 0)})
    assert found.primary.p_better < 1e-4
    verdict = decide(found, Policy(primary=BALANCED))
    assert verdict.decision == "inconclusive"
    assert "By label the gain is not shown" in " ".join(verdict.reasons)
    even = compared({"common": (150, 20, 0), "rare": (50, 5, 1)})
    assert decide(even, Policy(primary=BALANCED)).decision == "promote"


def test_clusters_make_the_interval_no_narrower() -> None:
    changes = {"common": (150, 12, 6), "rare": (50, 3, 4)}
    pairs = {f"{label}{i}": f"{label}{i // 5}" for label in changes for i in range(150)}
    alone, grouped = compared(changes).primary, compared(changes, pairs).primary
    assert alone.low is not None
    assert grouped.low is not None
    assert grouped.low <= alone.low


@pytest.mark.parametrize("goal", ["not_worse", "better"])
@pytest.mark.parametrize("rare", [8, 20, 50])
def test_a_version_at_the_limit_is_promoted_once_in_twenty(goal: str, rare: int) -> None:
    """Ten points are lost on the rare label; of goal better, as many are gained on the other."""
    rng, studies, hits = np.random.default_rng(rare), 150, 0
    policy = Policy(goal=goal, primary=BALANCED)
    for _ in range(studies):
        won = int(rng.binomial(200 - rare, 0.1)) if goal == "better" else 0
        changes = {"common": (200 - rare, won, 0), "rare": (rare, 0, int(rng.binomial(rare, 0.1)))}
        hits += decide(compared(changes), policy).decision == "promote"
    assert hits <= 14  # of 7.5 expected: once in a hundred


def test_clusters_make_a_label_as_uncertain_as_they_are() -> None:
    """A loss of the margin on both labels, in pairs alike, was promoted in 11 % of the studies."""
    rng, hits = np.random.default_rng(7), 0
    clusters = {f"{label}{i}": f"{label}{i // 2}" for label in "ab" for i in range(100)}
    for _ in range(200):
        lost = np.repeat(rng.random(100) < 0.05, 2)
        golden = {name: (name[0],) for name in clusters}
        new = dict(zip(clusters, (1.0 - lost).tolist(), strict=True))
        arms = [
            Arm(
                name,
                name,
                {"equals(expected)": Outcomes.of({k: [v] for k, v in held.items()})},
                answers={k: k[0] if v else "other" for k, v in held.items()},
            )
            for name, held in (("new", new), ("old", dict.fromkeys(clusters, 1.0)))
        ]
        grounds = ComparisonContext(labels=GoldenLabels(golden), clusters=clusters)
        found = compare(*arms, grounds=grounds, primary=BALANCED)
        hits += decide(found, NOT_WORSE).decision == "promote"
    assert hits <= 17  # of 10 expected: once in a hundred
