"""A team's store: what one member recorded is at every other exactly once, what one purged is at
none, and nobody pays for an answer that another has.
"""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import pytest

from promptops.errors import MissingExtra, StoreError
from promptops.lab import Lab
from promptops.models.scripted import ScriptedModel
from promptops.scale import shared_files
from promptops.scale.team_store import TeamStore, join_team
from promptops.scorers import equals
from promptops.spool.segment import SEGMENTS
from promptops.store import Store
from promptops.store.archive import ARCHIVE

SECRET = "personal-of-ticket-17"


def rows_of(member: str, count: int, example: str = "") -> dict[str, list[dict[str, Any]]]:
    """Runs and their scores, as a study records them."""
    ids = [f"r-{member}-{n}" for n in range(count)]
    return {
        "runs": [
            {
                "id": run,
                "key": f"k-{run}",
                "example_id": example or f"{member}-e{n}",
                "output": f"{SECRET} of {example}" if example else f"answer {n}",
                "started_at": "2026-01-01T00:00:00",
            }
            for n, run in enumerate(ids)
        ],
        "scores": [
            {
                "run_id": run,
                "example_fingerprint": "f",
                "scorer": "equals",
                "scorer_version": "1",
                "value": 1.0,
            }
            for run in ids
        ],
    }


class Members:
    """Stores on hosts of their own that share one folder."""

    def __init__(self, tmp_path: Path, address: str = "") -> None:
        self.tmp_path, self.address = tmp_path, address or str(tmp_path / "shared")
        self.teams: dict[str, TeamStore] = {}

    def store(self, name: str) -> Store:
        """A member's store, opened anew: as in another process."""
        store = Store(self.tmp_path / name)
        self.teams[name] = join_team(store, self.address, lambda: name)
        return store

    def table(self, store: Store, table: str = "runs") -> list[tuple[Any, ...]]:
        """All rows of a table, after a look."""
        store.look()
        return sorted(map(tuple, store.rows(f"select id, output from {table}")))

    def parcels(self) -> list[Path]:
        """The segments in the shared folder."""
        return sorted(Path(self.address).glob("segments/*/*.jsonl"))

    def bytes_with(self, text: str) -> list[Path]:
        """Files below every member's folder, and the shared one, that hold the text."""
        return [
            path
            for path in self.tmp_path.rglob("*")
            if path.is_file() and _holds(path, text.encode())
        ]


def _holds(path: Path, text: bytes) -> bool:
    if text in path.read_bytes():
        return True
    if path.suffix != ".parquet":
        return False
    import pyarrow.parquet as pq

    return text.decode() in str(pq.read_table(path).to_pylist())


@pytest.fixture
def members(tmp_path: Path) -> Members:
    """A team without members yet."""
    return Members(tmp_path)


def test_three_readers_agree_row_for_row(members: Members) -> None:
    """Each has a DuckDB file of its own, and all have the rows of all, with nothing twice."""
    stores = [members.store(name) for name in "abc"]
    for name, store in zip("abc", stores, strict=True):
        for _ in range(2):  # two segments each
            store.append_all(rows_of(name, 7))
            store.share()
    tables = [members.table(store) for store in stores]
    assert tables[0] == tables[1] == tables[2]
    assert len(tables[0]) == 21
    assert stores[2].verify() == []
    assert all((store.folder / "store.duckdb").exists() for store in stores)


def test_what_was_shared_is_not_shared_again(members: Members) -> None:
    """Not by its writer, and not by who brought it."""
    a, b = members.store("a"), members.store("b")
    a.append_all(rows_of("a", 3))
    a.share()
    b.look()
    listed = members.parcels()
    for store in (a, b, members.store("a"), members.store("b")):
        store.share()
    assert members.parcels() == listed
    assert len(listed) == 1


def test_a_segment_twice_or_under_another_member_is_once(members: Members) -> None:
    """The same segment shipped again by another hand: its rows count once."""
    a, b = members.store("a"), members.store("b")
    a.append_all(rows_of("a", 5))
    a.share()
    (parcel,) = members.parcels()
    again = parcel.parents[1] / "somebody" / parcel.name
    again.parent.mkdir()
    shutil.copy(parcel, again)
    assert len(members.table(b)) == 5
    again.unlink()
    assert len(members.table(b)) == 5
    assert b.verify() == []


def test_segments_that_arrive_out_of_order(members: Members) -> None:
    """A later segment comes first, the earlier at the next look."""
    a, b = members.store("a"), members.store("b")
    for start in ("x", "y"):
        a.append_all(rows_of(start, 4))
        a.share()
    first, second = members.parcels()
    aside = first.rename(members.tmp_path / "aside")
    assert [row[0] for row in members.table(b)] == [f"r-y-{n}" for n in range(4)]
    aside.rename(first)
    assert len(members.table(b)) == 8
    assert second.exists()


