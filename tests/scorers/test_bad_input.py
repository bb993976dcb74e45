"""Bad input to the whole catalogue: each scorer gives a value in [0, 1] or says why not, soon, and
never raises (S13 to S16).
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import promptops.scorers as scorers
from promptops.dataset.example import Example
from promptops.errors import ScorerError
from promptops.run import Run
from promptops.score import Score
from promptops.scorers import CATALOGUE, Case, Entry
from promptops.scoring.score_phase import ScorePhase

JUDGED = [entry for entry in CATALOGUE if entry.value is not None]
INLINE = [entry for entry in JUDGED if not eval(entry.example, dict(vars(scorers))).remote]

TEXTS = {
    "empty": "",
    "white space": " \n\t ",
    "lone surrogates": "\ud800a\udfff" * 50,
    "NUL and controls": "\x00\x1b[31m\u202e\r" * 20,
    "NaN": "NaN",
    "deep JSON": "[" * 100_000 + "]" * 100_000,
    "deep objects": '{"a":' * 100_000 + "1" + "}" * 100_000,
    "5,000 digits": "9" * 5_000,
    "a key twice": '{"a": 1, "a": 2}',
    "combining marks": "a" + "\u0301" * 20_000,
    "emoji": "\U0001f469\u200d\U0001f469\u200d\U0001f467" * 500,
    "backtracking": "a" * 40 + "!",
    "fences": "```\n" * 5_000,
    "code": "__import__('os').system('true')",
    "formats": "%s {0} {{x}} ${HOME} \\1 \\g<0>",
}


def case(entry: Entry, output: str) -> Case:
    """The entry's own row, with another answer."""
    given_ = dict(entry.given)
    expected, reference, run = (
        given_.pop("expected", None),
        given_.pop("reference", None),
        given_.pop("run", {}),
    )
    example = Example(
        "row 1",
        {key: value for key, value in given_.items() if key != "checks"},
        expected,
        checks=tuple(given_.get("checks", ())),
    )
    made = replace(
        Run("r-1", "k", "", "p1-a", "m", "x", "model", "row 1", None, 0, "{}", output), **run
    )
    return Case(
        output, example, made, None if reference is None else replace(made, output=reference)
    )


def judge(entry: Entry, output: str) -> list[Score]:
    scorer = eval(entry.example, dict(vars(scorers)))
    return [score for _, _, score in ScorePhase([scorer]).score([case(entry, output)])]


def sound(score: Score) -> None:
    assert (score.value is None) is (score.unscored is not None)
    assert score.value is None or 0 <= score.value <= 1
    assert len(score.reason) < 2_000
    for text in (score.reason, score.unscored or "", score.category or ""):
        text.encode("utf-8")
        assert "\x1b" not in text
        assert "\u202e" not in text


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("entry", INLINE, ids=lambda entry: entry.name)
def test_odd_texts(entry: Entry, name: str) -> None:
    """Whatever the answer, there is a verdict and no error of the scorer, within seconds; what it
    says can be stored and shown.
    """
    started = time.monotonic()
    for score in judge(entry, TEXTS[name]):
        sound(score)
        assert not str(score.unscored).startswith("scorer_error"), score.unscored
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("entry", INLINE, ids=lambda entry: entry.name)
@settings(max_examples=25, deadline=None)
@given(output=st.text())
def test_any_text(entry: Entry, output: str) -> None:
    """On any text every scorer stays in its range; scorers said to give 0 or 1 give nothing
    between.
    """
    for score in judge(entry, output):
        sound(score)
        if entry.range == "0 or 1" and not score.name:
            assert score.value in (0.0, 1.0, None)


@pytest.mark.parametrize("piece", ["lorem ipsum ", "a"])
@pytest.mark.parametrize("entry", INLINE, ids=lambda entry: entry.name)
def test_five_megabytes(entry: Entry, piece: str) -> None:
    """A long answer takes seconds at most, or is unscored for its length."""
    started = time.monotonic()
    for score in judge(entry, piece * (5_000_000 // len(piece))):
        sound(score)
    assert time.monotonic() - started < 20


@pytest.mark.soak
@pytest.mark.parametrize("entry", INLINE, ids=lambda entry: entry.name)
def test_fifty_megabytes(entry: Entry) -> None:
    """50 MB are judged or unscored within a minute (S15)."""
    started = time.monotonic()
    for score in judge(entry, "lorem ipsum " * 4_200_000):
        sound(score)
    assert time.monotonic() - started < 60


NEEDY = [entry for entry in INLINE if eval(entry.example, dict(vars(scorers))).needs]


@pytest.mark.parametrize("entry", NEEDY, ids=lambda entry: entry.name)
def test_missing_golden_is_named(entry: Entry) -> None:
    """A row without the column that a scorer needs is unscored: row and column are named."""
    scorer = eval(entry.example, dict(vars(scorers)))
    bare = Case("text", Example("row 7", {}), case(entry, "text").run)
    [(_, _, score)] = ScorePhase([scorer]).score([bare])
    assert score.value is None
    column = scorer.needs[0]
    assert (
        score.unscored == f"missing {column}: example 'row 7' has no value in the column {column!r}"
    )


GOLDEN = [
    None,
    "",
    0,
    True,
    [],
    {},
    [1, "a"],
    {"a": {"b": None}},
    10**30,
    1e308,
    "\ud800",
    "x" * 100_000,
]


@pytest.mark.parametrize(
    "golden", GOLDEN, ids=lambda value: str(value)[:20].encode("ascii", "replace").decode()
)
@pytest.mark.parametrize(
    "entry", [entry for entry in NEEDY if "expected" in entry.given], ids=lambda entry: entry.name
)
def test_odd_golden_values(entry: Entry, golden: Any) -> None:
    """A golden value of any type is compared, or the row is unscored; nothing raises."""
    scorer = eval(entry.example, dict(vars(scorers)))
    one = case(entry, entry.output)
    for _, _, score in ScorePhase([scorer]).score(
        [replace(one, example=replace(one.example, expected=golden))]
    ):
        sound(score)
        assert not str(score.unscored).startswith("scorer_error"), score.unscored


@pytest.mark.parametrize(
    "entry",
    [entry for entry in CATALOGUE if entry.name != "per_field"],  # its keywords are fields
    ids=lambda entry: entry.name,
)
def test_a_wrong_keyword_names_the_accepted_ones(entry: Entry) -> None:
    """Of every scorer that is called with something."""
    factory = getattr(scorers, entry.name)
    with pytest.raises(TypeError, match=rf"^{entry.name}\(\) .*it accepts "):
        factory(no_such_keyword=1)


@pytest.mark.parametrize("name", ["similar_to", "similar_meaning", "rouge_l", "chrf", "exact"])
def test_a_threshold_in_the_place_of_the_text_is_named(name: str) -> None:
    """`similar_to(0.9)` compared every answer with the text "0.9"."""
    with pytest.raises(ScorerError, match=rf"{name}\(at_least=0\.9\)"):
        getattr(scorers, name)(0.9)
