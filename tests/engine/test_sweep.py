"""Many questions: all end in exactly one state, what is recorded counts, a stop keeps everything,
memory stays flat.
"""

from __future__ import annotations

import asyncio
import gc
import resource
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from promptops.engine import recording
from promptops.engine.clock import SystemClock, Timing
from promptops.engine.loop import Background
from promptops.engine.sweep import Limits, Progress, Question, Sweep
from promptops.errors import SetupError, StudyError
from promptops.models.protocol import Call, Reply
from promptops.models.scripted import ScriptedModel
from promptops.run import Attempt, Run


class Kept:
    """A record and an on_runs that remember; `fail` raises inside record."""

    def __init__(self, fail: Callable[[int], bool] = lambda group: False) -> None:
        self.runs: list[Run] = []
        self.attempts: list[Attempt] = []
        self.taken: list[Run] = []
        self.groups: list[int] = []
        self.threads: set[int] = set()
        self._fail, self._calls = fail, 0

    def record(self, runs: Sequence[Run], attempts: Sequence[Attempt]) -> None:
        self._calls += 1
        if self._fail(self._calls):
            raise OSError("no space")
        self.threads.add(threading.get_ident())
        self.groups.append(len(runs))
        self.runs += runs
        self.attempts += attempts

    def take(self, runs: Sequence[Run]) -> None:
        assert {run.id for run in runs} <= {run.id for run in self.runs}, (
            "handed on before it was recorded"
        )
        self.taken += runs


class Slow:
    """A model that answers after a while; counts what it was asked and how many at once."""

    remote = True

    def __init__(self, latency_s: float = 0.01, label: str = "slow") -> None:
        self.label, self.latency_s = label, latency_s
        self.asked: Counter[Any] = Counter()
        self.answered = self.now = self.most = 0

    async def complete(self, call: Call) -> Reply:
        self.asked[call.example_id] += 1
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(self.latency_s)
            self.answered += 1
            return Reply(f"answer {call.example_id}", tokens_in=10, tokens_out=2)
        finally:
            self.now -= 1

    def check(self, request: Any) -> None:
        """It can always be asked."""

    async def aclose(self) -> None:
        """Nothing is open."""


class Uneven(Slow):
    """Answers one question at once and the next one later."""

    async def complete(self, call: Call) -> Reply:
        self.latency_s = 0.05 * (int(call.example_id or 0) % 2)
        return await super().complete(call)


def questions(model: Any, count: int, start: int = 0) -> Iterator[Question]:
    for number in range(start, start + count):
        request = {"model": "m", "messages": [{"role": "user", "content": f"question {number}"}]}
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


def swept(asked: Any, kept: Kept | None = None, **options: Any) -> tuple[Kept, Progress]:
    kept = kept or Kept()
    sweep = Sweep(asked, record=kept.record, on_runs=kept.take, limits=Limits(**options))
    asyncio.run(sweep.run())
    return kept, sweep.progress


def test_every_question_is_asked_once_and_recorded_before_it_counts() -> None:
    """A thousand questions: a thousand runs, handed on after they were recorded, in few groups, off
    the loop's thread.
    """
    model = Slow(0.002)
    kept, progress = swept(questions(model, 1000), concurrency=50)
    assert [
        run.example_id for run in sorted(kept.runs, key=lambda run: int(run.example_id or 0))
    ] == [str(n) for n in range(1000)]
    assert kept.taken == kept.runs
    assert len(kept.attempts) == 1000
    assert max(model.asked.values()) == 1
    assert model.most == 50
    assert len(kept.groups) < 500
    assert threading.get_ident() not in kept.threads
    assert (
        progress.done,
        progress.total,
        progress.failures,
        progress.finished,
        progress.stopped,
    ) == (1000, 1000, 0, True, None)
    assert progress.in_flight == progress.waiting == 0
    assert progress.tokens_in == 10_000
    assert progress.cost_unknown == 1000
    assert {arm: part.done for arm, part in progress.arms.items()} == {"p1-0": 500, "p1-1": 500}


