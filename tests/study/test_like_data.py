"""Earlier tries are counted, also where the examples were changed beside the question."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import promptops
from promptops.dataset import Dataset
from promptops.lab import Lab
from promptops.scorers import equals
from promptops.study.like_data import ExampleContents
from tests.quick import quick

MakeLab = Callable[..., Lab]
Row = dict[str, Any]


def asked(n: int = 40, start: int = 0) -> list[Row]:
    return [
        {"id": f"e{i}", "q": f"What is capital number {i}?", "expected": "yes"}
        for i in range(start, start + n)
    ]


def note(row: Row, k: int) -> Row:
    return {**row, "output_b": f"another answer, {k}, to {row['id']}", "latency": 0.1 * k}


CHANGES: dict[str, Callable[[Row, int], Row]] = {
    "a column that differs each time": note,
    "a constant column": lambda row, k: {**row, "batch": k},
    "a column that is dropped": lambda row, k: row if k else {**row, "notes": "none of these"},
    "another name of the column": lambda row, k: {
        **{name: value for name, value in row.items() if name != "q"},
        f"question {k}": row["q"],
    },
    "a space": lambda row, k: {**row, "q": row["q"] + " " * k},
    "capitals": lambda row, k: {**row, "q": row["q"].upper() if k else row["q"]},
    "other ids": lambda row, k: {**note(row, k), "id": f"run {k}, {row['id']}"},
    "another split": lambda row, k: {**note(row, k), "split": ("train", "val", "test")[k]},
    "another golden answer's type": lambda row, k: {**row, "expected": ["yes"] if k else "yes"},
    "columns in another order": lambda row, k: dict(reversed(note(row, 1).items())),
}


def outputs(rows: list[Row], *, candidate: str, lucky: int = 0) -> list[Row]:
    """The baseline is right on 20 of 40, the candidate on those and as many more as it is lucky."""
    right = {"a": 20, candidate: 20 + lucky}
    return [
        {"example_id": row["id"], "version": v, "output": "yes" if i < right[v] else "no"}
        for v in ("a", candidate)
        for i, row in enumerate(rows)
    ]


@pytest.mark.parametrize("change", CHANGES)
def test_a_further_candidate_counts_the_earlier_ones(make_lab: MakeLab, change: str) -> None:
    """Six won and none lost is promoted where it is the first judgement, and not as the third."""
    lab = make_lab()
    for k in range(3):
        rows = [CHANGES[change](row, k) for row in asked()]
        table = outputs(rows, candidate=f"b{k}", lucky=6 if k == 2 else 0)
        study = lab.import_runs(table, rows, [equals()], prompt="w", name=f"import {k}")
        found = study.compare(candidate=f"b{k}", baseline="a")
        assert found.grounds.tried.place == k + 1
        assert found.verdict.decision != "promote"


def test_other_examples_are_a_first_judgement(make_lab: MakeLab) -> None:
    """Fresh questions beside the same ids, row numbers, categories and dates count nothing, since
    nothing was tried on them.
    """
    lab = make_lab()
    for k in range(2):
        rows = [
            {**row, "id": f"e{i}", "row": i, "kind": f"a kind of {i % 5}", "day": f"2026-01-{i:02}"}
            for i, row in enumerate(asked(start=100 * k))
        ]
        table = outputs(rows, candidate=f"b{k}", lucky=6)
        study = lab.import_runs(table, rows, [equals()], prompt="w", name=f"import {k}")
        found = study.compare(candidate=f"b{k}", baseline="a")
        assert (found.grounds.tried.place, found.verdict.decision) == (1, "promote")


def test_the_same_answers_with_a_column_more_are_no_more_evidence(make_lab: MakeLab) -> None:
    """Where what the versions read is not known, they are counted, and not pooled."""
    lab = make_lab()
    for k in range(3):
        rows = [note(row, k) for row in asked()]
        table = outputs(rows, candidate="b", lucky=4)
        study = lab.import_runs(table, rows, [equals()], prompt="w", name=f"import {k}")
        found = study.compare(candidate="b", baseline="a")
        assert found.grounds.tried.times == k + 1
        assert found.verdict.decision == "inconclusive"
    assert (found.primary.n, found.primary.clusters or found.primary.n) == (40, 40)


def test_trying_on_with_another_column_each_time_is_promoted_no_more_often(
    make_lab: MakeLab,
) -> None:
    """What is not pooled is a try of its own: a rerun that is lucky enough for a pair that is
    judged again had been promoted, however many reruns were imported before it.
    """
    lab = make_lab()
    needed = []
    for k in range(4):
        rows = [note(row, k) for row in asked()]
        table = outputs(rows, candidate="b", lucky=9 if k == 3 else 0)
        study = lab.import_runs(table, rows, [equals()], prompt="w", name=f"import {k}")
        found = study.compare(candidate="b", baseline="a")
        needed.append(found.grounds.tried.needed(0.05))
    assert needed == [None, *map(pytest.approx, (40, 120, 240))]
    assert found.primary.e_value > 20
    assert (found.verdict.decision, found.grounds.tried.times) == ("inconclusive", 4)


def test_without_another_column_the_same_pair_is_pooled(make_lab: MakeLab) -> None:
    """All answers count, each answer that was imported twice once, and the e-value of all of them
    needs no more for it.
    """
    lab = make_lab()
    for k in range(3):
        table = outputs(asked(), candidate="b", lucky=9 if k == 2 else k)
        study = lab.import_runs(table, asked(), [equals()], prompt="w", name=f"import {k}")
        found = study.compare(candidate="b", baseline="a")
    assert found.grounds.tried.needed(0.05) == pytest.approx(20)
    assert found.primary.candidate == pytest.approx((20 + 9 / 2) / 40)


def test_pooled_an_example_and_the_same_one_with_a_space_are_of_one_cluster(
    make_lab: MakeLab,
) -> None:
    from promptops.models.scripted import ScriptedModel

    lab = make_lab(models={"m": ScriptedModel(lambda call: "yes")})
    v1, v2 = (lab.prompt("w").save(f"{name} {{{{q}}}}", model="m") for name in "AB")
    for k in range(3):
        rows = [note({**row, "q": row["q"] + " " * k}, k) for row in asked()]
        study = lab.evaluate([v1, v2], rows, [equals()]).wait()
        found = study.compare(candidate=v2, baseline=v1)
        assert found.grounds.tried.times == k + 1
    assert (found.primary.n, found.primary.clusters) == (120, 40)


def documents(question: str) -> list[Row]:
    texts = [f"Contract {i}, between company {7 * i} and a supplier." for i in range(40)]
    return [
        {"id": f"e{i}", "doc": text, "question": question, "expected": "yes"}
        for i, text in enumerate(texts)
    ]


def test_another_question_on_the_same_documents_is_another_example(make_lab: MakeLab) -> None:
    """A candidate that is better on dates was promoted on amounts, where it is no better: both
    studies' answers were pooled.
    """
    from promptops.models.scripted import ScriptedModel

    lab = make_lab(models={"m": ScriptedModel(lambda call: answer(str(call)))})
    v1, v2 = (
        lab.prompt("w").save(f"{name} {{{{doc}}}} {{{{question}}}}", model="m")
        for name in ("old", "new")
    )

    def answer(call: str) -> str:
        return "yes" if "amount" in call or "new" in call else "no"

    lab.evaluate([v1, v2], documents("What is the date?"), [equals()]).wait()
    study = lab.evaluate([v1, v2], documents("What is the amount?"), [equals()]).wait()
    found = study.compare(candidate=v2, baseline=v1)
    assert (found.primary.n, found.primary.candidate, found.primary.baseline) == (40, 1.0, 1.0)
    assert (found.grounds.tried.times, found.verdict.decision) == (1, "inconclusive")


def test_other_questions_on_the_same_documents_are_not_pooled_where_they_are_imported(
    make_lab: MakeLab,
) -> None:
    lab = make_lab()
    for question, lucky in (("What is the date?", 20), ("What is the amount?", 0)):
        rows = documents(question)
        table = outputs(rows, candidate="b", lucky=lucky)
        study = lab.import_runs(table, rows, [equals()], prompt="w", name=question)
        found = study.compare(candidate="b", baseline="a")
    assert (found.primary.n, found.primary.candidate, found.primary.baseline) == (40, 0.5, 0.5)
    assert found.verdict.decision == "inconclusive"


def test_a_look_at_the_candidate_alone_counts_through_a_further_column(make_lab: MakeLab) -> None:
    """The baseline's answers were there, beside which the candidate's could be seen."""
    lab = make_lab()

    def brought(k: int, *versions: str) -> Any:
        rows = [note(row, k) for row in asked()]
        table = [row for row in outputs(rows, candidate="b", lucky=6) if row["version"] in versions]
        return lab.import_runs(table, rows, [equals()], prompt="w", name=f"import {k}")

    brought(0, "a")
    brought(1, "b")
    both = brought(2, "a", "b")
    assert both.compare(candidate="b", baseline="a").grounds.tried.times == 2


def test_a_study_of_this_lab_is_told_before_it_asks(make_lab: MakeLab) -> None:
    """What a plan and an estimate say counts what was tried on the same questions, with a space."""
    from promptops.models.scripted import ScriptedModel

    lab = make_lab(models={"m": ScriptedModel(lambda call: "yes")})
    prompt = lab.prompt("w")
    v1, v2, v3 = (prompt.save(f"{name} {{{{q}}}}", model="m") for name in "ABC")
    lab.evaluate([v1, v2], asked(), [equals()]).wait()
    spaced = [{**row, "q": f"{row['q']} "} for row in asked()]
    assert "number 2" in str(lab.estimate([v1, v3], spaced, [equals()]))
    study = lab.evaluate([v1, v3], spaced, [equals()]).wait()
    assert study.compare(candidate=v3, baseline=v1).grounds.tried.place == 2


def test_what_was_compared_belongs_to_the_store(
    make_lab: MakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once for a pair of datasets, for as long as the store is open and no longer."""
    compared = []
    matches = ExampleContents.matches

    def counted(self: ExampleContents, *given: Any) -> list[tuple[str, str]]:
        compared.append(self)
        return matches(self, *given)

    monkeypatch.setattr(ExampleContents, "matches", counted)
    lab = make_lab()
    for k in range(2):
        rows = [note(row, k) for row in asked()]
        study = lab.import_runs(
            outputs(rows, candidate="b"), rows, [equals()], prompt="w", name=f"import {k}"
        )
        study.compare(candidate="b", baseline="a")
    first, before = lab.project.store.like_datasets, len(compared)
    study.compare(candidate="b", baseline="a")
    assert set(first.values()) == {True}
    assert (before, len(compared)) == (2, 3)  # its clusters need the pairs again
    assert make_lab().project.store.like_datasets == {}


