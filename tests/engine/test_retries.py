"""One question is asked until it is answered or given up, and every attempt leaves a row.

Time is injected, so waits take none.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterable
from typing import Any

import pytest

from promptops.engine.adaptive_concurrency import Pace
from promptops.engine.breaker import Breaker
from promptops.engine.budget import Budget
from promptops.engine.question import CallAllowance, Limits, Provenance, Question
from promptops.engine.retries import Caller, NotAsked
from promptops.engine.run_rows import RowBuilder
from promptops.errors import CallError, SetupError
from promptops.failure_classes import FAILURES
from promptops.models.protocol import Call, Reply
from promptops.models.scripted import ScriptedModel
from promptops.run import Attempt, Run
from tests.faults.server import JumpClock

REQUEST = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def caller(
    clock: JumpClock, limits: Limits | None = None, filing: RowBuilder | None = None, seed: int = 1
) -> Caller:
    limits = limits or Limits()
    budget = Budget(limits.budget_usd, limits.budget_tokens, limits.prices)
    return Caller(
        limits,
        Pace(clock),
        budget,
        Breaker("x"),
        filing=filing or RowBuilder(),
        clock=clock,
        rng=random.Random(seed),
    )


def question(model: Any, request: Any = None) -> Question:
    return Question(Call(request or REQUEST), model, "k1:1", "p", "p1-1", "m", "e1", "f1")


def ask(
    answers: Iterable[Any],
    *,
    limits: Limits | None = None,
    remote: bool = True,
    clock: JumpClock | None = None,
) -> tuple[Run, list[Attempt]]:
    who = caller(clock or JumpClock(), limits)
    return asyncio.run(who.ask(question(ScriptedModel(list(answers), remote=remote))))


def failing(failure: str, **more: Any) -> CallError:
    return CallError(f"it fails with {failure}.", failure=failure, **more)


@pytest.mark.parametrize(
    "failure", [name for name, kind in FAILURES.items() if kind == "transient"]
)
def test_transient_failures_are_tried_again(failure: str) -> None:
    """Two failures, then an answer: three attempts, all recorded in order, and the run is the
    answer's.
    """
    run, attempts = ask([failing(failure), failing(failure), "fine"])
    assert (run.output, run.failure, run.attempts) == ("fine", None, 3)
    assert [(attempt.number, attempt.failure) for attempt in attempts] == [
        (1, failure),
        (2, failure),
        (3, None),
    ]
    assert {attempt.run_id for attempt in attempts} == {run.id}


@pytest.mark.parametrize(
    "failure", [name for name, kind in FAILURES.items() if kind in ("setup", "stopped", "outcome")]
)
def test_everything_else_is_never_tried_again(failure: str) -> None:
    """One attempt, and the run ends in that class with the raw code beside it."""
    run, attempts = ask([failing(failure, code="400 some_code"), "never asked"])
    assert (run.failure, run.output, run.attempts, len(attempts)) == (failure, None, 1, 1)
    assert attempts[0].http_status == 400
    assert run.failure_detail is not None
    assert run.failure_detail.startswith("400 some_code: it fails")


def test_the_attempts_are_bounded() -> None:
    """Eight at most, by default; then the run is the last failure."""
    run, attempts = ask([failing("server_error")] * 20)
    assert (run.failure, run.attempts, len(attempts)) == ("server_error", 8, 8)
    assert len(ask([failing("server_error")] * 20, limits=Limits(max_attempts=3))[1]) == 3


def test_a_refusal_by_a_limiter_is_no_failed_attempt() -> None:
    """Where tokens are counted, a large question is refused more often than eight times while small
    ones pass: 27 of 800 had failed.
    """
    run, attempts = ask([*[failing("rate_limit", code="429")] * 12, "fine"])
    assert (run.failure, run.output, len(attempts)) == (None, "fine", 13)
    mixed = [failing("rate_limit"), failing("server_error")] * 20
    assert len(ask(mixed)[1]) == 16
    run, attempts = ask([failing("rate_limit", retry_after_s=1.0)] * 50)
    assert (run.failure, len(attempts)) == ("rate_limit", 32)


def test_a_retry_takes_from_the_calls_that_several_sweeps_may_send() -> None:
    """It is not sent where none is left; more are asked for first, one by one."""
    asked: list[int] = []

    def more(most: int) -> bool:
        asked.append(most)
        return most <= 3

    limits, fails = Limits(calls=CallAllowance(2, more)), failing("server_error")
    run, attempts = ask([fails, "fine"], limits=limits)
    assert (run.output, len(attempts), asked) == ("fine", 2, [])
    run, attempts = ask([fails, "never asked"], limits=limits)
    assert (run.failure, len(attempts), asked) == ("budget_stop", 1, [3, 4])
    with pytest.raises(NotAsked, match="all 3 calls"):
        ask(["never asked"], limits=limits)
    assert ask(["here"], limits=limits, remote=False)[0].output == "here"


def test_waits_are_full_jitter_from_one_to_sixty_seconds() -> None:
    """The wait before attempt n + 1 is even in [0, min(60, 2^(n-1))] seconds: over many calls its
    mean is half of that.
    """
    waits: dict[int, list[float]] = {}
    for seed in range(300):
        clock = JumpClock()
        who = caller(clock, Limits(deadline_s=None), seed=seed)
        asyncio.run(who.ask(question(ScriptedModel([failing("server_error")] * 8, remote=True))))
        for number, wait in enumerate(clock.slept):
            waits.setdefault(number, []).append(wait)
    for number in range(7):
        most = min(60.0, 2.0**number)
        assert max(waits[number]) <= most
        assert sum(waits[number]) / 300 == pytest.approx(most / 2, rel=0.15)


@pytest.mark.parametrize(
    ("asked_for", "least", "most"), [(0.0, 0.0, 0.1), (1.5, 1.5, 1.8), (30.0, 30.0, 31.1)]
)
def test_retry_after_is_honoured(asked_for: float, least: float, most: float) -> None:
    """The wait is what the server asked for, and a little more, so that not all come back in one
    moment.
    """
    clock = JumpClock()
    ask([failing("rate_limit", retry_after_s=asked_for), "fine"], clock=clock)
    assert len(clock.slept) == 1
    assert least <= clock.slept[0] <= most


def test_a_wait_beyond_the_deadline_is_not_begun() -> None:
    """Retry-After of 3,600 s under a deadline of 600 s gives up at once; without a deadline it is
    waited out.
    """
    clock = JumpClock()
    run, attempts = ask([failing("rate_limit", retry_after_s=3600.0), "fine"], clock=clock)
    assert (run.failure, len(attempts), clock.slept) == ("rate_limit", 1, [])
    clock = JumpClock()
    run, _ = ask(
        [failing("rate_limit", retry_after_s=3600.0), "fine"],
        limits=Limits(deadline_s=None),
        clock=clock,
    )
    assert run.output == "fine"
    assert 3600 <= clock.slept[0] < 3602
    assert run.latency_ms is not None
    assert run.latency_ms >= 3600e3


def test_the_deadline_bounds_all_attempts_together() -> None:
    """However many attempts are left, no wait ends after the deadline."""
    for seed in range(30):
        clock = JumpClock()
        began = clock.now()
        who = caller(clock, Limits(deadline_s=40.0, max_attempts=100), seed=seed)
        run, _ = asyncio.run(
            who.ask(question(ScriptedModel([failing("overloaded")] * 100, remote=True)))
        )
        assert run.failure == "overloaded"
        assert clock.now() - began <= 40.0


def test_an_attempt_that_takes_too_long_is_a_read_timeout() -> None:
    """timeout_s is of one attempt, in real time; the next attempt may answer."""

    class Slow:
        label, remote, asked = "slow", True, 0

        async def complete(self, call: Call) -> Reply:
            self.asked += 1
            if self.asked == 1:
                await asyncio.sleep(30)
            return Reply("fine")

    run, attempts = asyncio.run(caller(JumpClock(), Limits(timeout_s=0.05)).ask(question(Slow())))
    assert run.output == "fine"
    assert [attempt.failure for attempt in attempts] == ["timeout_read", None]


@pytest.mark.parametrize(
    ("raised", "failure"),
    [
        (ZeroDivisionError("oops"), "internal"),
        (SetupError("no such script"), "bad_request"),
        (CallError("odd", failure="no_such_class"), "internal"),
        (CallError("odd", failure="judge_error"), "internal"),
        (TimeoutError(), "timeout_read"),
    ],
)
def test_every_exception_of_a_model_is_one_class(raised: Exception, failure: str) -> None:
    """A model may raise what it likes: the run says which class, and the question alone fails."""
    run, _ = ask([raised], limits=Limits(max_attempts=1))
    assert run.failure == failure
    assert run.failure_detail


def test_models_in_process_are_not_retried_and_cost_nothing_unknown() -> None:
    """Pace, retries and budget are for endpoints; a recording that lacks a row will lack it
    again.
    """
    run, attempts = ask([failing("connection"), "fine"], remote=False)
    assert (run.failure, len(attempts), attempts[0].http_status) == ("connection", 1, None)


def test_the_cost_is_known_where_the_price_is() -> None:
    """Tokens times price, the provider's own figure before it, None if either is unknown."""
    priced = Limits(prices={"m": (10.0, 20.0)})
    assert ask([Reply("x", tokens_in=100, tokens_out=10)], limits=priced)[
        0
    ].cost_usd == pytest.approx((1000 + 200) / 1e6)
    assert (
        ask([Reply("x", tokens_in=100, tokens_out=10, cost_usd=0.5)], limits=priced)[0].cost_usd
        == 0.5
    )
    assert ask([Reply("x", tokens_in=100, tokens_out=10)])[0].cost_usd is None
    assert ask([Reply("x")], limits=priced)[0].cost_usd is None


