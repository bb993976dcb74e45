"""The best constant answer is beside every accuracy, and classes are distinguished."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from promptops.analysis.recompute import make_evidence, recompute
from promptops.errors import Refused, StudyError
from promptops.lab import Lab, compare
from promptops.models.scripted import ScriptedModel
from promptops.policy import Guardrail, Policy
from promptops.scorers import contains, equals, scorer
from promptops.study.promotion_basis import evidence_of

MakeLab = Callable[..., Lab]
N, NO = 129, 73  # always "no" is right on 56.6 %


def gold(i: int) -> str:
    return "no" if i % N < NO else "yes"


def rows(n: int = N) -> list[dict[str, Any]]:
    return [{"q": str(i), "expected": gold(i)} for i in range(n)]


def behaviour(call: Any) -> str:
    """silent: nothing that is asked for; no: always no; good: right on nine of ten."""
    how, number = call.request["messages"][-1]["content"].split()
    if how == "silent":
        return "Perhaps."
    if how in ("no", "wordy"):
        return "no" if how == "no" else f"Thank you for {number}! The answer is no."
    if how == "half":
        return "no" if int(number) % 2 else "yes"
    flipped = {"yes": "no", "no": "yes"}[gold(int(number))]
    return flipped if int(number) % 10 == 0 else gold(int(number))


def study(make_lab: MakeLab, *how: str, scorer: Any = None, policy: Any = None) -> tuple[Any, ...]:
    lab = make_lab(models={"m": ScriptedModel(behaviour)})
    prompt = lab.prompt("w")
    versions = [prompt.save(f"{name} {{{{q}}}}", model="m") for name in how]
    if policy is not None:
        prompt.policy = policy
    return lab, lab.evaluate(versions, rows(), [scorer or equals()]), *versions


@pytest.mark.parametrize("goal", ["better", "not_worse"])
@pytest.mark.parametrize(("how", "by"), [("no", equals()), ("wordy", contains(column="expected"))])
def test_one_answer_to_everything_is_rejected(
    make_lab: MakeLab, goal: str, how: str, by: Any
) -> None:
    """+56.6 points at p < 1e-15 over a version that says nothing, and still one constant answer."""
    _, found, v1, v2 = study(make_lab, "silent", how, scorer=by)
    comparison = found.compare(candidate=v2, baseline=v1)
    assert comparison.primary.p_better < 1e-15
    verdict = comparison.decide({"goal": goal})
    assert verdict.decision == "reject"
    assert f"'no' to {N} of {N} examples" in " ".join(verdict.reasons)


def test_a_scorer_of_your_own_is_known_by_what_it_does(make_lab: MakeLab) -> None:
    """A function that matches the golden answer is such a scorer, whatever its name is."""

    @scorer
    def right(output: str, expected: str) -> bool:
        return output.strip().lower() == expected

    _, found, v1, v2 = study(make_lab, "silent", "no", scorer=right)
    assert found.compare(candidate=v2, baseline=v1).verdict.decision == "reject"


def test_not_shown_above_the_constant_is_inconclusive(make_lab: MakeLab) -> None:
    """Half right beats silence, and is no better than always "no": the ways out are named."""
    _, found, v1, v2 = study(make_lab, "silent", "half")
    comparison = found.compare(candidate=v2, baseline=v1)
    verdict = comparison.decide({})
    assert verdict.decision == "inconclusive"
    assert "balanced_accuracy" in " ".join(verdict.next)
    assert "56.6 %" in " ".join(verdict.reasons)
    assert comparison.decide({"goal": "not_worse"}).decision == "promote"
    assert comparison.decide({"accept_constant": "a pilot"}).decision == "promote"
    guarded = Policy(guardrails=(Guardrail("recall(yes)", 0.05),))
    assert comparison.decide(guarded).decision == "promote"
    assert comparison.decide({"primary": "balanced_accuracy"}).decision == "promote"


def test_a_good_version_is_promoted_and_its_bundle_verifies(make_lab: MakeLab) -> None:
    """The constant is in the verdict, the labels are in the bundle, and all of it is recomputed."""
    lab, found, v1, v2 = study(make_lab, "half", "good")
    lab.promote(v1, env="prod", study=found)
    comparison = found.compare(candidate=v2, baseline=v1)
    assert comparison.verdict.decision == "promote"
    assert any("Always answering 'no'" in note for note in comparison.notes)
    evidence = evidence_of(lab.project, v2, "prod", found.recorded)
    assert evidence is not None
    assert evidence.classes["labels"] == ("no", "yes")
    assert all(figure.same for figure in recompute(evidence))
    read = type(evidence).from_document(json.loads(json.dumps(evidence.document())))
    assert read.digest == evidence.digest
    below = make_evidence(comparison, comparison.decide({"goal": "better", "alpha": 1e-9}))
    assert "constant" in {check["name"] for check in below.verdict["checks"]}
    assert all(figure.same for figure in recompute(below))
    assert lab.promote(v2, env="prod", study=found).number == 2


def test_a_first_deployment_below_the_constant_is_refused(make_lab: MakeLab) -> None:
    """Silence is right on nothing, always "no" on 56.6 %; half right is not below that."""
    lab, found, v1, v2 = study(make_lab, "silent", "half")
    with pytest.raises(Refused, match="below the best constant answer"):
        lab.promote(v1, env="prod", study=found)
    assert lab.promote(v2, env="prod", study=found).number == 2


def test_balanced_accuracy_is_the_mean_recall(make_lab: MakeLab) -> None:
    """Against scikit-learn: balanced accuracy, recall, precision and F1 of both arms."""
    metrics = pytest.importorskip("sklearn.metrics")
    _, found, v1, v2 = study(make_lab, "half", "good")
    comparison = found.compare(candidate=v2, baseline=v1)
    y = [gold(i) for i in range(N)]
    for version, how, side in ((v1, "half", "baseline"), (v2, "good", "candidate")):
        said = [
            behaviour(type("C", (), {"request": {"messages": [{"content": f"{how} {i}"}]}}))
            for i in range(N)
        ]
        figures = comparison["balanced_accuracy"]
        assert getattr(figures, side) == pytest.approx(metrics.balanced_accuracy_score(y, said))
        classes = comparison.classes
        assert classes is not None
        frame = classes.frame.loc[version.label]
        for label in ("no", "yes"):
            p, r, f, _ = metrics.precision_recall_fscore_support(y, said, labels=[label])
            row = frame.loc[label]
            assert (row.precision, row.recall, row.f1) == pytest.approx((p[0], r[0], f[0]))
            assert row.f1_interval[0] < row.f1 < row.f1_interval[1]
        table = classes.confusion_frame(version.label)
        assert (
            table[["no", "yes"]].to_numpy()
            == metrics.confusion_matrix(y, said, labels=["no", "yes"])
        ).all()


def test_a_label_that_the_scorer_does_not_take_is_not_a_right_answer(make_lab: MakeLab) -> None:
    """Where one version wraps its label in a sentence and the scorer is exact, its answers count
    as the scorer counted them, and its balanced accuracy is a figure.
    """
    _, found, v1, v2 = study(make_lab, "wordy", "good")
    classes = found.compare(candidate=v2, baseline=v1).classes
    assert classes.balanced["v1"] == 0.0
    assert classes.balanced["v2"] > 0.8
    assert classes.confusion["v1"] == {"no": {"(other)": NO}, "yes": {"no": N - NO}}


def test_the_stratified_test_holds_its_size(make_lab: MakeLab) -> None:
    """Balanced accuracy under no difference: promoted at most 5 in 100 (exact, one-sided)."""
    from promptops.analysis.paired_tests import sign_flip

    rng = np.random.default_rng(7)
    weights = np.array([1 / 10] * 10 + [1 / 50] * 50)
    promoted = 0
    for _ in range(2000):
        d = rng.choice([-1, 0, 1], 60, p=[0.15, 0.7, 0.15]) * weights
        promoted += sign_flip(d, grid=None).p_greater <= 0.05
    assert promoted / 2000 <= 0.05 + 2.6 * (0.05 * 0.95 / 2000) ** 0.5


def test_free_text_and_whole_scores_are_left_alone(make_lab: MakeLab) -> None:
    """Many golden answers, or one, make no constant answer to beat."""
    table = [{"q": f"q{i}", "gold": f"t{i}", "a": "x", "b": f"t{i}"} for i in range(30)]
    found = compare(table, baseline="a", candidate="b", expected="gold")
    assert found.classes is None
    assert found.verdict.decision == "promote"
    with pytest.raises(StudyError, match="balanced_accuracy"):
        found.decide({"primary": "balanced_accuracy"})


def test_any_of_several_golden_answers(make_lab: MakeLab) -> None:
    """The best constant is the single answer that the most lists hold."""
    table = [
        {"q": f"q{i}", "gold": ["no", "never"] if i % 3 else ["yes"], "a": "?", "b": "never"}
        for i in range(30)
    ]

    @scorer
    def any_of(output: str, expected: Any) -> bool:
        return output in expected

    found = compare(table, baseline="a", candidate="b", expected="gold", scorer=any_of)
    assert found.verdict.decision == "reject"
    assert found.classes is not None
    assert found.classes.constant_score == pytest.approx(2 / 3)
