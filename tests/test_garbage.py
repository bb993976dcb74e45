"""The threshold of the garbage collector: raised beside work of ours, and given back as it was."""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from promptops.garbage import RARELY, collecting_rarely
from promptops.lab import Dataset, Lab
from promptops.models.scripted import ScriptedModel
from promptops.scorers import equals


@pytest.fixture(autouse=True)
def usual() -> Iterator[None]:
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    yield
    gc.set_threshold(*before)


def test_it_is_raised_and_given_back() -> None:
    with collecting_rarely():
        assert gc.get_threshold() == (RARELY, 10, 10)
        with collecting_rarely():
            assert gc.get_threshold() == (RARELY, 10, 10)
        assert gc.get_threshold() == (RARELY, 10, 10)
    assert gc.get_threshold() == (700, 10, 10)


def test_it_is_given_back_after_an_error() -> None:
    with pytest.raises(ValueError, match="broken"), collecting_rarely():
        raise ValueError("broken")
    assert gc.get_threshold() == (700, 10, 10)


@pytest.mark.parametrize("chosen", [(0, 10, 10), (RARELY, 5, 5), (RARELY * 2, 5, 5)])
def test_what_the_user_has_chosen_stays(chosen: tuple[int, int, int]) -> None:
    gc.set_threshold(*chosen)
    with collecting_rarely():
        assert gc.get_threshold() == chosen
    assert gc.get_threshold() == chosen


def test_what_the_user_chooses_meanwhile_stays() -> None:
    with collecting_rarely():
        gc.set_threshold(1_000, 5, 5)
    assert gc.get_threshold() == (1_000, 5, 5)


def test_the_last_of_several_threads_gives_it_back() -> None:
    inside, over = threading.Barrier(9), threading.Event()

    def work() -> None:
        with collecting_rarely():
            inside.wait(10)
            over.wait(10)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    inside.wait(10)
    assert gc.get_threshold() == (RARELY, 10, 10)
    over.set()
    for thread in threads:
        thread.join(10)
    assert gc.get_threshold() == (700, 10, 10)


def test_cycles_are_still_collected() -> None:
    made, held = 3 * RARELY, 0
    with collecting_rarely():
        gc.collect()
        for _ in range(made):
            cycle: list[object] = []
            cycle.append(cycle)
        held = len(
            [
                found
                for found in gc.get_objects()
                if type(found) is list and found and found[0] is found
            ]
        )
    assert held <= RARELY


def test_no_look_at_what_was_made_follows_and_the_next_full_one_finds_its_cycles() -> None:
    class Node:
        def __init__(self) -> None:
            self.me = self

    looks: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        looks.append(info["generation"])

    frozen = gc.get_freeze_count() > 0  # by the suite, which the application of a user has not done
    gc.unfreeze()
    gc.collect()
    with collecting_rarely():
        kept = [[number] for number in range(20_000)]
        Node()
        gc.callbacks.append(note)
    try:
        more = [[number] for number in range(300)]
        left = gc.collect()
    finally:
        gc.callbacks.remove(note)
        if frozen:
            gc.freeze()
            gc.collect()
    assert looks == [2, 2]  # begun and ended, the one that is asked for
    assert left >= 1  # the node
    assert (len(kept), len(more)) == (20_000, 300)


def test_what_the_user_has_frozen_stays_frozen() -> None:
    gc.freeze()
    before = gc.get_freeze_count()
    with collecting_rarely():
        pass
    assert gc.get_freeze_count() > before // 2 > 0  # some of it may have ended


def test_what_is_frozen_is_not_counted_for_a_few_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    """To count a million takes fifty milliseconds, at the end of each of many small studies."""
    counted: list[int] = []
    monkeypatch.setattr(gc, "get_freeze_count", lambda: counted.append(1) or 0)
    gc.collect()
    with collecting_rarely():
        pass
    assert counted == []
    with collecting_rarely():
        kept = [[number] for number in range(20_000)]
    assert (len(counted), len(kept)) == (1, 20_000)


def test_a_study_and_its_merge_look_for_cycles_a_few_times(tmp_path: Path) -> None:
    """Of some ten thousand objects that stay: by Python's own threshold it is a hundred times."""
    lab = Lab(tmp_path, models={"m": ScriptedModel(lambda request: "yes")})
    version = lab.prompt("p").save("{{x}}", model="m")
    data = Dataset.read([{"id": str(n), "x": f"row {n}", "expected": "yes"} for n in range(400)])
    looks: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start" and info["generation"] < 2:
            looks.append(info["generation"])

    gc.callbacks.append(note)
    try:
        lab.evaluate([version], data, [equals()])
        assert lab.store.rows("select count(*) from runs") == [(400,)]
    finally:
        gc.callbacks.remove(note)
    lab.store.close()
    assert len(looks) <= 10, len(looks)
    assert gc.get_threshold() == (700, 10, 10)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_that_forks_while_a_thread_begins_does_not_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The thread that holds the lock is not in the child, which would wait for it for ever."""
    begun, over, asked = threading.Event(), threading.Event(), gc.get_threshold

    def slow() -> tuple[int, int, int]:
        if threading.current_thread() is not threading.main_thread():
            begun.set()
            over.wait(10)
        return asked()

    def work() -> None:
        with collecting_rarely():
            pass

    monkeypatch.setattr(gc, "get_threshold", slow)
    thread = threading.Thread(target=work)
    thread.start()
    assert begun.wait(10)
    child = os.fork()
    if child == 0:
        signal.alarm(5)  # ends a child that waits
        work()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    over.set()
    thread.join()
    assert status == 0