def test_every_attempt_has_its_cost() -> None:
    """What a limit refused cost nothing, what timed out after it was sent is unknown, the answer
    has its price; the run's cost is the answer's with what is known of the attempts before it.
    """
    priced = Limits(prices={"m": (10.0, 20.0)})
    answer = Reply("x", tokens_in=100, tokens_out=10)
    run, attempts = ask(
        [
            failing("rate_limit", code="429"),
            failing("timeout_read"),
            failing("server_error", code="200 unreadable"),
            answer,
        ],
        limits=priced,
    )
    assert [attempt.cost_usd for attempt in attempts] == [0.0, None, None, pytest.approx(0.0012)]
    assert run.cost_usd == pytest.approx(0.0012)


def test_a_cost_that_is_unknown_is_none() -> None:
    """An answer without usage, and one without a price: None in the attempt and the run, though the
    attempt before was free. A model in this process is never said to be free.
    """
    run, attempts = ask(
        [failing("rate_limit", code="429"), "x"], limits=Limits(prices={"m": (10.0, 20.0)})
    )
    assert ([attempt.cost_usd for attempt in attempts], run.cost_usd) == ([0.0, None], None)
    run, attempts = ask([failing("bad_request")], remote=False)
    assert (attempts[0].cost_usd, run.cost_usd) == (None, None)


