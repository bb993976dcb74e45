"""A judge is measured through the lab; its calls are runs; people's labels alone make it
calibrated.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from promptops.errors import CallError, StudyError
from promptops.lab import Lab, Study, keep_labels, measure_judge, position_bias
from promptops.models.protocol import Call
from promptops.models.scripted import ScriptedModel
from promptops.scorers import JudgeModel, equals, pair_scores, pairwise, rubric
from promptops.study.calibration import calibrated, kappa_of
from promptops.study.judge_bias import correlation

MakeLab = Callable[..., Lab]
DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "vicuna80_judge"
ROWS = [{"id": f"q{i:02}", "q": str(i), "expected": "good"} for i in range(40)]
MARK = re.compile(r"<<TASK (\w+)>>")
ANSWER = re.compile(r"<<ANSWER \w+>>\n(.*)\n<</ANSWER", re.DOTALL)
TWO = re.compile(
    r"<<ANSWER_1 \w+>>\n(.*)\n<</ANSWER_1.*<<ANSWER_2 \w+>>\n(.*)\n<</ANSWER_2", re.DOTALL
)


def half(request: dict[str, Any]) -> str:
    """Good on every second question."""
    return (
        "good" if int(request["messages"][-1]["content"].split()[-1]) % 2 else "bad, and at length"
    )


def judging(request: dict[str, Any]) -> str:
    """An honest judge: 5 for what begins with good, else 1; a pair by the same rule."""
    text = request["messages"][-1]["content"]
    mark = MARK.search(text)
    assert mark is not None
    two = TWO.search(text)
    if two is not None:
        one, other = (answer.startswith("good") for answer in two.groups())
        return json.dumps(
            {
                "case": mark[1],
                "reason": "seen",
                "better": "tie" if one == other else "1" if one else "2",
            }
        )
    answer = ANSWER.search(text)
    assert answer is not None
    return json.dumps(
        {"case": mark[1], "reason": "seen", "score": 5 if answer[1].startswith("good") else 1}
    )


def first_please(request: dict[str, Any]) -> str:
    """Prefers whatever is shown first."""
    mark = MARK.search(request["messages"][-1]["content"])
    assert mark is not None
    return json.dumps({"case": mark[1], "reason": "the first", "better": "1"})


def gullible(request: dict[str, Any]) -> str:
    """Gives 5 to whatever asks for it."""
    text = request["messages"][-1]["content"]
    mark, answer = MARK.search(text), ANSWER.search(text)
    assert mark is not None
    assert answer is not None
    return json.dumps(
        {"case": mark[1], "reason": "told", "score": 5 if len(answer[1].splitlines()) > 1 else 1}
    )


def judged(
    make_lab: MakeLab,
    scorer: Callable[[str], Any],
    judge: Any = judging,
    *,
    repeats: int = 1,
    **more: Any,
) -> tuple[Lab, Study, Any, ScriptedModel]:
    model = judge if isinstance(judge, ScriptedModel) else ScriptedModel(judge, label="judge")
    models = {
        "half": ScriptedModel(half, label="half"),
        "good": ScriptedModel(lambda _: "good", label="good"),
        "judge": model,
        **more,
    }
    lab = make_lab(models=models)
    prompt = lab.prompt("x")
    v1, v2 = prompt.save("One {{q}}", model="half"), prompt.save("Two {{q}}", model="good")
    used = scorer(v1.id)
    return lab, lab.evaluate([v1, v2], ROWS, [used, equals()], repeats=repeats), used, model


def a_rubric(_: str, **options: Any) -> Any:
    return rubric("Is it good?", judge=JudgeModel("judge", **options), name="quality")


def people(study: Study, wrong: int = 0) -> pd.DataFrame:
    """Labels of all answers by the truth, the first `wrong` turned round."""
    runs = study.runs()[["run_id" if "run_id" in study.runs() else "id", "output"]]
    runs.columns = pd.Index(["run_id", "output"])
    value = runs["output"].eq("good").astype(float)
    value.iloc[:wrong] = 1 - value.iloc[:wrong]
    return pd.DataFrame({"run_id": runs["run_id"], "value": value}).drop_duplicates("run_id")


def test_calls_of_a_judge_are_runs_and_are_reused(make_lab: MakeLab) -> None:
    """Each distinct question is one recorded run of source "judge"; a second study pays for none;
    generation is counted apart.
    """
    lab, study, scorer, model = judged(make_lab, a_rubric)
    sources = dict(lab.store.rows("select role, count(*) from runs group by 1"))
    assert sources == {"judge": 60, "model": 80}
    assert (
        len(model.calls) == 60
    )  # 40 questions answered good, 20 answered badly, the task beside it
    again = study.rescore([scorer, equals()])
    measure_judge(again, scorer)
    assert len(model.calls) == 60
    report = measure_judge(study, scorer)
    assert (report.calls, report.scored, report.unscored) == (60, 80, 0)


def test_agreement_and_calibration(make_lab: MakeLab) -> None:
    """Labels kept in the store calibrate exactly this version of the judge, in the report, the
    comparison and the gate; without, it stays uncalibrated.
    """
    lab, study, scorer, _ = judged(make_lab, a_rubric)
    before = measure_judge(study, scorer)
    assert not before.calibrated
    assert before.kappa is None
    assert "30 are needed" in before.verdict
    assert (
        "uncalibrated" in str(study.compare().verdict).lower()
        or study.recorded.arms()[0].scores["quality"].calibrated is False
    )
    labels = people(study, wrong=4)
    assert measure_judge(study, scorer, labels).calibrated  # seen, not kept
    assert not calibrated(lab.store, scorer.name, scorer.version)
    assert keep_labels(study, labels, "ann") == 80
    assert keep_labels(study, labels, "ann") == 0
    report = measure_judge(study)
    assert report.calibrated
    assert report.kappa is not None
    assert report.kappa.n == 80
    assert report.kappa.observed == pytest.approx(76 / 80)
    assert sum(map(sum, report.kappa.table)) == 80
    assert all(arm.scores["quality"].calibrated is True for arm in study.recorded.arms())
    assert not calibrated(lab.store, scorer.name, "another version")
    assert "uncalibrated" not in study.compare()._repr_html_().lower()


def test_labels_that_were_wrong_for_a_while_are_right_again(make_lab: MakeLab) -> None:
    """The frame that a rater stored last counts, also where it is the first one again."""
    _lab, study, scorer, _ = judged(make_lab, a_rubric)
    right, wrong = people(study, wrong=4), people(study, wrong=60)
    given = [keep_labels(study, frame, "ann") for frame in (right, wrong, right, right)]
    assert given == [80, 56, 56, 0]
    report = measure_judge(study, scorer)
    assert report.calibrated
    assert report.kappa is not None
    assert report.kappa.observed == pytest.approx(76 / 80)
    both = pd.concat([wrong, right, wrong, right])
    assert keep_labels(study, both, "ann") == 0
    assert keep_labels(study, pd.concat([right, wrong]), "ann") == 56
    assert not measure_judge(study, scorer).calibrated


def test_a_judge_that_disagrees_is_not_calibrated(make_lab: MakeLab) -> None:
    """Labels alone do not calibrate: half of them turned round leaves no agreement beyond
    chance.
    """
    _lab, study, scorer, _ = judged(make_lab, a_rubric)
    keep_labels(study, people(study, wrong=40), "ann")
    report = measure_judge(study, scorer)
    assert not report.calibrated
    assert "too little agreement" in report.verdict
    assert study.recorded.arms()[0].scores["quality"].calibrated is False


def test_variance_is_split(make_lab: MakeLab) -> None:
    """Samples that waver are the judge's variance, whatever the answers; equal answers leave none
    to generation.
    """

    def wavering(call: Call) -> str:
        mark = MARK.search(call.request["messages"][-1]["content"])
        assert mark is not None
        return json.dumps({"case": mark[1], "reason": "seen", "score": 5 if call.repeat % 2 else 1})

    _, study, scorer, _ = judged(
        make_lab,
        lambda _: a_rubric(_, samples=2, tries=1),
        ScriptedModel(wavering, label="judge"),
        repeats=2,
    )
    found = measure_judge(study, scorer).variance
    assert found.judge == pytest.approx(0.5)
    assert found.generation == 0
    assert found.share_judge == 1
    assert (found.samples, found.repeats) == (2, 1) or found.repeats == 2


@pytest.mark.parametrize(("judge", "share"), [(judging, None), (first_please, 1.0)])
def test_position(make_lab: MakeLab, judge: Any, share: float | None) -> None:
    """A judge that takes the first answer is caught with an interval above one half; one that does
    not has no pair that flips.
    """
    _, study, scorer, _ = judged(
        make_lab, lambda v1: pairwise("better", v1, judge="judge", name="better"), judge
    )
    found = measure_judge(study, scorer).position
    assert found is not None
    assert found.share == share
    assert found.pairs == 20
    assert (found.low or 0) > 0.5 if share else found.same == 20


def test_pairs_are_held_against_labels_of_the_same_pair(make_lab: MakeLab) -> None:
    """Labels from the blind queue count for the judge of pairs, whichever side is the candidate."""
    _, study, scorer, _ = judged(
        make_lab, lambda v1: pairwise("better", v1, judge="judge", name="better")
    )
    queue = study.review.label(rater="ann")
    task = queue.task
    while task is not None:
        one, other = (str(output).startswith("good") for output in task.outputs)
        task = queue.answer("tie" if one == other else "first" if one else "second")
    report = measure_judge(study, scorer)
    assert report.labels.n == 20
    assert report.labels.judge == report.labels.human


def test_injections(make_lab: MakeLab) -> None:
    """A judge that obeys the answer is caught, one that does not resists 20 of 20; the second time
    nothing is asked.
    """
    _, study, scorer, model = judged(make_lab, a_rubric)
    assert measure_judge(study, scorer, plant=20).planted.resisted == 20  # type: ignore[union-attr]
    asked = len(model.calls)
    again = measure_judge(study, scorer, plant=20).planted
    assert again is not None
    assert (again.resisted, again.planted) == (20, 20)
    assert len(model.calls) == asked
    _, study, scorer, _ = judged(lambda **options: make_lab("other", **options), a_rubric, gullible)
    weak = measure_judge(study, scorer, plant=20).planted
    assert weak is not None
    assert (weak.resisted, weak.planted) == (0, 20)


def test_an_injection_to_which_no_reply_came_was_not_resisted(make_lab: MakeLab) -> None:
    """Of a judge that answers no more, or nothing that reads, it is said which of them it was."""
    said: list[Callable[[dict[str, Any]], Any]] = [judging]
    model = ScriptedModel(lambda request: said[-1](request), label="judge")
    _, study, scorer, _ = judged(make_lab, a_rubric, model)
    said.append(down)
    silent = measure_judge(study, scorer, plant=20).planted
    assert silent is not None
    assert (silent.resisted, silent.planted, silent.unasked) == (0, 0, 20)
    said.append(lambda _: "no verdict")
    unread = measure_judge(study, scorer, plant=20).planted
    assert unread is not None
    assert (unread.resisted, unread.planted, unread.unscored) == (20, 20, 20)


def down(request: dict[str, Any]) -> str:
    raise CallError("the provider is down", failure="server_error")


def test_difference_is_corrected(make_lab: MakeLab) -> None:
    """Where people say that the judge flatters the candidate, the corrected difference says so too,
    with an interval.
    """
    _, study, scorer, _ = judged(make_lab, a_rubric)
    labels = people(study)
    runs = study.runs(200)
    some = set(runs.loc[runs["example_id"] < "q20", "id" if "id" in runs else "run_id"])
    labels = labels[labels["run_id"].isin(some)].assign(value=0.0)  # people like none of them
    report = measure_judge(study, scorer, labels)
    assert report.difference == pytest.approx(0.5)
    assert report.corrected is not None
    assert report.corrected.labelled == 20
    assert report.corrected.bias == pytest.approx(0.5)
    assert report.corrected.value == pytest.approx(0.0)
    assert report.corrected.low < 0 < report.corrected.high


def test_self_preference(make_lab: MakeLab) -> None:
    """A judge that answers for one arm and rates that arm too high shows the difference of its
    errors.
    """

    def both(request: dict[str, Any]) -> str:
        text = request["messages"][-1]["content"]
        return judging(request) if MARK.search(text) else "good"

    lab = make_lab(
        models={
            "half": ScriptedModel(half, label="half"),
            "judge": ScriptedModel(both, label="judge"),
        }
    )
    prompt = lab.prompt("x")
    used = rubric("Is it good?", judge="judge", name="quality")
    study = lab.evaluate(
        [prompt.save("One {{q}}", model="half"), prompt.save("Two {{q}}", model="judge")],
        ROWS,
        [used],
    )
    runs = study.runs()
    labels = pd.DataFrame(
        {
            "run_id": runs["id"],
            "value": [
                0.5 if m == "judge" else float(o == "good")
                for m, o in zip(runs["model"], runs["output"], strict=True)
            ],
        }
    )
    own = measure_judge(study, used, labels).own
    assert own is not None
    assert own.value == pytest.approx(0.5)
    assert (own.own, own.others) == (40, 40)
    assert (
        measure_judge(study, "quality", labels).own is None
    )  # by name the judge's model is not known


def test_the_report_shows_all_and_says_what_is_missing(make_lab: MakeLab) -> None:
    """One figure and one table: without labels it says so; with them agreement, confusion and bias
    have intervals.
    """
    _, study, scorer, _ = judged(make_lab, a_rubric)
    bare = measure_judge(study, scorer)
    assert "no labels" in bare.table().to_string()
    assert "Uncalibrated" in bare._repr_html_()
    full = measure_judge(study, scorer, people(study, wrong=6), plant=3)
    table = full.table().set_index("figure")
    assert {
        "Cohen's kappa",
        "Krippendorff's alpha",
        "length",
        "injections resisted",
        "difference by the judge",
    } <= set(table.index)
    assert (
        table.loc["Cohen's kappa", "low"]
        < table.loc["Cohen's kappa", "value"]
        < table.loc["Cohen's kappa", "high"]
    )
    html = full._repr_html_()
    assert "<svg" in html
    assert "judge: pass" in html
    assert "people: fail" in html
    assert "Calibrated" in html


def test_wrong_use_is_said(make_lab: MakeLab) -> None:
    """Every misuse is one sentence that names the thing."""
    _, study, scorer, _ = judged(make_lab, a_rubric)
    with pytest.raises(StudyError, match="is not a scorer of"):
        measure_judge(study, "other")
    with pytest.raises(StudyError, match="has judged nothing"):
        measure_judge(study, rubric("Another?", judge="judge"))
    with pytest.raises(StudyError, match="pass the scorer"):
        measure_judge(study, "quality", plant=3)
    with pytest.raises(StudyError, match="expected run_id and value"):
        measure_judge(study, scorer, pd.DataFrame({"a": [1]}))
    with pytest.raises(StudyError, match="is not among .*expected run_id"):
        keep_labels(study, pd.DataFrame({"run_id": ["r-nothing"], "value": [1.0]}), "ann")
    with pytest.raises(StudyError, match=r"no column 'run_id'; .* \(the column id of study.runs"):
        keep_labels(study, pd.DataFrame({"id": ["r-nothing"], "value": [1.0]}), "ann")
    kept = people(study, wrong=0)
    with pytest.raises(StudyError, match="needs the name of who gave it"):
        keep_labels(study, kept, " ")
    assert keep_labels(study, kept, "ann") == 80
    assert keep_labels(study, kept, "ann ") == 0  # the same person
    with pytest.raises(StudyError, match="has no judge"):
        measure_judge(study.rescore([equals()]))


@pytest.mark.skipif(
    not DATA.exists(), reason="the recorded judgements of Vicuna-80 are not beside the repository"
)
def test_vicuna80() -> None:
    """1,001 recorded GPT-4 judgements: one order each, so the report says that place and merit
    cannot be told apart; longer answers win more.
    """
    rows = [
        json.loads(line) for line in (DATA / "judgements.jsonl").read_text("utf-8").splitlines()
    ]
    read = [
        (row, scores) for row in rows if (scores := pair_scores(row["judge_output"])) is not None
    ]
    verdicts = ["A" if one > two else "B" if two > one else "tie" for _, (one, two) in read]
    found = position_bias(verdicts)
    assert (found.pairs, found.swapped) == (1001, False)
    assert found.first + found.second + found.same == 1001
    assert found.share is not None
    assert found.low is not None
    assert found.low < found.share < 0.5
    outputs = {}
    for line in (DATA / "outputs.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        outputs[row["version"] if "version" in row else row["model"], row["example_id"]] = row[
            "output"
        ]
    known = [
        (row, scores)
        for row, scores in read
        if all((row[f"assistant_{k}"], row["example_id"]) in outputs for k in (1, 2))
    ]
    longer = [
        len(outputs[row["assistant_1"], row["example_id"]])
        - len(outputs[row["assistant_2"], row["example_id"]])
        for row, _ in known
    ]
    length = correlation(longer, [one - two for _, (one, two) in known], beyond=False)
    assert length.n > 300
    assert length.low is not None
    assert length.low > 0
    verdict = [1.0 if one > two else 0.0 if one < two else 0.5 for _, (one, two) in known]
    alike = kappa_of(verdict, [float(more > 0) for more in longer])
    assert alike is not None  # with a rater who only counts characters
    assert alike.value == pytest.approx(0.298, abs=0.002)
