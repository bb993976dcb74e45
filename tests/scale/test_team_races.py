"""Two processes of one store that a team shares, at the same moment."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from promptops.scale.team_store import join_team
from promptops.store import Store
from promptops.store.sitting import one_at_a_time

# Purges what is older than 2021, and rests between the tombstone and the cut until a line comes.
PURGER = """
import sys
from promptops.scale.team_store import join_team
from promptops.store import Store, upkeep
cut = upkeep._cut
def slowly(*args):
    print("buried", flush=True)
    sys.stdin.readline()
    return cut(*args)
upkeep._cut = slowly
store = Store(sys.argv[1])
join_team(store, sys.argv[2])
store.purge(before="2021-01-01")
"""


def test_what_a_purge_is_about_to_take_out_is_not_handed_over(tmp_path: Path) -> None:
    """It would come to the others as rows that were recorded after the purge."""
    where, place = tmp_path / "s", str(tmp_path / "team")
    store = Store(where)
    team = join_team(store, place)
    team.sync()
    old, new = "2020-01-01T00:00:00", "2026-01-01T00:00:00"
    rows = [{"id": "r-old", "started_at": old}, {"id": "r-new", "started_at": new}]
    store.append("runs", rows)
    store.seal()
    words = [sys.executable, "-c", PURGER, str(where), place]
    with subprocess.Popen(words, stdin=-1, stdout=-1, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "buried\n"
        sharing = threading.Thread(target=team.share)
        sharing.start()
        sharing.join(1.0)
        child.communicate("\n", timeout=60)
        sharing.join(60)
    assert child.returncode == 0
    team.sync()
    other = Store(tmp_path / "c")
    join_team(other, place).sync()
    for one in (store, other):
        assert one.rows("select id from runs") == [("r-new",)]
        assert one.verify() == []


def test_a_kernel_that_reads_all_the_time_can_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is between two reads for a moment only, which a look every 50 ms had never met."""
    monkeypatch.setattr("promptops.scale.team_member.WAIT_S", 5.0)
    store = Store(tmp_path / "a")
    team, over = join_team(store, str(tmp_path / "team")), threading.Event()
    store.append("runs", [{"id": "r-1", "example_id": "e"}])

    def read() -> None:
        while not over.is_set():
            with one_at_a_time():
                time.sleep(0.02)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        team.sync()
    finally:
        over.set()
        for reader in readers:
            reader.join()
    other = Store(tmp_path / "b")
    join_team(other, str(tmp_path / "team")).sync()
    assert other.rows("select id from runs") == [("r-1",)]


def test_what_a_killed_look_left_goes_with_the_next(tmp_path: Path) -> None:
    """It had stayed for good, with rows that were purged since."""
    one, two = Store(tmp_path / "a"), Store(tmp_path / "b")
    here, there = (join_team(store, str(tmp_path / "team")) for store in (one, two))
    two.append("runs", [{"id": "r-1", "example_id": "e"}])
    there.sync()
    here.begin()
    left = tmp_path / "a" / ".team-killed"
    left.mkdir()
    (left / "rows.jsonl").write_text("r-1")
    one.purge(["e"])
    assert not left.exists()
