"""A policy applied to the facts: three verdicts, each demand of its own, every reason in words and
the next honest step.
"""

from __future__ import annotations

import html
from typing import Any

import numpy as np
import pytest

from promptops.analysis.arms import Arm, Outcomes
from promptops.analysis.compare import ComparisonContext, ComparisonFacts, compare
from promptops.analysis.decide import decide
from promptops.analysis.finalists import decide_many
from promptops.analysis.first_deployment import decide_first
from promptops.analysis.verdict import Verdict
from promptops.errors import StudyError
from promptops.policy import Guardrail, Policy


def binary(b: int, c: int, n: int, side: int, **more: Any) -> Outcomes:
    """n examples; the candidate (side 0) wins the first b and loses the next c."""
    pairs = [(1, 0)] * b + [(0, 1)] * c + [(1, 1)] * (n - b - c)
    return Outcomes.of({f"e{i}": [pair[side]] for i, pair in enumerate(pairs)}, **more)


def numbers(values: Any, **more: Any) -> Outcomes:
    return Outcomes.of({f"e{i}": [value] for i, value in enumerate(values)}, **more)


def versus(
    b: int,
    c: int,
    n: int = 100,
    *,
    label: str = "v2",
    cost: tuple[Any, Any] | None = None,
    **others: Any,
) -> ComparisonFacts:
    """others: scorer name -> (b, c), or two lists of scores."""
    arms = []
    for side in (0, 1):
        scores = {"exact": binary(b, c, n, side)}
        for name, value in others.items():
            scores[name] = (
                binary(*value, n, side) if isinstance(value[0], int) else numbers(value[side])
            )
        measures = {"cost": numbers(cost[side])} if cost else {}
        arms.append(Arm(f"p1-{'ba'[side]}", label if side == 0 else "v1", scores, measures))
    return compare(arms[0], arms[1], grounds=ComparisonContext(planned=n))


def zeros(n: int) -> ComparisonFacts:
    """Neither version is right on any of n examples."""
    arms = [
        Arm(f"p1-{label}", label, {"exact": numbers([0] * n)}, {"cost": numbers([cost] * n)})
        for label, cost in (("v2", 1), ("v1", 2))
    ]
    return compare(arms[0], arms[1], grounds=ComparisonContext(planned=n))


def status(verdict: Verdict) -> dict[str, str]:
    return {check.name: check.status for check in verdict.checks}


# -- goals


@pytest.mark.parametrize("goal", ["better", "not_worse", "cheaper"])
def test_a_scorer_that_finds_nothing_right_promotes_nothing(goal: Any) -> None:
    """0 of 60 in both arms is "not worse" by any interval; it is the scorer that does not fit."""
    verdict = decide(zeros(60), Policy(goal=goal, margin=0.1))
    assert verdict.decision == "inconclusive"
    [check] = [check for check in verdict.checks if check.name == "measured"]
    assert "nothing right" in check.text
    assert "fits" in check.next
    assert not any(c.name == "measured" for c in decide(versus(1, 0), Policy(goal=goal)).checks)


@pytest.mark.parametrize(
    ("b", "c", "decision"),
    [
        (12, 2, "promote"),
        (5, 0, "promote"),
        (4, 0, "inconclusive"),
        (6, 1, "inconclusive"),
        (2, 12, "reject"),
    ],
)
def test_better_is_the_exact_test(b: int, c: int, decision: str) -> None:
    """Promote, reject or inconclusive by the one-sided p, either way round."""
    found = decide(versus(b, c))
    assert found.decision == decision
    assert found.candidate == "v2"
    assert all(text.endswith(".") for text in (*found.reasons, *found.next))


def test_inconclusive_is_never_no_difference() -> None:
    """It says what this n can see, and how many more examples would settle it."""
    found = decide(versus(10, 4))
    text = " ".join((*found.reasons, *found.next))
    assert found.decision == "inconclusive"
    assert "Not settled" in text
    assert "four times in five" in text
    assert "more examples would settle it" in text
    assert "no difference" not in text
    nothing = decide(versus(0, 0))
    assert nothing.decision == "inconclusive"
    assert "at least 5" in nothing.next[0]
    behind = decide(versus(3, 6))
    assert "no number of examples" in behind.next[0]


