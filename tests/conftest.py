"""What several tests share: a lab in a folder of its own, and small prompts and tickets for it."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from promptops.registry import loading

# Files of few tests that take long, the longest first. Workers take whole files in this order:
# a long file that came last would leave the others idle. They are three for two cores, since one in
# seven seconds of a worker is spent in waiting: for a process, a lock, a socket or the disk.
LONG = (
    "tests/faults/test_lab_vanish.py",
    "tests/lab/test_run_all.py",
    "tests/faults/test_lab_kill.py",
    "tests/lab/test_secrets.py",
    "tests/lab/test_compare.py",
    "tests/lab/test_road.py",
    "tests/store/test_keeping.py",
    "tests/test_patterns_linear.py",
    "tests/faults/test_store_disk.py",
    "tests/study/test_images.py",
    "tests/store/test_races.py",
    "tests/optimize/test_promises.py",
    "tests/registry/test_write_lock.py",
    "tests/simulate/test_verdicts.py",
    "tests/pytest_plugin/test_pytest_plugin.py",
    "tests/test_recorded_studies.py",
    "tests/test_notebooks.py",
    "tests/store/test_manifest.py",
    "tests/store/test_hidden.py",
    "tests/views/test_dashboard.py",
    "tests/test_golden_format1.py",
    "tests/structure/test_structure.py",
)
# Where bytecode is forbidden, as in many containers, each of the suite's hundreds of processes
# would compile the whole package again: more than half of what their imports cost.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# Ten thousand tests that are collected are no garbage; looking through them for it took a third of
# the collection's time, and again much of that in every full collection later.
gc.disable()
# A job in the background ignores this signal, and so would each process that a test starts: a
# signal that Python handles here is at its default there.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
CLEARED = (
    "PROMPTOPS_REGISTRY",
    "PROMPTOPS_ENV",
    "PROMPTOPS_USER",
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first, then the notebooks, then the rest as they were collected; the order within
    a file stays.
    """
    places = {path: place for place, path in enumerate(LONG)}

    def turn(item: pytest.Item) -> int:
        file = item.nodeid.partition("::")[0]
        return places.get(file, len(LONG) + (not file.startswith("notebooks/")))

    items.sort(key=turn)


def pytest_collection_finish() -> None:
    """What is there before the first test stays until the last one."""
    gc.freeze()
    gc.enable()


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees a developer's keys or registry, or the one that an earlier test loaded from."""
    for name in CLEARED:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(loading, "_LOADERS", {})


@pytest.fixture
def no_waiting() -> Iterator[None]:
    """Whoever waits for the other end of a pipe is interrupted, and the test fails."""

    def late(*_: object) -> None:
        raise TimeoutError("it waits for the pipe")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def make_lab(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Labs in folders of this test; their threads end with it."""
    from promptops.lab import Lab

    made: list[Any] = []

    def make(folder: str = "project", **options: Any) -> Any:
        made.append(Lab(tmp_path / folder, **options))
        return made[-1]

    yield make
    for lab in made:
        lab.project.loop.close()
        lab.store.close()
