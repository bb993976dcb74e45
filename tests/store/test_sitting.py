"""Law: within a sitting the file that is read stays attached from one read to the next, and is
closed before anything is written, when its time is over, and at the end.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from promptops.store import Store, sitting
from promptops.store.schema import DEPLOYMENTS
from promptops.store.sitting import KEEPERS, Keeper, one_at_a_time


def head(id: str) -> dict[str, Any]:
    return {"id": id, "created_at": "2026-07-01T00:00:00.000000Z"}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "s")
    made.append("studies", [head("a")])
    made.merge()
    return made


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time that a file is kept does not end within a test on a busy machine."""
    monkeypatch.setattr(sitting, "MOST_S", 600.0)


def connection(store: Store) -> object:
    with store.access.reading("") as con:
        assert con.execute("SELECT count(*) FROM studies").fetchall()[0][0] >= 1
        return con


def test_the_reads_of_a_sitting_share_a_connection_and_others_do_not(store: Store) -> None:
    """A sitting within a sitting goes on with the outer's; after the last one it is closed."""
    with sitting.sitting():
        first = connection(store)
        with sitting.sitting():
            assert connection(store) is first
        assert connection(store) is first
        assert not KEEPERS[-1].wanted  # it is kept already
    with sitting.sitting():
        assert KEEPERS[-1].wanted  # the end of the first one closed it
    assert not KEEPERS[-1].wanted
    assert connection(store) is not first


def test_what_is_written_within_a_sitting_is_read_in_it(store: Store) -> None:
    """By this store, by another one of the same folder, and by another thread."""
    other = Store(store.folder)
    with sitting.sitting():
        first = connection(store)
        store.append("studies", [head("b")])
        assert store.rows("SELECT id FROM studies ORDER BY id") == [("a",), ("b",)]
        assert connection(store) is not first
        other.append("studies", [head("c")])
        assert len(other.rows("SELECT id FROM studies")) == 3
        thread = threading.Thread(
            target=lambda: (other.append("studies", [head("d")]), other.merge())
        )
        thread.start()
        thread.join()
        assert len(store.rows("SELECT id FROM studies")) == 4
        assert len(store.sql("SELECT id FROM studies")) == 4  # a database of its own


def test_two_stores_and_a_read_within_a_read(store: Store, tmp_path: Path) -> None:
    """One file is kept at a time, and the inner read has a database of its own."""
    two = Store(tmp_path / "two")
    two.append("studies", [head("b"), head("c")])
    with sitting.sitting():
        assert store.rows("SELECT count(*) FROM studies") == [(1,)]
        assert two.rows("SELECT count(*) FROM studies") == [(2,)]
        with two.access.reading("") as con:
            assert two.rows("SELECT count(*) FROM studies") == [(2,)]
            assert store.rows("SELECT count(*) FROM studies") == [(1,)]
            assert con.execute("SELECT count(*) FROM studies").fetchall() == [(2,)]
        assert store.rows("SELECT count(*) FROM studies") == [(1,)]


def test_a_read_that_fails_closes_the_file(store: Store) -> None:
    """Whatever it left behind on the connection goes with it."""
    with sitting.sitting():
        first = connection(store)
        with pytest.raises(Exception, match="nothing_such"):
            store.rows("SELECT nothing_such FROM studies")
        assert KEEPERS[-1].wanted
        assert connection(store) is not first


def test_the_table_of_deployments_is_of_the_read(tmp_path: Path) -> None:
    """It is filled again for each, with what serves then."""
    kinds = {"int": 1, "float": 1.0, "bool": False, "time": "2026-07-01T00:00:00Z", "text": "x"}
    row = {column.name: kinds[column.kind] for column in DEPLOYMENTS.columns}
    rows = [row]
    store = Store(tmp_path / "s", lambda: rows)
    store.append("studies", [head("a")])
    with sitting.sitting():
        assert store.rows("SELECT count(*) FROM deployments") == [(1,)]
        rows.append({**row, "env": "dev"})
        assert store.rows("SELECT count(*) FROM deployments") == [(2,)]


def test_a_file_whose_time_is_over_is_closed_for_other_processes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without another read: nobody waits for the end of a long sitting. One that is read at the
    moment is closed right after.
    """
    monkeypatch.setattr(sitting, "MOST_S", 0.0)
    keeper, closed = Keeper(), threading.Event()
    keeper.begin()
    with one_at_a_time():
        keeper.keep(Path("f"), (1,), "con", closed.set)
        with keeper.again(Path("f"), (1,)) as con:
            assert con == "con"
            keeper.let_go()
            assert not closed.is_set()
    assert closed.wait(60)
    with one_at_a_time(), keeper.again(Path("f"), (1,)) as con:
        assert con is None


def test_other_bytes_are_another_file() -> None:
    """A file that was replaced is not read from the connection to the old one."""
    keeper, closed = Keeper(), threading.Event()
    keeper.begin()
    keeper.keep(Path("f"), (1,), "con", closed.set)
    with keeper.again(Path("f"), (2,)) as con:
        assert con is None
    assert closed.is_set()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_reads_for_itself(store: Store) -> None:
    """It leaves its parent's connection alone, and its parent reads on."""
    with sitting.sitting():
        first = connection(store)
        child = os.fork()
        if child == 0:
            good = store.rows("SELECT count(*) FROM studies") == [(1,)]
            os._exit(0 if good else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert connection(store) is first
