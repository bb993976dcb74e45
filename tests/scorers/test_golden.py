"""What every scorer compares with: a plain text is that text, `column=` is a column, and without
either the golden answer is meant. The names of scores stay those that are recorded.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from promptops import scorers
from promptops.errors import ScorerError
from promptops.scorers import (
    answer_after,
    contains,
    ends_with,
    equals,
    exact,
    json_equals,
    starts_with,
    try_out,
)
from promptops.scorers.grammar import COLUMN_FIRST, scorer_from, scorer_of, text_of
from promptops.scorers.rule import Rule

ROW: dict[str, Any] = {"expected": "7 blue cats", "gold": "9 red dogs"}
# (scorer, the name that scores are recorded by): as 0.1 wrote them
RECORDED: list[tuple[Callable[[], Rule], str]] = [
    (lambda: scorers.similar_to(), "similar_to(expected)"),
    (lambda: scorers.similar_to(column="gold", at_least=0.5), "similar_to(gold)>=0.5"),
    (lambda: scorers.exact(), "exact(expected)"),
    (lambda: scorers.exact(column="gold"), "exact(gold)"),
    (lambda: scorers.edit_distance(at_most=2), "edit_distance(expected, at_most=2)"),
    (lambda: scorers.rouge_l(column="gold"), "rouge_l(gold)"),
    (lambda: scorers.chrf(), "chrf(expected)"),
    (lambda: scorers.similar_meaning(), "similar_meaning(expected, by=lexical)"),
    (lambda: scorers.number_close(column="gold", within=1), "number_close(gold, within=1)"),
    (lambda: scorers.number_close(), "number_close(expected)"),
    (lambda: scorers.equals(), "equals(expected)"),
    (lambda: scorers.equals(column="gold"), "equals(column=gold)"),
    (lambda: scorers.equals("gold"), "equals(gold)"),
    (lambda: scorers.contains(column="gold"), "contains(column=gold)"),
    (lambda: scorers.tool_sequence(), "tool_sequence()"),
]
TAKES_A_TEXT = [
    scorers.equals,
    scorers.contains,
    scorers.starts_with,
    scorers.ends_with,
    scorers.similar_to,
    scorers.exact,
    scorers.edit_distance,
    scorers.rouge_l,
    scorers.chrf,
    scorers.similar_meaning,
    scorers.number_close,
]
# rule -> its version, where it judges otherwise than when it was first made
RAISED = {"number_close": "2"}  # reads decimal commas
by_name = pytest.mark.parametrize("make", TAKES_A_TEXT, ids=lambda make: make.__name__)


def value(scorer: Rule, output: str) -> float:
    found = scorers.try_out(scorer, output, **ROW).value
    assert found is not None
    return float(found)


@pytest.mark.parametrize(("make", "name"), RECORDED, ids=[name for _, name in RECORDED])
def test_recorded_names_stay(make: Callable[[], Rule], name: str) -> None:
    """Old scores are found by them, and what is declared from a recorded scorer is that scorer."""
    scorer = make()
    assert (scorer.name, scorer.version) == (name, RAISED.get(name.partition("(")[0], "1"))
    text = text_of(scorer)
    assert text is not None or "lexical" in name  # `by` is for the name alone
    again = scorer_of(text) if text is not None else scorer
    assert (again.name, again.version, again.needs) == (scorer.name, scorer.version, scorer.needs)


@by_name
def test_a_text_is_that_text(make: Callable[..., Rule]) -> None:
    """Whatever the row says; no column is needed, and the text is known where a column has its
    name.
    """
    scorer = make("9 red dogs")
    assert scorer.needs == ()
    assert (value(scorer, "9 red dogs"), value(scorer, "7 blue cats") < 1) == (1.0, True)
    assert [text for text, _ in scorer.texts] == ["9 red dogs"]
    short = make("9") if make is not scorers.similar_meaning else scorer
    text = text_of(short)
    assert text is not None or short is scorer
    assert text is None or scorer_of(text).name == short.name


@by_name
def test_a_column_is_this_row_s_value(make: Callable[..., Rule]) -> None:
    """And it is needed before anything runs."""
    scorer = make(column="gold")
    assert scorer.needs == ("gold",)
    assert (value(scorer, "9 red dogs"), value(scorer, "7 blue cats") < 1) == (1.0, True)
    assert scorer.name != make("gold" if make is not scorers.number_close else "9").name


@by_name
def test_without_either_the_golden_answer_is_meant(make: Callable[..., Rule]) -> None:
    """The column `expected`."""
    scorer = make()
    assert scorer.needs == ("expected",)
    assert (value(scorer, "7 blue cats"), value(scorer, "9 red dogs") < 1) == (1.0, True)


@pytest.mark.parametrize("name", sorted({*COLUMN_FIRST, "equals"} - {"instructions"}))
def test_the_name_of_the_golden_column_is_not_a_text(name: str) -> None:
    """It was a column in 0.1, so that it is refused with both ways out, never read as a word."""
    with pytest.raises(ScorerError, match="that very word"):
        getattr(scorers, name)("expected")
    with pytest.raises(ScorerError, match="name of a column"):
        getattr(scorers, name)(column="") if name != "equals" else scorers.exact(column="")


@pytest.mark.parametrize("name", sorted(COLUMN_FIRST))
def test_what_format_1_declared_is_read_as_it_was_meant(name: str) -> None:
    """A first text is a column there, nested ones too; from format 2 on it is the text."""
    asked = getattr(scorers, name)(column="gold")
    assert scorer_of(f"{name}('gold')", form=1).name == asked.name
    assert scorer_from({"name": name, "args": ["gold"]}, form=1).needs == asked.needs
    assert scorer_of(f"not_({name}('gold'))", form=1).needs == asked.needs
    assert scorer_of(f"{name}(column='gold')", form=1).name == asked.name
    if name not in ("instructions", "number_close"):
        assert scorer_of(f"{name}('gold')").needs == ()
        assert scorer_from({"name": name, "args": ["gold"]}).needs == ()


def test_a_fixed_number() -> None:
    """42, "42" and "$42" alike; a text without a number is refused when the scorer is built."""
    for wanted in (42, 42.0, "42", "$42"):
        assert value(scorers.number_close(wanted), "It is 42.") == 1.0
        assert value(scorers.number_close(wanted), "It is 43.") == 0.0
    with pytest.raises(ScorerError, match="there is no number"):
        scorers.number_close("total")


def test_a_list_of_tools_may_be_in_any_column() -> None:
    """Its name says which."""
    scorer = scorers.tool_sequence(column="steps")
    assert (scorer.name, scorer.needs) == ("tool_sequence(column=steps)", ("steps",))
    assert scorers.tool_sequence("search").needs == ()


def test_a_field_of_a_fixed_text() -> None:
    """The part at the path of both."""
    scorer = scorers.similar_to('{"a": "x", "b": "y"}', field="a")
    assert value(scorer, '{"a": "x"}') == 1.0
    missing = scorers.try_out(scorers.similar_to('{"b": 1}', field="a"), '{"a": "x"}', **ROW)
    assert missing.value is None
    assert "no such field in the text that it was given" in str(missing.unscored)


@pytest.mark.parametrize("empty", [[], [None], ()], ids=repr)
@pytest.mark.parametrize(
    "scorer",
    [equals(), exact(), contains(), starts_with(), ends_with(), answer_after("Answer:")],
    ids=str,
)
def test_an_empty_golden_list_is_no_golden_answer(scorer: Any, empty: Any) -> None:
    """Nothing is right where nothing is named: unscored, not 0."""
    found = try_out(scorer, "Answer: yes", expected=empty)
    assert (found.value, found.passed) == (None, None)
    assert "missing" in str(found.unscored)


@pytest.mark.parametrize("scorer", [contains(), starts_with(), ends_with()], ids=str)
@pytest.mark.parametrize("empty", ["", " ", [""], ["", None]], ids=repr)
def test_an_empty_golden_text_is_not_in_every_answer(scorer: Any, empty: Any) -> None:
    assert try_out(scorer, "yes", expected=empty).value is None
    assert try_out(scorer, "yes", expected=["", "yes"]).value == 1.0


def test_an_empty_list_may_be_what_json_is_to_hold() -> None:
    """A golden [] of an extraction: the answer [] is right, another list is wrong."""
    assert try_out(equals(), "[]", expected=[]).passed
    assert try_out(equals(), '["x"]', expected=[]).value == 0.0
    assert try_out(json_equals(), "[]", expected=[]).passed


@pytest.mark.parametrize(
    "made", [scorers.similar_meaning, scorers.similar_to, equals, exact, json_equals]
)
@pytest.mark.parametrize("value", [len, scorers.equals(), {1}, b"yes", re.compile("a")])
def test_what_is_no_value_is_not_compared_as_its_text(made: Any, value: object) -> None:
    """An embedder in the text's place would be the text that every answer is compared with."""
    with pytest.raises(ScorerError, match="to compare with"):
        made(value)
