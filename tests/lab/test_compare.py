"""Comparisons through a lab: plans that are followed or not, looks that are honest, repeats, time,
people's labels.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from promptops.errors import CallError, StatisticsError, StudyError
from promptops.lab import Dataset, Guardrail, Lab, Policy
from promptops.models.protocol import Reply
from promptops.models.scripted import ScriptedModel
from promptops.scorers import contains, equals, not_, scorer

ROWS = [
    {
        "id": f"t{i}",
        "ticket": f"ticket number {i}",
        "expected": "yes",
        "tags": ["even" if i % 2 == 0 else "odd"],
    }
    for i in range(120)
]
MakeLab = Callable[..., Lab]


def right_on(share: float, seed: int) -> ScriptedModel:
    """Right on a share of the tickets, always the same ones."""

    def answer(request: dict[str, Any]) -> str:
        number = request["messages"][-1]["content"].split()[-1]
        return "yes" if random.Random(f"{seed} {number}").random() < share else "no"

    return ScriptedModel(answer, label=f"right-{share}-{seed}")


@pytest.fixture
def lab(make_lab: MakeLab) -> Lab:
    models = {
        "half": right_on(0.5, 1),
        "good": right_on(0.95, 2),
        "other": right_on(0.5, 3),
        "same": right_on(0.5, 1),
    }
    return make_lab(
        models={**models, "better": right_on(0.9, 7), "odd": ScriptedModel(odd_only, label="odd")}
    )


def odd_only(request: dict[str, Any]) -> str:
    """Right on all odd tickets and on few even ones."""
    number = int(request["messages"][-1]["content"].split()[-1])
    return "yes" if number % 2 or number % 20 == 0 else "no"


def versions(lab: Lab, *models: str) -> list[Any]:
    return [
        lab.prompt("triage").save(f"Judge as {model}: {{{{ticket}}}}", model=model)
        for model in models
    ]


def test_a_plan_that_was_followed_is_said_with_its_date(lab: Lab) -> None:
    """Frozen before the runs and kept to: the comparison is split-tested and names the plan."""
    v1, v2 = versions(lab, "half", "good")
    plan = lab.plan("triage", ROWS, [equals()], finalists=[v2])
    comparison = lab.evaluate([v1, v2], ROWS, plan=plan).compare(candidate=v2, baseline=v1)
    assert comparison.grounds.tested
    assert any("was followed" in note for note in comparison.notes)
    assert comparison.policy.primary == comparison.primary_name


def test_a_plan_that_was_not_followed_is_said(lab: Lab) -> None:
    """A candidate that is no finalist, and answers from before the plan: both are named, and the
    rows are not split-tested.
    """
    v1, v2, v3 = versions(lab, "half", "good", "other")
    lab.evaluate([v1], ROWS, [equals()])
    plan = lab.plan("triage", ROWS, [equals()], finalists=[v2])
    comparison = lab.evaluate([v1, v2, v3], ROWS, plan=plan).compare(candidate=v3, baseline=v1)
    assert not comparison.grounds.tested
    said = next(note for note in comparison.notes if "was not followed" in note)
    assert "v3 is not among the 1 finalists" in said
    assert "before the plan was frozen" in said
    assert comparison.grounds.plan is not None
    assert len(comparison.grounds.plan["departures"]) == 2


def test_a_plan_for_a_study_that_is_there_says_what_would_repair_it(lab: Lab) -> None:
    """The same versions on the same rows before the plan: one sentence with the next step, and the
    plan counts if they are asked again.
    """
    prompt = lab.prompt("triage")
    v1, v2 = (
        prompt.save("Answer {{ticket}}", model="half"),
        prompt.save("Answer now: {{ticket}}", model="half"),
    )
    lab.evaluate([v1, v2], ROWS, [equals()], name="look")
    plan = lab.plan("triage", ROWS, [equals()], split=None, finalists=[v2])
    with pytest.warns(UserWarning, match="'look' asked the same before the plan q1-.*fresh=True"):
        lab.evaluate([v1, v2], ROWS, plan=plan)
    again = lab.evaluate([v1, v2], ROWS, plan=plan, fresh=True)
    assert again.record.plan == plan.id
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert lab.evaluate([v1, v2], ROWS, plan=plan, fresh=True).record.plan == plan.id


def test_finalists_of_a_plan_are_judged_together(lab: Lab) -> None:
    """Two finalists: Holm on both, and only the better one may be promoted."""
    v1, v2, v3 = versions(lab, "half", "good", "better")
    plan = lab.plan("triage", ROWS, [equals()], split=None, finalists=[v2, v3])
    study = lab.evaluate([v1, v2, v3], ROWS, plan=plan)
    verdicts = {
        label: study.compare(candidate=label, baseline="v1").verdict for label in ("v2", "v3")
    }
    assert sorted(verdict.decision for verdict in verdicts.values()) == ["inconclusive", "promote"]
    assert all(verdict.rule.p_better is not None for verdict in verdicts.values())
    assert any("preferred" in reason for verdict in verdicts.values() for reason in verdict.reasons)


def test_a_plan_tells_examples_calls_and_cost(make_lab: MakeLab) -> None:
    """134 examples for +10 points at 20 % disagreement (exact); the cost is that of the calls,
    unknown prices are said.
    """
    lab = make_lab(models={"m": right_on(0.5, 1)}, prices={"m": (1.0, 2.0)})
    v1, v2 = versions(lab, "m")[0], lab.prompt("triage").save("Other {{ticket}}", model="m")
    plan = lab.plan("triage", ROWS, [equals()], split=None)
    needs = plan.needs(0.10, disagree=0.20, versions=[v1, v2])
    assert (needs.examples, needs.have, needs.calls) == (134, 120, 268)
    assert "134" in repr(needs)
    with pytest.raises(StatisticsError):
        plan.needs(0.3, disagree=0.2)


def test_verdicts_of_a_test_split_are_counted_once_a_pair(lab: Lab) -> None:
    """Looking again counts nothing; another pair counts; the count stands in the grounds of the
    others.
    """
    v1, v2, v3 = versions(lab, "half", "good", "other")
    data = Dataset.read(ROWS).test
    study = lab.evaluate([v1, v2, v3], data, [equals()])
    assert study.compare(candidate=v2, baseline=v1).grounds.served == 0
    for _ in range(2):
        assert study.compare(candidate=v2, baseline=v1).verdict.decision
    assert study.compare(candidate=v2, baseline=v1).grounds.served == 0
    assert study.compare(candidate=v3, baseline=v1).grounds.served == 1
    assert lab.store.rows("select count(*) from verdicts") == [(1,)]


@pytest.mark.filterwarnings("error:a secret in the reason")
def test_a_promotion_is_whole_where_warnings_are_errors(lab: Lab) -> None:
    """The step, its verdict, and the answer to the caller, whatever there is to be warned of."""
    v1, v2 = versions(lab, "half", "good")
    study = lab.evaluate([v1, v2], Dataset.read(ROWS).test, [equals()])
    lab.promote(v1, env="prod", study=study)
    reason = "with sk-proj-Zq7Xw9Lm4Tn2Vb8Rc5Yd1Ka3"
    made = lab.promote(v2, env="prod", study=study, reason=reason)
    assert (made.changed, lab.store.rows("select count(*) from verdicts")) == (True, [(2,)])


def test_a_settled_study_asks_less_and_says_what_it_saved(lab: Lab) -> None:
    """A clear lead ends the study at a batch's end in a shuffled order; the verdict is the
    e-value's; a second run asks nothing.
    """
    v1, v2 = versions(lab, "half", "good")
    study = lab.evaluate([v1, v2], ROWS, [equals()], stop_when="settled")
    comparison = study.compare(candidate=v2, baseline=v1)
    asked = len(study.runs())
    assert asked < 240
    assert comparison.verdict.decision == "promote"
    assert comparison.verdict.rule.peeking
    assert (comparison.primary.e_value or 0) >= 20
    assert comparison.primary.n * 2 == asked
    assert f"{240 - asked} answers were not needed" in comparison.notes[0]
    assert study.status == "finished"
    again = lab.evaluate([v1, v2], ROWS, [equals()], stop_when="settled")
    assert len(again.runs()) == asked
    assert again.compare(candidate=v2, baseline=v1).statement() == comparison.statement()
    whole = lab.evaluate([v1, v2], ROWS, [equals()])
    assert len(whole.runs()) == 240
    assert not whole.compare(candidate=v2, baseline=v1).verdict.rule.peeking


def test_a_study_that_nothing_settles_goes_to_its_end(lab: Lab) -> None:
    """Without a difference all is asked, and the fixed test decides."""
    v1, v2 = versions(lab, "half", "same")
    study = lab.evaluate([v1, v2], ROWS, [equals()], stop_when="settled")
    assert len(study.runs()) == 240
    comparison = study.compare(candidate=v2, baseline=v1)
    assert comparison.verdict.decision == "inconclusive"
    assert not comparison.verdict.rule.peeking


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("way", ["settled", "finalists"])
def test_what_was_promoted_on_is_recomputed_from_the_bundle(lab: Lab, way: str) -> None:
    """Ended early, or one of several finalists: the committed evidence gives every figure and the
    verdict again.
    """
    from promptops.analysis.recompute import recompute
    from promptops.evidence import Evidence

    v1, v2, v3 = versions(lab, "half", "good", "better")
    if way == "settled":
        study = lab.evaluate([v1, v2], ROWS, [equals()], stop_when="settled")
    else:
        plan = lab.plan("triage", ROWS, [equals()], split=None, finalists=[v2, v3])
        study = lab.evaluate([v1, v2, v3], ROWS, plan=plan)
    lab.promote(v1, env="prod", study=study)
    deployed = lab.promote(v2, env="prod", study=study)
    evidence = Evidence.read(lab.project.location.registry, deployed.evidence)
    found = recompute(evidence)
    assert found
    assert all(figure.same for figure in found), [figure for figure in found if not figure.same]
    assert evidence.rule["peeking"] is (way == "settled")
    assert (evidence.rule["p_better"] is not None) is (way == "finalists")


def test_looking_early_is_judged_by_e_values_only(lab: Lab) -> None:
    """Of a study that was stopped, the beginning that is complete counts, and says that it was
    looked at early.
    """
    v1, v2 = versions(lab, "half", "good")
    study = lab.evaluate([v1, v2], ROWS, [equals()])
    peeked = study.progress.peek(candidate=v2, baseline=v1)
    assert peeked.verdict.rule.peeking
    assert any("only the e-value decides" in note for note in peeked.notes)
    with pytest.raises(StudyError, match="one way to end early"):
        lab.evaluate([v1], ROWS, [equals()], stop_when="settled")


def test_the_mean_and_the_best_of_k_are_told_apart(make_lab: MakeLab) -> None:
    """Three answers an example: pass@1 is the mean, pass@3 asks for one, pass^3 for all; 120
    examples count, never 360.
    """
    seen: dict[str, int] = {}

    def moody(request: dict[str, Any]) -> str:
        text = request["messages"][-1]["content"]
        seen[text] = seen.get(text, 0) + 1
        return "yes" if seen[text] == 2 else "no"

    lab = make_lab(models={"moody": ScriptedModel(moody, label="moody"), "half": right_on(0.5, 1)})
    v1, v2 = versions(lab, "half", "moody")
    study = lab.evaluate([v1, v2], ROWS, [equals()], repeats=3)
    table = study.pass_at(3)
    assert table.loc["v2", "pass@3"] == 1.0
    assert table.loc["v2", "pass^3"] == 0.0
    assert table.loc["v2", "mean"] == pytest.approx(1 / 3)
    assert table.loc["v1", "pass@3"] == table.loc["v1", "pass^3"] == table.loc["v1", "mean"]
    best = study.compare(candidate=v2, baseline=v1).pass_at(3)
    assert (best.primary.n, best.primary.candidate) == (120, 1.0)
    assert study.compare(candidate=v2, baseline=v1).primary.n == 120


def test_a_version_over_time_names_what_it_lost(make_lab: MakeLab) -> None:
    """The same version asked anew: a row a study, and the examples that got worse since are
    listed.
    """
    share = [0.9]
    drifting = ScriptedModel(lambda request: _drifted(request, share[0]), label="drifting")
    lab = make_lab(models={"d": drifting})
    (v1,) = versions(lab, "d")
    first = lab.evaluate([v1], ROWS, [equals()])
    with pytest.raises(StudyError, match="no earlier study"):
        first.since()
    share[0] = 0.6
    second = lab.evaluate([v1], ROWS, [equals()], fresh=True)
    table = v1.over_time()
    assert table["study_id"].tolist() == [first.id, second.id]
    assert table["worse"].tolist()[1] == len(second.since().flips())
    assert table["better"].tolist()[1] == 0
    assert second.since(first).primary.losses == table["worse"].tolist()[1] > 20
    lab.promote(v1, env="dev")
    assert len(lab.history("triage", env="dev").over_time()) == 2


def _drifted(request: dict[str, Any], share: float) -> str:
    number = request["messages"][-1]["content"].split()[-1]
    return "yes" if random.Random(f"1 {number}").random() < share else "no"


def test_a_judges_difference_is_corrected_by_people(lab: Lab) -> None:
    """A judge that favours the candidate by far more than people do is corrected towards them; too
    few labels are said.
    """

    @scorer(name="flatterer", version="1")
    def flatterer(output: str, run: Any) -> bool:
        return run.model == "other"

    v1, v2 = versions(lab, "half", "other")
    study = lab.evaluate([v1, v2], ROWS, [flatterer])
    comparison = study.compare(candidate=v2, baseline=v1)
    assert comparison.primary.gain == 1.0
    with pytest.raises(StatisticsError, match="at least 2"):
        comparison.corrected()
    runs = lab.store.rows(
        "select run_id, example_id from study_runs where study_id = ? and cast(substr(example_id,"
        " 2) as int) < 40",
        [study.id],
    )
    lab.store.append(
        "labels",
        [
            {"id": f"l-{run}", "run_id": run, "example_id": example, "rater": "Ada", "kind": "rubric", "value": 1.0, "label": "pass", "note": "", "labelled_at": "2026-01-01T00:00:00"}
            for run, example in runs
        ],
    )  # fmt: skip
    corrected = comparison.corrected()
    assert corrected.labelled == 40
    assert corrected.value == pytest.approx(0.0)
    assert corrected.bias == pytest.approx(1.0)


def test_noise_survives_a_new_version_of_the_scorer(lab: Lab) -> None:
    """Scores of two versions of a scorer are never mixed, also not in the noise floor."""

    def made(version: str) -> Any:
        @scorer(name="mine", version=version)
        def mine(output: str) -> bool:
            return output == "yes"

        return mine

    v1, v2 = versions(lab, "half", "good")
    v1.noise(ROWS, [made("1")])
    v1.noise(ROWS, [made("2")])
    comparison = lab.evaluate([v1, v2], ROWS, [made("2")]).compare(candidate=v2, baseline=v1)
    assert any("itself differs by" in note for note in comparison.notes)


def test_slices_say_where_it_lost(lab: Lab) -> None:
    """A version that wins overall and loses within a tag is said so, through the lab."""
    v1, v2 = versions(lab, "half", "odd")
    found = lab.evaluate([v1, v2], ROWS, [equals()]).compare(candidate=v2, baseline=v1).slices()
    assert [row.tag for row in found.rows] == ["even", "odd"]  # the biggest loss first
    assert found.overall > 0 > found.rows[0].gain
    assert [row.tag for row in found.against] == ["even"]
    assert "v2 wins overall but loses in even" in found.simpson[0]


def test_require_names_the_reasons(lab: Lab) -> None:
    """The pytest helper: silent if the goal is met, an AssertionError with the verdict's words
    where not.
    """
    v1, v2 = versions(lab, "half", "good")
    study = lab.evaluate([v1, v2], ROWS, [equals()])
    assert study.compare(candidate=v2, baseline=v1).require("better").candidate.label == "v2"
    with pytest.raises(AssertionError, match="not shown to be not worse"):
        study.compare(candidate=v1, baseline=v2).require("not_worse", margin=0.05)


def test_policy_of_a_plan_is_what_judges(lab: Lab) -> None:
    """The goal that was fixed before the runs, not the registry's of today."""
    v1, v2 = versions(lab, "half", "same")
    plan = lab.plan("triage", ROWS, [equals()], split=None, policy=Policy(goal="not_worse"))
    comparison = lab.evaluate([v1, v2], ROWS, plan=plan).compare(candidate=v2, baseline=v1)
    assert comparison.policy.goal == "not_worse"
    assert comparison.verdict.decision == "promote"