@pytest.mark.parametrize("harm", ["cut", "damaged", "part"])
def test_a_torn_parcel_is_left_out_until_it_is_whole(members: Members, harm: str) -> None:
    """Nothing of a torn parcel is taken; its writer mends a cut one by sharing again."""
    a, b = members.store("a"), members.store("b")
    a.append_all(rows_of("a", 5))
    a.share()
    (parcel,) = members.parcels()
    whole = parcel.read_bytes()
    if harm == "part":
        parcel.rename(parcel.with_name(f"{parcel.name}.77.part"))
    else:
        parcel.write_bytes(whole[:-30] if harm == "cut" else whole[:-30] + b"x" * 30)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert members.table(b) == []
    assert any("torn" in str(each.message) for each in said) == (harm == "damaged")
    if harm == "damaged":
        parcel.write_bytes(whole)
    else:
        members.store("a").share()
    assert len(members.table(members.store("b"))) == 5


def test_a_purge_leaves_no_row_and_no_byte_at_the_others(members: Members) -> None:
    """Nor in the shared folder: not of the others' rows of the example either."""
    a, b = members.store("a"), members.store("b")
    a.append_all(rows_of("a", 3))
    a.append_all(rows_of("personal", 2, example="t-17"))
    a.share()
    assert len(members.table(b)) == 5
    b.append_all(rows_of("b", 2))
    b.append_all(rows_of("own", 2, example="t-17"))  # recorded by b, shared by nobody yet
    assert members.bytes_with(SECRET)
    purged = a.purge(["t-17"])
    assert purged.removed["runs"] == 2
    del a
    assert b.rows("select count(*) from runs") != []
    rest = members.table(b)
    b.share()
    assert [row[0] for row in rest] == ["r-a-0", "r-a-1", "r-a-2", "r-b-0", "r-b-1"]
    assert b.rows("select count(*) from scores") == [(5,)]
    assert members.bytes_with(SECRET) == []
    assert b.verify() == []
    c = members.store("c")
    assert members.table(c) == rest
    assert members.bytes_with(SECRET) == []


def test_a_purge_reaches_the_folder_of_another_host(members: Members) -> None:
    """An application's live rows, shipped by its host: purged by a member, they are gone there at
    the next shipment, also those that nobody had shipped; what was not named stays.
    """
    host = Store(members.tmp_path / "live")
    calls = [
        {"id": f"l-{n}", "prompt": "p", "output": SECRET if n < 2 else "fine", "started_at": at}
        for n, at in enumerate(("2026-01-01", "2026-03-01", "2026-05-01"))
    ]
    for part in (calls[:1], calls[1:]):
        host.append("live", part)
        host.close()
    ship = join_team(Store(host.folder), members.address)
    ship.sync(bring=False)
    a = members.store("a")
    assert [row[0] for row in members.table(a, "live")] == ["l-0", "l-1", "l-2"]
    a.purge(before="2026-04-01", table="live")
    assert a.rows("select sum(calls) from live_hours") == [(2,)]
    ship = join_team(Store(host.folder), members.address)
    ship.sync(bring=False)
    assert members.bytes_with(SECRET) == []
    assert [row[0] for row in members.table(a, "live")] == ["l-2"]
    b = members.store("b")
    a.share()
    assert [row[0] for row in members.table(b, "live")] == ["l-2"]
    assert b.rows("select sum(calls) from live_hours") == [(2,)]


def test_rows_that_were_shared_after_a_purge_searched_come_without_them(members: Members) -> None:
    """A member that never looked again shares an old segment: who meets it leaves the purged rows
    out, and cleans the folder.
    """
    a, b = members.store("a"), members.store("b")
    a.append_all(rows_of("a", 1))
    a.share()
    late = Store(members.tmp_path / "late")  # records before the purge, and ships past its own team
    late.append_all(rows_of("late", 2, example="t-17"))
    late.append_all(rows_of("fine", 2))
    late.close()
    a.look()
    a.purge(["t-17"])
    from promptops.scale.parcels import put_segment
    from promptops.spool.segment import finished

    (segment,) = finished(late.folder)
    put_segment(members.teams["a"].files, "late", segment)
    shutil.rmtree(late.folder)
    assert [row[0] for row in members.table(b)] == ["r-a-0", "r-fine-0", "r-fine-1"]
    assert b.rows("select count(*) from scores") == [(3,)]
    assert members.bytes_with(SECRET) == []


