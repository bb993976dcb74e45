"""Each rule of a verdict at the value where it begins to hold: what a wrong operator or a constant
beside the right one would change.
"""

from __future__ import annotations

from typing import Any

import pytest

from promptops.analysis.arms import Arm, Outcomes
from promptops.analysis.classes import GoldenLabels
from promptops.analysis.compare import ComparisonContext, ComparisonFacts, compare
from promptops.analysis.decide import decide
from promptops.analysis.finalists import decide_many
from promptops.analysis.first_deployment import decide_first
from promptops.analysis.policy_checks import Check, DecisionRule
from promptops.analysis.tried import Tried, TriedCandidate
from promptops.analysis.verdict import Verdict
from promptops.errors import StudyError
from promptops.policy import Guardrail, Policy


def arm(side: int, label: str, b: int, c: int, n: int, costs: tuple[Any, Any] | None = None) -> Arm:
    """n examples; the candidate (side 0) wins the first b and loses the next c."""
    pairs = [(1, 0)] * b + [(0, 1)] * c + [(1, 1)] * (n - b - c)
    scores = {"exact": Outcomes.of({f"e{i}": [pair[side]] for i, pair in enumerate(pairs)})}
    listed = costs[side] if costs else None
    spent = {f"e{i}": [value] for i, value in enumerate(listed)} if listed else {}
    return Arm(f"p1-{label}", label, scores, {"cost": Outcomes.of(spent)} if spent else {})


def versus(
    b: int, c: int, n: int = 100, *, label: str = "v2", costs: Any = None
) -> ComparisonFacts:
    arms = arm(0, label, b, c, n, costs), arm(1, "v1", b, c, n, costs)
    return compare(*arms, grounds=ComparisonContext(planned=n))


def decisions(verdicts: list[Verdict]) -> list[str]:
    return [verdict.decision for verdict in verdicts]


def named(verdict: Verdict, name: str) -> list[str]:
    return [check.status for check in verdict.checks if check.name == name]


# -- several candidates


def test_candidates_under_peeking_share_alpha() -> None:
    """Of two, E has to reach 2/alpha: 23.9 is enough alone and not beside another, 100 is; each
    further candidate asks for more.
    """
    strong, some = versus(20, 2, label="v2"), versus(12, 2, label="v3")
    assert decide(some, peeking=True).decision == "promote"
    assert decisions(decide_many([some], peeking=True)) == ["promote"]
    assert decisions(decide_many([some, versus(1, 1, label="v4")], peeking=True)) == [
        "inconclusive",
        "inconclusive",
    ]
    assert decisions(decide_many([strong, versus(1, 1, label="v4")], peeking=True)) == [
        "promote",
        "inconclusive",
    ]


@pytest.mark.parametrize(("share", "needs"), [(1.0, 20.0), (0.5, 40.0), (0.25, 80.0)])
def test_the_e_value_that_a_share_of_alpha_needs(share: float, needs: float) -> None:
    """1 / (alpha x share) while peeking; else what was tried before asks for, or nothing."""
    assert DecisionRule(peeking=True, share=share).wanted_e(0.05) == pytest.approx(needs)
    assert DecisionRule(share=share).wanted_e(0.05) is None
    assert DecisionRule(share=share, needs_e=30.0).wanted_e(0.05) == 30.0
    assert DecisionRule(peeking=True, share=share, needs_e=1000.0).wanted_e(0.05) == 1000.0


def test_holm_is_not_bonferroni() -> None:
    """p of .033 beside p of .0004: Holm leaves the larger at alpha once the smaller is through;
    Bonferroni would double it. The larger gain wins, and the other one held too.
    """
    large, small = versus(20, 3, label="v2"), versus(9, 2, label="v3")
    assert 0.025 < small.primary.p_better <= 0.05
    found = decide_many([large, small])
    assert decisions(found) == ["promote", "inconclusive"]
    assert found[1].rule.passed_over
    assert named(found[1], "exact") == ["pass"]
    alone = decide_many([versus(3, 3, label="v2"), small])
    assert not alone[1].rule.passed_over
    assert named(alone[1], "exact") == ["unproven"]


