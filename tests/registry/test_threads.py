"""Law: a published view is never changed in place, so that no switch between two steps of a get can
hurt it (G13).
"""

from __future__ import annotations

import os
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from promptops import Loader, PromptVersion
from promptops.registry import loader as loading
from promptops.registry.editor import Editor

NAME = "support-triage"
TONE = 4  # the number of the version that needs a variable more
FOLDER = os.path.dirname(loading.__file__)
STEPPED = {os.path.join(FOLDER, f"{name}.py") for name in ("loader", "view", "reading", "source")}
BY_OPCODE = {"get", "is_of", "_fresh", "_refresh", "_record"}


class Gate:
    """A lock that tells when somebody has to wait for it."""

    def __init__(self) -> None:
        self.waiting = threading.Event()
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        if not self._lock.acquire(blocking=False):
            self.waiting.set()
            self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


class Clock:
    """time.monotonic as the test moves it."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class World:
    """A loader of a file with four versions whose every get so far was of version 1 in dev."""

    def __init__(self, texts: dict[int, bytes], folder: Path, clock: Clock) -> None:
        self.texts, self.path, self.clock = texts, folder / "promptops.json", clock
        self.put(1)
        self.loader = Loader(self.path, saved_copy=False)
        assert self.get() == 1
        self.views = [(self.loader._view, facts(self.loader._view))]

    def put(self, number: int, data: bytes | None = None) -> None:
        new = self.path.with_suffix(".new")
        new.write_bytes(self.texts[number] if data is None else data)
        os.replace(new, self.path)

    def get(self) -> int | None:
        number = self.loader.get(NAME, "dev").number
        self.views = [*getattr(self, "views", ()), (self.loader._view, facts(self.loader._view))]
        return number


def facts(view: Any) -> dict[str, Any]:
    """What a published view says: every field but the memory of what was found out beside it."""
    return {
        field: getattr(view, field)
        for field in view.__slots__
        if field not in ("built", "found", "refused", "copy")
    }


Scenario = Callable[
    [World], tuple[Callable[[], object], Callable[[], object], set[Any], int | None]
]


def due(world: World) -> Any:
    """The second look at an unchanged file is due."""
    world.clock.now += 1
    return world.get, world.get, {1}, 1


def touched(world: World) -> Any:
    """The file's times changed, its bytes did not."""
    os.utime(world.path, ns=(1, 1))
    return world.get, world.get, {1}, 1


def promoted(world: World) -> Any:
    """The file serves another version."""
    world.put(2)
    return world.get, world.get, {2}, 2


def promoted_twice(world: World) -> Any:
    """The file changes, and once more between two steps."""
    world.put(2)

    def again() -> None:
        world.put(3)
        assert world.get() == 3

    return world.get, again, {2, 3}, 3


def spoiled(world: World) -> Any:
    """The file is bad, and good again between two steps."""
    world.put(0, b"{")

    def mend() -> None:
        world.put(2)
        assert world.get() in (1, 2)

    return world.get, mend, {1, 2}, 2


def gone(world: World) -> Any:
    """The file goes away between two steps of the second look."""
    world.clock.now += 1

    def lose() -> None:
        world.path.unlink(missing_ok=True)
        assert world.get() == 1

    return world.get, lose, {1}, 1


def asked_of(world: World) -> Any:
    """The first get of a version, while the application states that it cannot fill it in."""
    world.put(TONE)
    return world.get, lambda: world.loader.require(NAME, variables={"ticket"}), {1, TONE}, None


def stating(world: World) -> Any:
    """The application states what it fills in, while another thread gets a version that needs
    more.
    """
    world.put(TONE)
    return lambda: world.loader.require(NAME, variables={"ticket"}), world.get, {None}, None


def looked_at(world: World) -> Any:
    """A health check, while the file changes."""
    world.clock.now += 1

    def change() -> None:
        world.put(2)
        assert world.get() == 2

    return lambda: world.loader.health()["ok"], change, {True}, 2


def stepped(
    act: Callable[[], object], other: Callable[[], object], at: int, *, every_opcode: bool
) -> tuple[object, bool]:
    """The outcome of `act` with `other` between its steps `at - 1` and `at`, and whether it had
    that many steps.
    """
    count = 0

    def trace(frame: FrameType, event: str, arg: object) -> Any:
        nonlocal count
        if frame.f_code.co_filename not in STEPPED:
            return None
        frame.f_trace_opcodes = every_opcode or frame.f_code.co_name in BY_OPCODE
        frame.f_trace_lines = not frame.f_trace_opcodes
        if event in ("line", "opcode"):
            count += 1
            if count == at:
                sys.settrace(None)
                other()
                sys.settrace(trace)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        outcome = act()
    finally:
        sys.settrace(before)
    return outcome, count >= at


def beside(
    other: Callable[[], object],
    gate: Gate,
    raised: list[BaseException],
    threads: list[threading.Thread],
) -> Callable[[], None]:
    """`other` in a thread of its own, run until it ends or waits for the lock that the stepped
    thread has.
    """

    def run() -> None:
        try:
            other()
        except BaseException as error:
            raised.append(error)

    def switch() -> None:
        thread = threading.Thread(target=run)
        threads.append(thread)
        thread.start()
        while thread.is_alive() and not gate.waiting.is_set():
            thread.join(0.0005)

    return switch


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> dict[int, bytes]:
    """The file as it serves each of the four versions."""
    path = tmp_path_factory.mktemp("texts") / "promptops.json"
    editor = Editor(path)
    for text in (
        "One {{ticket}}",
        "Two {{ticket}}",
        "Three {{ticket}}",
        "Four {{ticket}} {{tone}}",
    ):
        editor.save(NAME, PromptVersion(text))
    out = {}
    for number in (1, 2, 3, TONE):
        editor.promote(NAME, number, "dev", author="a", force=True, reason="r")
        out[number] = path.read_bytes()
    return out


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    yield clock
    monkeypatch.undo()


