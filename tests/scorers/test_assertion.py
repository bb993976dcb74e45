"""Assertions on text: each passes or fails by its documented rule, says why, and never raises on
any text.
"""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptops.dataset.example import Example
from promptops.errors import ScorerError
from promptops.run import Run
from promptops.score import Score
from promptops.scorers import (
    Case,
    contains,
    contains_all,
    contains_any,
    ends_with,
    equals,
    length,
    one_of,
    starts_with,
    word_count,
)


def judge(scorer: Any, output: str, expected: Any = None, **columns: Any) -> Score:
    example = Example("e1", columns, expected)
    run = Run(
        "r-1",
        "k1:1",
        "p",
        "p1-a",
        "m",
        "scripted",
        "model",
        "e1",
        example.fingerprint,
        0,
        "{}",
        output,
    )
    found = scorer.score(Case(output, example, run))
    assert isinstance(found, Score)
    return found


TABLE = [
    (equals(), "Paris", "Paris", True),
    (equals(), "  Paris\n", "Paris", True),
    (equals(), "paris", "Paris", False),
    (equals(ignore_case=True), "PARIS", "Paris", True),
    (equals(), "Cafe\u0301", "Caf\u00e9", True),  # NFC
    (equals(), "", "Paris", False),
    (equals(), "4.0", 4, True),  # numbers are read as JSON
    (equals(), "four", 4, False),
    (equals(), "True", True, True),
    (equals(), "1", True, False),
    (equals(), ' {"b": [1, 2], "a": null}', {"a": None, "b": [1, 2]}, True),
    (equals(), '{"a": 1, "a": 1}', {"a": 1}, False),  # a key twice is not JSON
    (equals("yes"), "yes", None, True),
    (equals(3), "3", None, True),
    (contains("refund"), "We REFUND you", None, True),
    (contains("refund"), "nonrefundable", None, True),  # also inside a word
    (contains("refund", ignore_case=False), "We REFUND you", None, False),
    (contains("STRASSE"), "Hauptstra\u00dfe 5", None, True),  # Unicode case folding
    (contains("e\u0301t\u00e9"), "un \u00c9T\u00c9", None, True),
    (contains("x"), "", None, False),
    (starts_with("dear"), "\n Dear Ms Lee,", None, True),
    (starts_with("dear", ignore_case=False), "Dear Ms Lee,", None, False),
    (ends_with("regards."), "Kind Regards.\n", None, True),
    (ends_with("regards"), "Kind Regards.", None, False),
    (contains_any("cat", "dog"), "A DOG!", None, True),
    (contains_any("cat", "dog"), "A bird", None, False),
    (contains_all("cat", "dog"), "dog and cat", None, True),
    (contains_all("cat", "dog"), "only dog", None, False),
    (one_of("yes", "no"), " Yes ", None, True),
    (one_of(["yes", "no"]), "maybe", None, False),
    (one_of("yes", "no"), "yes.", None, False),
    (word_count(2, 3), "one two three", None, True),
    (word_count(2, 3), "one", None, False),
    (word_count(at_most=0), " ", None, True),
    (length(at_most=3), "\U0001f600\U0001f600\U0001f600", None, True),  # code points, not bytes
    (length(at_most=3), "four", None, False),
    (length(2), "", None, False),
]


@pytest.mark.parametrize(
    ("scorer", "output", "expected", "passes"), TABLE, ids=lambda value: str(value)[:40]
)
def test_table(scorer: Any, output: str, expected: Any, passes: bool) -> None:
    """Each rule judges as documented; a failed one gives a reason, and values are 0 or 1 but for
    shares.
    """
    found = judge(scorer, output, expected)
    assert found.passed is passes
    assert (found.value == 1.0) is passes
    assert bool(found.reason) is not passes


def test_shares_and_labels_and_measures() -> None:
    """contains_all gives the share that it found; one_of names what it found; counts are
    measures.
    """
    assert judge(contains_all("a", "b", "c", "d"), "a b c").value == 0.75
    assert judge(one_of("Yes", "No"), "yes").category == "Yes"
    found = judge(word_count(1, 5), "one two")
    assert (found.raw_value, found.unit) == (2.0, "words")
    assert judge(length(at_most=2), "abc").reason == "has 3 characters, expected at most 2"


def test_columns() -> None:
    """A part can come from a column of the row, which the scorer then needs."""
    scorer = contains(column="keyword")
    assert scorer.needs == ("keyword",)
    assert judge(scorer, "We ship to Lyon.", keyword="lyon").passed
    assert not judge(scorer, "We ship to Lyon.", keyword="Nice").passed
    assert equals().needs == ("expected",)
    assert equals(column="gold").needs == ("gold",)
    assert judge(equals(column="gold"), "7", gold=7).passed


