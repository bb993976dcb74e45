"""A bucket with faults of its own: what it answers is told in a sentence, and no look at the rows
ends with its error.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from promptops.errors import StoreError
from promptops.scale import shared_files
from promptops.scale.team_status import team_status
from promptops.scale.team_store import LOOK_S, TeamStore, join_team
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
