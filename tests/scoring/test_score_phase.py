"""The score phase: every case meets every scorer, each pair ends in a score or in the reason why
there is none.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import sys
import threading
import time
import warnings
from dataclasses import replace
from typing import Any

import pytest

from promptops.dataset.example import Example
from promptops.engine.scorer_needs import check_needs
from promptops.errors import ScorerError
from promptops.failure_classes import FAILURES
from promptops.run import Run
from promptops.score import Score
from promptops.scorers import (
    Case,
    any_of,
    contains,
    equals,
    json_has,
    json_schema,
    json_valid,
    scorer,
    similar_to,
    tool_arguments,
    tool_called,
    tool_sequence,
)
from promptops.scorers.rule import rule
from promptops.scoring.score_phase import Judgement, ScorePhase
from promptops.scoring.score_rows import blocks, row


def case(output: str = "hello", expected: Any = "hello", *, id: str = "e1", **run: Any) -> Case:
    example = Example(id, {"q": "?"}, expected)
    made = Run(
        f"r-{id}",
        "k1:1",
        "p",
        "p1-a",
        "m",
        "scripted",
        "model",
        id,
        example.fingerprint,
        0,
        "{}",
        output,
    )
    return Case(output, example, replace(made, **run))


def test_blocks_say_what_the_judgements_say_one_by_one() -> None:
    """Also of scorers that give several verdicts, or one with a name, that fail, that need what the
    row has not, and of runs that failed; and each pair counts as judged.
    """

    def several(judged: Case) -> list[Score]:
        count = 1 + len(judged.output) % 2
        return [Score(1.0, True, name=f"verdict {n}") for n in range(count)]

    def named(judged: Case) -> Score:
        return Score(0.5, name="one")

    def fails(judged: Case) -> Score:
        if judged.output == "hello":
            raise ValueError("no")
        return Score(0.25)

    rules = [equals(), contains("ell"), json_has("a"), equals(column="gone")]
    functions = (several, named, fails)
    rules += [rule(each.__name__, "assertion", each) for each in functions]
    cases = [
        case(id="e1"),
        case("bye", id="e2"),
        case('{"a": 1}', None, id="e3"),
        case("", id="e4", failure="refusal"),
        case("", id="e5", failure="auth"),
    ]
    phase, other = ScorePhase(rules), ScorePhase(rules)
    found = [block.columns() for block in phase.score_blocks(cases)]
    wanted = [block.columns() for block in blocks(other.score(cases))]
    for each in (*found, *wanted):
        del each["scored_at"]

    def named_so(columns: dict[str, object]) -> str:
        return str(columns["scorer"])

    assert sorted(found, key=named_so) == sorted(wanted, key=named_so)
    assert phase.judged == other.judged == len(rules) * len(cases)
    assert phase.score_blocks([]) == []


def test_outcomes_of_a_block_are_those_of_its_scores() -> None:
    """Passed as 0 or 1 where there is a threshold, else the value; None for what is unscored."""
    scores = [Score(0.4, True), Score(0.6, False), Score(0.3), Score.none("missing expected")]
    cases = [case(id=f"e{number}") for number in range(len(scores))]
    [block] = blocks(zip(cases, [equals()] * len(scores), scores, strict=True))
    assert block.outcomes == [score.outcome for score in scores] == [1.0, 0.0, 0.3, None]


def test_blocks_hold_the_rows_of_their_own_cases() -> None:
    """Whether the scorers judged the same cases, equal ones, or others."""
    one, other, both = equals(), contains("ell"), contains("o")
    cases = [case(id=f"e{number}") for number in range(3)]
    twin = replace(cases[0], run=replace(cases[0].run, id="r-twin"))
    judgements: list[Judgement] = [
        *((each, one, Score(1.0)) for each in cases),
        *((each, other, Score(0.5)) for each in (twin, *cases[1:])),
        *((each, both, Score(0.0)) for each in (twin, cases[2])),
    ]
    found = {block.name: block.columns()["run_id"] for block in blocks(judgements)}
    assert found == {
        one.name: ["r-e0", "r-e1", "r-e2"],
        other.name: ["r-twin", "r-e1", "r-e2"],
        both.name: ["r-twin", "r-e2"],
    }


def gather(phase: ScorePhase, cases: list[Case]) -> list[Judgement]:
    async def run() -> list[Judgement]:
        return [judgement async for judgement in phase.score_async(cases)]

    return asyncio.run(run())


def test_every_pair_once() -> None:
    """Inline scorers judge case by case in order; remote ones judge each case once, in any
    order.
    """

    @scorer
    def mine(output: str) -> bool:
        return bool(output)

    cases = [case(id=f"e{number}") for number in range(100)]
    phase = ScorePhase([equals(), mine, contains("ell")])
    found = [(judged.example.id, by.name) for judged, by, _ in phase.score(cases)]
    assert found == [
        (f"e{number}", name)
        for number in range(100)
        for name in ("equals(expected)", "contains(ell)")
    ]
    remote = gather(phase, cases)
    assert sorted(judged.example.id for judged, _, _ in remote) == sorted(
        judged.example.id for judged in cases
    )
    assert all(score == Score(1.0, True) for _, _, score in remote)


def test_rows() -> None:
    """A row carries the run, the fingerprint of the example that it was judged by, and the whole
    score.
    """

    @scorer
    def several(output: str) -> dict[str, Any]:
        return {"length": 0.5, "tone": "kind"}

    one, other = case(), case(expected="other", id="e2")
    rows = list(ScorePhase([equals()]).rows([one, other]))
    assert [found["example_fingerprint"] for found in rows] == [
        one.example.fingerprint,
        other.example.fingerprint,
    ]
    assert [found["value"] for found in rows] == [1.0, 0.0]
    assert set(rows[0]) == {
        *(
            "run_id",
            "example_fingerprint",
            "scorer",
            "scorer_version",
            "value",
            "passed",
            "raw_value",
            "unit",
            "reason",
        ),
        *("unscored", "category", "scored_at", "judged_by"),
    }

    async def run() -> list[dict[str, Any]]:
        return [found async for found in ScorePhase([several]).rows_async([one])]

    later = asyncio.run(run())
    assert [found["scorer"] for found in later] == ["several/length", "several/tone"]
    assert later[1]["category"] == "kind"
    assert (
        row(one, equals(), Score(1.0), "2026-01-01T00:00:00.000000")["scored_at"]
        == "2026-01-01T00:00:00.000000"
    )


@pytest.mark.parametrize("failure", FAILURES)
def test_failure_classes(failure: str) -> None:
    """Infrastructure failures stay unscored; a model's own failure fails without asking; who judges
    failures is asked. An answer of another form than was asked for is an answer: everybody judges
    it.
    """
    asked = rule("asked", "assertion", lambda _: Score(0.75), judges_failures=True)
    found = {
        by.name: score
        for _, by, score in ScorePhase([equals(), asked]).score([case("", failure=failure)])
    }
    if failure in ("invalid_json", "schema_mismatch", "tool_error"):
        assert found["equals(expected)"].reason == 'answered "", expected "hello"'
        assert found["asked"] == Score(0.75)
    elif FAILURES[failure] == "outcome":
        who = "the example did not render" if failure == "render_error" else "the model failed"
        assert found["equals(expected)"] == Score(0.0, False, reason=f"{who}: {failure}")
        assert found["asked"] == Score(0.75)
    else:
        assert found["equals(expected)"] == found["asked"] == Score.none(failure)


def test_an_answer_of_another_form_is_judged_by_what_it_says() -> None:
    """Prose where JSON was asked for: scorers of text look at it, scorers of JSON say what is
    wrong, parts of a composition too.
    """
    said = case('Sure! {"a": 1}', failure="invalid_json", failure_detail="the answer is not JSON")
    scorers = [
        contains("Sure"),
        json_valid(),
        json_has("a"),
        json_schema({"type": "object"}),
        any_of(json_valid(), contains("Sure")),
    ]
    values = {by.name: score for _, by, score in ScorePhase(scorers).score([said])}
    assert [score.value for score in values.values()] == [1.0, 0.0, 0.0, 0.0, 1.0]
    assert all("not JSON" in score.reason for score in list(values.values())[1:4])
    other = case('{"a": "x"}', failure="schema_mismatch")
    [(_, _, good), (_, _, bad)] = ScorePhase(
        [json_valid(), json_schema({"properties": {"a": {"type": "integer"}}})]
    ).score([other])
    assert (good.value, bad.value) == (1.0, 0.0)
    assert bad.reason.startswith('a: "x" is not of type')


def test_calls_that_cannot_be_carried_out_fail_the_scorers_of_calls() -> None:
    """tool_error: whatever the call's name, with the reason; a scorer of the text beside it judges
    the text.
    """
    call = '[{"type":"function","function":{"name":"search","arguments":"{"}}]'
    broken = case(
        "hello",
        failure="tool_error",
        failure_detail="call 1 (search): its arguments are not JSON",
        tool_calls=call,
    )
    found = ScorePhase(
        [
            tool_called("search"),
            tool_arguments("search", {"q": 1}),
            tool_sequence("search"),
            equals(),
        ]
    ).score([broken])
    scores = [score for _, _, score in found]
    assert [score.value for score in scores] == [0.0, 0.0, 0.0, 1.0]
    assert {score.reason for score in scores[:3]} == {
        "tool_error: call 1 (search): its arguments are not JSON"
    }
    [(_, _, whole)] = ScorePhase([tool_called("search")]).score([case("hello", tool_calls=call)])
    assert whole.value == 1.0


def test_a_users_function_that_cannot_read_such_an_answer_fails_it() -> None:
    """json.loads of what is not JSON is its verdict, not an accident; on an answer without a
    failure it is one, and so is a bug.
    """

    @scorer
    def read(output: str) -> bool:
        return bool(json.loads(output))

    @scorer
    def bug(output: str) -> bool:
        raise RuntimeError("out of order")

    def judge(judged: Case, by: Any) -> Score:
        return gather(ScorePhase([by]), [judged])[0][2]

    broken = case("no JSON", failure="invalid_json")
    assert judge(broken, read).value == 0.0
    assert judge(broken, read).reason.startswith("the model failed: invalid_json (JSONDecodeError")
    assert str(judge(case("no JSON"), read).unscored).startswith("scorer_error: JSONDecodeError")
    assert str(judge(broken, bug).unscored).startswith("scorer_error: RuntimeError")


def test_missing_golden_is_named() -> None:
    """A row without what the scorer needs is unscored: row and column are named; so is a missing
    reference run.
    """
    [(_, _, score)] = ScorePhase([equals()]).score([case(expected=None, id="row 7")])
    assert (
        score.unscored == "missing expected: example 'row 7' has no value in the column 'expected'"
    )
    against = rule("same", "regression", lambda _: Score(1.0), against="p1-0123456789abcdef")
    [(_, _, score)] = ScorePhase([against]).score([case()])
    assert score.unscored == "missing reference: example 'e1' has no run of version p1-01234567"


def test_a_crash_costs_its_own_row() -> None:
    """A scorer that raises, or gives no Score, leaves its row unscored with the reason; all others
    are judged.
    """
    texts = {
        "e1": ValueError("boom \ud800"),
        "e2": RecursionError("deep"),
        "e3": MemoryError(),
        "e4": "no score",
    }

    def body(judged: Case) -> Any:
        error = texts[judged.example.id]
        if isinstance(error, Exception):
            raise error
        return error

    def user(output: str, example: Example) -> Any:
        error = texts[example.id]
        if isinstance(error, Exception):
            raise error
        return object()

    cases = [case(id=name) for name in texts]
    inline = [
        score
        for _, by, score in ScorePhase([rule("bad", "assertion", body), equals()]).score(cases)
    ]
    assert all(score.unscored.startswith("scorer_error: ") for score in inline[::2])  # type: ignore[union-attr]
    assert inline[1::2] == [Score(1.0, True)] * 4
    assert "boom ?" in str(inline[0].unscored)
    for _, _, score in gather(ScorePhase([scorer(user)]), cases):
        assert str(score.unscored).startswith("scorer_error: ")
        str(score.unscored).encode("utf-8")


def test_a_hang_costs_its_own_row() -> None:
    """A scorer that hangs is cut off after its time; other rows and other scorers are judged, at
    once.
    """

    @scorer
    def hangs(output: str) -> bool:
        while output == "hang":
            time.sleep(0.01)
        return True

    @scorer
    async def waits(output: str) -> bool:
        await asyncio.sleep(60 if output == "hang" else 0)
        return True

    cases = [case("hang" if number == 3 else "x", id=f"e{number}") for number in range(8)]
    started = time.monotonic()
    found = gather(ScorePhase([hangs, waits], timeout_s=0.5), cases)
    assert time.monotonic() - started < 20
    assert len(found) == 16
    for judged, _, score in found:
        if judged.example.id == "e3":
            assert "took longer than 0.5 s and was cut off" in str(score.unscored)
        else:
            assert score.passed


def test_a_scorer_that_always_hangs_is_not_called_for_ever() -> None:
    """After three calls in a row that had to be cut off, a scorer is not called again."""

    @scorer
    def hangs(output: str) -> bool:
        while True:
            time.sleep(0.01)

    started = time.monotonic()
    found = gather(
        ScorePhase([hangs], timeout_s=0.3), [case(id=f"e{number}") for number in range(50)]
    )
    assert time.monotonic() - started < 20
    assert [("not called" in str(score.unscored)) for _, _, score in found].count(True) >= 40


def test_what_does_not_stop_is_said() -> None:
    """A call that waits in a C function cannot be stopped: it is named in a warning, and nothing
    waits for it.
    """
    release = threading.Event()

    @scorer
    def stuck(output: str) -> bool:
        release.wait(60)
        return True

    with pytest.warns(RuntimeWarning, match="1 call\\(s\\) of stuck did not stop"):
        found = gather(ScorePhase([stuck], timeout_s=0.2), [case()])
    release.set()
    assert "cut off" in str(found[0][2].unscored)


def test_judges_wait_in_this_loop() -> None:
    """A rule of kind judge is awaited beside the others, with `ask` handed in."""

    async def ask(version: Any, values: Any, repeat: int) -> Run:
        await asyncio.sleep(0.01)
        return case("yes").run

    async def verdict(judged: Case) -> Score:
        assert judged.ask is not None
        answer = await judged.ask(None, {}, 0)  # type: ignore[arg-type]
        return Score(1.0, True, reason=answer.output or "")

    judge = rule("judge", "judge", verdict, remote=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = gather(
            ScorePhase([judge], ask=ask), [case(id=f"e{number}") for number in range(20)]
        )
    assert len(found) == 20
    assert all(score.reason == "yes" for _, _, score in found)


def test_names_must_differ() -> None:
    """Two scorers of one name could not be distinguished in the table."""
    with pytest.raises(ScorerError, match="two scorers are called"):
        ScorePhase([equals(), equals()])
    ScorePhase([equals(), equals().named("again")])


def test_check_needs() -> None:
    """What rows lack is reported before anything is asked: a warning where some do, an error with a
    guess where all do.
    """
    rows = [Example("a", {"Golden Answer": "x", "q": 1}, "y"), Example("b", {"q": 1})]
    assert check_needs([contains("a")], rows) == []
    [said] = check_needs([equals()], rows)
    assert said.startswith(
        "1 of 2 examples (first: 'b') have no value in the column 'expected'; equals(expected)"
    )
    with pytest.raises(ScorerError, match="did you mean 'q'"):
        check_needs([similar_to(column="Q")], rows)
    with pytest.raises(ScorerError, match="did you mean 'Golden Answer'"):
        check_needs([equals()], [Example("a", {"Golden Answer": "x"})])


def test_an_async_scorer_that_blocks_on_one_example_costs_that_one() -> None:
    """Eleven of twelve are scored, and so are all of another async scorer that shared the loop; the
    reason is the row's own.
    """

    @scorer
    async def slow(example: Any) -> bool:
        await asyncio.sleep(0.01)
        if example.id == "e3":
            time.sleep(4)
        return True

    @scorer
    async def beside(output: str) -> bool:
        await asyncio.sleep(0.01)
        return True

    with pytest.warns(RuntimeWarning, match=r"1 call\(s\) of slow did not stop"):
        found = gather(
            ScorePhase([slow, beside], timeout_s=0.6),
            [case(id=f"e{number}") for number in range(12)],
        )
    unscored = [
        (judged.example.id, by.name, score.unscored)
        for judged, by, score in found
        if score.value is None
    ]
    assert len(found) == 24
    assert unscored == [
        ("e3", "slow", "scorer_error: TimeoutError: took longer than 0.6 s and was cut off")
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="usleep is of the C library elsewhere")
def test_a_scorer_that_keeps_the_interpreter_is_named() -> None:
    """Nothing in this process can cut it off; that it stopped everything, and for how long, is
    reported at the end.
    """

    @scorer
    def keeps(output: str) -> bool:
        return ctypes.PyDLL(None).usleep(3_000_000) == 0

    with pytest.warns(
        RuntimeWarning,
        match="nothing else in this process could run for 3 s while keeps was called",
    ):
        [(_, _, score)] = gather(ScorePhase([keeps]), [case()])
    assert score.value == 1.0
