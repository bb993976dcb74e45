"""A team's store whose members' projects were copied or restored while a process wrote to them:
segments of one name with other bytes.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from promptops.scale.team_layout import contents_of
from promptops.scale.team_store import TeamStore, join_team
from promptops.store import Store

IDS = "select id from runs order by id"


def member(where: Path) -> tuple[Store, TeamStore]:
    """A store that shares its rows at `team` beside it."""
    store = Store(where)
    return store, join_team(store, str(where.parent / "team"))


def add(store: Store, *ids: str) -> None:
    store.append("runs", [{"id": id, "example_id": id} for id in ids])


def ids(store: Store) -> list[str]:
    return [row[0] for row in store.rows(IDS)]


def one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the next segments were one, that several machines have from a snapshot."""
    name = f"{1 << 60:016x}-7-0000000a"
    monkeypatch.setattr("promptops.store.recorder.segment_name", lambda: name)


def rebuilt(store: Store) -> list[str]:
    """Its ids after its DuckDB file was removed."""
    store.close()
    for file in store.folder.glob("store.duckdb*"):
        file.unlink()
    again = Store(store.folder)
    try:
        return ids(again)
    finally:
        again.close()


def copied(store: Store, where: Path) -> None:
    """The project's folder as a copy of a running machine's disk has it."""
    shutil.copytree(store.folder, where)


@pytest.mark.parametrize("joined", [False, True], ids=["strangers", "same-member"])
@pytest.mark.parametrize("first", ["copy", "original"])
def test_a_copy_of_a_segment_that_grew_does_not_stop_a_newcomer(
    tmp_path: Path, joined: bool, first: str
) -> None:
    """The copy shares the shorter segment, the original the longer one, and a third gets both."""
    a, team = member(tmp_path / "a")
    if joined:
        team.sync()  # the copy is the same member
    add(a, *(f"r-{n:03}" for n in range(5)))
    copied(a, tmp_path / "b")
    b, _ = member(tmp_path / "b")
    add(a, *(f"r-{n:03}" for n in range(5, 90)))
    add(b, "r-b")
    for store in (b, a) if first == "copy" else (a, b):
        store.share()
    c, newcomer = member(tmp_path / "c")
    newcomer.sync()
    wanted = [*(f"r-{n:03}" for n in range(90)), "r-b"]
    assert ids(c) == wanted
    for store, other in ((a, team), member(tmp_path / "b")):
        other.look(now=True)
        assert ids(store) == wanted
        assert store.verify() == []
    listed = team.files.listing().keys()
    c.share()
    assert team.files.listing().keys() == listed


@pytest.mark.parametrize("shares", ["ab", "ba"])
@pytest.mark.parametrize("looks", [True, False], ids=["looks-between", "shares-only"])
def test_two_machines_go_on_from_one_snapshot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shares: str, looks: bool
) -> None:
    """A machine that is resumed twice continues one segment in two ways: no row of either is lost,
    not even when the DuckDB file is built again.
    """
    monkeypatch.setattr(
        "promptops.store.recorder.segment_name", lambda: f"{1 << 60:016x}-7-0000000a"
    )
    a, one = member(tmp_path / "a")
    b, two = member(tmp_path / "b")
    for store in (a, b):
        add(store, "r-common")
    monkeypatch.undo()
    add(a, "r-a1")
    add(b, "r-b1", "r-b2", "r-b3")
    teams = {"a": (a, one), "b": (b, two)}
    for who in shares:
        teams[who][0].share()
        if looks:
            teams[who][1].look(now=True)
    c, three = member(tmp_path / "c")
    three.sync()
    for _ in range(2):
        for _, team in teams.values():
            team.sync()
    three.sync()
    wanted = ["r-a1", "r-b1", "r-b2", "r-b3", "r-common"]
    for store in (a, b, c):
        assert ids(store) == wanted
        assert store.verify() == []
    listed = len(contents_of(one.files.listing()).segments)
    for store, team in ((a, one), (b, two), (c, three)):
        team.sync()
        assert rebuilt(store) == wanted
    assert len(contents_of(one.files.listing()).segments) == listed  # nothing is shared twice


def test_a_machine_that_went_back_keeps_what_it_writes_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The team has more of a segment than its writer, which lives and goes on to write to it."""
    monkeypatch.setattr(
        "promptops.store.recorder.segment_name", lambda: f"{1 << 60:016x}-7-0000000a"
    )
    before, _ = member(tmp_path / "before")
    add(before, "r-common", "r-forgotten", "r-too")
    before.share()
    now, team = member(tmp_path / "now")
    add(now, "r-common")
    monkeypatch.undo()
    team.look(now=True)
    add(now, "r-new")
    assert ids(now) == ["r-common", "r-forgotten", "r-new", "r-too"]
    assert rebuilt(now) == ["r-common", "r-forgotten", "r-new", "r-too"]
    member(tmp_path / "now")[1].sync()
    c, three = member(tmp_path / "c")
    three.sync()
    assert ids(c) == ["r-common", "r-forgotten", "r-new", "r-too"]


def test_a_purge_reaches_both_ways_in_which_a_segment_went_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rewritten batches do not hide what one of the machines has under the same name."""
    one_name(monkeypatch)
    a, one = member(tmp_path / "a")
    b, two = member(tmp_path / "b")
    for store in (a, b):
        add(store, "r-common")
    monkeypatch.undo()
    add(a, "r-a1")
    add(b, "r-b1", "r-b2")
    two.sync()
    one.sync()
    c, three = member(tmp_path / "c")
    three.sync()
    c.purge(["r-common"])
    for team in (one, two, one, two, three):
        team.sync()
    d, four = member(tmp_path / "d")
    four.sync()
    for store in (a, b, c, d):
        assert ids(store) == ["r-a1", "r-b1", "r-b2"]
        assert store.verify() == []
        assert rebuilt(store) == ["r-a1", "r-b1", "r-b2"]
    listed = one.files.listing()
    assert not any(b"r-common" in one.files.read(n) for n in listed if n.startswith("segments/"))
