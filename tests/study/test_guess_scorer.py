"""The first verdict of a table is of the answers, not of their wrapping."""

from __future__ import annotations

import json
from typing import Any

import pytest

from promptops.errors import StudyError
from promptops.lab import compare
from promptops.scorers import contains, ends_with, scorer, starts_with, try_out

WRAPS = {
    "sentence": lambda gold: f"Thank you! It is {gold}.",
    "bold": lambda gold: f"**{gold}**",
    "prefix": lambda gold: f"Answer: {gold}",
    "tag": lambda gold: f"<answer>{gold}</answer>",
}


@pytest.mark.parametrize("wrap", WRAPS)
@pytest.mark.parametrize("gold", [lambda i: f"{i} days", lambda i: str(i), lambda i: "ABCD"[i % 4]])
def test_wrapped_answers_are_right(wrap: str, gold: Any) -> None:
    """One arm wraps each right answer, the other is right on three of four: it never wins."""
    rows = [
        {"id": f"e{i}", "gold": gold(i), "a": WRAPS[wrap](gold(i)), "b": gold(i) if i % 4 else "no"}
        for i in range(1, 61)
    ]
    found = compare(rows, baseline="a", candidate="b", expected="gold")
    assert found.primary.baseline == 1.0
    assert found.primary.gain < 0


@pytest.mark.parametrize("wrap", [*WRAPS, "none"])
def test_golden_lists_are_any_of_them(wrap: str) -> None:
    """A column of lists of admissible answers: each of them is right, wrapped or not; answers that
    are lists themselves are still compared as JSON.
    """
    says = WRAPS.get(wrap, str)
    rows: list[dict[str, Any]] = [
        {
            "id": f"e{i}",
            "gold": [f"{i} days", f"{i}d", f"{i} x 24 hours", f"day {i}", f"{i} dd"],
            "a": says([f"{i} days", f"{i}d"][i % 2]),
            "b": f"{i} days" if i % 4 else "no",
        }
        for i in range(1, 61)
    ]
    found = compare(rows, baseline="a", candidate="b", expected="gold")
    assert (found.primary.baseline, found.primary.candidate) == (1.0, 0.75)
    same = [{**row, "a": json.dumps(row["gold"]), "b": "[]"} for row in rows]
    assert compare(same, baseline="a", candidate="b", expected="gold").primary.baseline == 1.0


def test_json_in_fences_is_read() -> None:
    """A fence around JSON is not a wrong answer."""
    rows = [
        {
            "id": f"e{i}",
            "gold": {"x": i},
            "a": f"```json\n{json.dumps({'x': i})}\n```",
            "b": json.dumps({"x": i if i % 4 else 0}),
        }
        for i in range(1, 61)
    ]
    found = compare(rows, baseline="a", candidate="b", expected="gold")
    assert (found.primary.baseline, found.primary.losses) == (1.0, 15)
    assert "within other text" in found.table_notes[0]


def test_none_right_in_both_arms_is_the_scorer() -> None:
    """0 of 60 twice is not "no difference"."""
    rows = [{"id": f"e{i}", "gold": f"g{i}", "a": f"x{i}", "b": f"y{i}"} for i in range(60)]
    said = compare(rows, baseline="a", candidate="b", expected="gold").statement()
    assert said == (
        "0 of 60 examples in both arms, b and a: the scorer exact(expected) and the columns do not"
        " fit."
    )


def test_a_golden_list_means_any_of_it() -> None:
    """As for equals and exact; an empty list is no alternative."""
    for rule, answer in (
        (contains(column="expected"), "it is Rome, I think"),
        (starts_with(column="expected"), "Rome it is"),
        (ends_with(column="expected"), "it is Rome"),
    ):
        assert try_out(rule, answer, expected=["Paris", "Rome"]).value == 1.0  # type: ignore[union-attr]
        assert try_out(rule, answer, expected=["Paris", "Oslo"]).value == 0.0  # type: ignore[union-attr]


def test_a_map_with_a_score_is_one_score() -> None:
    """{"score", "label", "explanation"} as other tools return it; other maps stay several."""

    def graded(output: str) -> dict[str, Any]:
        return {"score": 1 + 1e-9, "label": "good", "explanation": "because"}

    found = try_out(scorer(name="graded")(graded), "x")
    assert not isinstance(found, list)
    assert (found.value, found.category, found.reason) == (1.0, "good", "because")

    def two(output: str) -> dict[str, float]:
        return {"clarity": 1.0, "score": 0.5}

    assert isinstance(try_out(two, "x"), list)


@pytest.mark.parametrize(
    "labels",
    [("+", "-"), ("AA+", "AA-", "B"), ("C", "C++", "C#"), ("\U0001f44d", "\U0001f44e"), ("<", ">")],
)
def test_labels_that_only_marks_tell_apart_are_told_apart(labels: tuple[str, ...]) -> None:
    """An arm that always gives one label is not right where another one is golden."""
    golds = [labels[i % len(labels)] for i in range(60)]
    rows = [{"id": f"e{i}", "gold": one, "a": one, "b": labels[0]} for i, one in enumerate(golds)]
    found = compare(rows, baseline="a", candidate="b", expected="gold")
    right = golds.count(labels[0]) / 60
    assert (found.primary.baseline, found.primary.candidate) == (1.0, right)
    assert "differ in marks or articles only" in found.table_notes[0]


@pytest.mark.parametrize(
    "labels", [("correct", "incorrect"), ("spam", "not spam"), ("1 day", "11 day")]
)
def test_a_label_within_another_is_not_guessed_at(labels: tuple[str, str]) -> None:
    """An arm that says "incorrect" everywhere contains "correct" everywhere: no verdict of that."""
    rows = [
        {
            "id": f"e{i}",
            "gold": labels[i % 2],
            "a": f"I think it is {labels[i % 2]} here",
            "b": f"I think it is {labels[1]} here",
        }
        for i in range(60)
    ]
    with pytest.raises(StudyError, match="only as part of another word or label"):
        compare(rows, baseline="a", candidate="b", expected="gold")


def test_a_golden_answer_within_a_word_of_few_answers_is_said() -> None:
    """One answer of a hundred holds it within a word: the comparison stands and says so."""
    rows = [
        {
            "id": f"e{i}",
            "gold": "ann",
            "a": "the name of the person is ann",
            "b": "an annual report" if i == 7 else "the name of the person is ann",
        }
        for i in range(60)
    ]
    notes = compare(rows, baseline="a", candidate="b", expected="gold").table_notes
    assert "1 answer of 120 holds it only as part of another word" in notes[0]


@pytest.mark.parametrize(
    ("gold", "wrong"),
    [("01000", "1000"), ("4915100000123", "4915100000124"), ("10,50", "90,50"), ("0,5", "0,05")],
)
def test_digits_are_not_taken_for_others(gold: str, wrong: str) -> None:
    """Postcodes, long numbers and decimal commas."""
    rows = [{"id": f"e{i}", "gold": gold, "a": gold, "b": wrong} for i in range(60)]
    found = compare(rows, baseline="a", candidate="b", expected="gold")
    assert (found.primary.baseline, found.primary.candidate) == (1.0, 0.0)
