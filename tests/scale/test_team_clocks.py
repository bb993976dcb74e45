"""A purge in a team whose clocks are days apart: by what each member had carried out, not by the
clock, it is told what was recorded before and what was recorded again since.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from promptops.scale.team_store import TeamStore, join_team
from promptops.store import Store

DAY = 86_400
REAL = time.time_ns
CLOCKS = list(product((-3 * DAY, 0, 3 * DAY), repeat=2))
Member = tuple[Store, TeamStore]
Clock = Callable[[float], Any]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    @contextmanager
    def ahead(seconds: float) -> Iterator[None]:
        with monkeypatch.context() as patch:
            patch.setattr(time, "time_ns", lambda: REAL() + int(seconds * 10**9))
            yield

    return ahead


def member(tmp_path: Path, name: str) -> Member:
    store = Store(tmp_path / name)
    return store, join_team(store, str(tmp_path / "team"))


def add(store: Store, *ids: str) -> None:
    store.append_all({"runs": [{"id": id, "example_id": "e1"} for id in ids]})


def ids(one: Member) -> list[str]:
    store, team = one
    team.sync()
    return [row[0] for row in store.rows("select id from runs order by id")]


@pytest.mark.parametrize(("purger", "writer"), CLOCKS)
def test_what_is_recorded_again_after_a_purge_stays(
    tmp_path: Path, clock: Clock, purger: float, writer: float
) -> None:
    """The second member had carried out the purge, the third gets both: what was there before is
    gone at all three, and what the second recorded since is there, also in Parquet.
    """
    a, b, c = (member(tmp_path, name) for name in "abc")
    with clock(writer):
        add(b[0], "r-before")
        b[1].sync()
    with clock(purger):
        assert ids(a) == ["r-before"]
        a[0].purge(["e1"])
    for packed in (False, True):
        with clock(writer):
            assert ids(b) == (["r-again-0"] if packed else [])
            add(b[0], f"r-again-{packed:d}")
            b[0].seal()
            if packed:
                b[0].merge()
                b[0].archive()
            b[1].sync()
    wanted = ["r-again-0", "r-again-1"]
    with clock(purger):
        assert ids(a) == wanted
    assert ids(c) == wanted
    with clock(writer):
        assert ids(b) == wanted
    assert ids(member(tmp_path, "d")) == wanted


@pytest.mark.parametrize(("purger", "writer"), CLOCKS)
def test_what_was_recorded_unaware_of_a_purge_goes(
    tmp_path: Path, clock: Clock, purger: float, writer: float
) -> None:
    """The second member hands over rows without having looked: they are nowhere."""
    a, b, c = (member(tmp_path, name) for name in "abc")
    for one in (a, b, c):
        one[1].sync()
    with clock(writer):
        add(b[0], "r-unaware")
    with clock(purger):
        a[0].purge(["e1"])
    with clock(writer):
        b[0].seal()
        b[1].share()
    assert [ids(one) for one in (a, c, b)] == [[], [], []]


@pytest.mark.parametrize("writer", [-3 * DAY, 3 * DAY])
def test_rows_that_arrive_while_a_purge_is_made_go(
    tmp_path: Path, clock: Clock, writer: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They were handed over by who had seen no purge, and after all that is there was searched."""
    a, b, c = (member(tmp_path, name) for name in "abc")
    for one in (a, b, c):
        one[1].sync()
    with clock(writer):
        add(b[0], "r-late")
        b[0].seal()
    there = b[1].files.listing()
    a[0].purge(["e1"])
    with clock(writer):
        monkeypatch.setattr(b[1].files, "listing", lambda: there)
        b[1].share()
    monkeypatch.undo()
    assert [ids(one) for one in (c, a, b)] == [[], [], []]


def test_a_living_segment_gives_what_came_after_a_purge(tmp_path: Path, clock: Clock) -> None:
    """Another process of the second member's store goes on writing where it was: what it held goes,
    and what it recorded since stays.
    """
    a, b, c = (member(tmp_path, name) for name in "abc")
    writer = Store(tmp_path / "b")
    with clock(3 * DAY):
        add(writer, "r-before")
        assert ids(b) == ["r-before"]
    a[0].purge(["e1"])
    with clock(3 * DAY):
        assert ids(b) == []
        add(writer, "r-again")
        writer.close()
    assert [ids(one) for one in (b, c, a)] == [["r-again"]] * 3


def test_a_purge_that_comes_later_leaves_what_an_earlier_one_did_not_mean(
    tmp_path: Path, clock: Clock
) -> None:
    """A parcel that a second purge rewrites still came after the first."""
    a, b, c = (member(tmp_path, name) for name in "abc")
    add(b[0], "r-before")
    b[1].sync()
    a[0].purge(["e1"])
    with clock(-3 * DAY):
        b[1].sync()
        add(b[0], "r-again")
        b[0].append_all({"runs": [{"id": "r-other", "example_id": "e2"}]})
        b[0].seal()
        b[1].sync()
    a[0].purge(["e2"])
    assert [ids(one) for one in (a, c, b)] == [["r-again"]] * 3


def test_a_note_that_does_not_read_leaves_it_to_the_clocks(tmp_path: Path) -> None:
    """As of a member of an earlier release, which writes none."""
    a, b, c = (member(tmp_path, name) for name in "abc")
    add(b[0], "r-before")
    b[1].sync()
    a[0].purge(["e1"])
    assert ids(b) == []
    add(b[0], "r-again")
    b[1].sync()
    for path in (tmp_path / "team" / "known").iterdir():
        assert set(json.loads(path.read_text())) == {"stones", "parcels"}
        path.write_text('{"stones": 3}')
    with pytest.warns(RuntimeWarning, match="which purges its parcels came after"):
        assert ids(c) == ["r-again"]
