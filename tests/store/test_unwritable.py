"""What cannot be written is one StoreError that names the place, and what was there stays."""

from __future__ import annotations

import errno
import os
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest

from promptops.errors import StoreError
from promptops.spool import locks
from promptops.store import Store


def test_upkeep_of_a_store_where_nothing_was_recorded(tmp_path: Path) -> None:
    """A purge may be the first that is asked of one; repair has nothing to do."""
    assert Store(tmp_path / "new").repair() == []
    assert "removed: nothing" in str(Store(tmp_path / "new").purge(["a"]))
    assert Store(tmp_path / "new").verify() == []


def test_a_purge_where_no_folder_can_be_made(tmp_path: Path) -> None:
    """A file is in its place: it is named, and stays."""
    (tmp_path / "store").write_text("in the way")
    with pytest.raises(StoreError, match=r"store cannot be purged \("):
        Store(tmp_path / "store").purge(["a"])
    assert (tmp_path / "store").read_text() == "in the way"


@pytest.mark.parametrize("path", ["", "a\0b", "a\0b.parquet"])
def test_an_export_to_what_is_no_path(tmp_path: Path, path: str) -> None:
    with pytest.raises(StoreError, match=r"cannot be written \("):
        Store(tmp_path).export(path)


@pytest.mark.parametrize("name", ["x.export", "x.parquet"])
def test_an_export_to_where_nothing_can_be_written(tmp_path: Path, name: str) -> None:
    """No such folder, or a folder in the file's place; nothing is left beside it."""
    store = Store(tmp_path / "store")
    store.append("runs", [{"id": "a", "key": "a"}])
    target = tmp_path / "out" / name
    with pytest.raises(StoreError, match=rf"{name} cannot be written \("):
        store.export(target)
    target.mkdir(parents=True)
    with pytest.raises(StoreError, match=rf"{name} cannot be written \("):
        store.export(target)
    assert [path.name for path in target.parent.iterdir()] == [name]
    store.close()


@pytest.mark.parametrize("refusal", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_rows_are_kept_on_a_file_system_without_flock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: int
) -> None:
    """NFS without its lock service, Lustre by default: they had waited in memory until the process
    ended, and were lost with it.
    """
    fcntl = pytest.importorskip("fcntl")

    def refused(fd: int, kind: int) -> None:
        raise OSError(refusal, os.strerror(refusal))

    names = {name: getattr(fcntl, name) for name in ("LOCK_EX", "LOCK_SH", "LOCK_NB", "lockf")}
    monkeypatch.setattr(locks, "_fcntl", SimpleNamespace(flock=refused, **names))
    store = Store(tmp_path / "store")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        store.append("runs", [{"id": "a", "key": "a"}])
    store.flush()
    assert Store(tmp_path / "store").rows("select id from runs") == [("a",)]
    assert store.archive() == 0  # it counts as written to for an hour
    assert store.verify() == []
    store.close()


def test_a_lock_that_is_refused_once_costs_no_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The segment that could not be locked is made again: its name had been taken since."""
    refusals = [OSError(errno.EIO, "Input/output error")]
    real = locks.keep

    def once(fd: int) -> None:
        if refusals:
            raise refusals.pop()
        real(fd)

    monkeypatch.setattr("promptops.spool.segment.keep", once)
    store = Store(tmp_path / "store")
    with pytest.warns(RuntimeWarning, match="rows are kept in memory"):
        store.append("runs", [{"id": "a", "key": "a"}])
    with pytest.warns(RuntimeWarning, match="works again"):
        store.flush()
    assert Store(tmp_path / "store").rows("select id from runs") == [("a",)]
    store.close()
