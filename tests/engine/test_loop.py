"""Background: one loop in a thread of its own; nothing of the caller's is touched, nothing is left
at the end.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from promptops.engine.loop import Background

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="outside")


async def where() -> tuple[int, str]:
    return threading.get_ident(), VARIABLE.get()


def test_work_runs_elsewhere_and_its_result_comes_back() -> None:
    """In one thread, with the context variables of anyone who submitted."""
    background = Background("test")
    token = VARIABLE.set("inside")
    first, second = background.submit(where()).result(5), background.submit(where()).result(5)
    VARIABLE.reset(token)
    assert first == second
    assert first[0] != threading.get_ident()
    assert first[1] == "inside"
    background.close()


def test_exceptions_and_cancellation_reach_the_other_side() -> None:
    """What the coroutine raises is the future's; a closed loop cancels what runs."""

    async def broken() -> None:
        raise KeyError("x")

    background = Background("test")
    with pytest.raises(KeyError):
        background.submit(broken()).result(5)
    running = background.submit(asyncio.sleep(60))
    background.close()
    with pytest.raises(asyncio.CancelledError):
        running.result(5)
    assert background.submit(where()).result(5)
    background.close()


def test_cancelling_ends_what_runs_and_what_waits_to() -> None:
    """As the standard library's Future does not, once it runs; one that is done stays as it is."""
    background, ended, going = Background("test"), threading.Event(), threading.Event()

    async def long() -> None:
        going.set()
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    running = background.submit(long())
    assert going.wait(5)
    assert running.cancel()
    assert ended.wait(5)
    with pytest.raises(asyncio.CancelledError):
        running.result(5)
    background.loop.call_soon_threadsafe(time.sleep, 0.2)
    waiting = background.submit(long())
    ended.clear()
    going.clear()
    assert waiting.cancel()
    assert waiting.cancelled()
    done = background.submit(where())
    assert done.result(5)
    assert not done.cancel()
    assert not going.is_set()
    background.close()


def test_waiting_for_oneself_is_refused() -> None:
    """Submitting on the loop's own thread would never end; the error says what to do."""
    background = Background("test")

    async def inside() -> None:
        assert background.inside
        background.submit(where())

    with pytest.raises(RuntimeError, match="await the coroutine"):
        background.submit(inside()).result(5)
    assert not background.inside
    background.close()


def test_many_sync_functions_run_at_once() -> None:
    """Targets run in threads: sixty that wait for each other all get one."""
    background, gate = Background("test"), threading.Barrier(60, timeout=20)

    async def meet() -> None:
        await asyncio.gather(*(asyncio.to_thread(gate.wait) for _ in range(60)))

    background.submit(meet()).result(30)
    background.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_has_a_loop_of_its_own() -> None:
    """Work submitted after a fork is done, in parent and child."""
    code = """
import asyncio, os
from promptops.engine.loop import Background
b = Background()
async def one(): return 1
assert b.submit(one()).result(5) == 1
pid = os.fork()
assert b.submit(one()).result(5) == 1
if pid == 0:
    os._exit(0)
print(os.waitpid(pid, 0)[1], b.submit(one()).result(5))
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip() == "0 1"


def test_the_interpreters_end_waits_for_what_is_put_away() -> None:
    """What runs is cancelled and its finally is done; the process ends in good time and quietly."""
    code = """
import asyncio, threading
from promptops.engine.loop import Background
b, begun = Background(), threading.Event()
async def work():
    begun.set()
    try:
        await asyncio.sleep(60)
    finally:
        print("put away", flush=True)
b.submit(work()); begun.wait()
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert (done.stdout.strip(), done.stderr) == ("put away", "")


def test_what_begins_while_the_program_ends_is_refused_in_one_sentence(tmp_path: Path) -> None:
    """Nothing is asked then: its answers could not be kept."""
    code = """
import atexit
from promptops import PromptVersion
from promptops.lab import Lab
asked = []
lab, version = Lab(), PromptVersion("{{x}}")
def evaluate():
    try:
        lab.evaluate([version], [{"x": "a"}], [exact], target=lambda case: asked.append(1) or "a")
    except Exception as error:
        print(type(error).__name__, error, asked)
def exact(output): return True
atexit.register(evaluate)
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        cwd=tmp_path,
    )
    assert done.stdout == (
        "SetupError this program is ending, and nothing can be evaluated or searched in it any"
        " more; call it before the last line, not in an atexit function or a finalizer. []\n"
    )
    assert done.stderr == ""