def test_holm_steps_where_the_claim_is_a_bound() -> None:
    """Under not_worse the one that holds at alpha/2 leaves the other at alpha; neither holds for
    the other if it does not.
    """
    policy = Policy(goal="not_worse", margin=0.05)
    sure, just = versus(0, 0, 200, label="v2"), versus(0, 0, 60, label="v3")
    assert decide(just, policy).decision == "promote"
    assert decide(just, policy, share=0.5).decision == "inconclusive"
    found = decide_many([sure, just], policy)
    assert named(found[0], "exact") == ["pass"]
    assert named(found[1], "exact") == ["pass"]
    beside = decide_many([versus(9, 9, 60, label="v2"), just], policy)
    assert decisions(beside) == ["inconclusive", "inconclusive"]


def test_half_ties_of_finalists() -> None:
    """The policy's ties are in force for each finalist, whatever the comparison was made with: 6:1
    beside a clear loser is .0625 exact and .035 by mid-p, .07 after two.
    """
    half = Policy(ties="half")
    strong, other = versus(8, 1, label="v2"), versus(6, 1, label="v3")
    assert strong.under("half").primary.p_better <= 0.025
    assert decisions(decide_many([other], half)) == ["promote"]
    assert decisions(decide_many([other])) == ["inconclusive"]
    found = decide_many([strong, other], half)
    assert decisions(found) == ["promote", "inconclusive"]
    assert found[1].rule.passed_over
    assert not decide_many([strong, other])[1].rule.passed_over
    assert strong.ties == "full"  # the comparison itself is as it was made


# -- boundaries of one verdict


def test_the_least_effect_is_reached_by_its_equal() -> None:
    """12 to 2 of 100 is a gain of .10."""
    assert decide(versus(12, 2), Policy(min_effect=0.1)).decision == "promote"
    assert decide(versus(12, 2), Policy(min_effect=0.1001)).decision == "inconclusive"


def test_min_n_is_reached_by_its_equal() -> None:
    """100 pairs are 100 pairs; for a first deployment too. One is missing of 101."""
    assert decide(versus(12, 2), Policy(min_n=100)).decision == "promote"
    short = decide(versus(12, 2), Policy(min_n=101))
    assert (short.decision, named(short, "n")) == ("inconclusive", ["unproven"])
    assert "Add 1 example." in short.next
    first = arm(0, "v1", 0, 0, 100)
    assert decide_first(first, Policy(min_n=100)).decision == "promote"
    short = decide_first(first, Policy(min_n=102))
    assert named(short, "n") == ["unproven"]
    assert "Evaluate v1 on 2 more examples." in short.next


def test_min_score_is_reached_by_its_equal() -> None:
    """80 of 100 is .80; the last bit of a mean does not reject."""
    first = arm(0, "v1", 0, 20, 100)
    assert decide_first(first, Policy(min_score=0.8)).decision == "promote"
    assert decide_first(first, Policy(min_score=0.8001)).decision == "reject"
    tenths = Outcomes.of({f"e{i}": [0.1 * (1 + i % 3)] for i in range(3)})
    assert named(decide_first(Arm("p", "v1", {"s": tenths}), Policy(min_score=0.2)), "first") == [
        "pass"
    ]


def test_the_scorer_of_a_first_deployment() -> None:
    """The policy's, then the study's, then the first; a measure of classes rests on the scorer that
    matches the labels; a scorer without scores is named beside those that have some.
    """
    labels = GoldenLabels({f"e{i}": ("yes" if i % 2 else "no",) for i in range(10)})
    right = {example: golden[0] for example, golden in labels.golden.items()}
    exact = Outcomes.of({example: [1] for example in right})
    length = Outcomes.of({example: [0] for example in right})
    first = Arm("p1-b", "v1", {"length": length, "exact": exact}, answers=right)
    context = ComparisonContext(labels=labels)

    def judged(policy: Policy, primary: str | None = None) -> str:
        found = decide_first(first, policy, primary=primary, context=context)
        [text] = [check.text for check in found.checks if check.name == "first"]
        return text.split(" on ")[1].split(" over ")[0]

    assert judged(Policy(primary="exact"), "length") == "exact"
    assert judged(Policy(), "exact") == "exact"
    assert judged(Policy()) == "length"
    assert judged(Policy(primary="balanced_accuracy")) == "exact"
    with pytest.raises(StudyError, match="v1 has no scores by other, it has length, exact;"):
        judged(Policy(primary="other"))
    with pytest.raises(StudyError, match="v1 has no scores; evaluate it"):
        decide_first(Arm("p1-b", "v1", {}))


