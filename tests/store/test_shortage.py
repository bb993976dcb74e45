"""Memory or open files that are short are no fault of any file: nothing is set aside, left out or
called damaged for it, and what is said is one sentence.
"""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

import duckdb
import pyarrow as pa
import pytest

from promptops.errors import StoreError
from promptops.store import Store, database, manifest
from promptops.store.connect import Damaged, fault_of, is_damage
from promptops.store.shortage import Shortage, is_shortage

SHORT = [
    duckdb.OutOfMemoryException("Out of Memory Error: Allocation failure"),
    duckdb.FatalException("FATAL Error: Failed to commit: Out of Memory Error: bad allocation"),
    duckdb.InternalException("INTERNAL Error: std::bad_alloc"),
    pa.ArrowMemoryError("malloc of size 64 failed"),
    pa.ArrowException("Unknown error: Failed to launch thread: Resource temporarily unavailable"),
    MemoryError(),
    OSError(errno.EMFILE, os.strerror(errno.EMFILE)),
    OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
]
OTHER = [
    duckdb.IOException("IO Error: the file is not a valid DuckDB database file"),
    duckdb.FatalException("FATAL Error: Invalid block"),
    FileNotFoundError(errno.ENOENT, "Too many open files"),
    ValueError("Out of Memory"),
]
CHILD = """
import resource, sys
from promptops.store import Store
store = Store(sys.argv[1])
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]) << 20,) * 2)
try:
    print(len(store.sql("SELECT * FROM study_events")))
except (OSError, MemoryError, ImportError) as error:
    print(type(error).__name__, error)
"""


def event(number: int) -> dict[str, object]:
    return {"study_id": "s", "event_at": f"2026-01-01T00:00:{number:02}", "event": "began"}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Twelve rows, all of them in the archive and in the DuckDB file."""
    store = Store(tmp_path / "store")
    store.append("study_events", [event(number) for number in range(12)])
    store.close()
    assert store.archive() == 1
    return Store(store.folder)


@pytest.mark.parametrize("error", SHORT, ids=lambda error: type(error).__name__)
def test_what_is_short_is_never_damage(error: Exception) -> None:
    assert is_shortage(error)
    assert not is_damage(error)
    assert isinstance(Shortage("x", error), StoreError)
    if isinstance(error, duckdb.Error):
        found = fault_of(error, "store.duckdb")
        assert isinstance(found, OSError)
        assert not isinstance(found, Damaged)


@pytest.mark.parametrize("error", OTHER, ids=lambda error: type(error).__name__)
def test_what_is_damaged_or_missing_is_not_short(error: Exception) -> None:
    assert not is_shortage(error)


@pytest.mark.parametrize("error", SHORT, ids=lambda error: type(error).__name__)
def test_a_file_that_is_counted_without_memory_stays_where_it_is(
    store: Store, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The count of the rows is the first that DuckDB reads of a file; one that fails had set it
    aside, and the archive beside it.
    """

    def short(_con: object) -> NoReturn:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(database, "_ledger", short)
        for step in (store.stats, store.repair, lambda: store.sql("SELECT 1")):
            try:
                step()
            except (StoreError, MemoryError, OSError, pa.ArrowException) as raised:
                assert is_shortage(raised)
            else:  # out of handles, the rows may still come from segments and archive
                assert isinstance(error, OSError)
    assert not (store.folder / "aside").exists()
    assert len(store.sql("SELECT * FROM study_events")) == 12
    assert store.verify() == []


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENFILE, errno.ENOMEM])
def test_an_archive_that_cannot_be_opened_now_is_not_set_aside(
    store: Store, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither for its manifest nor for its files' hashes."""

    def short(path: Any) -> NoReturn:
        raise OSError(code, os.strerror(code), str(path))

    with monkeypatch.context() as patched:
        patched.setattr(manifest, "open_plain", short)
        for step in (store.stats, store.verify, store.repair):
            with pytest.raises(StoreError, match="nothing recorded is lost"):
                step()
        for batch in (store.folder / "archive").iterdir():
            with pytest.raises(StoreError, match="nothing recorded is lost"):
                manifest.hash_of(batch / "study_events.parquet")
    assert not (store.folder / "aside").exists()
    assert store.repair() == []
    assert len(store.sql("SELECT * FROM study_events")) == 12


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is of Linux")
@pytest.mark.parametrize("more", [0, 32, 96, 192, 384])
def test_a_process_at_its_limit_of_memory_leaves_the_store_whole(store: Store, more: int) -> None:
    """Whatever fails first, the interpreter, a library or DuckDB."""
    ended = subprocess.run(
        [sys.executable, "-c", CHILD, str(store.folder), str(200 + more)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Damaged" not in ended.stdout + ended.stderr
    assert "set aside" not in ended.stdout + ended.stderr
    assert not (store.folder / "aside").exists()
    assert len(store.sql("SELECT * FROM study_events")) == 12
    assert store.verify() == []