def test_a_guardrail_that_nothing_measures_says_what_is_measured(lab: Lab) -> None:
    """A misspelt scorer and a cost without a price: the measures that there are, and a step that
    can be taken.
    """
    v1, v2 = versions(lab, "half", "good")
    comparison = lab.evaluate([v1, v2], ROWS, [equals()]).compare(candidate=v2, baseline=v1)
    verdict = comparison.decide(Policy(guardrails=(Guardrail("equlas"), Guardrail("cost"))))
    assert verdict.decision == "inconclusive"
    assert (
        verdict.reasons[0]
        == "The guardrail equlas was not measured; this comparison has equals(expected), latency."
    )
    assert (
        verdict.reasons[1]
        == "The guardrail cost cannot be held, since the cost of the runs is unknown; known are"
        " equals(expected), latency."
    )
    assert (
        verdict.next[0]
        == "Name one of these in the policy, or evaluate both versions with a scorer called equlas."
    )
    assert verdict.next[1].startswith(
        "Give the models' prices to Lab(prices={...}) and evaluate with fresh=True"
    )


@pytest.mark.parametrize(
    "ask",
    [
        lambda s: s.compare(),
        lambda s: s.leaderboard(),
        lambda s: Lab(s.recorded.project.root).promote(
            Lab(s.recorded.project.root).prompt("triage")[2], env="prod", study=s
        ),
    ],
)
def test_a_primary_that_nothing_measures_says_what_is_measured(lab: Lab, ask: Any) -> None:
    """A policy whose primary is misspelt: the scorers that there are stand in the sentence."""
    v1, v2 = versions(lab, "half", "good")
    study = lab.evaluate([v1, v2], ROWS, [equals()])
    lab.prompt("triage").policy = Policy(primary="equlas")
    with pytest.raises(StudyError, match=r"equlas.*equals\(expected\).*primary"):
        ask(study)


