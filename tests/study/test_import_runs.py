"""Outputs and scores made elsewhere: nothing is mixed, invented or lost on the way in."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from promptops.errors import ScorerError, StudyError
from promptops.lab import Dataset, Lab, compare
from promptops.models.scripted import ScriptedModel
from promptops.scorers import equals, scorer

MakeLab = Callable[..., Lab]
DATA = Dataset.read([{"id": f"e{i}", "q": f"q{i}", "expected": "yes"} for i in range(12)])


def outputs(version: str = "v", **more: Any) -> list[dict[str, Any]]:
    return [
        {"example_id": f"e{i}", "version": version, "output": "yes" if i % 3 else "no", **more}
        for i in range(12)
    ]


@pytest.fixture
def lab(make_lab: MakeLab) -> Lab:
    return make_lab(models={"m": ScriptedModel(lambda request: "yes")})


@pytest.mark.parametrize(
    "other",
    [
        {"model": "b"},
        {"cost_usd": 2.0},
        {"latency_ms": 9.0},
        {"tokens_out": 7},
        {"failure": "refusal"},
        {"finish_reason": "length"},
    ],
    ids=lambda other: next(iter(other)),
)
def test_another_import_keeps_its_own_figures(lab: Lab, other: dict[str, Any]) -> None:
    """Equal outputs of another model, at another cost or time, are other runs."""
    first = {"model": "a", "cost_usd": 1.0, "latency_ms": 5.0, "tokens_out": 3}
    lab.import_runs(outputs(**first), DATA, [equals()], name="one")
    again = lab.import_runs(outputs(**{**first, **other}), DATA, [equals()], name="two").runs()
    (name, value), *_ = other.items()
    assert set(again[name]) == {value}
    same = lab.import_runs(outputs(**first), DATA, [equals()], name="one")
    assert set(same.runs()["model"]) == {"a"}
    assert lab.store.rows("select count(*) from runs") == [(24,)]


def test_models_under_one_label_are_arms(lab: Lab) -> None:
    """Two models of "v" are compared with each other, not averaged."""
    rows = outputs(model="a") + [{**row, "output": "yes"} for row in outputs(model="b")]
    study = lab.import_runs(rows, DATA, [equals()], prompt="w")
    assert study.record.labels == ("v · a", "v · b")
    comparison = study.compare(candidate="v · b", baseline="v · a")
    assert (comparison.primary.wins, comparison.primary.losses) == (4, 0)


def test_rows_that_stand_twice_are_said(lab: Lab) -> None:
    """Without a column of samples they are repeats, with a sentence; with one, nothing is said."""
    with pytest.warns(UserWarning, match="12 of 24 rows are of an example and a version"):
        lab.import_runs(outputs() * 2, DATA, [equals()])
    rows = [{**row, "run": k} for k in (0, 1) for row in outputs()]
    lab.import_runs(rows, DATA, [equals()], sample="run")


def test_an_output_that_is_missing_is_unknown(lab: Lab) -> None:
    """None and NaN are not scored; an empty answer is the model's own and counts 0."""
    rows = outputs()
    rows[0]["output"], rows[1]["output"], rows[2]["output"] = None, math.nan, " "
    scores = lab.import_runs(rows, DATA, [equals()]).scores().set_index("example_id")["value"]
    assert not scores.index.isin(["e0", "e1"]).any()
    assert scores["e2"] == 0.0


@pytest.mark.parametrize("name", ["cost_usd", "latency_ms", "tokens_in"])
def test_negative_amounts_are_refused(lab: Lab, name: str) -> None:
    """A negative cost would make a version cheaper than free."""
    with pytest.raises(StudyError, match=f"row 0 has {name} -1"):
        lab.import_runs(outputs(**{name: -1}), DATA, [equals()])


def test_columns_that_a_scorer_needs_are_checked(lab: Lab) -> None:
    """Before anything is recorded."""
    with pytest.raises(ScorerError, match="needs the column 'gold'"):
        lab.import_runs(outputs(), DATA, [equals(column="gold")])
    assert not lab.store.has("studies") or not lab.store.rows("select 1 from studies")