def test_a_failed_run_has_the_costs_of_its_attempts_only() -> None:
    """Nothing came back, so the run has no cost of an answer: what is known is in the
    attempts.
    """
    run, attempts = ask([failing("overloaded", code="529")] * 3, limits=Limits(max_attempts=3))
    assert ([attempt.cost_usd for attempt in attempts], run.cost_usd) == ([0.0, 0.0, 0.0], None)


@pytest.mark.parametrize(
    ("failed", "spent"),
    [
        (failing("server_error", code="200 unreadable"), True),
        (failing("server_error", code="500"), False),
    ],
)
def test_what_may_be_on_the_bill_counts_against_the_budget(failed: CallError, spent: bool) -> None:
    """An attempt of unknown cost is settled at what was reserved for it; one that was certainly
    free gives it back.
    """
    who = caller(JumpClock(), Limits(budget_tokens=10_000, max_attempts=1))
    asyncio.run(who.ask(question(ScriptedModel([failed], remote=True))))
    assert (who.budget.spent_tokens > 0) is spent


def test_a_budget_stops_before_the_call_that_may_not_fit() -> None:
    """The stop is set with its reason, and a question that was not sent raises NotAsked."""
    who = caller(JumpClock(), Limits(budget_tokens=10))
    with pytest.raises(NotAsked):
        asyncio.run(who.ask(question(ScriptedModel(["x"], remote=True))))
    assert who.stop.code == "budget_stop"
    assert "raise it and run again" in who.stop.reason


