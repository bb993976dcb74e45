"""What an answer settles on: a letter, or the text after a marker; BBH as recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptops.errors import ScorerError
from promptops.scorers import answer_after, choice, equals, try_out
from promptops.scorers.chosen import text_after
from tests.quick import quick

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "bbh"

CHOSEN = [
    ("B", "B"),
    ("b", "B"),
    ("(B)", "B"),
    ("**B**", "B"),
    ("B.", "B"),
    ("B) Paris", "B"),
    ("(B) Paris", "B"),
    ("B. Paris is the capital, not A.", "B"),
    ("The answer is B.", "B"),
    ("The correct answer is: **(C)** because A is wrong", "C"),
    ("Answer: D", "D"),
    ("At first A seems right. So the answer is (C).", "C"),
    ("The answer is A. No, the answer is B.", "B"),
    ("I think option (A) is worse than (D)", "D"),
    ("Let me think.\n\nC", "C"),
    ("A dog is the only one, so C", "C"),
    ("I would choose C here", "C"),
    ("A dog barks", "A"),  # the only letter that stands alone
    ("Paris", None),
    ("", None),
    ("E", None),
    ("Both B and C hold", None),
    ("the answer is a matter of taste", None),
    ("The answer is Berlin", None),
]


@pytest.mark.parametrize(("output", "letter"), CHOSEN)
def test_choice(output: str, letter: str | None) -> None:
    """The letter is found as documented, and none is guessed."""
    for golden in "ABCD":
        found = try_out(choice(), output, expected=golden)
        assert not isinstance(found, list)
        assert found.category == letter
        assert found.passed is (golden == letter)


@pytest.mark.parametrize("golden", ["B", "b", "(B)", " B. "])
def test_golden_letters(golden: str) -> None:
    """The golden letter may be in parentheses or small."""
    found = try_out(choice("ABCDE"), "The answer is (B).", expected=golden)
    assert not isinstance(found, list)
    assert found.passed


def test_a_golden_value_that_is_no_letter_is_unscored() -> None:
    """A row without a letter is named."""
    found = try_out(choice(), "B", expected="Paris")
    assert not isinstance(found, list)
    assert (
        found.unscored
        == "missing letter: example 'tried' has none of A, B, C, D in the column 'expected'"
    )


AFTER = [
    ("So the answer is 42.", "42"),
    ("The answer is: **yes**", "yes"),
    ("answer is (A).\nMore text", "(A)"),
    ("The answer is no. So the\nanswer  is yes.", "yes"),
    ('the answer is "valid".', "valid"),
    ("THE ANSWER IS\nParis", "Paris"),
    ("nothing", None),
    ("", None),
]


@pytest.mark.parametrize(("output", "part"), AFTER)
def test_answer_after(output: str, part: str | None) -> None:
    """What stands after the last marker is compared without markup and closing period."""
    assert text_after("answer is")(output) == part
    found = try_out(answer_after(), output, expected="yes")
    assert not isinstance(found, list)
    assert found.passed is (part == "yes")


def test_case_of_answer_after() -> None:
    """The part is compared in any case, unless told otherwise; numbers and booleans of the row as
    text.
    """
    for scorer, passes in ((answer_after(), True), (answer_after(ignore_case=False), False)):
        found = try_out(scorer, "The answer is TRUE.", expected=True)
        assert not isinstance(found, list)
        assert found.passed is passes


@pytest.mark.parametrize(
    "build",
    [lambda: choice("A"), lambda: choice("AA"), lambda: choice("12"), lambda: answer_after(" ")],
)
def test_wrong_arguments(build: Any) -> None:
    """Letters are two or more different ones; a marker is not empty."""
    with pytest.raises(ScorerError):
        build()


@given(st.text())
def test_any_text(text: str) -> None:
    """No text raises; what is chosen is a letter of the choice."""
    found = try_out(choice("ABC"), text, expected="A")
    assert not isinstance(found, list)
    assert found.category in ("A", "B", "C", None)
    try_out(answer_after("is"), text, expected="A")


@pytest.mark.parametrize(
    "text", ["answer is " * 1_000_000, "(A) " * 2_000_000, " " * 10_000_000, "A\n" * 5_000_000]
)
def test_long_texts(text: str) -> None:
    """10 MB of anything take a moment."""
    with quick(10):
        try_out(choice(), text, expected="A")
        try_out(answer_after(), text, expected="A")


@pytest.mark.skipif(
    not DATA.exists(), reason="the recorded outputs of BIG-Bench Hard are not beside the repository"
)
def test_bbh() -> None:
    """Catalogue scorers agree with all 9,000 recorded verdicts: equals for answer-only,
    answer_after for chain of thought.
    """
    golden = {
        row["id"]: row["expected"]
        for row in map(json.loads, (DATA / "dataset.jsonl").read_text("utf-8").splitlines())
    }
    scorers = {"v1-direct": equals(), "v2-cot": answer_after("the answer is", ignore_case=False)}
    counted = 0
    disagree = []
    for row in map(json.loads, (DATA / "outputs.jsonl").read_text("utf-8").splitlines()):
        found = try_out(scorers[row["version"]], row["output"], expected=golden[row["example_id"]])
        assert not isinstance(found, list)
        counted += 1
        if found.passed is not bool(row["correct"]):
            disagree.append(
                (
                    row["example_id"],
                    row["version"],
                    row["output"][-60:],
                    golden[row["example_id"]],
                    row["correct"],
                )
            )
    assert counted == 9000
    assert disagree == []