def test_looking_through_many_examples_takes_a_moment() -> None:
    """20,000 examples are compared with 20,000 others in less than three times of what 10,000 take,
    and in less than two seconds of CPU time.
    """
    least = []
    for count in (10_000, 20_000):
        tries = []
        for _ in range(2):
            one, two = (Dataset.read([note(row, k) for row in asked(count)]) for k in (0, 1))
            with quick(4) as took:  # the better of two tries
                assert len(ExampleContents.of(one).matches(ExampleContents.of(two))) >= count
            tries.append(took.seconds)
        least.append(min(tries))
    assert least[1] < min(2, 3 * least[0])


def test_other_questions_on_the_same_documents_are_not_pooled_where_a_target_reads_them(
    make_lab: MakeLab,
) -> None:
    """It reads more than the template does."""
    from promptops.models.scripted import ScriptedModel

    lab = make_lab(models={"m": ScriptedModel(lambda call: "yes")})
    v1, v2 = (lab.prompt("w").save(f"{name} {{{{doc}}}}", model="m") for name in ("old", "new"))

    def target(doc: str, question: str) -> str:
        new = "new" in str(promptops.load("w").messages(doc=doc))
        return "yes" if "amount" in question or new else "no"

    for question in ("What is the date?", "What is the amount?"):
        study = lab.evaluate([v1, v2], documents(question), [equals()], target=target).wait()
        found = study.compare(candidate=v2, baseline=v1)
    assert (found.primary.n, found.primary.candidate, found.primary.baseline) == (40, 1.0, 1.0)