def test_recorded_scores_are_scorers(lab: Lab) -> None:
    """Columns of scores come in, alone or beside scorers, and are compared."""
    rows = [{**row, "acc": 0.25, "other": 1} for row in outputs("v1")]
    rows += [{**row, "acc": 0.75, "other": True} for row in outputs("v2")]
    study = lab.import_runs(rows, DATA, scores={"accuracy": "acc"}, prompt="w")
    comparison = study.compare(candidate="v2", baseline="v1")
    assert (comparison.primary_name, comparison.primary.gain) == ("accuracy", 0.5)
    beside = lab.import_runs(rows, DATA, [equals()], scores=["acc", "other"], prompt="w")
    assert [ref.name for ref in beside.record.scorers] == ["equals(expected)", "acc", "other"]
    for wrong, said in (({"x": "nope"}, "no column 'nope'"), (["output"], "number from 0 to 1")):
        with pytest.raises(StudyError, match=said):
            lab.import_runs(rows, DATA, scores=wrong, prompt="w")


def test_a_table_of_scores_is_kept(lab: Lab) -> None:
    """compare(...).keep(lab) of two columns of scores says the same in the lab; twice, once."""
    table = [{"id": f"e{i}", "a": i / 20, "b": min(1.0, i / 20 + 0.3)} for i in range(20)]
    found = compare(table, baseline="a", candidate="b")
    kept = found.keep(lab)
    assert found.keep(lab).id == kept.id
    again = kept.compare(candidate="b", baseline="a")
    assert again.primary.gain == pytest.approx(found.primary.gain)
    assert again.primary.p_better == pytest.approx(found.primary.p_better)


def test_an_import_follows_a_plan(lab: Lab) -> None:
    """Only the plan's split is taken in, under its scorers and finalists."""
    data = Dataset.read([{"id": f"e{i}", "q": f"q{i}", "expected": "yes"} for i in range(60)])
    v1, v2 = (lab.prompt("w").save(f"{name} {{{{q}}}}", model="m") for name in "AB")
    plan = lab.plan("w", data, [equals()], finalists=[v2])
    rows = [
        {"example_id": f"e{i}", "version": label, "output": "yes"}
        for i in range(60)
        for label in ("v1", "v2")
    ]
    study = lab.import_runs(rows, data, plan=plan, prompt="w", versions={"v1": v1, "v2": v2})
    assert (study.record.plan, study.record.split) == (plan.id, "test")
    comparison = study.compare(candidate="v2", baseline="v1")
    assert comparison.primary.n == plan.examples < 60
    assert comparison.grounds.plan is not None
    assert comparison.grounds.plan["followed"]


def test_the_same_answers_under_another_plan(lab: Lab) -> None:
    """They are another study, judged by its own plan: one that fixes three repeats is not followed
    by a table of one, whatever was imported before.
    """
    data = Dataset.read([{"id": f"e{i}", "q": f"q{i}", "expected": "yes"} for i in range(60)])
    v1, v2 = (lab.prompt("w").save(f"{name} {{{{q}}}}", model="m") for name in "AB")
    versions = {"v1": v1, "v2": v2}
    rows = [
        {"example_id": f"e{i}", "version": label, "output": "yes"}
        for i in range(60)
        for label in versions
    ]
    once = lab.plan("w", data, [equals()], finalists=[v2])
    thrice = lab.plan("w", data, [equals()], finalists=[v2], repeats=3)
    lab.import_runs(rows, data, plan=once, prompt="w", versions=versions)
    study = lab.import_runs(rows, data, plan=thrice, prompt="w", versions=versions)
    assert study.record.plan == thrice.id
    plan = study.compare(candidate="v2", baseline="v1").grounds.plan
    assert plan is not None
    assert not plan["followed"]
    assert "1 repeats, the plan fixed 3" in plan["departures"]


