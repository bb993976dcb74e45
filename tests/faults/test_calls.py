"""A thousand examples against an endpoint that fails in every scripted way: each ends in exactly
one class, nothing is lost.

The waits run on an injected clock, so that Retry-After of an hour takes no time. Seeds are fixed
and shown.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from email.utils import formatdate
from typing import Any

import pytest

from promptops.engine.clock import Timing
from promptops.engine.sweep import Limits, Question, Sweep
from promptops.failure_classes import FAILURES
from promptops.models.endpoint import EndpointModel
from promptops.models.protocol import Call
from promptops.run import Attempt, Run
from tests.faults.server import (
    HANG,
    HANG_UP,
    RESET,
    FaultServer,
    JumpClock,
    Say,
    Seen,
    completion,
    error,
)

LONG = "an answer that is cut before its end " * 10
LIMIT = error("Rate limit reached", "rate_limit_exceeded")


def limited(**headers: str) -> Say:
    return Say(429, LIMIT, {name.replace("_", "-"): value for name, value in headers.items()})


# name -> (what is reported, the class of that attempt)
TRANSIENT: dict[str, tuple[Any, str]] = {
    "429 s": (limited(retry_after="2"), "rate_limit"),
    "429 ms": (limited(retry_after_ms="1500"), "rate_limit"),
    "429 date": (
        limited(
            retry_after=formatdate(1.8e9 + 1e6, usegmt=True),
            date=formatdate(1.8e9 + 1e6 - 30, usegmt=True),
        ),
        "rate_limit",
    ),
    "429 an hour": (limited(retry_after="3600"), "rate_limit"),
    "429 garbage": (limited(retry_after="when the cows come home"), "rate_limit"),
    "429 negative": (limited(retry_after="-5"), "rate_limit"),
    "500": (Say(500, error("The server had an error")), "server_error"),
    "502 html": (Say(502, b"<html>bad gateway</html>"), "server_error"),
    "503 overloaded": (Say(503, error("Engine overloaded"), {"Retry-After": "1"}), "overloaded"),
    "529": (Say(529, error("Overloaded", kind="overloaded_error")), "overloaded"),
    "408": (Say(408, b""), "timeout_read"),
    "409": (Say(409, error("conflict")), "server_error"),
    "reset": (RESET, "connection"),
    "hang-up": (HANG_UP, "connection"),
    "reset in mid-body": (Say(body=completion(LONG), cut=150), "connection"),
    "half JSON": (Say(body=b'{"id": "x", "choices": [{"message": {"content": "ha'), "server_error"),
    "200 with an error": (Say(body=error("upstream crashed")), "server_error"),
    "200 with a 429": (Say(body=error("slow down", 429)), "rate_limit"),
    "200 with an empty list of choices": (Say(body=completion(choices=[])), "server_error"),
    "200 without choices": (Say(body={"object": "chat.completion"}), "server_error"),
}
# name -> (what is reported, how the run ends); never tried again
FINAL: dict[str, tuple[Any, str | None]] = {
    "400": (Say(400, error("Unknown parameter", "unknown_parameter")), "bad_request"),
    "401": (Say(401, error("Incorrect API key", "invalid_api_key")), "auth"),
    "403": (Say(403, error("Not for you")), "permission"),
    "404": (Say(404, error("no such model", "model_not_found")), "not_found_model"),
    "429 quota": (
        Say(429, error("You exceeded your current quota", "insufficient_quota")),
        "quota_exhausted",
    ),
    "too long": (
        Say(400, error("maximum context length", "context_length_exceeded")),
        "context_length",
    ),
    "filtered question": (Say(400, error("filtered", "content_filter")), "content_filter_input"),
    "refusal": (Say(body=completion(message={"content": None, "refusal": "I cannot"})), "refusal"),
    "cut": (Say(body=completion("half", finish_reason="length")), "truncated_length"),
    "filtered answer": (
        Say(body=completion("ha", finish_reason="content_filter")),
        "content_filter_output",
    ),
    "empty": (Say(body=completion("")), "empty_output"),
    "wrong usage": (
        Say(body=completion("fine", usage={"prompt_tokens": "many", "completion_tokens": -2})),
        None,
    ),
    "no usage": (Say(body=completion("fine", usage={})), None),
}
GOOD = Say(body=completion("fine"))
ATTEMPTS = 4


def plan(
    count: int, rate: float, seed: int
) -> tuple[list[list[Any]], list[tuple[str | None, int]]]:
    """What is reported to each example, attempt by attempt (the last forever), and how it must end:
    (class, attempts).
    """
    rng = random.Random(seed)
    scripts: list[list[Any]] = [[GOOD] for _ in range(count)]
    ends: list[tuple[str | None, int]] = [(None, 1)] * count
    cases: list[tuple[list[Any], tuple[str | None, int]]] = []
    for said, failure in TRANSIENT.values():
        for times in (1, 3):
            cases.append(([said] * times + [GOOD], (None, times + 1)))
        cases.append(([said], (failure, ATTEMPTS)))
    cases += [([said], (ending, 1)) for said, ending in FINAL.values()]
    cases += [([TRANSIENT["500"][0], said], (ending, 2)) for said, ending in FINAL.values()]
    cases += [([HANG, GOOD], (None, 2)), ([HANG], ("timeout_read", ATTEMPTS))]
    places = rng.sample(range(count), min(count, max(len(cases), round(count * rate))))
    for number, place in enumerate(places):
        scripts[place], ends[place] = cases[number % len(cases)]
    return scripts, ends


def sweep_against(
    scripts: list[list[Any]], timeout_s: float
) -> tuple[list[Run], list[Attempt], list[Seen], str | None]:
    tries: Counter[int] = Counter()

    def script(seen: Seen) -> Any:
        number = int(seen.prompt)
        tries[number] += 1
        return scripts[number][min(tries[number], len(scripts[number])) - 1]

    def questions(model: EndpointModel) -> Iterator[Question]:
        for number in range(len(scripts)):
            request = {"model": "m", "messages": [{"role": "user", "content": str(number)}]}
            yield Question(
                Call(request, example_id=str(number)),
                model,
                f"k1:{number}",
                "p",
                f"p1-{number % 2}",
                "m",
                str(number),
                "f",
            )

    runs: list[Run] = []
    attempts: list[Attempt] = []

    def record(new: Sequence[Run], tried: Sequence[Attempt]) -> None:
        runs.extend(new)
        attempts.extend(tried)

    async def story(url: str) -> str | None:
        model = EndpointModel(base_url=url, api_key="sk-canary-000111222")
        tries = {"max_attempts": ATTEMPTS, "max_refusals": ATTEMPTS}
        limits = Limits(concurrency=50, **tries, timeout_s=timeout_s, deadline_s=None)
        sweep = Sweep(
            questions(model),
            record=record,
            limits=limits,
            timing=Timing(JumpClock(), random.Random(1)),
        )
        await sweep.run()
        await model.aclose()
        return sweep.progress.stopped

    with FaultServer(script) as server:
        stopped = asyncio.run(story(server.url))
        assert server.broken == []
        return runs, attempts, server.seen, stopped


def check(count: int, rate: float, seed: int) -> None:
    scripts, ends = plan(count, rate, seed)
    runs, attempts, seen, stopped = sweep_against(scripts, timeout_s=1.5)
    assert stopped is None
    by_example = {int(run.example_id or -1): run for run in runs}
    assert len(runs) == len(by_example) == count, f"seed {seed}"
    wrong = [
        (n, by_example[n].failure, by_example[n].attempts, ends[n])
        for n in range(count)
        if (by_example[n].failure, by_example[n].attempts) != ends[n]
    ]
    assert wrong == [], f"seed {seed}"
    asked = Counter(int(request.prompt) for request in seen)
    recorded = Counter(attempt.run_id for attempt in attempts)
    assert {n: recorded[by_example[n].id] for n in range(count)} == dict(asked), (
        f"seed {seed}: requests that are not recorded as attempts"
    )
    assert all(attempt.failure is None or attempt.failure in FAILURES for attempt in attempts)
    refused = {attempt.run_id for attempt in attempts if attempt.http_status in (400, 401)}
    assert all(attempt.run_id not in refused or attempt.number <= 2 for attempt in attempts)
    last = {
        attempt.run_id: attempt for attempt in sorted(attempts, key=lambda attempt: attempt.number)
    }
    assert {last[run].http_status for run in refused} <= {400, 401}, "tried again after 400 or 401"


def test_a_thousand_examples_each_end_in_exactly_one_class() -> None:
    """A tenth of them fail, in every way there is; every request is a recorded attempt; 400 and 401
    are never tried again.
    """
    check(1000, 0.1, seed=20261125)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(10))
def test_ten_thousand_examples_each_end_in_exactly_one_class(seed: int) -> None:
    """Ten times as many, under ten seeds."""
    check(10_000, 0.05, seed)


def test_retry_after_is_waited_for_in_every_form() -> None:
    """Seconds, milliseconds, a date and an hour are what the clock waited; garbage falls back to
    the backoff's first second.
    """
    for name, least, most in (
        ("429 s", 2, 2.3),
        ("429 ms", 1.5, 1.8),
        ("429 date", 30, 31.1),
        ("429 an hour", 3600, 3601.1),
        ("429 garbage", 0, 1),
    ):
        clock = JumpClock()

        async def story(url: str, clock: JumpClock = clock) -> None:
            model = EndpointModel(base_url=url)
            call = Call({"model": "m", "messages": [{"role": "user", "content": "0"}]})
            sweep = Sweep(
                [Question(call, model, "k", "p", "v", "m")],
                record=lambda runs, tried: None,
                limits=Limits(deadline_s=None),
                timing=Timing(clock),
            )
            await sweep.run()
            await model.aclose()
            assert sweep.progress.failures == 0

        with FaultServer(
            lambda seen, said=TRANSIENT[name][0]: said if seen.number == 0 else GOOD
        ) as server:  # type: ignore[misc]
            asyncio.run(story(server.url))
        assert len(clock.slept) == 1
        assert least <= clock.slept[0] <= most, name