def test_a_least_effect_is_asked_beside_the_test() -> None:
    """Significant but small does not pass; exactly as large does."""
    assert decide(versus(12, 2), Policy(min_effect=0.10)).decision == "promote"
    found = decide(versus(12, 2), Policy(min_effect=0.11))
    assert found.decision == "inconclusive"
    assert "below the least effect" in found.reasons[0]


def test_not_worse_is_a_bound_and_needs_data() -> None:
    """The primary becomes a guardrail: 60 equal examples show 5 points, 40 do not, a clear loss
    fails.
    """
    policy = Policy(goal="not_worse", margin=0.05)
    assert decide(versus(0, 0, 60), policy).decision == "promote"
    short = decide(versus(0, 0, 40), policy)
    assert short.decision == "inconclusive"
    assert "12 more examples" in short.next[0]
    assert decide(versus(0, 6, 60), policy).decision == "reject"
    inside = decide(versus(0, 5, 1000), policy)
    assert inside.decision == "promote"
    assert "significantly worse inside the margin" in inside.reasons[0]


def test_the_bound_is_as_strict_as_alpha() -> None:
    """alpha .01 reads the 99 % bound: 60 equal examples no longer show 5 points."""
    strict = Policy(goal="not_worse", margin=0.05, alpha=0.01)
    assert decide(versus(0, 0, 60), strict).decision == "inconclusive"
    assert decide(versus(0, 0, 104), strict).decision == "promote"
    assert "one-sided 99 %" in decide(versus(0, 0, 104), strict).reasons[0]


def test_cheaper_needs_quality_and_cost() -> None:
    """Not worse in quality and better in cost; unknown cost is unproven, dearer is rejected."""
    policy, n = Policy(goal="cheaper", margin=0.05), 80
    low, high = [0.001] * n, [0.002] * n
    assert decide(versus(1, 1, n, cost=(low, high)), policy).decision == "promote"
    assert decide(versus(1, 1, n, cost=(high, low)), policy).decision == "reject"
    assert decide(versus(0, 9, n, cost=(low, high)), policy).decision == "reject"
    unknown = decide(versus(1, 1, n), policy)
    assert unknown.decision == "inconclusive"
    assert "cost of the runs is unknown" in " ".join(unknown.reasons)
    gaps = decide(versus(1, 1, n, cost=([None] * 10 + low[10:], high)), policy)
    assert gaps.decision == "inconclusive"
    assert "unknown for" in " ".join(gaps.reasons)


# -- guardrails


def test_every_guardrail_must_pass_and_none_is_corrected_for_number() -> None:
    """Three at alpha each pass together; one unproven is inconclusive, one broken rejects."""
    rails = tuple(Guardrail(name, 0.05) for name in ("safe", "polite", "short"))
    assert (
        decide(
            versus(12, 2, safe=(0, 0), polite=(1, 1), short=(2, 1)), Policy(guardrails=rails)
        ).decision
        == "promote"
    )
    found = decide(
        versus(12, 2, safe=(0, 0), polite=(8, 10), short=(2, 1)), Policy(guardrails=rails)
    )
    assert (found.decision, status(found)["polite"]) == ("inconclusive", "unproven")
    found = decide(
        versus(12, 2, safe=(0, 9), polite=(1, 1), short=(2, 1)), Policy(guardrails=rails)
    )
    assert (found.decision, status(found)["safe"]) == ("reject", "fail")


def test_a_guardrail_that_was_not_measured_is_unproven() -> None:
    """Missing is not passing."""
    found = decide(versus(12, 2), Policy(guardrails=(Guardrail("toxicity"),)))
    assert (found.decision, status(found)["toxicity"]) == ("inconclusive", "unproven")
    assert "was not measured" in found.reasons[0]


def test_cost_and_latency_margins_are_relative_to_the_baseline() -> None:
    """10 % dearer holds at a margin of 20 % and breaks one of 5 %; free against free holds at any
    margin.
    """
    rng = np.random.default_rng(0)
    base = rng.uniform(0.001, 0.002, 100)
    dearer = base * 1.10 + rng.normal(0, 1e-5, 100)
    comparison = versus(12, 2, cost=(dearer.tolist(), base.tolist()))
    assert decide(comparison, Policy(guardrails=(Guardrail("cost", 0.20),))).decision == "promote"
    found = decide(comparison, Policy(guardrails=(Guardrail("cost", 0.05),)))
    assert (found.decision, status(found)["cost"]) == ("reject", "fail")
    assert "% cost" in found.reasons[0]
    free = versus(12, 2, cost=([0.0] * 100, [0.0] * 100))
    assert decide(free, Policy(guardrails=(Guardrail("cost", 0.0),))).decision == "promote"