@pytest.mark.parametrize(
    "ask",
    [
        lambda s: s.compare(),
        lambda s: s.leaderboard(),
        lambda s: Lab(s.recorded.project.root).promote(
            Lab(s.recorded.project.root).prompt("triage")[1], env="prod", study=s
        ),
    ],
)
@pytest.mark.parametrize("other", ["down", "good"])
def test_where_every_call_failed_it_is_said(make_lab: MakeLab, ask: Any, other: str) -> None:
    """The number of calls, the class of most failures and what to do, in place of a scorer that is
    missing. One slow call only, since several in a row end the study early.
    """

    def fails(request: dict[str, Any]) -> Any:
        number = int(request["messages"][-1]["content"].split()[-1])
        return CallError("no", failure="timeout_read" if number == 3 else "rate_limit")

    lab = make_lab(models={"down": ScriptedModel(fails, label="down"), "good": right_on(0.9, 2)})
    v1, v2 = (
        lab.prompt("triage").save("{{ticket}}", model="down"),
        lab.prompt("triage").save("Other {{ticket}}", model=other),
    )
    study = lab.evaluate([v1, v2], ROWS, [equals()])
    with pytest.raises(
        StudyError,
        match=(
            r"all 120 calls of v1 .*failed, most often with rate_limit \(\d+\); read their failures"
            r" in study\.runs\(\), fix it, and run the cell again"
        ),
    ):
        ask(study)
    with pytest.raises(StudyError, match="all 240 calls of v1 failed, most often with rate_limit"):
        v1.noise(ROWS, [equals()])


