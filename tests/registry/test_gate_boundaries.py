"""The gate's own counts at their boundaries: what is unscored proves nothing, and what equals the
policy's figure reaches it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from promptops import PromptVersion
from promptops.evidence import Evidence
from promptops.policy import Policy
from promptops.registry.deployment import DeploymentEntry
from promptops.registry.gate import GateRequest, Unmet, arm, terms, unmet
from promptops.registry.needs import Need

OLD, NEW = PromptVersion("Old: {{ticket}}"), PromptVersion("New: {{ticket}}")
N = 4
Scores = tuple[float | None, ...]


def evidence(
    candidate: Scores, baseline: Scores | None, policy: Policy, **changed: Any
) -> Evidence:
    sides = {"candidate": candidate, **({} if baseline is None else {"baseline": baseline})}
    values: dict[str, Any] = {
        "prompt": "triage",
        "candidate": NEW.id,
        "baseline": None if baseline is None else OLD.id,
        "dataset": {"name": "tickets", "fingerprint": "ds1-abc"},
        "study": "study-1",
        "policy": policy.document(),
        "primary": "exact",
        "examples": tuple(f"e{index}" for index in range(N)),
        "scores": {"exact": sides},
        "counts": {},
        "scorers": {"exact": {"version": "1", "kind": "assertion"}},
        "figures": {},
        "verdict": {"decision": "promote"},
    }
    return Evidence(**{**values, **changed})


def request(policy: Policy, *, first: bool = False, **changed: Any) -> GateRequest:
    served = DeploymentEntry("triage", "prod", 1, "promote", 1, OLD.id, "2026-01-01", "ann", "d1-0")
    values: dict[str, Any] = {
        "prompt": "triage",
        "env": "prod",
        "number": 2,
        "version": NEW,
        "policy": policy,
        "chain": () if first else (served,),
        "served": {},
    }
    return GateRequest(**{**values, **changed})


def points(candidate: Scores, baseline: Scores | None, policy: Policy, **changed: Any) -> list[str]:
    asked = request(policy, first=baseline is None)
    return [found.point for found in unmet(asked, evidence(candidate, baseline, policy, **changed))]


# -- must-pass examples


@pytest.mark.parametrize(
    ("candidate", "baseline", "says"),
    [
        ((1, 1, 1, 1), (1, 1, 1, 1), None),
        ((1, 1, 1, 0.5), (1, 1, 1, 1), "v2 fails the must-pass example 'e3'."),
        ((1, 1, 1, 0), (1, 1, 1, 0.5), None),  # the baseline does not pass it either
        ((1, 1, 1, 0), (1, 1, 1, None), "The must-pass example 'e3' has no score of its baseline."),
        ((1, 1, 1, 1), (1, 1, 1, None), "The must-pass example 'e3' has no score of its baseline."),
        ((1, 1, 1, None), (1, 1, 1, 1), "The must-pass example 'e3' has no score."),
        ((1, 1, 1, 1), None, None),
        ((1, 1, 1, 0.5), None, "v2 fails the must-pass example 'e3'."),
        ((1, 1, 1, None), None, "The must-pass example 'e3' has no score."),
    ],
)
def test_an_unscored_must_pass_example_does_not_pass(
    candidate: Scores, baseline: Scores | None, says: str | None
) -> None:
    """Nor does one whose baseline has no score: the gate and the verdict before it agree."""
    found = points(candidate, baseline, Policy(must_pass=("e3",)))
    assert found == ([] if says is None else [says])


# -- counts


def test_min_n_counts_pairs() -> None:
    """A pair has both scores; exactly as many as the policy asks for are enough; one is always
    needed.
    """
    whole: Scores = (1, 1, 1, 1)
    assert points(whole, (0, 0, 0, 0), Policy(min_n=4)) == []
    assert points(whole, (0, 0, 0, None), Policy(min_n=4)) == [
        "3 scored examples, the policy asks for 4."
    ]
    assert points((None, 1, 1, 1), None, Policy(min_n=3)) == []
    assert points((None, None, 1, 1), None, Policy(min_n=3)) == [
        "2 scored examples, the policy asks for 3."
    ]
    nothing = points((None,) * 4, (0,) * 4, Policy())
    assert nothing == ["0 scored examples, the policy asks for 1."]
    found = unmet(request(Policy(min_n=4)), evidence(whole, (0, None, None, None), Policy(min_n=4)))
    assert found[0].next == "add 3 more examples."


def test_min_score_is_reached_by_its_equal_and_only_of_a_first_deployment() -> None:
    """The mean of the scored examples: .5 reaches .5; with a baseline, the baseline decides."""
    assert points((1, 1, 0, 0), None, Policy(min_score=0.5)) == []
    assert points((1, 1, 0, 0), None, Policy(min_score=0.51)) == [
        "v2 scores 0.500 on exact, a first deployment needs 0.51."
    ]
    assert points((1, 1, 0, None), None, Policy(min_score=0.66)) == []
    assert points((0.2, 0.2, 0.2, 0.2), None, Policy(min_score=0.2)) == []
    assert points((1, 1, 0, 0), (0, 0, 0, 0), Policy(min_score=0.9)) == []


@pytest.mark.parametrize(
    ("kind", "calibrated", "allowed", "refused"),
    [
        ("judge", False, False, True),
        ("judge", True, False, False),
        ("judge", False, True, False),
        ("assertion", False, False, False),
    ],
)
def test_a_judge_needs_leave(kind: str, calibrated: bool, allowed: bool, refused: bool) -> None:
    """One that was not measured against people decides only if the policy says so."""
    policy = Policy(allow_uncalibrated_judge=allowed)
    scorers = {"exact": {"kind": kind, "calibrated": calibrated}}
    found = points((1,) * 4, (0,) * 4, policy, scorers=scorers)
    assert [("is a judge" in point) for point in found] == ([True] if refused else [])


@pytest.mark.parametrize(
    ("policy", "field", "value", "says"),
    [
        (
            Policy(estimand="tasks"),
            "tags",
            {"billing": (0, 1), "bug": (2, 3)},
            "The policy judges over tasks, and the evidence names no task of its examples.",
        ),
        (
            Policy(weights="count"),
            "weights",
            (1.0, 2.0, 1.0, 2.0),
            "The policy weighs examples by 'count', and the evidence does not.",
        ),
    ],
)
def test_a_comparison_needs_the_tasks_and_weights_of_its_policy(
    policy: Policy, field: str, value: object, says: str
) -> None:
    """Evidence without them answers another question than the policy asks. A first deployment
    compares nothing, and a policy that asks for neither needs neither.
    """
    better: tuple[Scores, Scores] = ((1, 1, 1, 1), (0, 0, 0, 0))
    assert points(*better, policy) == [says]
    assert points(*better, policy, **{field: value}) == []
    assert points((1, 1, 1, 1), None, policy) == []
    assert points((1, 1, 1, 1), None, policy, **{field: value}) == []
    assert points(*better, Policy()) == []


def test_scores_of_another_length_are_refused() -> None:
    """Of either side, and where the primary has none at all; classes name the first scorer."""
    cut = "The evidence has no score of its primary 'exact' for each of its 4 examples."
    assert points((1, 1, 1), (0, 0, 0, 0), Policy()) == [cut]
    assert points((1, 1, 1, 1), (0, 0, 0), Policy()) == [cut]
    assert points((1,) * 4, (0,) * 4, Policy(), scores={}) == [cut]
    other = {"first": {"candidate": (1.0,) * 4, "baseline": (0.0,) * 4}}
    assert points((1,) * 4, (0,) * 4, Policy(), scores=other) == [cut]
    classes = {"labels": ["a", "b"]}
    assert points((1,) * 4, (0,) * 4, Policy(), scores=other, classes=classes) == []
    alone = {"exact": {"candidate": (1.0,) * 4}}
    assert points((1,) * 4, (0,) * 4, Policy(), scores=alone) == [
        "The evidence has no scores of its baseline."
    ]


# -- what the evidence is about


def test_each_kind_of_evidence_has_its_incumbent() -> None:
    """A first deployment's evidence for a first deployment, a comparison for an incumbent, and none
    crosswise.
    """
    policy = Policy()
    alone, compared = evidence((1,) * 4, None, policy), evidence((1,) * 4, (0,) * 4, policy)
    assert unmet(request(policy, first=True), alone) == ()
    assert unmet(request(policy), compared) == ()
    assert "against nothing" in unmet(request(policy), alone)[0].point
    assert "serves nothing yet" in unmet(request(policy, first=True), compared)[0].point
    other = replace(compared, baseline="p1-" + "0" * 32)
    assert "against p1-00000000" in unmet(request(policy), other)[0].point


def test_a_dataset_that_the_policy_does_not_name_may_be_any() -> None:
    """A named one must be the evidence's."""
    assert points((1,) * 4, (0,) * 4, Policy(dataset="ds1-abc")) == []
    assert "another dataset" in points((1,) * 4, (0,) * 4, Policy(dataset="ds1-xyz"))[0]
    assert points((1,) * 4, (0,) * 4, Policy(), dataset={}) == []


