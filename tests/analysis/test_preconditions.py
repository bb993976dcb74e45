"""What has to hold before two means are compared, each rule at its boundary."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from promptops.analysis import paired_tests, preconditions
from promptops.analysis.check import ASK_AGAIN, Check, DecisionRule
from promptops.analysis.tried import Tried, TriedCandidate
from promptops.policy import Policy


def judged(*studies: str, rules: int = 2, planned: int | None = None, study: str = "s") -> Any:
    """A comparison whose candidate was judged in these studies, oldest first."""
    tried = Tried(
        tuple(TriedCandidate(s, i, "p1-b", 100, s, "exact") for i, s in enumerate(studies)), "p1-b"
    )
    return SimpleNamespace(
        grounds=SimpleNamespace(tried=tried, rules=rules, planned=planned, study=study),
        candidate=SimpleNamespace(facts={}),
        baseline=SimpleNamespace(facts={}),
    )


def figures(
    n: int = 100,
    unscored: int = 0,
    missing: float = 0.0,
    failed: tuple[int, int, int, int] = (0, 100, 0, 100),
) -> Any:
    return SimpleNamespace(n=n, unscored=unscored, missing=missing, failed=failed)


def complete(
    monkeypatch: pytest.MonkeyPatch,
    found: Any,
    comparison: Any = None,
    *,
    policy: Policy | None = None,
    peeking: bool = False,
) -> list[Check]:
    monkeypatch.setattr(preconditions, "main", lambda *_: found)
    return preconditions.complete(
        comparison or judged("s1"), policy or Policy(), DecisionRule(peeking=peeking)
    )


# -- missing pairs


@pytest.mark.parametrize(("n", "unscored"), [(97, 0), (97, 3), (97, 100)])
def test_missing_is_counted_of_all_that_was_planned_or_asked(
    monkeypatch: pytest.MonkeyPatch, n: int, unscored: int
) -> None:
    """97 scored of 100 planned are 3 % missing, also if three of them came back without a score;
    of 197 that were asked, more is missing than of what was planned.
    """
    [check] = complete(monkeypatch, figures(n, unscored), judged("s1", planned=100))
    share = "50.8 %" if unscored == 100 else "3.0 %"
    assert check.text == f"Incomplete: {share} of the pairs have no score, the limit is 2 %."
    assert (check.name, check.status, check.next) == ("complete", "unproven", ASK_AGAIN)


@pytest.mark.parametrize(("failed", "again"), [((0, 0), False), ((1, 0), True), ((0, 1), True)])
def test_where_every_call_was_answered_the_next_step_is_not_to_ask_again(
    monkeypatch: pytest.MonkeyPatch, failed: tuple[int, int], again: bool
) -> None:
    comparison = judged("s1", planned=100)
    sides = (comparison.candidate, comparison.baseline)
    for side, count in zip(sides, failed, strict=True):
        side.facts = {"calls": 100, "failed": count}
    [check] = complete(monkeypatch, figures(90, 10), comparison)
    assert (check.next == ASK_AGAIN) == again
    assert again or check.next.startswith("Every answer is there: `study.scores()` says why")
    [more] = complete(monkeypatch, figures(80, 10), comparison)  # ten were not asked yet
    assert more.next == ASK_AGAIN


def test_while_peeking_only_what_was_asked_so_far_can_be_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of 100 planned, 40 are in; what they say of themselves counts, with or without a plan."""
    plan = judged("s1", planned=100)
    assert complete(monkeypatch, figures(40), plan, peeking=True) == []
    assert complete(monkeypatch, figures(40), plan)[0].name == "complete"
    assert complete(monkeypatch, figures(40, missing=0.021), plan, peeking=True) != []
    assert complete(monkeypatch, figures(40, missing=0.021)) != []
    assert complete(monkeypatch, figures(40, missing=0.02)) == []


# -- calls that failed unequally


@pytest.mark.parametrize(("p", "unequal"), [(0.05, False), (0.0499, True), (0.06, False)])
def test_failures_are_unequal_below_five_percent(
    monkeypatch: pytest.MonkeyPatch, p: float, unequal: bool
) -> None:
    monkeypatch.setattr(paired_tests, "fisher_failures", lambda *_: p)
    found = complete(monkeypatch, figures(failed=(3, 100, 0, 100)))
    assert [check.name for check in found] == (["complete"] if unequal else [])
    if unequal:
        assert "(3 of 100 against 0 of 100, Fisher p = 0.050)" in found[0].text
        assert found[0].next == ASK_AGAIN


