"""R13 while scoring again: the stop button ends what a judge is asked, what it said is kept, and
the cell goes on if it was.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Callable

import pytest

from promptops.lab import Dataset, Lab
from promptops.models.protocol import Reply
from promptops.models.scripted import ScriptedModel
from promptops.scorers import equals, rubric
from tests.lab.test_judge_budget import judge

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="a signal in the place of the button"
)
ROWS = [{"id": f"t{i}", "ticket": f"ticket {i}", "expected": "yes"} for i in range(150)]


def interrupted(ready: Callable[[], bool], work: Callable[[], object]) -> None:
    """Press the button once it is time; the work must not outlive it."""

    def press() -> None:
        until = time.monotonic() + 20
        while not ready() and time.monotonic() < until:
            time.sleep(0.005)
        os.kill(os.getpid(), signal.SIGINT)

    def cell() -> None:
        work()
        time.sleep(20)  # never reached

    thread = threading.Thread(target=press)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        cell()
    thread.join()


def test_an_interrupt_of_a_rescore_asks_no_more_and_loses_nothing(
    make_lab: Callable[..., Lab],
) -> None:
    """At most what is in flight comes on top; the same cell again asks only what is missing.
    (Before, the questions went on in the background, all of them, under the name of whichever cell
    ran then.)
    """
    slow = ScriptedModel(judge, label="j", remote=True, latency_ms=50)
    answers = ScriptedModel(
        lambda _: Reply("yes", finish_reason="stop", tokens_in=5, tokens_out=5),
        label="answers",
        remote=True,
    )
    lab = make_lab(models={"m": answers, "j": slow})
    version = lab.prompt("p").save("{{ticket}}", model="m")
    study = lab.evaluate([version], Dataset.read(ROWS), [equals()])
    scorers = [rubric("Is it right?", judge="j", name="quality")]
    interrupted(lambda: len(slow.calls) >= 40, lambda: study.rescore(scorers))
    at = len(slow.calls)
    time.sleep(0.5)  # ten times what a question takes
    assert len(slow.calls) <= at + 16
    assert len(slow.calls) < 150
    recorded = lab.store.rows("select count(*) from runs where role = 'judge'")[0][0]
    again = study.rescore(scorers)
    assert len(again.scores()) == 150
    assert len(slow.calls) - 150 <= at + 16 - recorded  # only what was in flight is asked twice
    assert lab.store.rows(
        "select count(*) from study_events where study_id = ? and event = 'finished'", [again.id]
    ) == [(1,)]


def test_an_interrupt_of_a_call_ends_it(make_lab: Callable[..., Lab]) -> None:
    """Nothing goes on behind the cell's back; no answer is recorded that nobody got."""
    slow = ScriptedModel(lambda _: "yes", label="slow", remote=True, latency_ms=60_000)
    lab = make_lab(models={"m": slow})
    version = lab.prompt("p").save("{{ticket}}", model="m")
    interrupted(lambda: bool(slow.calls), lambda: version(ticket="hello"))
    until = time.monotonic() + 30  # half of what the call would take
    while (
        asyncio.run_coroutine_threadsafe(tasks(), lab.project.loop.loop).result(5)
        and time.monotonic() < until
    ):
        time.sleep(0.01)
    assert time.monotonic() < until
    assert lab.store.rows("select count(*) from runs where failure is null") == [(0,)]


async def tasks() -> int:
    """How many go on beside this one."""
    return len(asyncio.all_tasks()) - 1
