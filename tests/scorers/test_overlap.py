"""Overlap with a golden answer: ROUGE-L, chrF, exact match and edit distance, each against an
independent reference.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import Indel
from sacrebleu import sentence_chrf

from promptops.errors import ScorerError
from promptops.score import Score
from promptops.scorers import chrf, edit_distance, exact, rouge_l, try_out, unchanged_from

WORDS = st.lists(st.sampled_from(["a", "b", "c", "dd", "ee"]), max_size=12).map(" ".join)


def judge(scorer: Any, output: str, expected: Any = None, **given_: Any) -> Score:
    found = try_out(scorer, output, expected=expected, **given_)
    assert isinstance(found, Score)
    return found


def subsequence(one: list[str], two: list[str]) -> int:
    """Length of the longest common subsequence, by the textbook."""
    row = [0] * (len(two) + 1)
    for a in one:
        before = row
        row = [0]
        for place, b in enumerate(two):
            row.append(before[place] + 1 if a == b else max(before[place + 1], row[-1]))
    return row[-1]


@given(WORDS, WORDS)
def test_rouge_l_by_the_textbook(one: str, two: str) -> None:
    """ROUGE-L F1 is 2PR / (P + R) over the longest common subsequence of words."""
    a, b = one.split(), two.split()
    common = subsequence(a, b)
    wanted = 2 * common / (len(a) + len(b)) if common else 0.0
    assert judge(rouge_l(), one, two or " ").value == pytest.approx(wanted)


@given(WORDS.filter(bool), WORDS.filter(bool))
def test_chrf_by_sacrebleu(one: str, two: str) -> None:
    """chrF is sacrebleu's sentence score over 100, and 1 for equal texts."""
    assert judge(chrf(), one, two).value == pytest.approx(sentence_chrf(one, [two]).score / 100)
    assert judge(chrf(), one, one).value == pytest.approx(1.0)
    assert 0 <= (judge(chrf(word_order=2), one, two).value or 0) <= 1


def distance(one: str, two: str) -> int:
    """Levenshtein's distance, by the textbook."""
    row = list(range(len(two) + 1))
    for place, a in enumerate(one, 1):
        before, row = row, [place]
        for other, b in enumerate(two, 1):
            row.append(min(before[other] + 1, row[-1] + 1, before[other - 1] + (a != b)))
    return row[-1]


@given(st.text(alphabet="abc", max_size=12), st.text(alphabet="abc", max_size=12))
def test_edit_distance_by_the_textbook(one: str, two: str) -> None:
    """1 - d / the longer length, symmetric; the measure is d."""
    found = judge(edit_distance(at_most=2), one, two or "")
    wanted = distance(one, two)
    assert found.raw_value == wanted
    assert found.value == pytest.approx(1 - wanted / max(len(one), len(two), 1))
    assert found.passed is (wanted <= 2)
    assert judge(edit_distance(), two, one).value == found.value


EXACT = [
    ("The Eiffel Tower!", "eiffel tower", True),
    ("eiffel  tower.", "The Eiffel Tower", True),
    ("tower", "towers", False),
    ("Ca\u0301fe", "C\u00e1FE", True),
    ("", "a", True),  # nothing but an article
    ("don't", "don t", True),
    ("5", 5, True),
    ("yes", ["no", "Yes."], True),
    ("maybe", ["no", "yes"], False),
]


@pytest.mark.parametrize(("output", "expected", "passes"), EXACT)
def test_exact(output: str, expected: Any, passes: bool) -> None:
    """Equal after case, punctuation, articles and white space are left aside; a list holds
    alternatives.
    """
    assert judge(exact(), output, expected).passed is passes


@given(st.text())
def test_equal_texts(text: str) -> None:
    """A text is exactly itself, at distance 0, by any of them that has something to compare."""
    assert judge(exact(), text, text).passed
    assert judge(edit_distance(), text, text).value == 1.0


def test_unchanged_from() -> None:
    """The answer is compared with the other version's answer; a row that it did not answer is
    unscored.
    """
    made = unchanged_from("p1-abc")
    assert (made.against, made.name) == ("p1-abc", "unchanged_from(p1-abc)>=1")
    assert judge(made, " same ", reference="same").passed
    changed = judge(made, "abcd", reference="abxx")
    assert changed.passed is False
    assert changed.value == pytest.approx(Indel.normalized_similarity("abcd", "abxx"))
    assert judge(unchanged_from("p1-abc", at_least=0.4), "abcd", reference="abxx").passed
    assert (
        judge(made, "a").unscored
        == "missing reference: example 'tried' has no answer of version p1-abc"
    )

    class Saved:
        id = "p1-def"

    assert unchanged_from(Saved()).against == "p1-def"
    for wrong in ("v1", None, 3):
        with pytest.raises(ScorerError):
            unchanged_from(wrong)


@pytest.mark.parametrize("scorer", [rouge_l(), chrf(), edit_distance()], ids=str)
def test_too_long_is_unscored(scorer: Any) -> None:
    """Texts whose comparison would take minutes are unscored with the reason."""
    found = judge(scorer, "a b " * 1_000_000, "b a " * 1_000_000)
    assert str(found.unscored).startswith("too long to compare")


@pytest.mark.parametrize("unit", ["1,", "a-", "http://x/", '{"a":1}'])
def test_words_without_spaces_count_as_words(unit: str) -> None:
    """A model that repeats itself without spaces had kept ROUGE-L for 40 s and 900 MB."""
    found = judge(rouge_l(), unit * 60_000, "one word " * 900)
    assert str(found.unscored).startswith("too long to compare")
    assert judge(rouge_l(), unit * 1_000, "one word " * 900).value is not None


@pytest.mark.parametrize("wrong", [-1, 1.5, True])
def test_wrong_arguments(wrong: Any) -> None:
    """A distance is a whole number from 0."""
    with pytest.raises(ScorerError):
        edit_distance(at_most=wrong)
