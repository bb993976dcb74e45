"""`verify` finds what was changed in a bundle, field by field, though its digest was redone."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from promptops.analysis.arms import Arm, Outcomes
from promptops.analysis.classes import GoldenLabels
from promptops.analysis.compare import ComparisonContext, compare
from promptops.analysis.decide import decide
from promptops.analysis.first_deployment import decide_first
from promptops.analysis.recompute import make_evidence, recompute
from promptops.analysis.tried import Tried, TriedCandidate
from promptops.errors import PromptOpsError
from promptops.evidence import Evidence
from promptops.policy import Guardrail, Policy

N = 120
POLICY = Policy(
    primary="exact", weights="count", guardrails=(Guardrail("cost", 0.5), Guardrail("short", 0.2))
)


def bundle() -> dict[str, Any]:
    """A promotion with weights, labels, tags, clusters, a guardrail and a first judgement."""
    ids = [f"e{i:03}" for i in range(N)]

    def arm(name: str, hits: range, cost: float) -> Arm:
        scores = {
            "exact": Outcomes.of({id_: [float(i in hits)] for i, id_ in enumerate(ids)}),
            "short": Outcomes.of({id_: [0.5 + 0.001 * (i % 7)] for i, id_ in enumerate(ids)}),
        }
        measures = {
            "cost": Outcomes.of(
                {id_: [cost + i / 1e6] for i, id_ in enumerate(ids)}, kind="measure"
            )
        }
        answers = {
            id_: ("yes" if (i % 2 == 0) == (i in hits) else "no") for i, id_ in enumerate(ids)
        }
        return Arm(name * 16, name, scores, measures, answers=answers)

    golden = {id_: ("yes" if i % 2 == 0 else "no",) for i, id_ in enumerate(ids)}
    grounds = ComparisonContext(
        prompt="w",
        study="s1",
        dataset="t",
        fingerprint="d1",
        planned=N,
        clusters={id_: f"c{i // 2}" for i, id_ in enumerate(ids)},
        tags={id_: ("a" if i < 60 else "b",) for i, id_ in enumerate(ids)},
        split="test",
        tested=True,
        labels=GoldenLabels(golden, {"yes": "yes", "no": "no"}, None),
        tried=Tried((TriedCandidate("s1", 1, "v2" * 16, N, "d", "exact@1"),), "v2" * 16),
        weights={id_: 1.0 + i % 3 for i, id_ in enumerate(ids)},
        weighed_by="count",
    )
    found = compare(arm("v2", range(8, N), 0.001), arm("v1", range(60), 0.001), grounds=grounds)
    verdict = decide(found, POLICY)
    assert verdict.decision == "promote", verdict.reasons
    return make_evidence(found, verdict, POLICY).document()


def change(*path: Any, to: Any) -> Callable[[dict[str, Any]], None]:
    def apply(document: dict[str, Any]) -> None:
        place: Any = document
        for step in path[:-1]:
            place = place[step]
        held = place.get(path[-1]) if isinstance(place, dict) else place[path[-1]]
        assert held != to
        place[path[-1]] = to

    return apply


CHANGES: dict[str, Callable[[dict[str, Any]], None]] = {
    "a candidate's outcome": change("scores", "exact", "candidate", 3, to=1),
    "a baseline's outcome": change("scores", "exact", "baseline", 3, to=0),
    "a guardrail's score": change("scores", "short", "candidate", 5, to=0.9),
    "a cost": change("metrics", "cost", "candidate", 5, to=0.0),
    "a weight": change("weights", 7, to=400),
    "a cluster": change("clusters", 7, to="c0"),
    "an example left out of the asked": change("asked", "candidate", to=2),
    "the gain": change("figures", "exact", "gain", to=0.6),
    "the p value": change("figures", "exact", "p_better", to=1e-9),
    "the interval": change("figures", "exact", "low", to=0.4),
    "n": change("figures", "exact", "n", to=500),
    "the weighted gain": change("figures", "by weight", "gain", to=0.9),
    "the effective n": change("figures", "by weight", "effective_n", to=500.0),
    "the cost's gain": change("figures", "cost", "gain", to=0.5),
    "the decision": change("verdict", "decision", to="reject"),
    "a check": change("verdict", "checks", 0, "status", to="fail"),
    "a margin": change("policy", "guardrails", 0, "margin", to=0.0),
    "the planned n": change("rule", "planned", to=4 * N),
    "a rule of another release": change("rule", "rules", to=1),
    "one golden label": change("classes", "golden", 40, to=[0]),
    "one answer": change("classes", "candidate", 40, to=0),
    "the constant": change("classes", "constant", to=1),
    "alpha": change("policy", "alpha", to=0.04),
    "candidates that were looked at": change("rule", "looked", to=1),
    "the examples of a judgement": change("rule", "tried", "judgements", 0, "n", to=60),
    "the runs of a judgement": change("rule", "tried", "judgements", 0, "digest", to="other"),
    "the study of a judgement": change("rule", "tried", "judgements", 0, "study", to="s0"),
    "the judgements": change("rule", "tried", "judgements", to=[]),
    "the form of the figures": change("rule", "figures", to=1),
}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return bundle()


def test_a_judgement_left_out_is_found() -> None:
    """The second judgement of a pair needs E of 20; a bundle that hides the first would pass."""
    rows = {
        name: {f"e{i}": [float(i < right)] for i in range(40)}
        for name, right in (("v2", 36), ("v1", 30))
    }
    arms = [Arm(name * 16, name, {"exact": Outcomes.of(rows[name])}) for name in rows]
    twice = tuple(TriedCandidate(f"s{k}", k, "v2" * 16, 40, f"{k}", "exact@1") for k in (1, 2))
    grounds = ComparisonContext(prompt="w", study="s2", tried=Tried(twice, "v2" * 16))
    found = compare(*arms, grounds=grounds)
    verdict = decide(found)
    assert verdict.decision == "inconclusive"
    other = make_evidence(found, verdict).document()
    other["rule"]["tried"]["judgements"] = other["rule"]["tried"]["judgements"][1:]
    wrong = {row.name for row in recompute(Evidence.from_document(other)) if not row.same}
    assert "verdict.decision" in wrong


def tried_before(document: dict[str, Any]) -> None:
    """As if another candidate had been judged in an earlier study, where E clears that as well."""
    other = {**document["rule"]["tried"]["judgements"][0], "candidate": "v0" * 16, "order": 0}
    document["rule"]["tried"]["judgements"].insert(0, other)


def test_what_was_tried_is_counted_again_though_e_clears_it(document: dict[str, Any]) -> None:
    """More or fewer judgements than the bundle had, with a decision that stays what it was."""
    other = copy.deepcopy(document)
    tried_before(other)
    wrong = {row.name for row in recompute(Evidence.from_document(other)) if not row.same}
    assert "verdict.decision" not in wrong
    assert {"in force.candidates before", "in force.e needed"} <= wrong


def test_a_bundle_of_before_these_figures_verifies(document: dict[str, Any]) -> None:
    """Without the mark it is one of an earlier release, whose figures are the measures'."""
    other = copy.deepcopy(document)
    del other["rule"]["figures"], other["figures"]["in force"], other["figures"]["by class"]
    assert all(figure.same for figure in recompute(Evidence.from_document(other)))