def test_unreadable_answers_stop_the_sweep() -> None:
    """The attempt's code reaches the breaker: after twenty in a row nothing more is asked, and the
    reason says what to fix.
    """
    who = caller(JumpClock(), Limits(deadline_s=None, max_attempts=100))
    run, attempts = asyncio.run(
        who.ask(
            question(
                ScriptedModel([failing("server_error", code="200 unreadable")] * 50, remote=True)
            )
        )
    )
    assert (run.failure, len(attempts)) == ("circuit_open", 20)
    assert "base_url usually ends in /v1" in who.stop.reason


def test_a_stop_between_attempts_ends_the_run_with_what_was_tried() -> None:
    """A question that was sent before the stop leaves its run and its attempts; one that was not
    leaves nothing.
    """

    async def story() -> tuple[Run, list[Attempt]]:
        who = caller(JumpClock())
        who.on_wait = lambda: who.stop.set("cancelled", "stopped by hand")
        return await who.ask(question(ScriptedModel([failing("server_error")] * 8, remote=True)))

    run, attempts = asyncio.run(story())
    assert (run.failure, run.failure_detail, len(attempts)) == ("cancelled", "stopped by hand", 1)


def test_no_row_holds_a_secret() -> None:
    """Twelve canaries in twelve places of request, reply and error: none is in a run or an
    attempt.
    """
    secrets = [f"canary-secret-{number:04d}" for number in range(12)]
    request = {
        "model": "m",
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": secrets[0]},
                    {"type": "image_url", "image_url": {"url": f"https://x/?k={secrets[1]}"}},
                ],
            }
        ],
        "metadata": {secrets[2]: secrets[3]},
        "tools": [{"function": {"description": secrets[4]}}],
    }
    reply = Reply(
        secrets[5],
        ({"function": {"arguments": json.dumps({"key": secrets[6]})}},),
        failure="refusal",
        failure_detail=secrets[7],
    )
    error = failing("bad_request", code=f"400 {secrets[8]}")
    error.args = (f"you sent {secrets[9]}",)
    crash = RuntimeError(f"Authorization: Bearer {secrets[10]} at https://ann:{secrets[11]}@host/")
    filing = RowBuilder(Provenance(), frozenset(secrets))
    rows: list[Any] = []
    for answer in (reply, error, crash):
        run, attempts = asyncio.run(
            caller(JumpClock(), filing=filing).ask(
                question(ScriptedModel([answer], remote=True), request)
            )
        )
        rows += [run, *attempts]
    text = repr(rows)
    assert [secret for secret in secrets if secret in text] == []
    assert "[redacted]" in text


def test_provenance_and_filing_are_in_the_run() -> None:
    """A run says what was asked, of whom, for which example, from where; its request is canonical
    JSON.
    """
    who = caller(JumpClock(), filing=RowBuilder(Provenance("cell1", "abc", True)))
    run, _ = asyncio.run(who.ask(question(ScriptedModel(["x"], "label", remote=True))))
    assert (run.key, run.prompt, run.version_id, run.model, run.endpoint) == (
        "k1:1",
        "p",
        "p1-1",
        "m",
        "label",
    )
    assert (
        run.example_id,
        run.example_fingerprint,
        run.cell_hash,
        run.git_commit,
        run.git_dirty,
    ) == (
        "e1",
        "f1",
        "cell1",
        "abc",
        True,
    )
    assert run.request == '{"messages":[{"content":"hi","role":"user"}],"model":"m"}'


@pytest.mark.parametrize(
    "request_",
    [
        {"messages": [float("nan")]},
        {"messages": ["\ud800"]},
        {"messages": [object]},
        {"messages": 2**60},
        {1: {"messages": None}},
    ],
)
def test_what_json_cannot_hold_is_recorded_as_text(request_: Any) -> None:
    """A strange request costs no run: its row holds text in its place."""
    run, _ = asyncio.run(
        caller(JumpClock()).ask(question(ScriptedModel(lambda call: "x", remote=True), request_))
    )
    assert json.loads(run.request)
    run.request.encode()


@pytest.mark.parametrize(
    "bad",
    [
        {"concurrency": 0},
        {"max_attempts": -1},
        {"timeout_s": 0},
        {"deadline_s": -1.0},
        {"budget_usd": -0.1},
    ],
)
def test_limits_that_make_no_sense_are_refused(bad: dict[str, Any]) -> None:
    """Before anything runs, by name."""
    with pytest.raises(SetupError, match=next(iter(bad))):
        Limits(**bad)