def test_a_continuous_guardrail_is_the_lower_of_t_and_bca() -> None:
    """Both bounds must be inside the margin; equal scores on a handful of examples prove
    nothing.
    """
    rng = np.random.default_rng(3)
    a = rng.uniform(0.3, 0.9, 100)
    skewed = a - np.where(np.arange(100) < 4, 0.25, 0.0)
    comparison = versus(12, 2, similar=(skewed.tolist(), a.tolist()))
    figures = comparison["similar"]
    assert figures.low is not None
    assert figures.bound is not None
    assert figures.bound < figures.low
    assert figures.interval_method == "t; BCa for the bound"
    few = versus(5, 0, 10, similar=([0.5] * 10, [0.5] * 10))
    assert status(decide(few, Policy(guardrails=(Guardrail("similar"),))))["similar"] == "unproven"
    many = versus(5, 0, 60, similar=([0.5] * 60, [0.5] * 60))
    assert status(decide(many, Policy(guardrails=(Guardrail("similar"),))))["similar"] == "pass"


# -- before any statistics


def test_must_pass_examples_come_first() -> None:
    """One that the baseline passes and the candidate fails rejects, whatever the lead; one without
    a pair is unproven.
    """
    assert decide(versus(40, 1), Policy(must_pass=("e40",))).decision == "reject"
    assert decide(versus(40, 1), Policy(must_pass=("e41", "e0"))).decision == "promote"
    found = decide(versus(40, 1), Policy(must_pass=("unheard",)))
    assert (found.decision, status(found)["must_pass"]) == ("inconclusive", "unproven")


def test_a_must_pass_example_passes_in_every_repeat() -> None:
    """Two of three is a failure where the baseline passes all three, and none if it does not."""
    others = {f"e{i}": ([1, 1, 1], [0, 0, 0]) for i in range(1, 30)}
    for baseline, decision in (([1, 1, 1], "reject"), ([1, 1, 0], "promote")):
        rows = {"e0": ([1, 1, 0], baseline), **others}
        arms = [
            Arm(
                f"p{side}",
                f"v{2 - side}",
                {"exact": Outcomes.of({e: list(r[side]) for e, r in rows.items()})},
            )
            for side in (0, 1)
        ]
        assert decide(compare(arms[0], arms[1]), Policy(must_pass=("e0",))).decision == decision


def with_gaps(
    missing_b: int,
    missing_a: int,
    n: int = 100,
    planned: int | None = 100,
    study: str = "triage-1",
) -> ComparisonFacts:
    b = {f"e{i}": [None if i < missing_b else 1.0] for i in range(n)}
    a = {f"e{i}": [None if i >= n - missing_a else float(i > 40)] for i in range(n)}
    arms = (
        Arm("p1-b", "v2", {"exact": Outcomes.of(b)}),
        Arm("p1-a", "v1", {"exact": Outcomes.of(a)}),
    )
    return compare(*arms, grounds=ComparisonContext(planned=planned, study=study))


def test_incomplete_data_conclude_nothing() -> None:
    """Above 2 % missing pairs, also against the plan, or with unequal failures: inconclusive, the
    reason says so.
    """
    assert decide(with_gaps(1, 1)).decision == "promote"
    for comparison, step in (
        (with_gaps(2, 1), "Run the cell again: only what is missing is asked."),
        (with_gaps(0, 0, planned=110), "Run the cell again: only what is missing is asked."),
        (with_gaps(2, 1, study=""), "Add the answers, golden answers or scores that are missing"),
    ):
        found = decide(comparison)
        assert (found.decision, status(found)["complete"]) == ("inconclusive", "unproven")
        assert "Incomplete" in found.reasons[0]
        assert found.next[0].startswith(step)
    uneven = decide(with_gaps(10, 0, 1000, 1000))
    assert uneven.decision == "inconclusive"
    assert "failed unequally" in uneven.reasons[0]
    assert decide(with_gaps(5, 5, 1000, 1000)).decision == "promote"


