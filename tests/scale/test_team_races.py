"""Two processes of one store that a team shares, at the same moment."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

from promptops.scale.team_store import join_team
from promptops.store import Store

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