def test_no_evidence_is_one_point_and_ungated_asks_for_none() -> None:
    """The message names the incumbent where there is one."""
    (point,) = unmet(request(Policy()), None)
    assert "against v1, which serves prod" in point.next
    (point,) = unmet(request(Policy(), first=True), None)
    assert point.next == "evaluate v2, and pass the study to promote."
    assert unmet(request(Policy(), env="dev"), None) == ()
    assert len(unmet(request(Policy(ungated_environments=("prod",)), env="dev"), None)) == 1


def test_stages_before_the_environment_are_walked() -> None:
    """All of them where the environment is not on the path, those before it if it is."""
    policy = Policy(stages=("test", "staging", "prod"))
    assert len(unmet(request(policy), None)) == 3
    assert len(unmet(request(policy, env="staging"), None)) == 2
    assert len(unmet(request(policy, env="elsewhere"), None)) == 4
    served = {"test": frozenset({NEW.id}), "staging": frozenset({OLD.id})}
    found = unmet(request(policy, served=served), None)
    assert found[0].point.startswith("v2 has not served staging,")
    assert len(found) == 2


def test_what_a_verdict_lacks_is_told_with_its_step() -> None:
    """Reasons with fewer steps than reasons, and a verdict without either."""
    verdict = {"decision": "reject", "reasons": ["A.", "B."], "next": ["Look at it."]}
    policy = Policy()
    given = evidence((1,) * 4, (0,) * 4, policy, verdict=verdict)
    assert unmet(request(policy), given) == (
        Unmet("A.", "look at it."),
        Unmet("B.", "improve v2, or add examples."),
    )
    bare = evidence((1,) * 4, (0,) * 4, policy, verdict={"decision": "reject"})
    assert unmet(request(policy), bare)[0].point == "The verdict is reject."
    passed = {"decision": "reject", "checks": [{"status": "pass", "text": "fine"}]}
    assert (
        unmet(request(policy), evidence((1,) * 4, (0,) * 4, policy, verdict=passed))[0].point
        == "The verdict is reject."
    )


