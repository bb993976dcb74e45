"""The checks of a row: the scorers' own names as text, a threshold, a negation, the row's columns;
never code (S16).
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptops.dataset.example import Example
from promptops.engine.scorer_needs import check_needs
from promptops.errors import ScorerError
from promptops.score import Score
from promptops.scorers import checks, contains, try_out
from promptops.scorers.row_checks import parsed


def judge(check: str | list[str], output: str, **columns: Any) -> Score:
    found = try_out(
        checks(), output, checks=[check] if isinstance(check, str) else check, **columns
    )
    assert isinstance(found, Score)
    return found


TABLE = [
    ("contains: refund", "a refund", {}, True),
    ("contains: refund", "nothing", {}, False),
    ("not contains: refund", "nothing", {}, True),
    ("not contains: refund", "a refund", {}, False),
    ("contains(ignore_case=false): Refund", "a refund", {}, False),
    ("contains: {{name}} Street", "12 High Street", {"name": "High"}, True),
    ("contains: {{ name }}", "Low", {"name": "High"}, False),
    ("contains: a: b, c", "see a: b, c", {}, True),
    ("contains_any: refund, money back", "your money back", {}, True),
    ('contains_all: ["a, b", "c"]', "a, b and c", {}, True),
    ("contains_any: {{words}}", "it is b", {"words": ["a", "b"]}, True),
    ("one_of: yes, no", "Yes", {}, True),
    ("starts_with: Dear", "Dear Ms Lee", {}, True),
    ("ends_with: !", "Bye!", {}, True),
    (r"matches: ^\d{3}$", "123", {}, True),
    (r"matches(whole=true): \d+", "12a", {}, False),
    ("word_count <= 3", "one two three", {}, True),
    ("word_count < 3", "one two three", {}, False),
    ("word_count >= 2", "one", {}, False),
    ("word_count == 1", "one", {}, True),
    ("length > 3", "abcd", {}, True),
    ("json_valid", "{}", {}, True),
    ("not json_valid", "{}", {}, False),
    ("json_has: user.id", '{"user": {"id": 1}}', {}, True),
    ('json_schema: {"type": "array"}', "[]", {}, True),
    ("json_equals", '{"a": 1}', {"expected": {"a": 1}}, True),
    ("json_equals >= 0.5", '{"a": 1, "b": 3}', {"expected": {"a": 1, "b": 2}}, True),
    ("equals", "Paris", {"expected": "Paris"}, True),
    ("equals: Paris", "Paris", {}, True),
    ("equals: {{city}}", "Paris", {"city": "Paris"}, True),
    ("equals: {{total}}", "7", {"total": 7}, True),
    ("similar_to >= 0.8: {{expected}}", "abcd", {"expected": "abcd"}, True),
    ("not similar_to >= 0.8: {{expected}}", "abcd", {"expected": "abcd"}, False),
    ("similar_to(by=token_set) >= 0.9: b a", "a b", {}, True),
    ("edit_distance <= 1: abcd", "abcx", {}, True),
    ("edit_distance <= 1: abcd", "abxx", {}, False),
    ("exact: the answer", "Answer!", {}, True),
    ("number_close: 42", "It is 42.0", {}, True),
    ("number_close(within=0.5): {{expected}}", "42.4", {"expected": 42}, True),
    ("choice: B", "The answer is (B).", {}, True),
    ('answer_after(marker="So it is"): 5', "So it is 5.", {}, True),
    ("mentions: refund", "refunded", {}, True),
    ("not mentions: Globex", "Try Globex", {}, False),
    ("never_mentions: Globex", "Acme", {}, True),
    ("refuses", "I'm sorry, but I can't help with that.", {}, True),
    ("does_not_refuse", "Sure.", {}, True),
    ("no_pii", "call 415-555-2671", {}, False),
    ("no_pii: email", "call 415-555-2671", {}, True),
    ("finish_reason: stop, tool_calls", "", {"run": {"finish_reason": "stop"}}, True),
    ("latency_below: 2000", "", {"run": {"latency_ms": 100.0}}, True),
    ("cost_below: 0.01", "", {"run": {"cost_usd": 0.5}}, False),
    ("tokens_below(count=total): 10", "", {"run": {"tokens_in": 5, "tokens_out": 4}}, True),
    ("tool_called: search", "", {"run": {"tool_calls": '[{"name": "search"}]'}}, True),
    (
        "tool_sequence: search, book",
        "",
        {"run": {"tool_calls": '[{"name": "search"}, {"name": "book"}]'}},
        True,
    ),
    ("instruction: punctuation:no_comma", "none", {}, True),
    ('instruction: keywords:existence {"keywords": ["refund"]}', "refund", {}, True),
    ('instruction(loose=true): startend:end_checker {"end_phrase": "bye"}', "Bye\nmore", {}, True),
    (
        'instruction: keywords:existence {"keywords": ["{{word}}"]}',
        "refund",
        {"word": "refund"},
        True,
    ),
    ("similar_meaning >= 0.9: the cat", "The cat.", {}, True),
    ("rouge_l >= 0.5: the cat sat", "the cat", {}, True),
    ("chrf >= 0.9: the cat", "the cat", {}, True),
]


@pytest.mark.parametrize(
    ("check", "output", "given_", "holds"), TABLE, ids=lambda value: str(value)[:50]
)
def test_table(check: str, output: str, given_: dict[str, Any], holds: bool) -> None:
    """A check is read as documented, and gives what the scorer of its name gives."""
    found = judge(check, output, **given_)
    assert found.passed is holds
    assert found.value == float(holds)
    assert bool(found.reason) is not holds


def test_several_checks() -> None:
    """The value is the share that holds; passed where all do; the reason names those that
    failed.
    """
    found = judge(["contains: a", "word_count <= 1", "json_valid"], "a b")
    assert found.value == pytest.approx(1 / 3)
    assert (found.passed, found.raw_value, found.unit) == (False, 1.0, "of 3")
    assert found.reason.startswith(
        "word_count <= 1 (has 2 words, expected at most 1); json_valid (not JSON"
    )


def test_rows_that_cannot_be_decided_are_unscored() -> None:
    """A row without checks, without a column or golden value of one, or with an unknown figure is
    named.
    """
    assert judge([], "a").unscored == "missing checks: example 'tried' has none"
    assert (
        judge("contains: {{nope}}", "a").unscored
        == "missing nope: example 'tried' has no such column for \"contains: {{nope}}\""
    )
    assert (
        judge("equals", "a").unscored
        == "equals: missing expected: example 'tried' has no golden answer"
    )
    assert (
        judge("cost_below: 1", "a").unscored
        == "cost_below: 1: missing cost_usd: it is not known of this run"
    )


WRONG = [
    "",
    "contian: refund",
    "contains",
    "contains:",
    "contains = 3: a",
    "contains(column=secret): a",
    "contains(nope=1): a",
    "word_count",
    "word_count: 5",
    "word_count <= 2.5",
    "word_count <= x",
    "similar_to <= 0.5: a",
    "similar_to >= 2: a",
    "json_valid: x",
    "json_schema: {broken",
    'json_schema: {"type": "nope"}',
    "matches: (",
    "latency_below: fast",
    "latency_below: -1",
    "instruction: nope",
    "instruction: keywords:existence",
    "rubric: is it good",
    "similar_meaning(embedder=x): a",
    "__import__('os').system('true')",
    "lambda: 1",
    "eval: 1+1",
    "contains: a; import os" * 5_000,
    "not not contains: a",
    "Contains: a",
]


@pytest.mark.parametrize("check", WRONG, ids=lambda check: check[:40])
def test_wrong_checks_are_said_before_a_study(check: str) -> None:
    """What is not a check is refused with the row's name before anything is asked; nothing in it
    ever runs.
    """
    with pytest.raises(ScorerError):
        parsed(check)
    if check:
        with pytest.raises(ScorerError, match="example 'row 3'"):
            check_needs([checks()], [Example("row 3", {}, None, checks=(check,))])


def test_checks_are_held_against_the_columns() -> None:
    """A column that the row has not is named before a study; a near miss of a name is offered."""
    with pytest.raises(
        ScorerError, match="names the column 'nam', which that row has not; its columns are name"
    ):
        check_needs([checks()], [Example("a", {"name": "x"}, None, checks=("contains: {{nam}}",))])
    with pytest.raises(ScorerError, match="did you mean 'contains'"):
        parsed("contian: a")
    assert (
        check_needs(
            [checks(), contains("a")],
            [Example("a", {"name": "x"}, None, checks=("contains: {{name}}",))],
        )
        == []
    )
    [said] = check_needs(
        [checks()], [Example("a", {}, None, checks=("json_valid",)), Example("b", {})]
    )
    assert said.startswith("1 of 2 examples (first: 'b') have no value in the column 'checks'")


@pytest.mark.parametrize(
    "value",
    ["{{secret}}", "not contains: x", "a\nb: c", "') or True or ('", '"]', "$(id)", "\ud800"],
)
def test_values_of_columns_are_never_read_as_checks(value: str) -> None:
    """Whatever a column holds is text to look for, and nothing else."""
    assert judge("contains: {{text}}", f"xx {value} yy", text=value, secret="s").passed
    assert not judge("contains: {{text}}", "yy", text=value, secret="yy").passed


@given(st.text())
def test_any_text_is_a_check_or_refused(text: str) -> None:
    """Any text is read or refused with ScorerError."""
    try:
        parsed(text)
    except ScorerError:
        return


def test_the_scorer_itself() -> None:
    """Its name and version never depend on the rows: what a row asks is part of the row's
    fingerprint.
    """
    assert (checks().name, checks().version, checks().needs) == ("checks", "1", ("checks",))
    one, two = (
        Example("a", {}, None, checks=("json_valid",)),
        Example("a", {}, None, checks=("refuses",)),
    )
    assert one.fingerprint != two.fingerprint
