"""Where the platform has no locks of POSIX, what was touched within the hour counts as kept, and a
store works as elsewhere.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from promptops.spool import locks
from promptops.spool.segment import finished
from promptops.store import Store


@pytest.fixture(autouse=True)
def _without_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows, where the module is not there."""
    monkeypatch.setattr(locks, "_fcntl", None)


def _age(path: Path, seconds: float) -> None:
    os.utime(path, (time.time() - seconds,) * 2)


def test_a_fresh_file_is_kept_and_a_quiet_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.touch()
    with locks.stopped(path) as facts:
        assert facts is None
    assert locks.held(path)
    _age(path, 4_000)
    assert not locks.held(path)
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    with locks.stopped(path) as facts:
        assert facts is not None
        # nothing has it open, since an open file cannot be removed there
        assert not before or len(os.listdir("/proc/self/fd")) == before
        path.unlink()
    assert not locks.held(path)


def test_turns_are_given_at_once(tmp_path: Path) -> None:
    with (
        locks.turn(tmp_path / "lock", exclusive=True, wait_s=0) as mine,
        locks.turn(tmp_path / "lock", exclusive=True, wait_s=0) as other,
    ):
        assert (mine, other) == (True, True)


def test_a_store_records_merges_and_archives(tmp_path: Path) -> None:
    """A segment counts as finished an hour after its last row, and not before: nothing is taken
    from under a writer.
    """
    store = Store(tmp_path)
    row = {"study_id": "s", "event_at": "2026-01-01T00:00:00", "event": "1"}
    store.append("study_events", [row])
    store.merge()
    store.seal()
    assert finished(tmp_path) == []
    for path in (tmp_path / "segments").iterdir():
        _age(path, 4_000)
    assert len(finished(tmp_path)) == 1
    assert store.archive() == 1
    assert store.rows("select count(*) from study_events") == [(1,)]
    assert store.verify() == []