@pytest.mark.parametrize(("missing", "complete"), [(2, []), (3, ["unproven"])])
def test_two_percent_may_be_missing(missing: int, complete: list[str]) -> None:
    """2 of 100 is not above 2 %, 3 of 100 is: of pairs, of a first deployment, of a guardrail."""
    rows = {f"e{i}": [None if i < missing else 1.0] for i in range(100)}
    base = {f"e{i}": [float(i > 60)] for i in range(100)}
    b = Arm("p-b", "v2", {"exact": Outcomes.of(rows)})
    a = Arm("p-a", "v1", {"exact": Outcomes.of(base)})
    assert named(decide(compare(b, a)), "complete") == complete
    assert named(decide_first(b), "complete") == complete
    assert named(decide(versus(12, 2, 100, costs=_costs(missing))), "complete") == []
    rail = Policy(guardrails=(Guardrail("cost", 0.5),))
    held = decide(versus(12, 2, 100, costs=_costs(missing)), rail)
    assert named(held, "cost") == (["pass"] if not complete else ["unproven"])


def _costs(missing: int) -> tuple[list[float | None], list[float]]:
    own: list[float | None] = [None] * missing
    return own + [0.001] * (100 - missing), [0.002] * 100


def test_missing_outcomes_may_be_the_worst_of_a_first_deployment() -> None:
    """98 of 100 at 1 and two unknown: .98 is shown, not .99; the rule is one of today."""
    rows = {f"e{i}": [None if i < 2 else 1.0] for i in range(100)}
    first = Arm("p", "v1", {"exact": Outcomes.of(rows)})
    assert decide_first(first, Policy(min_score=0.98)).decision == "promote"
    found = decide_first(first, Policy(min_score=0.99))
    assert (found.decision, named(found, "missing")) == ("inconclusive", ["unproven"])
    former = decide_first(first, Policy(min_score=0.99), context=ComparisonContext(rules=1))
    assert former.decision == "promote"


def test_a_loss_is_judged_at_alpha() -> None:
    """9 lost and 2 won is p = .033 the other way: rejected, while 8 and 2 (.055) is not."""
    assert decide(versus(2, 9)).decision == "reject"
    assert decide(versus(2, 8)).decision == "inconclusive"


def test_of_equal_gains_the_cheaper_is_preferred_in_either_order() -> None:
    """The order of the finalists decides nothing; without costs the first is taken."""
    dear = versus(20, 2, label="v2", costs=([0.002] * 100, [0.003] * 100))
    cheap = versus(20, 2, label="v3", costs=([0.001] * 100, [0.003] * 100))
    assert decisions(decide_many([dear, cheap])) == ["inconclusive", "promote"]
    assert decisions(decide_many([cheap, dear])) == ["promote", "inconclusive"]
    unknown = versus(20, 2, label="v2"), versus(20, 2, label="v3")
    assert decisions(decide_many(unknown)) == ["promote", "inconclusive"]


def test_an_unknown_cost_is_neither_cheaper_nor_dearer() -> None:
    """Of equal gains what is known to be cheaper than the baseline comes before what is unknown,
    and what is known to be dearer behind it.
    """
    unknown = versus(20, 2, label="v2")
    cheap = versus(20, 2, label="v3", costs=([0.001] * 100, [0.003] * 100))
    dear = versus(20, 2, label="v3", costs=([0.003] * 100, [0.001] * 100))
    assert decisions(decide_many([unknown, cheap])) == ["inconclusive", "promote"]
    assert decisions(decide_many([unknown, dear])) == ["promote", "inconclusive"]
    assert decisions(decide_many([dear, unknown])) == ["inconclusive", "promote"]