def test_concurrency_is_found_out_where_the_caller_names_none() -> None:
    """It starts at 8 and ends higher, and says why it changed."""
    model = Slow(0.005)
    _, progress = swept(questions(model, 600))
    assert 8 < model.most <= 200
    assert progress.history["slow"][0].limit == 8
    assert progress.concurrency["slow"] > 8


def test_questions_are_pulled_only_when_there_is_room() -> None:
    """The source is never far ahead of what is answered, however long it is."""
    model, pulled, ahead = Slow(0.001), 0, 0

    def source() -> Iterator[Question]:
        nonlocal pulled, ahead
        for question in questions(model, 2000):
            pulled += 1
            ahead = max(ahead, pulled - model.answered)
            yield question

    swept(source(), concurrency=10)
    assert pulled == 2000
    assert ahead <= 10 + 1


def test_a_full_endpoint_does_not_hold_up_another() -> None:
    """Interleaved questions for a slow and a fast endpoint: the fast ones are done long before the
    slow ones.
    """
    slow, fast = Slow(0.2, "slow"), Slow(0.001, "fast")
    mixed = [
        question
        for pair in zip(questions(slow, 20), questions(fast, 20, 100), strict=True)
        for question in pair
    ]
    kept, progress = swept(mixed, concurrency=2)
    order = [run.endpoint for run in kept.runs]
    assert order[:15].count("fast") >= 13
    assert progress.done == 40
    assert set(progress.concurrency) == {"slow", "fast"}


def test_an_equal_question_in_flight_is_asked_once() -> None:
    """The same key twice at the same time is one call and one run; the total says so."""
    model = Slow(0.05)
    twice = [question for question in questions(model, 10) for _ in range(2)]
    kept, progress = swept(twice, concurrency=20)
    assert len(kept.runs) == 10
    assert max(model.asked.values()) == 1
    assert (progress.done, progress.total) == (10, 10)


def test_no_failure_of_one_question_stops_the_others() -> None:
    """Crashes, refusals and broken connections are runs of their own class; the rest is
    answered.
    """
    script = ["fine", ZeroDivisionError("x"), Reply(None, failure="refusal"), "fine"] * 25
    kept, progress = swept(questions(ScriptedModel(script, remote=True), 100), concurrency=4)
    assert Counter(run.failure for run in kept.runs) == {None: 50, "internal": 25, "refusal": 25}
    assert progress.failed == {"internal": 25, "refusal": 25}


def test_a_setup_that_cannot_work_is_said_before_anything_is_sent() -> None:
    """check of an endpoint, and a money budget without a price, raise from run."""

    class Keyless(Slow):
        def check(self, request: Any) -> None:
            raise SetupError("no API key")

    model = Keyless()
    with pytest.raises(SetupError, match="no API key"):
        swept(questions(model, 5))
    assert not model.asked
    with pytest.raises(SetupError, match="needs the price of 'm'"):
        swept(questions(Slow(), 5), budget_usd=1.0)


def test_five_setup_failures_stop_it_and_keep_the_answers() -> None:
    """A key that is revoked on the way: what was answered is recorded, the rest is not asked."""
    script = ["fine"] * 20 + ["fails"] * 500
    failures: Any = dict.fromkeys(range(20, 520), "auth")
    model = ScriptedModel(script, failures=failures, remote=True, latency_ms=1)
    kept, progress = swept(questions(model, 520), concurrency=4)
    assert sum(run.failure is None for run in kept.runs) == 20
    assert len(model.calls) <= 20 + 5 + 4
    assert progress.stopped is not None
    assert "5 times in a row with auth" in progress.stopped
    assert len(kept.attempts) == len(model.calls)


