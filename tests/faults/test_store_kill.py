"""R1 and R3: what was acknowledged survives kill -9, and merging is exactly once whenever it is
killed.
"""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from promptops.store import Store

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="forks and kills")
ARENA = Path(__file__).with_name("store_arena.py")


def arena(*words: object) -> list[str]:
    done = subprocess.run(
        [sys.executable, str(ARENA), *map(str, words)],
        capture_output=True,
        text=True,
        timeout=1_800,
    )
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


def lost(folder: Path, acknowledged: list[str]) -> set[str]:
    stored = {
        f"{study}/{event}"
        for study, event in Store(folder).rows("select study_id, event from study_events")
    }
    return set(acknowledged) - stored


def kill_writers(folder: Path, kills: int) -> None:
    seed = secrets.randbelow(10**9)
    acknowledged = arena("write", folder, kills, seed)
    print(f"seed {seed}: {len(acknowledged):,} acknowledged, {kills} kills")
    assert len(acknowledged) > 10 * kills
    assert lost(folder, acknowledged) == set(), f"seed {seed}"
    assert not [line for line in Store(folder).verify() if "segments and archive" in line]


def kill_mergers(folder: Path, kills: int) -> None:
    seed = secrets.randbelow(10**9)
    moments = arena("merge", folder, kills, seed)
    print(
        f"seed {seed}: {moments.count('before')} before the commit, {moments.count('after')} after"
    )
    assert min(moments.count("before"), moments.count("after")) >= kills * 0.2, f"seed {seed}"
    store = Store(folder)
    rows = store.rows("select count(*), count(distinct (study_id, event)) from study_events")
    assert rows == [(200 * kills, 200 * kills)], f"seed {seed}"
    assert store.verify() == []


def test_what_was_acknowledged_survives_kill_nine(tmp_path: Path) -> None:
    """Acknowledged ⊆ stored, over 20 writers killed at random moments."""
    kill_writers(tmp_path, 20)


def test_a_writer_that_acknowledges_before_writing_is_noticed(tmp_path: Path) -> None:
    """The test above would fail for a writer that is broken on purpose."""
    assert lost(tmp_path, arena("write", tmp_path, 8, 7, "broken"))


def test_merging_is_exactly_once_whenever_it_is_killed(tmp_path: Path) -> None:
    """Rows = written, over 20 mergers killed before and after their commit."""
    kill_mergers(tmp_path, 20)


def test_a_merger_that_commits_offsets_apart_is_noticed(tmp_path: Path) -> None:
    """The test above would fail for a merger that is broken on purpose, and a doctor sees it."""
    arena("merge", tmp_path, 6, 7, "broken")
    store = Store(tmp_path)
    assert store.rows("select count(*) from study_events")[0][0] < 6 * 200
    assert any("study_events" in line for line in store.verify())


def test_a_doctor_rebuilds_what_such_a_merger_lost(tmp_path: Path) -> None:
    """Repair brings back every row, and sets the bad file aside."""
    arena("merge", tmp_path, 3, 8, "broken")
    store = Store(tmp_path)
    done = store.repair()
    assert any("set aside" in line for line in done)
    assert any("rebuilt" in line for line in done)
    assert store.rows("select count(*) from study_events") == [(600,)]
    assert store.verify() == []
    assert list((tmp_path / "aside").iterdir())


@pytest.mark.soak
def test_two_hundred_writers_killed(tmp_path: Path) -> None:
    """R1 at its NIGHT figure."""
    kill_writers(tmp_path, 200)


@pytest.mark.soak
def test_two_hundred_and_fifty_mergers_killed(tmp_path: Path) -> None:
    """R3 at its NIGHT figure."""
    kill_mergers(tmp_path, 250)
