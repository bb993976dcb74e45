"""What cannot be written is one StoreError that names the place, and what was there stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from promptops.errors import StoreError
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