def test_a_first_deployment_keeps_its_classes() -> None:
    """One arm alone: a golden label that is changed shows in its table."""
    ids = [f"e{i}" for i in range(40)]
    golden = {id_: ("yes" if i % 2 else "no",) for i, id_ in enumerate(ids)}
    arm = Arm(
        "v1" * 16,
        "v1",
        {"exact": Outcomes.of({id_: [float(i > 3)] for i, id_ in enumerate(ids)})},
        answers={id_: ("yes" if (i % 2 == 1) == (i > 3) else "no") for i, id_ in enumerate(ids)},
    )
    grounds = ComparisonContext(prompt="w", study="s", labels=GoldenLabels(golden, {}, None))
    verdict = decide_first(arm, Policy(primary="exact"), primary="exact", context=grounds)
    made = make_evidence(arm, verdict, Policy(primary="exact"), grounds=grounds).document()
    assert all(figure.same for figure in recompute(Evidence.from_document(made)))
    made["classes"]["golden"][20] = [1]
    wrong = {row.name for row in recompute(Evidence.from_document(made)) if not row.same}
    assert any(name.startswith("by class.candidate") for name in wrong)


def test_the_bundle_as_it_was_verifies(document: dict[str, Any]) -> None:
    assert all(figure.same for figure in recompute(Evidence.from_document(document)))


@pytest.mark.parametrize("what", CHANGES)
def test_a_changed_field_is_found(document: dict[str, Any], what: str) -> None:
    """Either a figure differs, or the bundle is refused as one that nobody can compute again."""
    other = copy.deepcopy(document)
    CHANGES[what](other)
    try:
        figures = recompute(Evidence.from_document(other))
    except PromptOpsError:
        return
    assert [figure.name for figure in figures if not figure.same]


# Not a difference from what was recorded: the field is changed before anything is computed, as by
# somebody who computes the rest again, so that the bundle agrees with itself.
IMPOSSIBLE: dict[str, Callable[[dict[str, Any]], None]] = {
    "an example counted often": change("examples", to=["e000"] * N),
    "a negative cost": change("metrics", "cost", "candidate", 5, to=-1.0),
    "a cost that is no figure of a call": change("metrics", "cost", "baseline", 5, to=1e308),
    "a cost as an outcome of 0 or 1": change("tallies", "cost", "candidate", "binary", to=True),
    "half a repeat": change("tallies", "exact", "candidate", "scored", to=[0.5] * N),
    "more scored than asked": change("tallies", "exact", "candidate", "scored", to=[9] * N),
    "fewer than no repeats": change("asked", "candidate", to=-1),
}


def not_better() -> dict[str, Any]:
    """Of a candidate that is right on one more of 120 examples."""
    ids = [f"e{i:03}" for i in range(N)]

    def arm(name: str, right: int) -> Arm:
        scores = {"exact": Outcomes.of({id_: [float(i < right)] for i, id_ in enumerate(ids)})}
        costs = {id_: [0.002 + i / 1e6] for i, id_ in enumerate(ids)}
        return Arm(name * 16, name, scores, {"cost": Outcomes.of(costs, kind="measure")})

    found = compare(arm("v2", 61), arm("v1", 60))
    verdict = decide(found)
    assert verdict.decision == "inconclusive"
    return make_evidence(found, verdict).document()


@pytest.mark.parametrize("what", IMPOSSIBLE)
def test_impossible_figures_are_refused(what: str) -> None:
    forged = not_better()
    IMPOSSIBLE[what](forged)
    with pytest.raises(PromptOpsError):
        recompute(Evidence.from_document(forged))


@pytest.mark.parametrize(("field", "value"), [("p_better", 0.0), ("p_better", -1), ("share", 1e9)])
def test_no_rule_makes_scores_say_more_than_they_do(field: str, value: float) -> None:
    """Several finalists make a p larger and the part of alpha smaller, never the other way."""
    forged = not_better()
    change("rule", field, to=value)(forged)
    now = {row.name: row.recomputed for row in recompute(Evidence.from_document(forged))}
    assert now["verdict.decision"] == "inconclusive"