def test_what_is_recorded_after_a_purge_stays(members: Members) -> None:
    """The purge is of what was there: the same example asked again is new."""
    a, b = members.store("a"), members.store("b")
    a.append_all(rows_of("old", 2, example="t-17"))
    a.share()
    b.look()
    a.purge(["t-17"])
    b.look()
    b.append_all(rows_of("new", 1, example="t-17"))
    b.share()
    assert [row[0] for row in members.table(a)] == ["r-new-0"]


def test_an_archive_from_before_the_team_is_shared_as_parquet(members: Members) -> None:
    """What was archived before the store joined comes to the others as a batch, once."""
    alone = Store(members.tmp_path / "a")
    alone.append_all(rows_of("a", 6))
    alone.close()
    assert alone.archive() == 1
    assert not list((alone.folder / SEGMENTS).glob("*.jsonl"))
    members.store("a").share()
    b = members.store("b")
    assert len(members.table(b)) == 6
    assert len(list((b.folder / ARCHIVE).iterdir())) == 1
    members.store("b").share()
    assert len(list(Path(members.address).glob("batches/*/*/manifest.json"))) == 1
    assert b.verify() == []


def test_what_a_team_keeps_for_so_many_days(members: Members) -> None:
    """Older runs are purged by whoever looks, once a day, at everybody."""
    a, b = members.store("a"), members.store("b")
    a.append_all(rows_of("a", 2))  # of January
    a.share()
    form = Path(members.address) / "share.json"
    form.write_text(json.dumps({"format": 1, "keep_days": 10}))
    b.append("runs", [{"id": "r-today", "started_at": "2999-01-01T00:00:00"}])
    assert [row[0] for row in members.table(b)] == ["r-today"]
    assert members.table(a) == []
    assert members.bytes_with("answer 1") == []


def test_a_folder_that_cannot_be_reached_costs_a_sentence(
    members: Members, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Recording and reading go on, a purge is refused before anything goes, and the rows are shared
    when the folder is back.
    """
    a = members.store("a")
    a.append_all(rows_of("a", 2))
    Path(members.address).write_text("in the way")
    with pytest.warns(RuntimeWarning, match="cannot be"):
        a.look()
    assert a.rows("select count(*) from runs") == [(2,)]
    with pytest.raises(StoreError, match="cannot be"):
        a.purge(["a-e0"])
    assert a.rows("select count(*) from runs") == [(2,)]
    Path(members.address).unlink()
    a.share()
    assert len(members.table(members.store("b"))) == 2


def test_no_study_is_paid_for_twice(tmp_path: Path) -> None:
    """Two people, two projects, one shared folder: the second finds every answer."""
    rows = [{"id": f"t{n}", "text": f"ticket {n}", "expected": "a"} for n in range(6)]
    asked = []
    for name in ("ada", "ben"):
        model = ScriptedModel(lambda call: "a")
        (tmp_path / name).mkdir()
        (tmp_path / name / "promptops.toml").write_text(f'store = "file://{tmp_path}/shared"')
        lab = Lab(tmp_path / name, models={"m": model})
        version = lab.prompt("triage").save("Classify {{text}}", model="m")
        lab.evaluate(version, rows, [equals()])
        assert len(model.calls) == (6 if name == "ada" else 0)
        asked.append(lab.store.rows("select count(*) from runs"))
        lab.project.close()
    assert asked == [[(6,)], [(6,)]]
    (tmp_path / "ben" / "promptops.toml").unlink()
    again = Lab(tmp_path / "ben")  # remembers if it is shared
    assert again.store.rows("select count(*) from studies") == [(1,)]


def test_an_address_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence says what to install, or what an address looks like."""
    with pytest.raises(StoreError, match="not an address"):
        shared_files.SharedFiles("nowhere://x")
    with pytest.raises(MissingExtra, match=r"\[gcs\]"):
        shared_files.SharedFiles("gs://bucket/x")


def test_a_batch_is_handed_over_without_what_was_purged_by_a_slow_clock(members: Members) -> None:
    """Its member had not heard of the purge, and by the purger's clock the purge came first."""
    a, b = members.store("a"), members.store("b")
    a.append_all(rows_of("a", 1))
    a.share()
    b.append_all(rows_of("b", 2, example="e17"))
    b.seal()
    b.merge()
    b.archive()
    stone = {"format": 1, "id": f"{1:016x}-00000000", "at": "1970-01-01T00:00:00", "live": []}
    named = {"examples": ["e17"], "study": None, "before": None, "runs": []}
    place = Path(members.address) / "tombstones"
    place.mkdir()
    (place / f"{stone['id']}.json").write_text(json.dumps({**stone, **named}))
    b.share()
    assert not [path for path in Path(members.address).rglob("*.parquet") if _holds(path, b"e17")]
    assert members.table(members.store("c")) == [("r-a-0", "answer 0")]
