"""A scorer goes where its function goes: into a copy, a pickle, another process."""

from __future__ import annotations

import copy
import pickle
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
