"""A bucket with faults of its own: what it answers is told in a sentence, and no look at the rows
ends with its error.
"""

from __future__ import annotations

import errno
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from promptops.errors import StoreError
from promptops.run import utc
from promptops.scale import shared_files, team_reader
from promptops.scale.membership import Membership
from promptops.scale.team_status import team_status
from promptops.scale.team_store import LOOK_S, TeamStore, join_team
from promptops.spool.segment import segments
from promptops.store import Store


class FaultyBucket(MemoryFileSystem):
    """A bucket in memory; `listed` changes a listing, `gone` are names that are listed only."""

    protocol = "faulty"
    cachable = False
    listed: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    gone: tuple[str, ...] = ()

    def find(self, path: str, **how: Any) -> Any:
        found = super().find(path, detail=True)
        return self.listed(found) if FaultyBucket.listed is not None else found

    def cat_file(self, path: str, start: Any = None, end: Any = None, **how: Any) -> Any:
        if path.endswith(FaultyBucket.gone) and FaultyBucket.gone:
            raise FileNotFoundError(path)
        return super().cat_file(path, start, end, **how)


@pytest.fixture
def team(tmp_path: Path) -> Iterator[TeamStore]:
    """A member that shared three rows, and carried out a purge."""
    fsspec.register_implementation("faulty", FaultyBucket, clobber=True)
    store = Store(tmp_path / "a")
    team = join_team(store, "faulty://faults")
    store.append("runs", [{"id": f"r-{n}", "example_id": f"e{n}"} for n in range(3)])
    team.sync()
    store.purge(["e1"])
    yield team
    FaultyBucket.listed, FaultyBucket.gone = None, ()
    MemoryFileSystem.store.clear()


def missing(found: dict[str, Any]) -> dict[str, Any]:
    raise FileNotFoundError("no such bucket")


def without_sizes(found: dict[str, Any]) -> dict[str, Any]:
    return {name: {**facts, "size": None} for name, facts in found.items()}


def with_odd_files(found: dict[str, Any]) -> dict[str, Any]:
    odd = {f"/faults/members/{n}": {"size": size, "type": "file"} for n, size in enumerate(SIZES)}
    return {**found, **odd, "/faults/bare": {}}


SIZES = (None, -1, 2.5, "7", True)


@pytest.mark.parametrize(
    ("listed", "told"), [(missing, "is not there"), (without_sizes, "how large its files are")]
)
def test_a_place_without_a_listing_is_told_and_stops_no_look(
    team: TeamStore, listed: Callable[[dict[str, Any]], dict[str, Any]], told: str
) -> None:
    FaultyBucket.listed = staticmethod(listed)  # type: ignore[assignment]
    for ask in (team.sync, lambda: team_status(team.files)):
        with pytest.raises(StoreError, match=told):
            ask()
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        team.look(now=True)
        team.share()
        rows = team._store.rows("select example_id from runs order by 1")
    assert rows == [("e0",), ("e2",)]


def test_one_file_without_a_size_is_left_out(team: TeamStore) -> None:
    FaultyBucket.listed = staticmethod(with_odd_files)  # type: ignore[assignment]
    team.sync()
    assert len(team_status(team.files).members) == 1


@pytest.mark.parametrize("gone", ["share.json", ".json"])
def test_what_is_removed_between_its_listing_and_its_reading_is_no_error(
    team: TeamStore, tmp_path: Path, gone: str
) -> None:
    """A purge that cannot be read is told, and waited for."""
    FaultyBucket.gone = (gone,)
    other = join_team(Store(tmp_path / "b"), "faulty://faults")
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        other.sync()
    assert team_status(team.files).keep_days is None
    FaultyBucket.gone = ()
    other.sync()
    assert other._store.rows("select example_id from runs order by 1") == [("e0",), ("e2",)]


