"""A pipe in the place of one of the store's files keeps nobody waiting: it is named, set aside, and
no sound row is missing. An unpacked archive can put one there.
"""

from __future__ import annotations

import os
import shutil
import warnings
from pathlib import Path

import pytest

from promptops.store import Store

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes"),
    pytest.mark.usefixtures("no_waiting"),
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with 3 rows in the archive and 2 in a segment."""
    folder = tmp_path_factory.mktemp("whole") / "store"
    for names in ("abc", "de"):
        store = Store(folder)
        store.append("runs", [{"id": name, "key": name, "output": name} for name in names])
        store.merge()
        store.close()
        if names == "abc":
            assert Store(folder).archive() == 1
    return folder


@pytest.mark.parametrize(
    ("place", "rows"),
    [
        ("SCHEMA", 5),
        ("purged.json", 5),
        ("store.duckdb", 5),
        ("store.duckdb.wal", 5),
        ("archive/*/manifest.json", 5),
        ("archive/*/runs.parquet", 5),
        ("segments/*.jsonl", 5),
    ],
)
def test_a_pipe_is_named_and_set_aside(whole: Path, tmp_path: Path, place: str, rows: int) -> None:
    """Looked at, verified and repaired, each in a moment; the rows that DuckDB's file and the sound
    files hold are there throughout.
    """
    folder = tmp_path / "store"
    shutil.copytree(whole, folder)
    target = next(iter(folder.glob(place)), folder / place)
    target.unlink(missing_ok=True)
    os.mkfifo(target)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        store = Store(folder)
        count = "select count(distinct id) from runs"
        assert store.rows(count) == [(rows,)]
        assert store.verify() or not target.is_fifo()
        store.append("runs", [{"id": "z", "key": "z"}])
        store.repair()
        assert store.rows(count) == [(rows + 1,)]
        assert store.verify() == []
        store.close()