def test_what_names_the_data_and_the_terms() -> None:
    """The same outcomes are the same arm, whatever the baseline; another score, example or dataset
    is another. Terms move with the policy and with what served before.
    """
    policy = Policy(stages=("staging", "prod"))
    given = evidence((1, 1, 0, 0), (0,) * 4, policy)
    assert arm(given) == arm(evidence((1, 1, 0, 0), (1,) * 4, policy))
    assert arm(given) != arm(evidence((1, 1, 0, 1), (0,) * 4, policy))
    assert arm(given) != arm(evidence((1, 1, 0, 0), (0,) * 4, policy, dataset={}))
    assert terms(request(policy)) == terms(request(policy, number=3))
    assert terms(request(policy)) != terms(request(Policy()))
    served = {"staging": frozenset({NEW.id})}
    assert terms(request(policy)) != terms(request(policy, served=served))
    asks = Need("triage", {"ticket": "string"}), Need("other", {"ticket": "string"})
    assert terms(request(policy)) != terms(request(policy, needs=asks[:1]))
    assert terms(request(policy)) == terms(request(policy, needs=asks[1:]))
    own = {"prod": frozenset({NEW.id})}  # the environment's own history is asked for elsewhere
    assert terms(request(policy)) == terms(request(policy, served=own))


def test_an_unmet_point_reads_as_one_sentence_or_two() -> None:
    """With its step where there is one."""
    assert str(Unmet("A.", "do b.")) == "A. Next: do b."
    assert str(Unmet("A.", "")) == "A."


def test_a_policy_over_tasks_wants_evidence_with_tasks() -> None:
    """A bundle that names no task of its examples does not bear a verdict over tasks."""
    policy = Policy(estimand="tasks")
    scores: tuple[Scores, Scores] = ((1.0,) * N, (0.0,) * N)
    assert any("names no task" in point for point in points(*scores, policy))
    assert not points(*scores, policy, tags={"sums": (0, 1), "dates": (2, 3)})


ANOTHER_POLICY = "The evidence was decided under another policy than the registry's."


@pytest.mark.parametrize(
    ("registry", "used", "refused"),
    [
        (Policy(primary="exact"), Policy(primary="exact"), False),
        (Policy(primary="exact"), Policy(), False),  # the study chose what the registry names
        (Policy(primary="exact"), Policy(primary="exact", alpha=0.2), True),
        (Policy(primary="exact"), Policy(alpha=0.2), True),
        (Policy(primary="another"), Policy(primary="exact"), True),
        (Policy(), Policy(primary="exact"), False),
        (Policy(), Policy(primary="exact", alpha=0.2), True),
    ],
)
def test_evidence_is_decided_under_the_registry_s_policy(
    registry: Policy, used: Policy, refused: bool
) -> None:
    """The same but for the primary: a policy that leaves it open takes the study's, one that names
    it wants evidence by that scorer.
    """
    given = evidence((1, 1, 1, 1), (0, 0, 0, 0), used)
    found = [each.point for each in unmet(request(registry), given)]
    assert (ANOTHER_POLICY in found) is refused


def test_a_policy_that_cannot_be_read_is_another_one() -> None:
    """Evidence whose policy is damaged is refused in words, and raises nothing."""
    given = replace(evidence((1, 1, 1, 1), (0, 0, 0, 0), Policy()), policy={"alpha": "high"})
    assert ANOTHER_POLICY in [each.point for each in unmet(request(Policy()), given)]


def test_a_first_deployment_without_a_score_reaches_no_minimum() -> None:
    """The mean of nothing is 0, not 1: both points are named."""
    found = points((None,) * 4, None, Policy(min_score=0.5))
    assert found == [
        "0 scored examples, the policy asks for 1.",
        "v2 scores 0.000 on exact, a first deployment needs 0.5.",
    ]
