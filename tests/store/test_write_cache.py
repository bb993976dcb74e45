"""What a process wrote itself is not looked for; reading lends one DuckDB, and never keeps a
file.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from promptops.store import Store, connect

HEAD = {"name": "n", "prompt": "p", "design": "{}", "author": "a", "created_at": "2026-01-01"}


def head(id: str) -> dict[str, Any]:
    return {"id": id, **HEAD}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The queries that reached a database."""
    found: list[str] = []
    real = Store.rows

    def rows(self: Store, sql: str, *more: Any, **options: Any) -> Any:
        found.append(sql)
        return real(self, sql, *more, **options)

    monkeypatch.setattr(Store, "rows", rows)
    return found


def test_a_first_session_asks_no_database(tmp_path: Path, asked: list[str]) -> None:
    """In a new store, what is there is what this process wrote."""
    store = Store(tmp_path / "s")
    assert not store.has("studies", "a")
    assert not store.has("runs")
    store.append("studies", [head("a")])
    assert store.has("studies", "a")
    assert not store.has("studies", "b")
    assert store.has("studies")
    assert not store.has("runs")
    store.append_columns(
        "study_runs",
        {
            "study_id": ["a"],
            "arm": "v",
            "version_id": "p",
            "example_id": "e",
            "repeat": 0,
            "run_id": "r",
        },
    )
    assert store.has("study_runs")
    store.merge()
    assert not store.has("studies", "b")
    assert asked == []


def test_what_others_recorded_is_found(tmp_path: Path, asked: list[str]) -> None:
    """Another process's rows, merged or not, and those of an earlier session."""
    other = (
        "import sys; from promptops.store import Store; Store(sys.argv[1]).append('studies',"
        " [{'id': sys.argv[2], 'name': 'n'}])"
    )
    store = Store(tmp_path / "s")
    store.append("studies", [head("mine")])
    subprocess.run([sys.executable, "-c", other, str(store.folder), "theirs"], check=True)
    assert store.has("studies", "theirs")
    assert not store.has("studies", "nobodys")
    assert len(asked) == 2
    later = Store(tmp_path / "s")
    assert later.has("studies", "mine")
    assert not later.has("runs")
    assert len(asked) == 4
    assert store.has("studies", "mine")
    assert len(asked) == 4


@pytest.mark.parametrize("inside", [True, False])
def test_what_was_purged_is_not_there(tmp_path: Path, inside: bool) -> None:
    """By this process or by another one, while this one's segment is open: its next evaluation
    writes the study's head again.
    """
    store = Store(tmp_path / "s")
    store.append("studies", [head("a"), head("b")])
    if inside:
        store.purge(study="a")
    else:
        words = "import sys; from promptops.store import Store; Store(sys.argv[1]).purge(study='a')"
        subprocess.run([sys.executable, "-c", words, str(store.folder)], check=True)
    assert not store.has("studies", "a")
    assert store.has("studies", "b")
    store.append("studies", [head("a")])
    assert store.has("studies", "a")
    assert sorted(Store(store.folder).rows("SELECT id FROM studies")) == [("a",), ("b",)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_knows_and_reads(tmp_path: Path) -> None:
    """It has what its parent wrote, a DuckDB of its own, and ends."""
    store = Store(tmp_path / "s")
    store.append("studies", [head("a")])
    assert store.rows("SELECT count(*) FROM studies") == [(1,)]
    child = os.fork()
    if child == 0:
        good = (
            store.has("studies", "a")
            and not store.has("studies", "b")
            and store.rows("SELECT count(*) FROM studies") == [(1,)]
        )
        os._exit(0 if good else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert store.rows("SELECT count(*) FROM studies") == [(1,)]


def opened(path: Path) -> str:
    """What a foreign process says that opens the file for writing."""
    words = "import duckdb, sys; duckdb.connect(sys.argv[1]).execute('select 1'); print('open')"
    done = subprocess.run(
        [sys.executable, "-c", words, str(path)], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or done.stderr


def test_no_file_stays_open_between_reads(tmp_path: Path) -> None:
    """After an answer, an error and an interrupt in the middle of a query, a foreign program can
    have the file.
    """
    store = Store(tmp_path / "s")
    store.append("studies", [head("a")])
    path = store.folder / "store.duckdb"
    assert store.rows("SELECT id FROM studies") == [("a",)]
    assert opened(path) == "open"
    with pytest.raises(Exception, match="nothing_such"):
        store.rows("SELECT nothing_such FROM studies")
    assert opened(path) == "open"
    with suppress(KeyboardInterrupt), store._reading("") as con:
        con.execute("BEGIN")
        raise KeyboardInterrupt
    assert opened(path) == "open"
    assert store.rows("SELECT id FROM studies") == [("a",)]
    assert opened(path) == "open"


def test_a_read_within_a_read_has_a_database_of_its_own(tmp_path: Path) -> None:
    """As a user's callback may do it; and two stores do not disturb each other."""
    one, two = Store(tmp_path / "one"), Store(tmp_path / "two")
    one.append("studies", [head("a")])
    two.append("studies", [head("b"), head("c")])
    with one._reading("") as con:
        assert one.rows("SELECT count(*) FROM studies") == [(1,)]
        assert two.rows("SELECT count(*) FROM studies") == [(2,)]
        assert con.execute("SELECT count(*) FROM studies").fetchall() == [(1,)]
    assert two.rows("SELECT count(*) FROM studies") == [(2,)]
    assert one.rows("SELECT count(*) FROM studies") == [(1,)]


def test_a_users_query_locks_only_its_own_database(tmp_path: Path) -> None:
    """`sql` forbids files and settings for good; the next read of our own is free of that."""
    store = Store(tmp_path / "s")
    store.append("studies", [head("a")])
    assert len(store.sql("SELECT id FROM studies")) == 1
    with store._reading("") as con:
        con.execute("SET threads = 2")


def test_a_database_that_cannot_let_go_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where detaching fails, the whole instance goes, and with it the file; the next read makes
    another.
    """
    store = Store(tmp_path / "s")
    store.append("studies", [head("a")])
    store.rows("SELECT 1 FROM studies")
    with store._reading("") as con:
        con.execute("SELECT 1")
        con.close()  # so that it cannot detach
    assert connect.READERS[-1]._made is None
    assert opened(store.folder / "store.duckdb") == "open"
    assert store.rows("SELECT id FROM studies") == [("a",)]