def test_pass_at_k_of_answers_without_a_score_says_that_there_is_none(lab: Lab) -> None:
    """Not that the scorer gives other outcomes than 0 and 1: it gave none."""
    (v1,) = versions(lab, "half")

    def fails(output: str) -> bool:
        raise ValueError(output)

    study = lab.evaluate([v1], ROWS, [fails], repeats=2)
    with pytest.raises(StudyError, match=r"Not one answer of v1 could be scored by fails; study"):
        study.pass_at(2)


def test_more_answers_than_there_are_is_said(lab: Lab) -> None:
    """pass@5 of a study with two repeats is refused with what it needs, alone and in a comparison;
    what is asked must be a number.
    """
    v1, v2 = versions(lab, "half", "good")
    study = lab.evaluate([v1, v2], ROWS, [equals()], repeats=2)
    with pytest.raises(
        StudyError,
        match=(
            "pass@5 needs 5 answers of each example, and triage-.* has 2; evaluate with repeats=5"
        ),
    ):
        study.pass_at(5)
    with pytest.raises(
        StatisticsError,
        match="pass@5 needs 5 scored answers of an example, and no example has more than 2",
    ):
        study.compare(candidate=v2, baseline=v1).pass_at(5)
    for wrong in (0, "2", True):
        with pytest.raises(StatisticsError, match=f"k is {wrong!r}"):
            study.pass_at(wrong)  # type: ignore[arg-type]
    table = study.pass_at(2)
    assert all(
        table[column].dtype == float for column in table if column not in ("examples", "skipped")
    )


