"""The circuit opens at five setup failures or twenty connection errors in a row, says what to fix,
and stays open.
"""

from __future__ import annotations

import pytest

from promptops.engine.breaker import Breaker, VersionOnModel


def opened(breaker: Breaker, failures: list[str | None], version: str = "v") -> list[str | None]:
    """What each attempt, one second after the other, opened the breaker with."""
    return [
        breaker.note(failure, float(at), at + 0.5, "told", VersionOnModel(version))
        for at, failure in enumerate(failures)
    ]


@pytest.mark.parametrize(
    "failure", ["auth", "permission", "quota_exhausted", "not_found_model", "bad_request"]
)
def test_five_setup_failures_in_a_row_open_it(failure: str) -> None:
    """Four do not; the fifth gives one sentence that names the endpoint, the class and what to
    do.
    """
    breaker = Breaker("api.example")
    assert opened(breaker, [failure] * 4) == [None] * 4
    reason = breaker.note(failure, 9, 10, "401: wrong key", VersionOnModel("v"))
    assert reason is not None
    assert reason == breaker.open
    assert reason.startswith(
        f"api.example failed 5 times in a row with {failure}: 401: wrong key; "
    )
    assert reason.endswith("(what was answered is kept).")
    assert breaker.note(failure, 11, 12, "", VersionOnModel("v")) is None


def test_an_answer_starts_the_count_again() -> None:
    """Also a model's own failure is an answer: somebody was there and let us in."""
    assert (
        opened(Breaker("x"), ["auth"] * 4 + [None] + ["auth"] * 4 + ["refusal"] + ["auth"] * 4)
        == [None] * 14
    )


def test_a_versions_own_faults_are_counted_by_version() -> None:
    """Where one arm's settings are refused at every call, the other arm's answers between do not
    hide it; a wrong key is everybody's.
    """
    breaker = Breaker("x")
    told = []
    for at in range(5):
        told.append(breaker.note("bad_request", at, at + 0.1, "", VersionOnModel("bad")))
        breaker.note(None, at, at + 0.1, "", VersionOnModel("good"))
    assert [reason is not None for reason in told] == [False] * 4 + [True]
    breaker = Breaker("x")
    for at in range(20):
        assert breaker.note("auth", at, at + 0.1, "", VersionOnModel("one")) is None
        breaker.note(None, at, at + 0.1, "", VersionOnModel("other"))


def test_twenty_connection_errors_in_a_row_open_it() -> None:
    """Nineteen do not, and anything that the server says in between starts the count again."""
    assert (
        opened(
            Breaker("x"),
            ["connection"] * 19 + ["rate_limit"] + ["connection", "timeout_connect"] * 9,
        )
        == [None] * 38
    )
    told = opened(Breaker("x"), ["connection"] * 20)
    assert told[:19] == [None] * 19
    assert told[19] is not None
    assert "the network and the proxy" in told[19]


def test_one_event_under_many_open_calls_counts_once() -> None:
    """A server that restarts breaks 200 open calls in one moment: that is one connection error, not
    200.
    """
    breaker = Breaker("x")
    assert [breaker.note("connection", 0.0, 1.0 + at / 1000) for at in range(200)] == [None] * 200
    assert [breaker.note("connection", 2.0, 3.0) for _ in range(18)] == [None] * 18
    assert breaker.note("connection", 2.0, 3.0) is not None


def test_other_transient_failures_never_open_it() -> None:
    """Rate limits and server errors are for the retries."""
    assert not any(
        opened(
            Breaker("x"),
            ["rate_limit", "server_error", "overloaded", "timeout_read", "internal"] * 50,
        )
    )


def test_twenty_unreadable_answers_in_a_row_open_it() -> None:
    """Status 200 and no completion: nineteen do not; the twentieth says what to fix. A server error
    with a status of its own is the endpoint's passing trouble, starts the count again and never
    opens it.
    """
    breaker = Breaker("x")
    told = [
        breaker.note(
            "server_error",
            at,
            at + 0.5,
            "200 unreadable: JSON without choices.",
            VersionOnModel("v"),
            "200 unreadable",
        )
        for at in range(20)
    ]
    assert told[:19] == [None] * 19
    assert told[19] is not None
    assert told[19].startswith(
        "x failed 20 times in a row with server_error: 200 unreadable: JSON without choices; check"
        " that chat completions"
    )
    assert "base_url usually ends in /v1" in told[19]
    breaker = Breaker("x")
    for at in range(100):
        code = "500" if at % 19 == 18 else "200 unreadable"
        assert breaker.note("server_error", at, at + 0.5, "", VersionOnModel("v"), code) is None
    assert opened(Breaker("x"), ["server_error"] * 100) == [None] * 100


def test_unreadable_and_broken_connections_are_one_count() -> None:
    """A load balancer that resets every other call is no better than one that does neither; one
    moment under many calls is one event.
    """
    breaker = Breaker("x")
    failures = [("server_error", "200 unreadable"), ("connection", "ConnectionResetError")] * 10
    told = [
        breaker.note(failure, at, at + 0.5, "", VersionOnModel("v"), code)
        for at, (failure, code) in enumerate(failures)
    ]
    assert [each is not None for each in told] == [False] * 19 + [True]
    breaker = Breaker("x")
    assert [
        breaker.note(
            "server_error", 0.0, 1.0 + at / 1000, "", VersionOnModel("v"), "200 unreadable"
        )
        for at in range(200)
    ] == [None] * 200


