"""A bucket with faults of its own: what it answers is told in a sentence, and no look at the rows
ends with its error.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from promptops.errors import StoreError
from promptops.scale.team_status import team_status
from promptops.scale.team_store import TeamStore, join_team
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
