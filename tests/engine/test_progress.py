"""Progress: a frozen snapshot from any thread, in which unknown is never zero."""

from __future__ import annotations

import threading
from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from promptops.engine.progress import Ledger, Progress
from promptops.run import Attempt, Run


def run(number: int, **over: Any) -> Run:
    fields: dict[str, Any] = {
        "id": f"r-{number}",
        "key": f"k{number}",
        "prompt": "p",
        "version_id": "v1",
        "model": "m",
        "endpoint": "e",
        "role": "model",
    }
    return Run(
        **{
            **fields,
            "example_id": None,
            "example_fingerprint": None,
            "repeat": 0,
            "request": "{}",
            "output": "x",
            **over,
        }
    )


def attempt(number: int) -> Attempt:
    return Attempt("r-1", number, "", 1.0)


def test_what_is_counted() -> None:
    """Failures by class, retries, tokens, known costs, and how many costs are unknown: those of
    answered remote calls only.
    """
    ledger = Ledger(10)
    ledger.begin()
    runs = [
        run(1, cost_usd=0.5, tokens_in=10),
        run(2, tokens_out=3),
        run(3, failure="auth", output=None),
        run(4, failure="refusal", version_id="v2"),
    ]
    ledger.add(runs, [attempt(1), attempt(2), attempt(3)], [True, True, True, False])
    progress = ledger.snapshot()
    assert (progress.done, progress.total, progress.failures, dict(progress.failed)) == (
        4,
        10,
        2,
        {"auth": 1, "refusal": 1},
    )
    assert (progress.cost_usd, progress.cost_unknown, progress.retries) == (0.5, 1, 2)
    assert (progress.tokens_in, progress.tokens_out) == (10, 3)
    assert {arm: (part.done, part.failed) for arm, part in progress.arms.items()} == {
        "v1": (3, 1),
        "v2": (1, 1),
    }
    assert progress.rate > 0
    assert progress.time_left_s is not None
    with pytest.raises(FrozenInstanceError):
        progress.done = 5  # type: ignore[misc]


def test_unknown_is_none_not_zero() -> None:
    """Without a total or a rate there is no time left; at the end it is 0 and the clock stands."""
    assert Progress().time_left_s is None
    ledger = Ledger(None)
    assert ledger.snapshot().time_left_s is None
    ledger.begin()
    ledger.total = 1
    assert ledger.snapshot().time_left_s is None
    ledger.add([run(1)], [], [False])
    ledger.end()
    done = ledger.snapshot()
    assert (done.time_left_s, done.finished, done.elapsed_s) == (
        0.0,
        True,
        ledger.snapshot().elapsed_s,
    )


def test_snapshots_from_other_threads_are_whole() -> None:
    """While one thread counts, others read: what an arm shows is what the total shows."""
    ledger, stop, wrong = Ledger(None), threading.Event(), []
    ledger.begin()

    def read() -> None:
        while not stop.is_set():
            progress = ledger.snapshot()
            if sum(part.done for part in progress.arms.values()) != progress.done:
                wrong.append(progress)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for number in range(2000):
        ledger.add([run(number), run(number, version_id="v2")], [], [True, True])
    stop.set()
    for reader in readers:
        reader.join()
    assert wrong == []