@pytest.mark.parametrize("framed", [False, True])
def test_scores_need_no_answers(lab: Lab, framed: bool) -> None:
    """A table of scores alone comes in, as rows or as a frame; "nan" is an empty cell."""
    rows: Any = [
        {"example_id": f"e{i}", "version": version, "acc": "nan" if i == 0 else score}
        for version, score in (("v1", 0.25), ("v2", 0.75))
        for i in range(12)
    ]
    table = pd.DataFrame(rows) if framed else rows
    study = lab.import_runs(table, DATA, scores=["acc"], prompt="w")
    primary = study.compare(candidate="v2", baseline="v1").primary
    assert (primary.gain, primary.n, primary.unscored) == (0.5, 11, 1)
    assert set(study.runs()["failure"].dropna()) == set()


def test_a_golden_column_is_not_an_input(lab: Lab) -> None:
    """{{category}} beside equals(column="category") is an error before anything is asked; a column
    that no version reads is not.
    """
    rows = [{"q": f"q{i}", "category": "yes"} for i in range(5)]
    shown = lab.prompt("w").save("{{q}} {{category}}", model="m")
    with pytest.raises(StudyError, match=r"reads \{\{category\}\}, the column that equals"):
        lab.evaluate([shown], rows, [equals(column="category")])
    hidden = lab.prompt("w").save("{{q}}", model="m")
    assert lab.evaluate([hidden], rows, [equals(column="category")]).status == "finished"


def graded(n: int = 24) -> list[dict[str, Any]]:
    """Two arms; "grade" is of each answer, "doc" of each example, "contexts" of each answer."""
    return [
        {
            "example_id": f"e{i % 12}",
            "version": "v2" if i < 12 else "v1",
            "output": f"answer {i}",
            "grade": "A" if (i if i < 12 else i - 8) % 4 else "B",
            "seen": [f"d{i % 12}", "d99"] if i < 12 else ["d99", "d98"],
            "note": None if i % 2 else "by hand",
        }
        for i in range(n)
    ]


def by_grade(output: str, example: Any) -> float:
    return 1.0 if example.inputs["grade"] == "A" else 0.0


def values(study: Any) -> dict[str, float]:
    frame = study.scores()
    return {str(arm): float(part["value"].mean()) for arm, part in frame.groupby("arm")}


@pytest.mark.parametrize("framed", [True, False], ids=["DataFrame", "rows"])
def test_a_scorer_reads_columns_of_the_answers_row(lab: Lab, framed: bool) -> None:
    """A user's function, the catalogue's scorers and a rescored study read the row that the answer
    is in, not the example's first; the example stays the one that was asked.
    """
    table: Any = pd.DataFrame(graded()) if framed else graded()
    study = lab.import_runs(table, DATA, [by_grade, equals(column="grade")])
    assert values(lab.import_runs(table, DATA, [by_grade])) == {"v2": 0.75, "v1": 0.75}
    again = study.rescore([retrieved])
    assert values(again) == {"v2": 1.0, "v1": 0.0}
    prints = {row[0] for row in lab.store.rows("select distinct example_fingerprint from scores")}
    assert prints == {example.fingerprint for example in DATA}
    assert study.compare(candidate="v2", baseline="v1", primary="by_grade").primary.n == 12
    lab.import_runs(table, DATA, [by_grade])  # once more: nothing new
    assert lab.store.rows("select count(*) from runs") == [(24,)]


def retrieved(output: str, example: Any) -> bool:
    return f"d{example.id[1:]}" in example.column("seen")


def test_other_columns_are_other_runs(lab: Lab) -> None:
    """The same answers with other grades are imported beside the first, not mixed with them."""
    first = lab.import_runs(graded(), DATA, [by_grade])
    other = lab.import_runs([{**row, "grade": "B"} for row in graded()], DATA, [by_grade])
    assert values(first) == {"v2": 0.75, "v1": 0.75}
    assert values(other) == {"v2": 0.0, "v1": 0.0}


def test_the_datasets_own_columns_stay_its_own(lab: Lab) -> None:
    """A column that the dataset has, with one value per example in the table, is the dataset's; one
    that differs between answers of an example is of the answers.
    """
    data = Dataset.read([{"id": f"e{i}", "q": f"q{i}", "topic": "new"} for i in range(12)])
    rows = [{**row, "q": "of the answer" if i % 5 else "x", "topic": "old"}
            for i, row in enumerate(graded())]  # fmt: skip
    seen: list[tuple[str, str]] = []

    def watching(output: str, example: Any) -> float:
        seen.append((example.inputs["topic"], example.inputs["q"]))
        return 1.0

    lab.import_runs(rows, data, [watching])
    assert {topic for topic, _ in seen} == {"new"}
    assert {q for _, q in seen} == {"x", "of the answer"}


