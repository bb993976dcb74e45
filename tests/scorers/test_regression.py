"""Closeness to a golden answer: in [0, 1], symmetric, 1 if equal; compared with rapidfuzz and
difflib.
"""

from __future__ import annotations

import difflib
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz import fuzz
from rapidfuzz.distance import LCSseq

from promptops.dataset.example import Example
from promptops.errors import ScorerError
from promptops.run import Run
from promptops.score import Score
from promptops.scorers import Case, similar_to
from tests.quick import quick


def judge(scorer: Any, output: str, expected: Any, **columns: Any) -> Score:
    run = Run("r-1", "k1:1", "p", "p1-a", "m", "scripted", "model", "e1", None, 0, "{}", output)
    found = scorer.score(Case(output, Example("e1", columns, expected), run))
    assert isinstance(found, Score)
    return found


MEASURES = {
    "ratio": fuzz.ratio,
    "partial": fuzz.partial_ratio,
    "token_sort": fuzz.token_sort_ratio,
    "token_set": fuzz.token_set_ratio,
}
PLAIN = st.text(alphabet="abc d", max_size=30)


@pytest.mark.parametrize("by", MEASURES)
@given(PLAIN, PLAIN)
def test_range_symmetry_and_reference(by: str, one: str, two: str) -> None:
    """Every measure is in [0, 1], is symmetric, and is rapidfuzz's on the stripped texts."""
    scorer = similar_to(by=by)
    there, back = judge(scorer, one, two).value, judge(scorer, two, one).value
    assert there is not None
    assert back is not None
    assert 0 <= there <= 1
    assert there == pytest.approx(back)
    a, b = one.strip(), two.strip()
    assert there == (1.0 if a == b else pytest.approx(MEASURES[by](a, b) / 100))


@given(PLAIN, PLAIN)
def test_ratio_is_the_normalised_common_subsequence(one: str, two: str) -> None:
    """ratio = 2 x longest common subsequence / both lengths, never below difflib's matching
    blocks.
    """
    a, b = one.strip(), two.strip()
    value = judge(similar_to(), one, two).value
    if a or b:
        assert value == pytest.approx(2 * LCSseq.similarity(a, b) / (len(a) + len(b)))
        assert value >= difflib.SequenceMatcher(None, a, b, autojunk=False).ratio() - 1e-9


@given(st.text())
def test_equal_is_one(text: str) -> None:
    """Any text is wholly similar to itself, by every measure."""
    for by in MEASURES:
        assert judge(similar_to(by=by), text, text).value == 1.0


def test_unicode_and_json() -> None:
    """Composed and decomposed letters are equal; JSON objects are compared whatever the order of
    their keys.
    """
    assert judge(similar_to(), "Cafe\u0301", "Caf\u00e9").value == 1.0
    assert judge(similar_to(), '{"b": 1, "a": 2}', '{"a":2,"b":1}').value == 1.0
    assert judge(similar_to(), '{"b": 1, "a": 2}', {"a": 2, "b": 1}).value == 1.0
    assert judge(similar_to(), "{not json", "{also not").value < 1.0  # type: ignore[operator]


def test_field() -> None:
    """A field of both JSON texts can be compared; where the answer has none it is 0, where the row
    has none unscored.
    """
    scorer = similar_to(field="summary.text")
    golden = {"summary": {"text": "hello"}}
    assert judge(scorer, '{"summary": {"text": "hello"}}', golden).value == 1.0
    assert judge(scorer, '{"summary": {"text": "help"}}', golden).value == pytest.approx(2 * 3 / 9)
    assert judge(scorer, '{"other": 1}', golden).value == 0.0
    assert judge(scorer, "no json", golden).value == 0.0
    missing = judge(scorer, '{"summary": {"text": "hello"}}', {"other": 1})
    assert missing.value is None
    assert missing.unscored == "missing summary.text: example 'e1' has no such field in 'expected'"


def test_threshold_and_name() -> None:
    """at_least sets whether it passed and is in the name; without it nothing passes or
    fails.
    """
    scorer = similar_to(at_least=0.9)
    assert scorer.name == "similar_to(expected)>=0.9"
    assert (
        similar_to(by="token_set", field="a").name == "similar_to(expected, by=token_set, field=a)"
    )
    assert judge(scorer, "abc", "abc").passed is True
    assert judge(scorer, "abc", "xyz").passed is False
    assert judge(similar_to(), "abc", "abc").passed is None
    with pytest.raises(ScorerError, match="no measure 'cosine'"):
        similar_to(by="cosine")


def test_texts_too_long_to_compare_are_unscored() -> None:
    """Two 50 MB texts do not take minutes: they are unscored with the reason, unless they are
    equal.
    """
    started = time.monotonic()
    one = "a" * 50_000_000
    found = judge(similar_to(), one, "b" * 50_000_000)
    assert found.unscored == "too long to compare: 50,000,000 and 50,000,000 characters"
    assert judge(similar_to(), one, one).value == 1.0
    assert time.monotonic() - started < 20


def test_partial_ratio_never_takes_minutes() -> None:
    """The best part of two long texts would take rapidfuzz minutes to find: beyond about a second
    it is unscored.
    """
    with quick(10):
        words = [f"w{number * 7919 % 1000}" for number in range(4_000)]
        one, two = " ".join(words), " ".join(reversed(words))
        assert str(judge(similar_to(by="partial"), one, two).unscored).startswith(
            "too long to compare"
        )
        assert judge(similar_to(by="partial"), one[:2_000], two[:2_000]).value is not None
        assert judge(similar_to(by="partial"), one[:200], one).value == 1.0