def test_what_was_rolled_back_is_preferred_to_none() -> None:
    """Not even with the larger gain; among such alone the larger gain still wins."""
    large, small = versus(20, 2, label="v2"), versus(18, 2, label="v3")
    both = [large, small]
    assert decisions(decide_many(both)) == ["promote", "inconclusive"]
    assert decisions(decide_many(both, withdrawn={"p1-v2"})) == ["inconclusive", "promote"]
    assert decisions(decide_many(both, withdrawn={"p1-v2", "p1-v3"})) == [
        "promote",
        "inconclusive",
    ]


def test_must_pass_examples_that_hold_are_counted() -> None:
    """One is the example, two are all of two."""
    texts = []
    for examples in (("e50",), ("e50", "e51")):
        found = decide(versus(12, 2), Policy(must_pass=examples))
        texts += [check.text for check in found.checks if check.name == "must_pass"]
    assert texts == ["The must-pass example holds.", "All 2 must-pass examples hold."]


def test_one_answer_to_everything_is_a_check_of_labels_only() -> None:
    """Right on 57 of 100 by one answer; where cost is the primary there is no answer to look at."""
    labels = GoldenLabels({f"e{i}": ("no" if i < 57 else "yes",) for i in range(100)})
    always = dict.fromkeys(labels.golden, "no")
    never = dict.fromkeys(labels.golden, "perhaps")
    own = Outcomes.of({f"e{i}": [float(i < 57)] for i in range(100)})
    none = Outcomes.of({f"e{i}": [0.0] for i in range(100)})
    cost = {"cost": Outcomes.of({f"e{i}": [0.001] for i in range(100)})}
    comparison = compare(
        Arm("p1-b", "v2", {"exact": own}, cost, answers=always),
        Arm("p1-a", "v1", {"exact": none}, cost, answers=never),
        grounds=ComparisonContext(planned=100, labels=labels),
    )
    assert named(decide(comparison), "constant") == ["fail"]
    assert named(decide(comparison, Policy(primary="cost")), "constant") == []


def test_cost_is_shown_by_its_own_test_at_the_share() -> None:
    """Five cheaper of five settle cost at .05, not at .025; and the other way round it is a
    failure.
    """
    five = Policy(goal="cheaper", margin=0.5)
    low, high = [0.001] * 5, [0.002] * 5
    cheap = versus(0, 0, 5, costs=(low, high))
    assert named(decide(cheap, five), "cost") == ["pass"]
    assert named(decide(cheap, five, share=0.5), "cost") == ["unproven"]
    assert named(decide(cheap, five, peeking=True), "cost") == ["unproven"]
    assert named(decide(versus(0, 0, 5, costs=(high, low)), five), "cost") == ["fail"]


def test_only_what_did_not_pass_has_a_next_step() -> None:
    """Neither the step of a check that passed nor an empty one."""
    checks = (Check("a", "pass", "Fine.", "Nothing."), Check("b", "fail", "Broken."))
    assert Verdict("reject", "v2", None, checks, Policy()).next == ()


@pytest.mark.parametrize(
    ("looks", "needs", "decision"), [(1, 20, "promote"), (2, 40, "inconclusive")]
)
def test_what_was_looked_at_spends_alpha_once(looks: int, needs: float, decision: str) -> None:
    """E of looks/alpha is needed at the end as well: 23.9 is enough for one, not for two."""
    comparison = versus(12, 2)
    comparison.grounds = ComparisonContext(planned=100, looked=looks)
    found = decide(comparison)
    assert (found.rule.needs_e, found.decision) == (pytest.approx(needs), decision)


def test_missing_outcomes_of_finalists_are_corrected_too() -> None:
    """9 to 1 with one missing: alone it holds at the worst (9 to 2, .033), beside another finalist
    it does not (.065).
    """

    def with_gap(label: str) -> ComparisonFacts:
        pairs = [(1.0, 0.0)] * 9 + [(0.0, 1.0)] + [(1.0, 1.0)] * 89 + [(None, 1.0)]
        arms = [
            Arm(
                f"p-{label}-{side}",
                (label, "v1")[side],
                {"exact": Outcomes.of({f"e{i}": [pair[side]] for i, pair in enumerate(pairs)})},
            )
            for side in (0, 1)
        ]
        return compare(*arms, grounds=ComparisonContext(planned=100))

    assert decide(with_gap("v2")).decision == "promote"
    found = decide_many([with_gap("v2"), with_gap("v3")])
    assert [named(verdict, "exact") for verdict in found] == [["pass"], ["pass"]]
    assert [named(verdict, "missing") for verdict in found] == [["unproven"], ["unproven"]]