def test_a_loss_seen_on_incomplete_data_is_not_a_rejection() -> None:
    """Nothing is concluded from data that failed, in either direction."""
    b = {f"e{i}": [None if i < 20 else 0.0] for i in range(100)}
    a = {f"e{i}": [1.0] for i in range(100)}
    found = decide(
        compare(Arm("b", "v2", {"s": Outcomes.of(b)}), Arm("a", "v1", {"s": Outcomes.of(a)}))
    )
    assert found.decision == "inconclusive"


def test_fewer_pairs_than_the_policy_asks_for() -> None:
    """min_n is reported with how many to add."""
    found = decide(versus(12, 2, 60), Policy(min_n=100))
    assert found.decision == "inconclusive"
    assert "Add 40 examples." in found.next


def test_a_judge_decides_alone_only_where_the_policy_says_so() -> None:
    """An uncalibrated judge as the primary is unproven; calibrated, or allowed, it decides."""
    for calibrated, policy, decision in (
        (None, Policy(), "inconclusive"),
        (None, Policy(allow_uncalibrated_judge=True), "promote"),
        (True, Policy(), "promote"),
    ):
        arms = []
        for side in (0, 1):
            o = binary(12, 2, 60, side, kind="judge")
            kind = Outcomes(
                o.examples,
                o.mean,
                o.scored,
                o.attempted,
                o.variance,
                o.binary,
                o.kind,
                o.versions,
                calibrated,
            )
            arms.append(Arm(f"p{side}", f"v{2 - side}", {"good": kind}))
        assert decide(compare(arms[0], arms[1]), policy).decision == decision
        assert decide_first(arms[0], policy).decision == decision


def test_clusters_are_the_units() -> None:
    """100 samples of one puzzle are one puzzle: 60 wins in 3 clusters settle nothing, in 60
    clusters they do.
    """
    for groups, decision in ((3, "inconclusive"), (60, "promote")):
        b, a = {f"e{i}": [1.0] for i in range(60)}, {f"e{i}": [0.0] for i in range(60)}
        grounds = ComparisonContext(clusters={f"e{i}": f"puzzle {i % groups}" for i in range(60)})
        comparison = compare(
            Arm("b", "v2", {"s": Outcomes.of(b)}),
            Arm("a", "v1", {"s": Outcomes.of(a)}),
            grounds=grounds,
        )
        assert decide(comparison).decision == decision
    repeats = {"only": [1.0] * 100}, {"only": [0.0] * 100}
    one = compare(
        Arm("b", "v2", {"s": Outcomes.of(repeats[0])}),
        Arm("a", "v1", {"s": Outcomes.of(repeats[1])}),
    )
    assert (one.primary.n, decide(one).decision) == (1, "inconclusive")


# -- looking early, and several finalists


def test_peeking_promotes_by_the_e_value_alone() -> None:
    """p = .033 is not enough while peeking, E = 23.9 is; two finalists need 40, and a missing rest
    of the plan is not a reason.
    """
    assert decide(versus(9, 2), peeking=True).decision == "inconclusive"
    assert decide(versus(12, 2), peeking=True).decision == "promote"
    assert decide(versus(12, 2), peeking=True, share=0.5).decision == "inconclusive"
    assert decide(versus(2, 12), peeking=True).decision == "reject"
    assert decide(versus(3, 10), peeking=True).decision == "inconclusive"
    early = versus(12, 2)
    early.grounds = ComparisonContext(planned=1000)
    assert decide(early, peeking=True).decision == "promote"


def test_guardrails_while_peeking_hold_by_their_confidence_sequence() -> None:
    """The fixed-n bound may not be read early: 60 equal examples do not pass, 100 do not either,
    400 do; cost waits for the end.
    """
    rails = Policy(guardrails=(Guardrail("safe", 0.05),))
    assert status(decide(versus(12, 2, 60, safe=(0, 0)), rails))["safe"] == "pass"
    assert status(decide(versus(12, 2, 60, safe=(0, 0)), rails, peeking=True))["safe"] == "unproven"
    assert status(decide(versus(12, 2, 400, safe=(0, 0)), rails, peeking=True))["safe"] == "pass"
    costly = versus(12, 2, cost=([0.001] * 100, [0.002] * 100))
    assert (
        status(decide(costly, Policy(guardrails=(Guardrail("cost", 0.1),)), peeking=True))["cost"]
        == "unproven"
    )


