"""A scorer goes where its function goes: into a copy, a pickle, another thread."""

from __future__ import annotations

import copy
import itertools
import pickle
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from promptops.scorers import as_scorer, scorer

lock = threading.Lock()


def judge(output: str) -> bool:
    with lock:
        return output == "yes"


COPIES: dict[str, Callable[[Any], Any]] = {
    "deep copy": copy.deepcopy,
    "pickle": lambda made: pickle.loads(pickle.dumps(made)),
}


@pytest.mark.parametrize("how", COPIES)
def test_a_copy_of_a_scorer_keeps_its_version(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock or a client that the function takes is of the process, and is not copied with it."""
    made = COPIES[how](scorer(name="judge")(judge))
    version = made.version
    assert made("yes") is True
    assert as_scorer(made).version == version
    monkeypatch.setitem(globals(), "lock", threading.RLock())
    assert as_scorer(made).version != version


def test_a_scorer_is_read_while_another_thread_uses_it() -> None:
    """A study in the background fills the memo while the next cell begins another one."""
    memo: dict[str, list[str]] = {}
    over = threading.Event()

    def remembered(output: str) -> bool:
        if output not in memo:
            memo[output] = [output]
        return True

    def work() -> None:
        for i in itertools.count():
            remembered(str(i))
            if over.is_set():
                return
            if i % 2_000 == 0:
                memo.clear()

    made = scorer(remembered)
    thread = threading.Thread(target=work)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        thread.start()
        assert {as_scorer(made).version for _ in range(5)} == {made.version}
    finally:
        over.set()
        thread.join()
        sys.setswitchinterval(interval)
