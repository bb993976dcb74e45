"""Law: golden answers that were changed after answers were scored are said with the comparison and
in the evidence, with what the change did to each arm; what moves no outcome is not said.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from promptops.errors import Refused
from promptops.lab import Dataset, Lab
from promptops.models.scripted import ScriptedModel
from promptops.scorers import equals

SAID = "Golden answers were changed after these answers had been scored, which moved the outcomes"


@pytest.fixture
def lab(tmp_path: Any) -> Lab:
    """v1 repeats the last letter, v2 the first."""
    return Lab(
        tmp_path,
        models={
            "last": ScriptedModel(lambda request: str(request["messages"][-1]["content"])[-1]),
            "first": ScriptedModel(lambda request: str(request["messages"][-1]["content"])[0]),
        },
    )


def versions(lab: Lab) -> tuple[Any, Any]:
    prompt = lab.prompt("letters")
    return prompt.save("{{word}}", model="last"), prompt.save("{{word}}", model="first")


def rows(golden: Callable[[str], str], n: int = 40) -> list[dict[str, str]]:
    words = [f"{chr(97 + i % 26)}{i}{chr(97 + (i + 1) % 26)}" for i in range(n)]
    return [{"word": word, "expected": golden(word)} for word in words]


def compared(lab: Lab, data: list[dict[str, str]]) -> Any:
    v1, v2 = versions(lab)
    study = lab.evaluate([v1, v2], Dataset.read(data, inputs=["word"]), [equals()])
    return study, study.compare(candidate=v2, baseline=v1)


def notes(comparison: Any) -> str:
    return " ".join(comparison.notes)


def test_golden_answers_rewritten_from_the_answers_are_said(lab: Lab) -> None:
    _, first = compared(lab, rows(lambda word: word[-1]))
    assert SAID not in notes(first)
    study, again = compared(lab, rows(lambda word: word[0]))
    assert study.progress.reused == 80
    assert f"{SAID} of examples: 40 up and 0 down for v2 and 0 up and 40 down for v1." in notes(
        again
    )
    _, v2 = versions(lab)
    step = lab.promote(v2, env="prod", study=study, force=True, reason="to read its evidence")
    assert step is not None
    bundle = next((lab.project.root).rglob("*evidence*/*.json"))
    assert SAID in bundle.read_text("utf-8")


def test_a_first_deployment_says_it_too(lab: Lab) -> None:
    v1, _ = versions(lab)
    for golden in (lambda word: word[0], lambda word: word[-1]):
        data = Dataset.read(rows(golden), inputs=["word"])
        study = lab.evaluate([v1], data, [equals()])
    lab.promote(v1, env="prod", study=study)
    bundle = next((lab.project.root).rglob("*evidence*/*.json"))
    assert f"{SAID} of examples: 40 up and 0 down for v1." in bundle.read_text("utf-8")


def test_what_moves_no_outcome_is_not_said(lab: Lab) -> None:
    """Another column, more rows, and copies of one input whose golden answers contradict."""
    compared(lab, rows(lambda word: word[-1]))
    noted = [{**row, "note": "seen"} for row in rows(lambda word: word[-1], 50)]
    assert SAID not in notes(compared(lab, noted)[1])
    twice = [{"word": "ab", "expected": "a"}, {"word": "ab", "expected": "b"}]
    assert SAID not in notes(compared(lab, twice)[1])


def test_one_corrected_answer_is_counted_for_each_arm(lab: Lab) -> None:
    data = rows(lambda word: word[-1])
    compared(lab, data)
    data[3]["expected"] = data[3]["word"][0]
    _, again = compared(lab, data)
    assert "1 up and 0 down for v2 and 0 up and 1 down for v1." in notes(again)
    _, back = compared(lab, rows(lambda word: word[-1]))  # what was first is what is in force
    assert SAID not in notes(back)


def test_a_corrected_example_of_a_file_that_grew_counts_once(lab: Lab) -> None:
    """What the answers were held against before is no further example."""
    wrong = [{**row, "expected": "?"} for row in rows(lambda word: word[0], 20)]
    compared(lab, [*wrong, *rows(lambda word: word[0], 30)[20:]])
    _, again = compared(lab, rows(lambda word: word[0]))
    assert (again.primary.n, again.primary.candidate, again.primary.baseline) == (40, 1.0, 0.0)
    assert "Judged twice on these 40 examples" in notes(again)


def test_another_golden_column_is_another_measure(lab: Lab) -> None:
    """Studies of one question by two columns, on rows that overlap, are not pooled."""
    compared(lab, rows(lambda word: word[0], 20))
    compared(lab, rows(lambda word: word[1], 20))
    _, other = compared(lab, rows(lambda word: word[1], 30))
    assert (other.primary.n, other.primary.candidate) == (30, 0.0)


def test_a_corrected_example_that_is_left_out_afterwards_counts_once(lab: Lab) -> None:
    """It comes back in as it was held last, and not as it was held first too."""
    right = rows(lambda word: word[0], 60)
    compared(lab, [*({**row, "expected": "?"} for row in right[:20]), *right[20:25]])
    compared(lab, right[:30])
    _, again = compared(lab, right[20:])
    assert (again.primary.n, again.primary.candidate, again.primary.baseline) == (60, 1.0, 0.0)


def twice(n: int = 20) -> list[dict[str, str]]:
    """The rows of two raters: the first says what v2 says, the second mostly what v1 does."""
    other = [{**row, "expected": row["word"][-1]} for row in rows(lambda word: word[0], n)]
    return [*rows(lambda word: word[0], n), *other[: n - 2]]


def test_golden_answers_of_another_rater_are_no_earlier_form(lab: Lab) -> None:
    """The rows of one rater had been promoted after those of both had been refused, on the same
    answers and without a word.
    """
    v1, v2 = versions(lab)
    lab.promote(v1, env="prod", force=True, reason="first")
    for data in (twice(), rows(lambda word: word[0], 20)):
        study, again = compared(lab, data)
        assert (again.primary.n, again.primary.wins, again.primary.losses) == (38, 20, 18)
        with pytest.raises(Refused):
            lab.promote(v2, env="prod", study=study)
    assert "Judged twice on these 38 examples" in notes(again)


def test_a_contradiction_that_was_corrected_is_an_earlier_form(lab: Lab) -> None:
    """Both rows are there as before, so that none of them was left out."""
    compared(lab, twice())
    right = rows(lambda word: word[0], 40)
    _, again = compared(lab, [*right[:20], *right[:18]])
    assert (again.primary.n, again.grounds.tried.times) == (20, 1)
    for data in ([*right, *right[:18]], right[10:]):
        _, again = compared(lab, data)
        assert (again.primary.n, again.primary.candidate) == (40, 1.0)


def test_answers_asked_afresh_count_under_the_corrected_golden_answer_alone(lab: Lab) -> None:
    """They are other runs than those that were held against the old one, and answer the same. Of
    two answers to one question, as with repeats, none stays behind.
    """
    right = rows(lambda word: word[0])
    wrong = [*({**row, "expected": "?"} for row in right[:20]), *right[20:]]
    v1, v2 = versions(lab)
    lab.evaluate([v1, v2], Dataset.read(wrong, inputs=["word"]), [equals()], repeats=3)
    data = Dataset.read([*right, *rows(lambda word: word[0], 50)[40:]], inputs=["word"])
    for fresh in (True, False):
        study = lab.evaluate([v1, v2], data, [equals()], fresh=fresh)
        again = study.compare(candidate=v2, baseline=v1)
        assert (again.primary.n, again.primary.candidate, again.primary.baseline) == (50, 1.0, 0.0)
        assert "contradictory golden answers" not in notes(again)
        assert "these 50 examples" in notes(again)  # judged before


def test_imported_answers_count_under_the_corrected_golden_answer_alone(lab: Lab) -> None:
    v1, v2 = versions(lab)
    right = rows(lambda word: word[0])
    wrong = [*({**row, "expected": "?"} for row in right[:20]), *right[20:30]]
    for data in (wrong, right):
        dataset = Dataset.read(data, inputs=["word"])
        table = [
            {"example_id": example.id, "version": name, "output": example.inputs["word"][place]}
            for example in dataset
            for name, place in (("old", -1), ("new", 0))
        ]
        study = lab.import_runs(table, dataset, [equals()], versions={"old": v1, "new": v2})
    again = study.compare(candidate=v2, baseline=v1)
    assert (again.primary.n, again.primary.candidate, again.primary.baseline) == (40, 1.0, 0.0)
    assert f"{SAID} of examples: 20 up and 0 down for new and 0 up and 0 down for old" in notes(
        again
    )


@pytest.mark.parametrize("golden", [lambda word: "?", lambda word: word[0]])
def test_a_column_that_no_version_reads_makes_no_other_example_of_imported_answers(
    lab: Lab, golden: Any
) -> None:
    """The day of an export, say: the same answers had counted anew with each import."""
    v1, v2 = versions(lab)
    for day in range(3):
        data = rows(golden if day == 0 else lambda word: word[0])
        dataset = Dataset.read([{"id": row["word"], "day": day, **row} for row in data])
        table = [
            {"example_id": row["word"], "version": name, "output": row["word"][place]}
            for row in data
            for name, place in (("old", -1), ("new", 0))
        ]
        study = lab.import_runs(table, dataset, [equals()], versions={"old": v1, "new": v2})
    again = study.compare(candidate=v2, baseline=v1).primary
    assert (again.n, again.clusters, again.wins, again.losses) == (40, None, 40, 0)


def test_imported_answers_within_other_conversations_are_other_examples(lab: Lab) -> None:
    """Also those whose prompt reads columns that the table does not have."""
    prompt = lab.prompt("letters")
    v1, v2 = (prompt.save(f"{start} {{{{letter}}}}", model="first") for start in "ab")
    one, two = (
        [{**row, "history": [{"role": "user", "content": said}]} for row in data]
        for said, data in zip(("one", "two"), [rows(lambda word: word[0])] * 2, strict=True)
    )
    for data in (one, [*one[:5], *two]):
        dataset = Dataset.read(data, inputs=["word"])
        table = [
            {"example_id": example.id, "version": name, "output": "a"}
            for example in dataset
            for name in ("old", "new")
        ]
        study = lab.import_runs(table, dataset, [equals()], versions={"old": v1, "new": v2})
    assert study.compare(candidate=v2, baseline=v1).primary.n == 80


def test_a_column_that_one_version_reads_makes_other_examples(lab: Lab) -> None:
    """The version without it was asked the same twice; the other one was not."""
    prompt = lab.prompt("letters")
    plain, noted = (
        prompt.save("{{word}}", model="first"),
        prompt.save("{{note}}{{word}}", model="first"),
    )
    for mark, n in (("a", 20), ("b", 30)):
        data = [{**row, "note": mark} for row in rows(lambda word: word[0], n)]
        study = lab.evaluate(
            [plain, noted], Dataset.read(data, inputs=["word", "note"]), [equals()]
        )
    again = study.compare(candidate=noted, baseline=plain)
    assert again.primary.n == 50