def test_of_several_finalists_the_largest_gain_wins_and_a_tie_goes_to_the_cheaper() -> None:
    """At most one is promoted; the others that held say who was preferred."""
    both = [versus(20, 2, label="v2"), versus(25, 2, label="v3"), versus(3, 3, label="v4")]
    found = decide_many(both)
    assert [v.decision for v in found] == ["inconclusive", "promote", "inconclusive"]
    assert "v3 is preferred" in found[0].reasons[0]
    assert found[0].rule.passed_over
    dear = versus(20, 2, label="v2", cost=([0.002] * 100, [0.003] * 100))
    cheap = versus(20, 2, label="v3", cost=([0.001] * 100, [0.003] * 100))
    assert [v.decision for v in decide_many([dear, cheap])] == ["inconclusive", "promote"]
    assert decide_many([]) == []


def test_finalists_are_corrected_for_their_number() -> None:
    """p = .033 alone promotes, beside two others it does not; a bound is held at alpha/m by Holm's
    steps.
    """
    assert decide(versus(9, 2)).decision == "promote"
    assert [v.decision for v in decide_many([versus(9, 2), versus(2, 2), versus(3, 3)])] == [
        "inconclusive"
    ] * 3
    policy = Policy(goal="not_worse", margin=0.05)
    assert decide(versus(0, 0, 60), policy).decision == "promote"
    three = decide_many([versus(0, 0, 60), versus(5, 5, 60), versus(5, 5, 60)], policy)
    assert [v.decision for v in three] == ["inconclusive"] * 3
    stepped = decide_many([versus(0, 0, 100, label="v2"), versus(0, 0, 100, label="v3")], policy)
    assert sorted(v.decision for v in stepped) == ["inconclusive", "promote"]


def test_half_ties_are_used_where_the_policy_says_so() -> None:
    """mid-p of 6:1 is .035, exact .0625: the policy's ties hold whatever the comparison was made
    with.
    """
    assert decide(versus(6, 1)).decision == "inconclusive"
    assert decide(versus(6, 1), Policy(ties="half")).decision == "promote"


# -- the first deployment


def test_a_first_deployment_needs_scores_and_the_minimum() -> None:
    """At least min_score on at least min_n scored examples, all must-pass examples passed,
    complete.
    """
    arm = Arm("p1-b", "v1", {"exact": binary(0, 20, 100, 0)})  # .80
    assert decide_first(arm).decision == "promote"
    assert decide_first(arm, Policy(min_score=0.8)).decision == "promote"
    low = decide_first(arm, Policy(min_score=0.81))
    assert (low.decision, low.baseline) == ("reject", None)
    assert "80.0 %" in low.reasons[0]
    assert decide_first(arm, Policy(min_n=101)).decision == "inconclusive"
    assert decide_first(arm, Policy(must_pass=("e0",))).decision == "reject"
    assert decide_first(arm, Policy(must_pass=("e50",))).decision == "promote"
    assert decide_first(arm, Policy(must_pass=("unheard",))).decision == "inconclusive"
    gaps = Arm("p1-b", "v1", {"exact": numbers([None] * 5 + [1.0] * 95)})
    assert decide_first(gaps).decision == "inconclusive"
    nothing = Arm("p1-b", "v1", {"exact": numbers([None])})
    assert decide_first(nothing).decision == "inconclusive"
    with pytest.raises(StudyError, match="no scores"):
        decide_first(Arm("p1-b", "v1", {}))


def test_a_primary_that_was_not_scored_is_named() -> None:
    """The policy's primary must be among the measures."""
    with pytest.raises(StudyError, match="no measure 'other'"):
        decide(versus(1, 0), Policy(primary="other"))
    assert decide(versus(1, 0, other=(12, 2)), Policy(primary="other")).decision == "promote"


def test_a_verdict_reads_as_a_document() -> None:
    """JSON-ready: decision, reasons, next and every check."""
    import json

    found = decide(versus(10, 4), Policy(guardrails=(Guardrail("toxicity"),)))
    document = json.loads(json.dumps(found.document()))
    assert document["decision"] == "inconclusive"
    assert len(document["checks"]) == 2
    assert "inconclusive" in repr(found)
    assert repr(found)[1:-1] in html.unescape(found._repr_html_())  # what a notebook shows