def test_needs_count_the_tables_columns(lab: Lab) -> None:
    """A column that only the table has is there; one that nobody has is named before anything is
    kept; one that some rows lack is a warning.
    """
    lab.import_runs(graded(), DATA, [scorer(needs=["grade"], name="g")(by_grade)])
    with pytest.raises(ScorerError, match="needs the column 'grade_'.*did you mean 'grade'"):
        lab.import_runs(graded(), DATA, [scorer(needs=["grade_"], name="h")(by_grade)])
    some = [
        {**row, "grade": row["grade"] if i % 12 > 2 else None} for i, row in enumerate(graded())
    ]
    with pytest.warns(UserWarning, match="3 of 12 examples .*'grade'"):
        lab.import_runs(some, DATA, [scorer(needs=["grade"], name="k")(lambda output: 1.0)])


def test_a_long_table_is_compared_by_columns_of_its_rows(lab: Lab) -> None:
    """`compare(table)`: the row of each answer, with repeats; the columns are no inputs of the
    examples; `.keep` takes them along.
    """
    rows = [{**row, "id": row["example_id"], "q": f"q{row['example_id']}"} for row in graded()]
    for row in rows:
        del row["example_id"]
    found = compare(rows, baseline="v1", candidate="v2", scorer=retrieved, version="version")
    assert (found.primary.wins, found.primary.losses) == (12, 0)
    assert "seen" not in found.table.dataset.columns
    assert "q" in found.table.dataset.columns
    kept = found.keep(lab)
    assert values(kept) == {"v2": 1.0, "v1": 0.0}
    assert values(kept.rescore([by_grade])) == {"v2": 0.75, "v1": 0.75}


@pytest.mark.parametrize(
    "odd",
    [{"cost_usd": "$0.01"}, {"cost_usd": "0,01"}, {"tokens_in": "1,200"}, {"latency_ms": "2 s"}],
)
def test_amounts_that_are_no_numbers_are_refused_before_anything_is_kept(
    lab: Lab, odd: dict[str, Any]
) -> None:
    """One sentence that names the row; the corrected table is then imported whole."""
    data = Dataset.read([{"id": "e1", "q": "x", "expected": "y"}])
    row = {"example_id": "e1", "version": "a", "output": "y"}
    with pytest.raises(StudyError, match=f"row 0 has {next(iter(odd))} .*expected a number from 0"):
        lab.import_runs([{**row, **odd}], data, [equals()], prompt="p")
    assert len(lab.studies) == 0


def test_answers_of_a_prompt_that_nobody_saved_are_looked_at_and_labelled(lab: Lab) -> None:
    """Its name alone had made the examples and the labels of the study raise."""
    table = outputs("a") + outputs("b")
    study = lab.import_runs(table, DATA, [equals()], prompt="elsewhere")
    assert "elsewhere" not in lab.prompts.names
    examples = study.review.examples()
    assert examples.baseline.label == "a"
    task = study.review.label(rater="Ada", kind="rubric").answer("pass")
    assert task is not None
    assert study.review.labels()["rater"].tolist() == ["Ada"]


def test_figures_that_count_earlier_answers_say_so(lab: Lab) -> None:
    """The same names with other outputs are asked again, and both count: the figures are not those
    of the table at hand.
    """
    first = lab.import_runs(outputs("a") + outputs("b"), DATA, [equals()], name="one")
    assert not any("are over all" in note for note in first.compare().notes)
    other = [{**row, "output": "yes"} for row in outputs("a")] + outputs("b")
    found = lab.import_runs(other, DATA, [equals()], name="two").compare()
    assert found.primary.baseline == pytest.approx((8 + 12) / 24)
    said = [note for note in found.notes if "are over all" in note]
    assert said == [
        "The figures on equals(expected) are over all 28 answers that the two gave in the studies"
        " that judged them; 24 are of this study (study.scores())."
    ]