def test_a_budget_is_overspent_by_no_more_than_what_is_in_flight() -> None:
    """Tokens spent stay within the budget plus the calls in flight; the sweep says why it
    stopped.
    """
    model = Slow(0.002)
    kept, progress = swept(questions(model, 5000), concurrency=20, budget_tokens=30_000)
    assert progress.stopped is not None
    assert "the budget is used up" in progress.stopped
    spent = progress.tokens_in + progress.tokens_out
    assert spent <= 30_000 + 20 * 12
    assert spent > 25_000
    assert all(run.failure is None for run in kept.runs)


def test_a_stop_from_another_thread_acts_within_a_second_and_keeps_all() -> None:
    """Calls of ten seconds in flight are cut off; what was answered is recorded; what was cut off
    says so, with its attempt.
    """

    class Mixed(Slow):
        async def complete(self, call: Call) -> Reply:
            self.latency_s = 10.0 if int(call.example_id or 0) % 10 == 9 else 0.002
            return await super().complete(call)

    kept, model, loop = Kept(), Mixed(), Background("test")
    sweep = Sweep(
        questions(model, 100_000),
        record=kept.record,
        on_runs=kept.take,
        limits=Limits(concurrency=50),
    )
    future = loop.submit(sweep.run())
    while sweep.progress.done < 40:
        time.sleep(0.005)
    began = time.monotonic()
    sweep.stop("stopped by hand")
    sweep.stop("twice")
    future.result(10)
    took = time.monotonic() - began
    loop.close()
    assert took < 9  # a second, and a slow machine; all of the calls would take far longer
    answered = [run for run in kept.runs if run.failure is None]
    assert len(answered) == model.answered
    assert {run.failure for run in kept.runs} == {None, "cancelled"}
    assert len(kept.attempts) == sum(model.asked.values())
    assert sweep.progress.stopped == "stopped by hand"
    assert sweep.progress.finished
    sweep.stop("after the end")


def test_a_stop_after_the_end_changes_nothing() -> None:
    """A button that is pressed as the last answer comes does not turn a finished sweep into a
    stopped one.
    """
    loop = Background("test")
    sweep = Sweep(questions(Slow(0), 5), record=Kept().record)
    loop.submit(sweep.run()).result(10)
    sweep.stop("too late")
    loop.submit(asyncio.sleep(0.01)).result(10)
    loop.close()
    assert (sweep.progress.stopped, sweep.progress.finished) == (None, True)


def test_a_models_secrets_are_in_no_row() -> None:
    """What a model says it holds is taken out of requests and answers, also of a second model under
    the same label.
    """

    class Holds(Slow):
        def __init__(self, secret: str) -> None:
            super().__init__(0)
            self.secrets = frozenset({secret})

        async def complete(self, call: Call) -> Reply:
            return Reply("the keys are first-canary-1 and second-canary-2")

    mixed = [*questions(Holds("first-canary-1"), 1), *questions(Holds("second-canary-2"), 1, 1)]
    kept, _ = swept(mixed)
    told = {run.output for run in kept.runs if run.example_id == "1"}
    assert told == {"the keys are [redacted] and [redacted]"}
    assert "first-canary-1" not in repr(kept.runs)


def test_a_stop_ends_the_waits_between_attempts() -> None:
    """A question that waits a minute for its next attempt does not hold up the stop."""
    kept, loop = Kept(), Background("test")
    model = ScriptedModel(
        lambda call: "x", failures=dict.fromkeys(range(99), "rate_limit"), remote=True
    )
    sweep = Sweep(questions(model, 4), record=kept.record, limits=Limits(concurrency=4))
    future = loop.submit(sweep.run())
    while not sweep.progress.waiting:
        time.sleep(0.005)
    began = time.monotonic()
    sweep.stop()
    future.result(10)
    loop.close()
    assert time.monotonic() - began < 9  # not the minute; the machine may be busy
    assert {run.failure for run in kept.runs} == {"cancelled"}