def test_equally_many_failures_of_unequally_many_calls_are_unequal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """5 of 5 against 5 of 500."""
    [check] = complete(monkeypatch, figures(failed=(5, 5, 5, 500)))
    assert "calls failed unequally" in check.text


@pytest.mark.parametrize("failed", [(0, 100, 0, 100), (3, 0, 0, 100), (3, 100, 0, 0)])
def test_failures_are_compared_only_if_both_arms_made_calls_and_some_failed(
    monkeypatch: pytest.MonkeyPatch, failed: tuple[int, int, int, int]
) -> None:
    monkeypatch.setattr(paired_tests, "fisher_failures", lambda *_: 0.0)
    assert complete(monkeypatch, figures(failed=failed)) == []


def test_a_fair_share_of_failures_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """1 of 100 against none is nothing unequal."""
    assert complete(monkeypatch, figures(failed=(1, 100, 0, 100))) == []


# -- too few


def test_the_least_number_of_pairs_is_reached_by_its_equal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    policy = Policy(min_n=100)
    assert complete(monkeypatch, figures(100), policy=policy) == []
    [check] = complete(monkeypatch, figures(99), policy=policy)
    assert (check.name, check.status) == ("n", "unproven")
    assert check.text == "99 pairs, the policy asks for 100."
    assert check.next == "Add 1 example."


# -- what brings missing scores


def test_the_last_two_earlier_studies_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first judgement has no earlier study; of three, the newest two are rescored."""

    def step(*studies: str) -> str:
        [check] = complete(monkeypatch, figures(missing=0.5), judged(*studies))
        assert check.next is not None
        return check.next

    assert step("s1") == ASK_AGAIN
    assert step("s1", "s2").startswith(ASK_AGAIN)
    assert "lab.study('s1').rescore([...])." in step("s1", "s2")
    named = step("s1", "s2", "s3", "s4")
    assert "'s1'" not in named
    assert "lab.study('s2').rescore([...]), lab.study('s3').rescore([...])." in named
    assert "'s4'" not in named


def test_one_judgement_pooled_from_two_studies_names_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same runs in two studies are one judgement: nothing else was judged by other scorers."""
    rows = tuple(TriedCandidate(s, i, "p1-b", 9, "same", "exact") for i, s in enumerate("ab"))
    comparison = judged("s1")
    comparison.grounds.tried = Tried(rows, "p1-b")
    [check] = complete(monkeypatch, figures(missing=0.5), comparison)
    assert check.next == ASK_AGAIN


# -- a scorer that finds nothing right


@pytest.mark.parametrize(("rules", "nothing", "said"), [(1, True, 0), (2, True, 1), (2, False, 0)])
def test_nothing_right_is_a_rule_of_today(
    monkeypatch: pytest.MonkeyPatch, rules: int, nothing: bool, said: int
) -> None:
    """Bundles of the first rules verify by them; today nothing is concluded from nothing."""
    monkeypatch.setattr(preconditions, "main", lambda *_: SimpleNamespace(name="exact", n=1_500))
    monkeypatch.setattr(preconditions, "nothing_right", lambda _: nothing)
    found = preconditions.measured(judged("s1", rules=rules), Policy())
    assert len(found) == said
    if found:
        assert found[0].text == "exact finds nothing right in either arm: 0 of 1,500 in both."
        assert (found[0].name, found[0].status) == ("measured", "unproven")


# -- must-pass examples of a first deployment


def test_each_must_pass_example_of_a_first_deployment_is_named() -> None:
    outcomes: Any = SimpleNamespace(examples=["a", "b"], mean=[1.0, 0.5])
    checks = list(preconditions.first_must_pass("v1", outcomes, Policy(must_pass=("a", "b", "c"))))
    assert [(check.name, check.status) for check in checks] == [
        ("must_pass", "fail"),
        ("must_pass", "unproven"),
    ]
    assert checks[0].text == "v1 does not pass the must-pass example 'b'."
    assert checks[1].next == "Evaluate v1 on 'c'."