def test_a_cost_that_nobody_knows_is_never_zero(lab: Lab) -> None:
    """Your own function may call somebody who is paid: a plan and an estimate say unknown; the
    embedded model costs nothing.
    """
    v1, v2 = versions(lab, "half", "good")
    plan = lab.plan("triage", ROWS, [equals()], split=None)
    needs = plan.needs(0.1, disagree=0.2, versions=[v1, v2])
    assert needs.cost_usd is None
    assert "at an unknown cost (no price for right-0.5-1, right-0.95-2)" in repr(needs)
    assert "$0.00" not in repr(lab.estimate([v1, v2], ROWS, [equals()]))
    free = lab.prompt("triage").save("Embedded {{ticket}}", model="embedded")
    assert lab.estimate([free], ROWS, [equals()]).cost_usd == (0.0, 0.0)


def test_a_fixed_text_that_is_a_column_is_asked_about(lab: Lab) -> None:
    """equals("gold") holds answers against a word; where the dataset has a column of that name,
    both readings are said, once.
    """
    (v1,) = versions(lab, "half")
    rows = [{**row, "gold": "yes"} for row in ROWS[:4]]
    with pytest.warns(
        UserWarning,
        match=r"""equals\(gold\) holds answers against the very word 'gold'.* write equals\(column="gold"\)""",
    ) as said:
        lab.evaluate([v1], rows, [equals("gold")])
    assert len(said) == 1
    with pytest.warns(UserWarning, match=r"""write contains\(column="gold"\)"""):
        lab.evaluate([v1], rows, [not_(contains("gold"))])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lab.evaluate([v1], rows, [equals(column="gold"), contains("id"), equals("yes")])