def test_half_a_purge_is_taken_back(team: TeamStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails in the middle leaves no tombstone that nobody can read, which would keep
    every member from the rows that came before it.
    """
    whole = MemoryFileSystem.pipe_file

    def half(self: MemoryFileSystem, path: str, value: bytes, **how: Any) -> None:
        whole(self, path, value[: len(value) // 2])
        raise OSError("the connection was cut")

    before = set(team.files.listing())
    monkeypatch.setattr(FaultyBucket, "pipe_file", half, raising=False)
    with pytest.raises(StoreError, match="cannot be written"):
        team._store.purge(["e2"])
    monkeypatch.undo()
    assert set(team.files.listing()) == before
    team.sync()
    assert team._store.rows("select example_id from runs order by 1") == [("e0",), ("e2",)]


def test_a_torn_statement_of_the_retention_stops_no_exchange(
    team: TeamStore, tmp_path: Path
) -> None:
    team.files.write("share.json", b'{"format": 1, "keep_d')
    other = join_team(Store(tmp_path / "b"), "faulty://faults")
    with pytest.warns(RuntimeWarning, match=r"share\.json"):
        other.sync()
    assert other._store.rows("select count(*) from runs") == [(2,)]


def test_a_bucket_that_never_answers_is_not_waited_for(
    team: TeamStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows are read meanwhile, and the next look does not ask again at once."""
    asked = []

    def never(found: dict[str, Any]) -> dict[str, Any]:
        asked.append(1)
        time.sleep(30)
        return found

    monkeypatch.setattr(shared_files, "_ANSWER_S", 0.3)
    FaultyBucket.listed = staticmethod(never)  # type: ignore[assignment]
    began = time.monotonic()
    with pytest.warns(RuntimeWarning, match=r"did not answer within 0\.3 s"):
        team.look(now=True)
    for _ in range(3):
        assert team._store.rows("select count(*) from runs") == [(2,)]
        team.share()
        with pytest.raises(StoreError, match="did not answer"):
            team.sync()
    assert time.monotonic() - began < 15
    assert len(asked) <= 3


def test_a_look_that_failed_slowly_is_not_repeated_at_each_read(team: TeamStore) -> None:
    """A host that says "slow down" is asked again by its client for a minute."""

    def slow(found: dict[str, Any]) -> dict[str, Any]:
        time.sleep(1.0)
        raise OSError("SlowDown")

    FaultyBucket.listed = staticmethod(slow)  # type: ignore[assignment]
    with pytest.warns(RuntimeWarning, match="SlowDown"):
        team.look(now=True)
    assert team._next - time.monotonic() > LOOK_S + 1


def rows_of(store: Store) -> list[str]:
    return [row[0] for row in store.rows("select id from runs order by 1")]


def test_what_is_acknowledged_and_lost_is_told_and_handed_over_again(
    team: TeamStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    team._store.append("runs", [{"id": "r-9", "example_id": "e9"}])
    monkeypatch.setattr(FaultyBucket, "put_file", lambda *given, **how: None)
    with pytest.raises(StoreError, match="acknowledged, and nothing of its"):
        team.sync()
    monkeypatch.undo()
    team.sync()
    other = join_team(Store(tmp_path / "b"), "faulty://faults")
    other.sync()
    assert rows_of(other._store) == ["r-0", "r-2", "r-9"]


def test_a_purge_that_is_acknowledged_and_lost_is_not_made(
    team: TeamStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be carried out here alone, and the others would bring its rows back."""
    monkeypatch.setattr(FaultyBucket, "pipe_file", lambda *given, **how: None)
    with pytest.raises(StoreError, match="acknowledged, and nothing of its"):
        team._store.purge(["e2"])
    assert rows_of(team._store) == ["r-0", "r-2"]


def test_a_batch_without_one_of_its_files_is_handed_over_again(
    team: TeamStore, tmp_path: Path
) -> None:
    """A manifest alone had counted as the rows that it names."""
    store = Store(tmp_path / "c")
    store.append("runs", [{"id": "r-9", "example_id": "e9"}])
    store.seal()
    store.archive()
    third = join_team(store, "faulty://faults")
    third.sync()
    [lost] = [
        name
        for name in team.files.listing()
        if name.startswith(f"batches/{Membership.of(store.folder).member}")  # type: ignore[union-attr]
        and name.endswith("runs.parquet")
    ]
    team.files.remove(lost)
    with pytest.warns(RuntimeWarning, match="torn or damaged"):
        team.sync()
    third.sync()
    team.sync()
    assert rows_of(team._store) == ["r-0", "r-2", "r-9"]


def test_what_answers_everything_alike_is_no_bucket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, team: TeamStore
) -> None:
    """A proxy or a login page: each listing is empty, each file is there, each write succeeds."""
    monkeypatch.setattr(FaultyBucket, "find", lambda *given, **how: {})
    monkeypatch.setattr(FaultyBucket, "cat_file", lambda *given, **how: b"<html>Sign in</html>")
    monkeypatch.setattr(FaultyBucket, "pipe_file", lambda *given, **how: None)
    monkeypatch.setattr(FaultyBucket, "put_file", lambda *given, **how: None)
    monkeypatch.setattr(FaultyBucket, "info", lambda *given, **how: {"size": 20})
    store = Store(tmp_path / "b")
    other = join_team(store, "faulty://faults")
    store.append("runs", [{"id": "r-1", "example_id": "e1"}])
    for ask in (other.sync, lambda: other.sync(bring=False), lambda: other.keep_days(3)):
        with pytest.raises(StoreError, match="not a bucket|acknowledged, and 20 bytes"):
            ask()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(StoreError, match="acknowledged, and 20 bytes"):
            store.purge(["e1"])
        assert rows_of(store) == ["r-1"]


def test_a_listing_that_lacks_the_retention_does_not_end_it(team: TeamStore) -> None:
    team.keep_days(40_000)

    def stale(found: dict[str, Any]) -> dict[str, Any]:
        return {name: facts for name, facts in found.items() if "share.json" not in name}

    FaultyBucket.listed = staticmethod(stale)  # type: ignore[assignment]
    team.sync()
    FaultyBucket.listed = None
    assert team_status(team.files).keep_days == 40_000


@pytest.mark.parametrize("days", [-3, 3])
def test_a_clock_that_is_wrong_purges_nothing_for_its_age(
    team: TeamStore, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    """A host whose clock is days ahead would purge at everybody what the team still keeps; what was
    purged by such a clock does not end the retention either.
    """
    real = time.time()
    day = utc(real - 86_400 * 2)
    team._store.append("runs", [{"id": "r-9", "example_id": "e9", "started_at": day}])
    team.keep_days(4)
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: real + 86_400 * days)
        patch.setattr(time, "time_ns", lambda: int((real + 86_400 * days) * 1e9))
        with pytest.warns(RuntimeWarning, match=r"72\.0 hours from that of the team's store"):
            team.sync()
    assert rows_of(team._store) == ["r-0", "r-2", "r-9"]


def test_purges_of_examples_do_not_put_off_the_retention(team: TeamStore) -> None:
    """It comes once a day; one purge a day of an example had put it off for ever."""
    team._store.append("runs", [{"id": "r-9", "example_id": "e9", "started_at": "2020-01-01"}])
    team.keep_days(10)
    team._store.purge(["e2"])
    team.sync()
    assert rows_of(team._store) == ["r-0"]


def test_who_is_interrupted_keeps_what_came(
    team: TeamStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A month of segments is fetched some at a time and installed in parts."""
    monkeypatch.setattr(team_reader, "_TOGETHER", 5)
    for n in range(3, 20):
        team._store.append("runs", [{"id": f"r-{n:02}", "example_id": f"e{n}"}])
        team._store.seal()
    team.sync()
    store = Store(tmp_path / "b")
    other = join_team(store, "faulty://faults")
    installed: list[int] = []
    install = TeamStore._install

    def then_stopped(self: TeamStore, *given: Any) -> None:
        install(self, *given)
        installed.append(1)
        if len(installed) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(TeamStore, "_install", then_stopped)
        with pytest.raises(KeyboardInterrupt):
            other.sync()
    assert len(list(segments(store.folder))) >= 5
    other.sync()
    assert len(rows_of(store)) == 19


def test_a_place_that_gives_nothing_is_not_asked_for_each_file(
    team: TeamStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One file that is refused costs nobody the others; all of them end the look."""
    asked = []

    def refused(*given: Any, **how: Any) -> None:
        asked.append(1)
        raise PermissionError("AccessDenied")

    for n in range(3, 90):
        team._store.append("runs", [{"id": f"r-{n:02}", "example_id": f"e{n}"}])
        team._store.seal()
    team.sync()
    monkeypatch.setattr(team_reader, "_TOGETHER", 30)
    monkeypatch.setattr(FaultyBucket, "get_file", refused)
    with pytest.raises(StoreError, match="AccessDenied"):
        join_team(Store(tmp_path / "b"), "faulty://faults").sync()
    assert len(asked) <= 60


def test_a_full_disk_under_ones_own_store_is_a_sentence(
    team: TeamStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Membership, "keep", full)
    with pytest.raises(StoreError, match=r"cannot be written \(No space left on device\)"):
        team.sync()
    with pytest.warns(RuntimeWarning, match="No space left"):
        team.look(now=True)
    assert rows_of(team._store) == ["r-0", "r-2"]
