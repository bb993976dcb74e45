"""Scorers made of scorers: their logic, their names and versions, unknown kept unknown, and the
steps before a scorer.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptops.errors import ScorerError
from promptops.score import Score
from promptops.scorers import (
    after,
    all_of,
    answer_part,
    any_of,
    contains,
    equals,
    extract_json,
    finish_reason,
    gated_by,
    json_valid,
    last_line,
    length,
    not_,
    number_close,
    per_field,
    refuses,
    scorer,
    similar_to,
    strip_fences,
    strip_thinking,
    try_out,
    unchanged_from,
    weighted,
)
from promptops.scorers.rule import rule
from tests.quick import quick

YES, NO = (
    rule("yes", "assertion", lambda _: Score(1.0, True)),
    rule("no", "assertion", lambda _: Score(0.0, False, reason="because")),
)
HALF, UNKNOWN = (
    rule("half", "assertion", lambda _: Score(0.5)),
    rule("unknown", "assertion", lambda _: Score.none("not known")),
)
BARRED = HALF.named("barred").at_least(0.4)


def judge(made: Any, output: str = "", **given_: Any) -> Score:
    found = try_out(made, output, **given_)
    return found[0] if isinstance(found, list) else found


LOGIC = [
    (not_(YES), 0.0, False),
    (not_(NO), 1.0, True),
    (not_(HALF), 0.5, None),
    (not_(BARRED), 0.5, False),
    (not_(not_(YES)), 1.0, True),
    (all_of(YES, YES), 1.0, True),
    (all_of(YES, NO), 0.0, False),
    (all_of(YES, HALF), 0.5, False),
    (all_of(YES, BARRED), 0.5, True),
    (all_of(NO, UNKNOWN), 0.0, False),  # one that failed decides
    (any_of(NO, YES), 1.0, True),
    (any_of(NO, NO), 0.0, False),
    (any_of(NO, HALF), 0.5, False),
    (any_of(YES, UNKNOWN), 1.0, True),  # one that passed decides
    (weighted((YES, 3), (NO, 1)), 0.75, None),
    (weighted((YES, 1), (HALF, 1)).at_least(0.7), 0.75, True),
    (
        weighted(
            (HALF, 2),
        ),
        0.5,
        None,
    ),
    (gated_by(YES, HALF), 0.5, None),
    (gated_by(NO, YES, otherwise=0.0), 0.0, False),
]


@pytest.mark.parametrize(("made", "value", "passed"), LOGIC, ids=lambda value: str(value)[:40])
def test_logic(made: Any, value: float, passed: bool | None) -> None:
    """Values and verdicts are joined as documented."""
    found = judge(made)
    assert (found.value, found.passed) == (value, passed)


UNSCORED = [
    (not_(UNKNOWN), "not known"),
    (all_of(YES, UNKNOWN), "unknown: not known"),
    (any_of(NO, UNKNOWN), "unknown: not known"),
    (weighted((YES, 1), (UNKNOWN, 1)), "unknown: not known"),
    (gated_by(UNKNOWN, YES), "not known"),
    (gated_by(NO, YES), "the gate no did not pass: because"),
]


@pytest.mark.parametrize(("made", "why"), UNSCORED, ids=lambda value: str(value)[:40])
def test_unknown_stays_unknown(made: Any, why: str) -> None:
    """What the scored parts do not decide is unscored, with the reason of the part."""
    assert judge(made).unscored == why


@given(st.lists(st.sampled_from([YES, NO, HALF, UNKNOWN, BARRED]), min_size=2, max_size=5))
def test_de_morgan(parts: list[Any]) -> None:
    """not all = any not, wherever verdicts are known; values lie in [0, 1]."""
    one, two = judge(not_(all_of(*parts))), judge(any_of(*map(not_, parts)))
    if HALF not in parts:
        assert (one.value is None) is (two.value is None)
        assert one.passed is two.passed
    for score in (one, two, judge(weighted(*((part, 2) for part in parts)))):
        assert score.value is None or 0 <= score.value <= 1


def test_reasons_name_the_part() -> None:
    """A failed composition says which part failed, and why."""
    assert (
        judge(all_of(contains("a"), length(at_most=1)), "bb").reason
        == 'contains(a): does not hold "a"; length(at_most=1): has 2 characters, expected at most 1'
    )
    assert judge(not_(contains("a")), "a").reason == "contains(a) passed"


def test_what_a_composition_takes_over() -> None:
    """Needs, waiting, kind and reference are those of the parts; two references at once are
    refused.
    """

    @scorer
    def mine(output: str) -> bool:
        return True

    made = all_of(equals(), mine, similar_to(column="gold", at_least=0.5))
    assert made.needs == ("expected", "gold")
    assert (made.kind, made.remote, made.against) == ("user", True, None)
    assert all_of(unchanged_from("p1-a"), YES).against == "p1-a"
    with pytest.raises(ScorerError, match="two versions at once"):
        all_of(unchanged_from("p1-a"), unchanged_from("p1-b"))


def test_versions_follow_the_parts() -> None:
    """A changed part is another version of the composition; unchanged, plain parts keep version
    1.
    """

    def made(limit: int) -> Any:
        def short(output: str) -> bool:
            return len(output) < limit

        return all_of(short, contains("a"))

    assert made(3).name == made(4).name == "all_of(short, contains(a))"
    assert made(3).version == made(3).version
    assert made(3).version != made(4).version
    assert made(3).named("x").version != made(4).named("x").version
    assert all_of(contains("b"), contains("a")).version == "1"
    long = all_of(*(contains(letter * 40) for letter in "abcdef"))
    assert len(long.name) <= 160
    assert long.version != all_of(*(contains(letter * 40) for letter in "abcdeg")).version


def test_parts_that_wait_are_awaited() -> None:
    """Async parts work in every composition."""

    @scorer
    async def later(output: str) -> bool:
        return output == "a"

    for made in (
        all_of(later, YES),
        any_of(NO, later),
        not_(not_(later)),
        weighted((later, 1), (YES, 1)),
        gated_by(later, later),
        gated_by(YES, later),
    ):
        assert judge(made, "a").value == 1.0
    assert judge(after(last_line, later), "b\na").passed
    assert judge(per_field(x=later), '{"x": "a"}').passed


def test_answers_that_failed_by_the_models_doing() -> None:
    """A failed answer passes no part that does not judge failures, and never through a negation."""
    failed = {"run": {"failure": "refusal"}}
    assert not_(contains("a")).judges_failures is False
    assert any_of(refuses(), contains("a")).judges_failures is True
    assert judge(any_of(refuses(), contains("a")), "", **failed).passed
    assert (
        judge(all_of(refuses(), length(at_most=5)), "", **failed).reason
        == "length(at_most=5): the model failed: refusal"
    )
    assert judge(all_of(finish_reason(), YES), "", **failed).passed is False


PER_FIELD = per_field(total=number_close(), name=similar_to(at_least=0.5))


def test_per_field() -> None:
    """Each field has a verdict of its own, beside the mean; its golden value is the golden object's
    field.
    """
    golden = {"total": 10, "name": "Lee"}
    found = try_out(PER_FIELD, json.dumps({"total": "10.0 EUR", "name": "Lea"}), expected=golden)
    assert isinstance(found, list)
    assert [(score.name, score.value, score.passed) for score in found[1:]] == [
        ("total", 1.0, True),
        ("name", pytest.approx(2 / 3), True),
    ]
    assert found[0].value == pytest.approx(5 / 6)
    assert found[0].passed is True
    assert PER_FIELD.needs == ("expected",)


@pytest.mark.parametrize(
    ("output", "expected", "value", "why"),
    [
        ("no json", {"total": 10, "name": "Lee"}, 0.0, "not JSON"),
        ('{"total": 10}', {"total": 10, "name": "Lee"}, 0.5, "no field name"),
        (
            '{"total": 10, "name": "Lee"}',
            {"total": 10},
            None,
            "missing name: example 'tried' has no such field in 'expected'",
        ),
        ('{"total": 10, "name": "Lee"}', "text", None, "missing total"),
    ],
)
def test_per_field_without_the_field(
    output: str, expected: Any, value: float | None, why: str
) -> None:
    """A missing field fails where the answer lacks it, and is unscored if the golden object
    does.
    """
    found = judge(PER_FIELD, output, expected=expected)
    assert found.value == value
    assert why in (found.reason or str(found.unscored))


def test_per_field_by_path() -> None:
    """Fields may be paths, and scorers without a golden value need none."""
    assert judge(per_field(**{"user.tags[0]": contains("a")}), '{"user": {"tags": ["ab"]}}').passed


ANALYSIS = '<|channel|>analysis<|message|>{"a": 0}<|end|>'
FINAL = "<|channel|>final"
TRANSFORMS = [
    (strip_fences, '```json\n{"a": 1}\n```', '{"a": 1}'),
    (strip_fences, "~~~\nx\ny\n~~~\n", "x\ny"),
    (strip_fences, "  plain ", "plain"),
    (strip_fences, "before ```\nx\n```", "before ```\nx\n```"),
    (strip_fences, "````\n```\nin\n```\n````", "```\nin\n```"),
    (extract_json, 'Sure: {"a": {"b": 1}} and more', '{"a": {"b": 1}}'),
    (extract_json, "first {not} then [1, 2]", "[1, 2]"),
    (extract_json, 'x {"a": 1}\n```json\n{"b": 2}\n```', '{"b": 2}'),
    (extract_json, "```\nno\n```\n[3]", "[3]"),
    (extract_json, "nothing", None),
    (extract_json, "{", None),
    (extract_json, 'a {"b": 0}?</think>\n{"b": 1}', '{"b": 1}'),
    (strip_thinking, "<think>\nLondon? no\n</think>\n\nParis", "Paris"),
    (strip_thinking, "London? no\n</think>\n\nParis", "Paris"),
    (strip_thinking, "<Thinking>x</THINKING> <think>y</think>Paris", "Paris"),
    (strip_thinking, "Write <think>so</think>.", "Write <think>so</think>."),
    (strip_thinking, "<think>hm</think>The tag </think> ends it", "The tag </think> ends it"),
    (strip_thinking, " as it is ", " as it is "),
    (strip_thinking, "<think>without an end", None),
    (strip_thinking, "[THINK]x[/THINK]Paris", "Paris"),
    (strip_thinking, "x[/THINK]Paris", "Paris"),
    (strip_thinking, "\u25c1think\u25b7x\u25c1/think\u25b7Paris", "Paris"),
    (strip_thinking, "<seed:think>x</seed:think >Paris", "Paris"),
    (strip_thinking, "<antThinking>x</antThinking>Paris", "Paris"),
    (strip_thinking, "<think>x</thinking>y</think>Paris", "Paris"),
    (strip_thinking, "<unused94>thought\nx<unused95>Paris", "Paris"),
    (strip_thinking, f"{ANALYSIS}<|start|>assistant{FINAL}<|message|>Paris<|return|>", "Paris"),
    (strip_thinking, f"{ANALYSIS}{FINAL} <|constrain|>json<|message|>[1]", "[1]"),
    (strip_thinking, ANALYSIS, None),
    (extract_json, f"{ANALYSIS}{FINAL}<|message|>" + '{"b": 1}', '{"b": 1}'),
    (last_line, "a\n\nb  \n\n", "b"),
    (last_line, " \n", None),
    (answer_part("total is"), "The total is **7**.", "7"),
    (answer_part(), "nothing", None),
]


@pytest.mark.parametrize(("step", "text", "wanted"), TRANSFORMS, ids=lambda value: str(value)[:30])
def test_transforms(step: Any, text: str, wanted: str | None) -> None:
    """Each step takes out what it says; what is not there makes the answer fail."""
    assert step(text) == wanted
    if wanted is None:
        assert (
            judge(after(step, YES), text).reason.endswith(
                f"found nothing in {text.strip()!r}".replace("'", '"')
            )
            or not text.strip()
        )
        assert judge(after(step, YES), text).passed is False


@given(st.text())
def test_transforms_take_any_text(text: str) -> None:
    """No step raises, and what extract_json gives is JSON."""
    for step in (strip_fences, last_line, answer_part("is")):
        step(text)
    found = extract_json(text)
    assert found is None or isinstance(json.loads(found), (dict, list))


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"' * 200_000,
        "{" * 2_000_000,
        "```\n" * 200_000,
        '{"a": "' + "x" * 5_000_000,
        "[1," * 300_000,
    ],
)
def test_bombs(text: str) -> None:
    """Text that opens and never closes takes a moment."""
    with quick(15):
        extract_json(text)
        strip_fences(text)


def shout(output: str) -> str:
    return output.upper()


def test_own_transforms() -> None:
    """A function of the text is a step too, versioned by its source; a lambda has no name and is
    refused.
    """
    made = after(shout, equals("A"))
    assert judge(made, "a").passed
    assert made.name == "after(shout, equals(A))"
    assert made.version != after(strip_fences, equals("A")).version
    with pytest.raises(ScorerError, match="that has a name"):
        after(lambda text: text, equals("A"))
    assert judge(after(strip_fences, json_valid()), "```\n{}\n```").passed


@pytest.mark.parametrize(
    "build",
    [
        lambda: all_of(YES),
        lambda: any_of(),
        lambda: all_of(YES, 3),
        lambda: not_(contains),
        lambda: weighted(),
        lambda: weighted((YES, 0)),
        lambda: weighted((YES, float("nan"))),
        lambda: weighted(YES, NO),  # type: ignore[arg-type]
        lambda: gated_by(YES, NO, otherwise=2),
        lambda: per_field(),
        lambda: answer_part(""),
    ],
)
def test_wrong_arguments(build: Any) -> None:
    """What cannot be composed is refused when it is built."""
    with pytest.raises(ScorerError):
        build()