@pytest.mark.parametrize(("rules", "needs"), [(1, None), (2, 20.0), (3, 20.0)])
def test_what_was_tried_before_counts_since_the_second_rules(
    rules: int, needs: float | None
) -> None:
    """A pair judged twice needs E of 1/alpha; a bundle of the first rules verifies without."""
    comparison = versus(12, 2)
    comparison.grounds = ComparisonContext(planned=100, tried=twice(), rules=rules)
    assert decide(comparison).rule.needs_e == (None if needs is None else pytest.approx(needs))


@pytest.mark.parametrize(("looks", "needs"), [(1, 20.0), (3, 60.0)])
def test_the_larger_of_what_was_tried_and_looked_at_is_needed(looks: int, needs: float) -> None:
    """Judged twice needs E of 20, three looks need 60: never the smaller of both."""
    comparison = versus(12, 2)
    comparison.grounds = ComparisonContext(planned=100, tried=twice(), looked=looks)
    assert decide(comparison).rule.needs_e == pytest.approx(needs)


def twice() -> Tried:
    """The candidate was judged on other runs before."""
    return Tried(
        tuple(TriedCandidate(f"s{i}", i, "p1-v2", 100, f"d{i}", "exact") for i in range(2)), "p1-v2"
    )


def test_missing_outcomes_of_a_clear_winner_cost_it_nothing() -> None:
    """20 to 1 with one missing holds at the worst beside another finalist too; the first rules did
    not look at it.
    """

    def with_gap(label: str, b: int, rules: int = 2) -> ComparisonFacts:
        pairs = [(1.0, 0.0)] * b + [(0.0, 1.0)] + [(1.0, 1.0)] * (98 - b) + [(None, 1.0)]
        arms = [
            Arm(
                f"p-{label}-{side}",
                (label, "v1")[side],
                {"exact": Outcomes.of({f"e{i}": [pair[side]] for i, pair in enumerate(pairs)})},
            )
            for side in (0, 1)
        ]
        return compare(*arms, grounds=ComparisonContext(planned=100, rules=rules))

    found = decide_many([with_gap("v2", 20), with_gap("v3", 9)])
    assert decisions(found) == ["promote", "inconclusive"]
    assert named(found[0], "missing") == []
    assert decide(with_gap("v2", 7)).decision == "inconclusive"
    assert named(decide(with_gap("v2", 7)), "missing") == ["unproven"]
    assert decide(with_gap("v2", 7, rules=1)).decision == "promote"


def weighed(
    b: int, c: int, counts: list[float], costs: Any = None, label: str = "v2"
) -> ComparisonFacts:
    n = len(counts)
    arms = arm(0, label, b, c, n, costs), arm(1, "v1", b, c, n, costs)
    weights = {f"e{i}": count for i, count in enumerate(counts)}
    return compare(*arms, grounds=ComparisonContext(planned=n, weights=weights, weighed_by="uses"))


def test_cost_holds_by_weight_too() -> None:
    """Cheaper on 95 of 100 that are asked once, dearer on 5 that are asked fifty times."""
    costs = [0.001] * 95 + [0.004] * 5, [0.002] * 100
    cheaper = Policy(goal="cheaper", margin=0.5)
    even = [1.0 + i % 2 for i in range(100)]
    assert decide(weighed(0, 0, even, costs), cheaper).decision == "promote"
    heavy = [1.0] * 95 + [50.0] * 5
    assert decide(versus(0, 0, 100, costs=costs), cheaper).decision == "promote"
    found = decide(weighed(0, 0, heavy, costs), cheaper)
    assert (found.decision, named(found, "weights")) == ("inconclusive", ["unproven"])


def test_finalists_by_weight_are_corrected_for_their_number_once() -> None:
    """A clear winner by count and by weight is promoted beside another finalist."""
    even = [1.0 + i % 2 for i in range(100)]
    found = decide_many([weighed(24, 2, even), weighed(9, 2, even, label="v3")])
    assert decisions(found) == ["promote", "inconclusive"]
    assert named(found[0], "weights") == ["pass"]