def slow(breaker: Breaker, attempts: list[tuple[float, bool]]) -> list[str | None]:
    """What read timeouts open it with: (start, whether the question had been sent before)."""
    return [
        breaker.note("timeout_read", start, start + 10, "no answer within 10 s.", again=again)
        for start, again in attempts
    ]


def test_an_endpoint_that_is_slower_than_an_attempt_stops_the_study() -> None:
    """Three first attempts in vain, and one more that began later: the sentence names timeout_s."""
    breaker = Breaker("x")
    assert slow(breaker, [(0, False)] * 8) == [None] * 8
    [reason] = slow(breaker, [(11, True)])
    assert reason is not None
    assert "failed 9 times in a row with timeout_read: no answer within 10 s; raise timeout_s" in (
        reason
    )


def test_one_slow_question_or_one_pause_does_not_stop_it() -> None:
    """Retries of one question count once, and whatever answers between starts the count again."""
    assert slow(Breaker("x"), [(at, at > 0) for at in range(0, 200, 11)]) == [None] * 19
    breaker = Breaker("x")
    slow(breaker, [(0, False)] * 8)
    breaker.note(None, 1, 12)
    assert slow(breaker, [(13, True)] * 8) == [None] * 8


def test_a_few_questions_that_hang_at_the_end_of_a_long_sweep_stop_nothing() -> None:
    """After 1,000 answers, up to ten first attempts in vain are single questions; after 100, three
    are an endpoint that became slow.
    """
    breaker = Breaker("x")
    for at in range(1000):
        breaker.note(None, at - 2000.0, at - 1999.0)
    assert slow(breaker, [(0, False)] * 9 + [(11, True)] * 20) == [None] * 29
    assert slow(breaker, [(30, False), (41, True)])[-1] is not None
    few = Breaker("x")
    for at in range(100):
        few.note(None, at - 2000.0, at - 1999.0)
    assert slow(few, [(0, False)] * 3 + [(11, True)])[-1] is not None


def test_a_refused_judge_is_told_where_its_settings_are() -> None:
    """What is mended in JudgeModel is not looked for in the version under study."""
    breaker = Breaker("x", judging=True)
    [*_, reason] = opened(breaker, ["bad_request"] * 5)
    assert "JudgeModel(model, settings={})" in str(reason)


def test_a_model_that_wants_the_responses_api_is_told_with_its_remedy() -> None:
    """OpenAI's newer families take tools with reasoning only there, and say so."""
    breaker, said = Breaker("x"), "400: Function tools with reasoning: use /v1/responses instead."
    reasons = [
        breaker.note("bad_request", at, at + 0.5, said, VersionOnModel("v")) for at in range(5)
    ]
    assert 'version.but(api="responses")' in str(reasons[-1])


@pytest.mark.parametrize(("patience_s", "minutes"), [(600.0, 10), (5.0, 10), (3600.0, 60)])
def test_nothing_but_429_for_as_long_as_a_call_may_wait_stops_it(
    patience_s: float, minutes: int
) -> None:
    """A limit of a day, where each 429 asks to wait 40 s: 1,500 questions had taken 30 hours."""
    breaker = Breaker("x", patience_s=patience_s)
    breaker.note(None, 0, 1)
    for at in range(minutes * 60 - 40):
        assert breaker.note("rate_limit", at + 10, at + 11, "429: requests per day") is None
    assert breaker.note(None, at + 11, at + 12) is None  # an answer: a limit of a minute
    began = at + 13
    told = [breaker.note("rate_limit", began + s, began + s) for s in range(minutes * 60 + 1)]
    assert set(told[:-1]) == {None}
    assert "in a row with rate_limit; wait until the limit is reset" in str(told[-1])


def test_another_models_answers_do_not_hide_that_one_is_refused() -> None:
    """Beside a model whose quota of the day was used up, the other one's answers had kept a study
    going for hours, and each question of the first failed alone.
    """
    breaker, big, small = Breaker("x"), VersionOnModel("v1", "big"), VersionOnModel("v1", "small")
    for at in range(1, 700):
        reason = breaker.note("rate_limit", at, at, "429: requests per day", big)
        if reason is not None:
            break
        assert breaker.note(None, at, at + 0.5, "", small) is None
    assert at == 601
    assert str(reason).startswith("'big' at x failed 601 times in a row with rate_limit")


def test_a_model_that_is_unknown_is_found_beside_one_that_answers_the_same_version() -> None:
    breaker, told = Breaker("x"), []
    for at in range(5):
        told.append(breaker.note("not_found_model", at, at, "", VersionOnModel("v", "bad")))
        breaker.note(None, at, at, "", VersionOnModel("v", "good"))
    assert told[:4] == [None] * 4
    assert told[4] is not None


def test_few_refusals_or_a_patience_without_end_stop_nothing() -> None:
    """19 in an hour may be of a few questions that wait; deadline_s=None waits for ever."""
    few, patient = Breaker("x"), Breaker("x", patience_s=None)
    assert {few.note("rate_limit", at * 200, at * 200 + 1) for at in range(19)} == {None}
    assert {patient.note("rate_limit", at, at + 1) for at in range(100_000)} == {None}
