"""The doctor beside a purge of another process: between its two steps the rows are in the DuckDB
file alone, and are neither called a fault nor saved.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from promptops.spool.segment import segments
from promptops.store import Store, upkeep
from promptops.store import repair as repair_module

# Purges the rows of one example; rests between the archive's cut and the file's renewal for longer
# than a merge takes.
PURGER = """
import sys, time
from promptops.store import Store
from promptops.store.database import Database
replaced = Database.replaced
def slowly(self, build, *, aside):
    print("cut", flush=True)
    time.sleep(float(sys.argv[2]))
    return replaced(self, build, aside=aside)
Database.replaced = slowly
Store(sys.argv[1]).purge(["doomed"])
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store with three rows of two examples, merged and archived."""
    store = Store(tmp_path / "store")
    rows = [("a", "kept"), ("b", "doomed"), ("c", "doomed")]
    store.append("runs", [{"id": id, "key": id, "example_id": example} for id, example in rows])
    store.merge()
    store.close()
    assert Store(tmp_path / "store").archive() == 1
    return tmp_path / "store"


def purger(folder: Path, rest_s: float) -> subprocess.Popen[str]:
    """A process that is between the two steps of its purge."""
    child = subprocess.Popen(
        [sys.executable, "-c", PURGER, str(folder), str(rest_s)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "cut\n"
    return child


@pytest.mark.parametrize("act", ["verify", "repair"])
def test_the_doctor_waits_for_a_purge(folder: Path, act: str) -> None:
    """It finds nothing, saves nothing, and sets nothing aside that holds what was purged."""
    with purger(folder, 7.0) as child:
        store = Store(folder)
        assert getattr(store, act)() == []
        assert child.wait(60) == 0
    assert Store(folder).rows("select id from runs") == [("a",)]
    assert Store(folder).verify() == []
    assert not (folder / "aside").exists()


def test_the_doctor_says_that_it_could_not_look(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a minute of waiting it names who is at it, and does not go on without the lock."""
    monkeypatch.setattr(repair_module, "PATIENT_S", 0.2)
    with purger(folder, 3.0) as child:
        store = Store(folder)
        (said,) = store.verify()
        assert "another promptops process" in said
        assert "could not be checked" in said
        assert any("repair again" in line for line in store.repair())
        assert child.wait(60) == 0
    assert Store(folder).rows("select id from runs") == [("a",)]


def test_a_segment_beside_the_batch_that_was_purged_of_its_rows_is_no_fault(
    tmp_path: Path,
) -> None:
    """A member of a team may get both: a merge takes the batch alone, and so does the doctor."""
    store = Store(tmp_path / "store")
    old, new = {"started_at": "2020-01-01T00:00:00"}, {"started_at": "2026-11-30T00:00:00"}
    store.append("runs", [{"id": "r-old", **old}, {"id": "r-new", **new}])
    store.seal()
    [segment] = segments(store.folder)
    before = segment.path.read_bytes()
    store.purge(before="2021-01-01")
    assert segments(store.folder) == []
    segment.path.write_bytes(before)
    assert store.rows("select id from runs") == [("r-new",)]
    assert store.verify() == []
    assert store.repair() == []
    store.archive()
    assert [*segments(store.folder), *store.verify()] == []
    assert store.rows("select id from runs") == [("r-new",)]


def test_a_batch_that_a_member_brings_as_the_purge_begins_is_purged_whole(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its runs had gone, as they name the example, and their scores stayed for good, as no later
    purge found whose they were.
    """
    other = Store(tmp_path / "other")
    score = {"run_id": "d", "scorer": "s", "scorer_version": "1", "example_fingerprint": "f"}
    run = {"id": "d", "key": "d", "example_id": "doomed"}
    other.append_all({"runs": [run], "scores": [score]})
    other.close()
    assert Store(tmp_path / "other").archive() == 1
    real = upkeep.alone

    @contextmanager
    def late(where: Path, wait_s: float = 0.0) -> Iterator[bool]:
        for batch in (tmp_path / "other" / "archive").iterdir():  # as a look installs it
            os.rename(batch, folder / "archive" / batch.name)
        with real(where, wait_s) as mine:
            yield mine

    monkeypatch.setattr(upkeep, "alone", late)
    assert Store(folder).purge(["doomed"]).removed == {"runs": 3, "scores": 1}
    assert Store(folder).rows("select run_id from scores") == []
    assert Store(folder).rows("select id from runs") == [("a",)]
    assert Store(folder).verify() == []


def holder(folder: Path) -> subprocess.Popen[str]:
    """Another program that has the DuckDB file open."""
    code = "import duckdb, sys; con = duckdb.connect(sys.argv[1]); print('open', flush=True)"
    child = subprocess.Popen(
        [sys.executable, "-c", f"{code}; sys.stdin.readline()", str(folder / "store.duckdb")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "open\n"
    return child


def test_a_copy_that_stands_in_for_the_file_gives_no_purged_row_back(folder: Path) -> None:
    """While another program has the file, a kernel reads a copy: it had kept what was purged in
    between.
    """
    kernel = Store(folder)
    with holder(folder) as other:
        with pytest.warns(RuntimeWarning, match="is in use by"):
            assert kernel.rows("select count(*) from runs") == [(3,)]
        other.communicate("\n", timeout=60)
    (copy,) = (folder / "scratch").iterdir()
    said = str(Store(folder).purge(["doomed"]))
    assert f"{copy} is what process" in said
    with holder(folder) as other:
        with pytest.warns(RuntimeWarning, match="is in use by"):
            assert kernel.rows("select id from runs") == [("a",)]
        other.communicate("\n", timeout=60)


def test_the_copy_of_a_dead_process_goes_with_a_purge(folder: Path) -> None:
    """It holds rows that are purged, and nobody reads it again."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait(60)
    copy = folder / "scratch" / f"18ecf1f4b06b3d52-{dead.pid}-2b5c6fd4"
    copy.mkdir(parents=True)
    (copy / "store.duckdb").write_bytes(b"doomed")
    assert "scratch" not in str(Store(folder).purge(["doomed"]))
    assert not copy.exists()