def test_a_stop_before_the_start_asks_nothing() -> None:
    """Stopped while it was still being set up."""
    model, kept = Slow(), Kept()
    sweep = Sweep(questions(model, 5), record=kept.record)
    sweep.stop("never mind")
    asyncio.run(sweep.run())
    assert (model.asked, kept.runs, sweep.progress.stopped) == (Counter(), [], "never mind")


def test_an_interrupt_keeps_what_is_finished() -> None:
    """Ctrl-C in a script that runs the sweep: KeyboardInterrupt comes out, every finished answer is
    recorded.
    """
    kept, model = Kept(), Slow(0.002)
    sweep = Sweep(questions(model, 100_000), record=kept.record, limits=Limits(concurrency=20))

    def interrupt() -> None:
        while len(kept.runs) < 100:
            time.sleep(0.005)
        signal.raise_signal(signal.SIGINT)

    if threading.current_thread() is not threading.main_thread():
        pytest.skip("signals reach the main thread only")
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            asyncio.run(sweep.run())
    finally:
        thread.join()
        signal.signal(signal.SIGINT, before)
    assert sum(run.failure is None for run in kept.runs) == model.answered
    assert len(kept.attempts) == sum(model.asked.values())
    assert sweep.progress.stopped == "the program was interrupted."


def test_a_cancelled_loop_still_records_what_is_finished() -> None:
    """Where the event loop itself is torn down, finished runs are written on the way out."""

    class Tells(Slow):
        async def complete(self, call: Call) -> Reply:
            reply = await super().complete(call)
            if self.answered == 100:
                under_way.set()
            return reply

    kept, model, under_way = Kept(), Tells(0.002), asyncio.Event()

    async def story() -> None:
        sweep = Sweep(questions(model, 1000), record=kept.record, limits=Limits(concurrency=20))
        task = asyncio.create_task(sweep.run())
        await asyncio.wait_for(under_way.wait(), 60)
        for other in asyncio.all_tasks() - {asyncio.current_task()}:
            other.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(story())
    assert sum(run.failure is None for run in kept.runs) >= model.answered - 20 > 0