def every_step(
    scenario: Scenario,
    texts: dict[int, bytes],
    folder: Path,
    clock: Clock,
    *,
    signal: bool,
    every_opcode: bool,
) -> int:
    """One run for each step of the scenario's act, each on a world of its own; how many there
    were.
    """
    at = 0
    while True:
        at += 1
        world = World(texts, folder, clock)
        act, other, allowed, finally_served = scenario(world)
        raised: list[BaseException] = []
        threads: list[threading.Thread] = []
        if not signal:
            gate = Gate()
            world.loader._lock = (os.getpid(), gate)  # type: ignore[assignment]
            other = beside(other, gate, raised, threads)
        outcome, reached = stepped(act, other, at, every_opcode=every_opcode)
        for thread in threads:
            thread.join()
        assert raised == [], f"step {at}"
        assert outcome in allowed, f"step {at}"
        if not reached:
            return at - 1
        if (
            finally_served is None
        ):  # what does not fit may be the last known good, never what the file says
            served = world.loader.get(NAME, "dev")
            assert (served.number, served.source) in (
                (1, "last_known_good"),
                (TONE, "last_known_good"),
            ), f"step {at}"
        else:
            assert world.get() == finally_served, f"step {at}"
        for view, said in world.views:
            assert facts(view) == said, f"step {at}: a published view was changed"


SCENARIOS = [due, touched, promoted, promoted_twice, spoiled, gone, asked_of, stating, looked_at]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_switch_at_any_line_hurts_no_get(
    scenario: Scenario, texts: dict[int, bytes], tmp_path: Path, clock: Clock
) -> None:
    """At every line of the refresh, and every bytecode of what leads to it, another thread does its
    worst.
    """
    steps = every_step(scenario, texts, tmp_path, clock, signal=False, every_opcode=False)
    print(f"{steps} steps")
    assert steps >= 30


@pytest.mark.parametrize("scenario", [due, promoted_twice, asked_of])
def test_a_signal_handler_may_get(
    scenario: Scenario, texts: dict[int, bytes], tmp_path: Path, clock: Clock
) -> None:
    """A handler that interrupts the get of its own thread, at every such step, neither hangs nor is
    answered wrongly.
    """
    assert every_step(scenario, texts, tmp_path, clock, signal=True, every_opcode=False) >= 60


@pytest.mark.soak
@pytest.mark.parametrize("signal", [False, True], ids=["thread", "signal"])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_switch_at_any_bytecode_hurts_no_get(
    scenario: Scenario, signal: bool, texts: dict[int, bytes], tmp_path: Path, clock: Clock
) -> None:
    """Night: at every bytecode of everything that the loader does."""
    print(f"{every_step(scenario, texts, tmp_path, clock, signal=signal, every_opcode=True)} steps")


def test_a_view_and_its_content_are_frozen(
    texts: dict[int, bytes], tmp_path: Path, clock: Clock
) -> None:
    """Setting a field of either raises, so that no later change can bring the race back."""
    view = World(texts, tmp_path, clock).loader._view
    for frozen in (view, view.content):
        for field in type(frozen).__slots__:
            with pytest.raises(AttributeError, match="fixed"):
                setattr(frozen, field, None)


def sixteen(
    texts: dict[int, bytes], folder: Path, *, until: Callable[[int], bool]
) -> tuple[int, int]:
    """Sixteen threads that get at short switch intervals while the file is rewritten: (gets,
    rewrites); raises what any raised.
    """
    path = folder / "promptops.json"
    path.write_bytes(texts[1])
    loader = Loader(path, saved_copy=False)
    assert loader.get(NAME, "dev").number == 1
    ended, counts, raised = threading.Event(), [0] * 16, [BaseException() for _ in range(0)]

    def read(index: int) -> None:
        try:
            while not ended.is_set():
                for _ in range(100):
                    if loader.get(NAME, "dev").number not in (1, 2, 3):
                        raise AssertionError("another version")
                counts[index] += 100
                if index == 0:
                    loader.health()
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=read, args=(index,)) for index in range(16)]
    interval, dice, rewrites = sys.getswitchinterval(), random.Random(5), 0
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        while not until(sum(counts)) and not raised:
            new = folder / "new"
            new.write_bytes(dice.choice((texts[1], texts[2], texts[3], b"{")))
            os.replace(new, path)
            rewrites += 1
            time.sleep(dice.choice((0.0, 0.001, 0.06)))
    finally:
        ended.set()
        for thread in threads:
            thread.join()
        sys.setswitchinterval(interval)
    assert raised == []
    return sum(counts), rewrites


def test_sixteen_threads_and_rewrites(texts: dict[int, bytes], tmp_path: Path) -> None:
    """Two seconds of them: nothing raised."""
    end = time.monotonic() + 2
    gets, rewrites = sixteen(texts, tmp_path, until=lambda count: time.monotonic() > end)
    print(f"{gets:,} gets, {rewrites} rewrites")
    assert gets > 0
    assert rewrites > 0


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_ten_million_gets(texts: dict[int, bytes], tmp_path: Path) -> None:
    """Night: 1e7 gets by sixteen threads, nothing raised."""
    gets, rewrites = sixteen(texts, tmp_path, until=lambda count: count >= 10_000_000)
    print(f"{gets:,} gets, {rewrites} rewrites")