WRONG = [
    lambda: equals("expected"),
    lambda: contains("a", column="b"),
    lambda: contains("a", column="b"),
    lambda: contains(" "),
    lambda: contains(3),  # type: ignore[arg-type]
    lambda: contains_any(),
    lambda: contains_all("a", ""),
    lambda: one_of(),
    lambda: word_count(),
    lambda: word_count(5, 4),
    lambda: word_count(-1),
    lambda: length(True),
    lambda: length(at_most=2.5),  # type: ignore[arg-type]
    lambda: contains("a").at_least(2),
    lambda: contains("a").at_least(float("nan")),
    lambda: contains("a").at_least(0.5).at_least(0.6),
    lambda: contains("a").named(" "),
]


@pytest.mark.parametrize("build", WRONG)
def test_wrong_arguments_are_said_when_built(build: Any) -> None:
    """A scorer that could never work is refused when it is built, in one sentence."""
    with pytest.raises(ScorerError) as caught:
        build()
    assert str(caught.value).endswith(".")


NAMES = {
    "equals(expected)": equals(),
    'equals("3")': equals("3"),
    "equals(3)": equals(3),
    "contains(refund)": contains("refund"),
    "contains(refund, case=true)": contains("refund", ignore_case=False),
    "contains(column=keyword)": contains(column="keyword"),
    "contains_any(a, b)": contains_any("a", "b"),
    "one_of(yes, no)": one_of("yes", "no"),
    "word_count(at_most=50)": word_count(at_most=50),
    "contains_all(a, b)>=0.5": contains_all("a", "b").at_least(0.5),
}


@pytest.mark.parametrize("name", NAMES)
def test_names_are_stable(name: str) -> None:
    """Names in scores are stable forever: a changed one would orphan old scores."""
    assert NAMES[name].name == name
    assert NAMES[name].version == "1"


def test_renamed_rules_keep_their_arguments_in_the_version() -> None:
    """A name of one's own moves the arguments into the version, so that two rules never share
    both.
    """
    one, two = contains("a").named("check"), contains("b").named("check")
    assert one.name == two.name == "check"
    assert one.version != two.version
    assert one.version == contains("a").named("other").version
    assert contains("a").named("check").at_least(0.5).version != one.version


def test_long_arguments_are_cut_with_their_hash() -> None:
    """Two long arguments that differ at the end have different names of bounded length."""
    one, two = contains("x" * 500 + "a"), contains("x" * 500 + "b")
    assert one.name != two.name
    assert len(one.name) < 100


@given(st.text(), st.text(min_size=1).filter(lambda text: text.strip()))
def test_any_text_is_judged(output: str, part: str) -> None:
    """Whatever the texts, verdicts lie in [0, 1] and agree with plain Python on composed,
    case-sensitive text.
    """
    found = judge(contains(part, ignore_case=False), output)
    whole, piece = unicodedata.normalize("NFC", output), unicodedata.normalize("NFC", part)
    assert found.passed is (piece in whole)
    for scorer in (
        equals(part),
        starts_with(part),
        ends_with(part),
        contains_any(part),
        contains_all(part),
        one_of(part),
        length(1, 3),
    ):
        assert judge(scorer, output).value in (0.0, 1.0)
    assert judge(word_count(1), output).raw_value == len(output.split())


@given(st.text(alphabet=st.characters(), max_size=20))
def test_what_is_equal_passes(text: str) -> None:
    """A text equals itself, and is contained in, starts and ends whatever holds it there."""
    if text.strip():
        assert judge(equals(text), text).passed
        assert judge(contains(text), "pre " + text + " post").passed
        assert judge(starts_with(text.strip()), text + " post").passed


def test_lone_surrogates_and_huge_texts() -> None:
    """Lone surrogates and 50 MB of text are judged, and reasons stay short and storable as
    UTF-8.
    """
    for scorer in (
        equals("x"),
        contains("x"),
        one_of("x"),
        starts_with("x"),
        word_count(1, 2),
        length(1, 2),
    ):
        found = judge(scorer, "\ud800" * 3)
        found.reason.encode("utf-8")
        assert found.passed is False or scorer.name.startswith("word_count")
    huge = "lorem " * 8_500_000
    for scorer in (
        contains("absent"),
        starts_with("lorem"),
        ends_with("x"),
        one_of("lorem"),
        length(1),
        equals("lorem"),
    ):
        assert len(judge(scorer, huge).reason) < 400