def test_a_cancelled_loop_records_what_its_thread_has_not_begun(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One group waits for the thread, the others for that group: every answer is recorded on the
    way out.
    """
    go = threading.Event()

    class Busy(ThreadPoolExecutor):
        def submit(self, fn: Callable[..., Any], /, *args: Any, **options: Any) -> Future[Any]:
            super().submit(go.wait, 60)
            return super().submit(fn, *args, **options)

        def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
            go.set()
            super().shutdown(wait, cancel_futures=cancel_futures)

    monkeypatch.setattr(recording, "ThreadPoolExecutor", Busy)

    kept, model = Kept(), Uneven()

    async def story() -> None:
        sweep = Sweep(questions(model, 1000), record=kept.record, limits=Limits(concurrency=20))
        task = asyncio.create_task(sweep.run())
        async with asyncio.timeout(60):
            while model.answered < 20 or len(asyncio.all_tasks()) > 3:  # all places are held
                await asyncio.sleep(0.001)
        assert kept.runs == []
        for other in asyncio.all_tasks() - {asyncio.current_task()}:
            other.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(story())
    assert sorted(int(run.example_id or 0) for run in kept.runs) == list(range(20))
    assert model.answered == 20


def test_recording_that_fails_once_loses_nothing() -> None:
    """The sweep stops asking, tries again at the end, and says what happened."""
    kept, progress = swept(
        questions(Slow(0.002), 500), Kept(lambda call: call == 3), concurrency=10
    )
    assert progress.stopped == "recording failed: no space"
    assert progress.done == len(kept.runs) == len(kept.taken)
    assert 0 < progress.done < 500


def test_recording_that_fails_for_good_is_raised() -> None:
    """Nothing is counted that was not recorded."""
    kept = Kept(lambda call: call >= 2)
    sweep = Sweep(questions(Slow(0.002), 500), record=kept.record, limits=Limits(concurrency=10))
    with pytest.raises(OSError, match="no space"):
        asyncio.run(sweep.run())
    assert sweep.progress.done == len(kept.runs)


def test_what_on_runs_raises_comes_out_and_the_runs_are_kept() -> None:
    """A scorer's writer that breaks stops the sweep; everything answered is recorded all the
    same.
    """
    kept, model = Kept(), Slow(0.002)

    def broken(runs: Sequence[Run]) -> None:
        raise RuntimeError("cannot score")

    sweep = Sweep(
        questions(model, 500), record=kept.record, on_runs=broken, limits=Limits(concurrency=10)
    )
    with pytest.raises(RuntimeError, match="cannot score"):
        asyncio.run(sweep.run())
    assert len(kept.runs) == model.answered


def test_what_the_questions_raise_comes_out_and_the_runs_are_kept() -> None:
    """An example that does not render ends the source; what was asked before is recorded."""
    model, kept = Slow(0.002), Kept()

    def source() -> Iterator[Question]:
        yield from questions(model, 50)
        raise ValueError("example 51 does not render")

    with pytest.raises(ValueError, match="example 51"):
        swept(source(), kept, concurrency=10)
    assert len(kept.runs) == 50


def test_a_sweep_runs_once() -> None:
    """The second run would ask an exhausted source; it says so."""
    sweep = Sweep(questions(Slow(0), 1), record=Kept().record)
    asyncio.run(sweep.run())
    with pytest.raises(StudyError, match="a sweep runs once"):
        asyncio.run(sweep.run())


def test_an_empty_sweep_ends_at_once() -> None:
    """No questions, no groups, finished."""
    kept, progress = swept(iter(()))
    assert (kept.groups, progress.done, progress.total, progress.finished) == ([], 0, 0, True)


def test_expected_questions_give_the_time_left() -> None:
    """Progress is read from another thread while it runs: total, rate and time left are there, done
    never falls. The second half is answered once the reader has seen the first.
    """
    half_seen = threading.Event()

    class Halves(Slow):
        async def complete(self, call: Call) -> Reply:
            while int(call.example_id or 0) >= 200 and not half_seen.is_set():
                await asyncio.sleep(0.001)
            return await super().complete(call)

    kept, loop = Kept(), Background("test")
    sweep = Sweep(questions(Halves(0.001), 400), record=kept.record, limits=Limits(concurrency=10))
    sweep.expect(400)
    future, seen = loop.submit(sweep.run()), []
    while not future.done():
        seen.append(sweep.progress)
        if seen[-1].done == 200:
            half_seen.set()
        time.sleep(0.02)
    loop.close()
    assert [progress.done for progress in seen] == sorted(progress.done for progress in seen)
    assert {progress.total for progress in seen} == {400}
    middle = next(progress for progress in seen if progress.done == 200)
    assert middle.time_left_s is not None
    assert 0 < middle.time_left_s < 60
    assert middle.in_flight <= 10


def test_models_in_process_run_a_few_at_once() -> None:
    """Without a number of the caller's, at most 8 calls of an in-process model run at a time, and
    none is retried.
    """

    class Local(Slow):
        remote = False

    model = Local(0.002)
    swept(questions(model, 100))
    assert model.most == 8


class DiskClock(SystemClock):
    """A clock that moves only while the disk writes."""

    seconds = 0.0

    def now(self) -> float:
        return self.seconds


def test_a_slow_disk_lengthens_no_call() -> None:
    """While a group takes a tenth of a second to be written, calls in flight end when they end; and
    never are more answers unrecorded than calls may be in flight, so that a crash costs no more
    than that.
    """

    class SlowDisk(Kept):
        def record(self, runs: Sequence[Run], attempts: Sequence[Attempt]) -> None:
            until = time.monotonic() + 30
            while len(asyncio.all_tasks(loops[0])) > 2:  # the sweep's and the recorder's own
                assert time.monotonic() < until, "a call in flight waits for the disk"
                time.sleep(0.001)
            clock.seconds += 0.1
            unrecorded.append(model.answered - len(self.runs))
            super().record(runs, attempts)

    async def story() -> None:
        loops.append(asyncio.get_running_loop())
        await Sweep(
            questions(model, 200),
            record=kept.record,
            limits=Limits(concurrency=10),
            timing=Timing(clock),
        ).run()

    unrecorded: list[int] = []
    loops: list[asyncio.AbstractEventLoop] = []
    model, clock, kept = Uneven(), DiskClock(), SlowDisk()
    asyncio.run(story())
    latencies = sorted(run.latency_ms or 0 for run in kept.runs)
    assert len(latencies) == 200
    assert latencies[-1] < 90
    assert 0 < max(unrecorded) <= 10


def test_slow_scoring_does_not_hold_back_what_was_recorded() -> None:
    """Places are free once an answer is recorded, not once it is scored."""
    model, kept, most = Slow(0.001), Kept(), 0

    def score(runs: Sequence[Run]) -> None:
        nonlocal most
        time.sleep(0.1)
        most = max(most, model.answered - len(kept.runs))

    asyncio.run(
        Sweep(
            questions(model, 60), record=kept.record, on_runs=score, limits=Limits(concurrency=10)
        ).run()
    )
    assert len(kept.runs) == 60
    assert 0 < most <= 10


def peak_of(count: int) -> float:
    """Megabytes that the process grew by, at its most, while `count` runs of 1 kB were swept."""

    class Instant(Slow):
        async def complete(self, call: Call) -> Reply:
            return Reply("x" * 1000, tokens_in=10, tokens_out=2)

    gc.collect()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    model, total = Instant(), 0

    def record(runs: Sequence[Run], attempts: Sequence[Attempt]) -> None:
        nonlocal total
        total += len(runs)

    asyncio.run(Sweep(questions(model, count), record=record, limits=Limits(concurrency=50)).run())
    assert total == count
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def test_a_question_without_a_request_is_an_outcome_and_no_call() -> None:
    """What does not render is recorded as render_error: no attempt, no check of the model, no place
    in the breaker; the others are asked.
    """

    class Checked(Slow):
        def check(self, request: Any) -> None:
            assert request, "checked with what was never sent"

    model, kept = Checked(), Kept()
    source = [
        replace(each, unrendered="p1-1 is missing ticket." if place % 2 == 0 else "")
        for place, each in enumerate(questions(model, 60))
    ]
    source = [replace(each, call=Call({})) if each.unrendered else each for each in source]
    sweep = Sweep(source, record=kept.record, on_runs=kept.take)
    asyncio.run(sweep.run())
    failed = [run for run in kept.runs if run.failure]
    assert Counter(run.failure for run in kept.runs) == {"render_error": 30, None: 30}
    assert {(run.attempts, run.failure_detail, run.output) for run in failed} == {
        (0, "p1-1 is missing ticket.", None)
    }
    assert (len(kept.attempts), model.answered) == (30, 30)
    assert (sweep.progress.stopped, sweep.progress.cost_unknown) == (None, 30)


def test_memory_is_flat() -> None:
    """After 5,000 runs of 1 kB, 10,000 more need no more memory: nothing of a recorded run stays
    behind.
    """
    peak_of(5000)
    assert peak_of(10_000) < 25


@pytest.mark.soak
def test_a_hundred_thousand_runs_need_no_more_memory() -> None:
    """Flat after the first 10,000, and at most 400 MB in all (or what other tests had taken in this
    process before).
    """
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    peak_of(10_000)
    assert peak_of(100_000) < 25
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 < max(400, before + 1)