@pytest.mark.parametrize(
    "ways", [({"cost_usd": 0.002}, {"cost_usd": 0.0}), ({"cost_usd": 0.003}, {"cost_usd": 0.002})]
)
def test_markdown_tells_money_as_money(make_lab: MakeLab, ways: Any) -> None:
    """A difference of cost is in dollars per 1,000 answers as everywhere, with percent where there
    is something to compare with, never in points. No dollar is bare: a notebook would typeset what
    is between two of them, and so move the row's figures under the wrong heads.
    """
    models = {
        name: ScriptedModel(lambda request, way=way: Reply("yes", **way), label=name)
        for name, way in zip("ba", ways, strict=True)
    }
    lab = make_lab(models=models)
    v1, v2 = (lab.prompt("triage").save(f"{name} {{{{ticket}}}}", model=name) for name in "ab")
    (line,) = (
        row
        for row in lab.evaluate([v1, v2], ROWS, [equals()])
        .compare(candidate=v2, baseline=v1)
        .markdown()
        .splitlines()
        if row.startswith("| cost")
    )
    assert "points" not in line
    assert line.startswith("| cost per 1,000 answers | ")
    assert "$" not in line
    money = line.replace("&dollar;\N{WORD JOINER}", "$")
    assert "| +$2.00 |" in money if not ways[1]["cost_usd"] else "| +$1.00 (+50.0 %) |" in money
