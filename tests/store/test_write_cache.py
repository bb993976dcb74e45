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
from promptops.store.database import Database, create

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
    with suppress(KeyboardInterrupt), store.access.reading("") as con:
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
    with one.access.reading("") as con:
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
    with store.access.reading("") as con:
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
    with store.access.reading("") as con:
        con.execute("SELECT 1")
        con.close()  # so that it cannot detach
    assert connect.READERS[-1]._made is None
    assert opened(store.folder / "store.duckdb") == "open"
    assert store.rows("SELECT id FROM studies") == [("a",)]


def test_merging_lends_one_database_and_keeps_no_file(tmp_path: Path) -> None:
    """Merges into two stores use one instance; between them neither file is open."""
    one, two = Store(tmp_path / "a" / "s"), Store(tmp_path / "b" / "s")
    one.append("studies", [head("a")])
    one.merge()
    made = connect.WRITERS[-1]._made
    assert made is not None
    for store, id in ((two, "b"), (one, "c"), (two, "d")):
        store.append("studies", [head(id)])
        store.merge()
        assert connect.WRITERS[-1]._made is not None
        assert connect.WRITERS[-1]._made[1] is made[1]
        assert opened(store.folder / "store.duckdb") == "open"
    assert one.rows("SELECT id FROM studies ORDER BY id") == [("a",), ("c",)]
    assert two.rows("SELECT id FROM studies ORDER BY id") == [("b",), ("d",)]


def test_a_merge_that_fails_ends_the_instance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of a transaction that failed is left for the next merge; its rows come then."""
    store = Store(tmp_path / "s")
    store.append("studies", [head("a")])
    store.merge()
    store.append("studies", [head("b")])

    def full(con: Any, marks: Any) -> None:
        raise OSError("No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("promptops.store.merge_segments._mark", full)
        with pytest.warns(RuntimeWarning, match="cannot be written"):
            store.merge()
    assert connect.WRITERS[-1]._made is None
    assert opened(store.folder / "store.duckdb") == "open"
    assert store.merge() == 1
    assert store.rows("SELECT id FROM studies ORDER BY id") == [("a",), ("b",)]


def test_the_tables_of_a_copy_are_those_that_are_made(tmp_path: Path) -> None:
    """A new file is a copy of blank tables: the same columns, types, comments and counts as by the
    statements themselves, and an empty store answers the same.
    """
    import duckdb

    (tmp_path / "made").mkdir()
    con = connect.attach(tmp_path / "made" / "store.duckdb")
    create(con)
    con.close()
    facts = (
        "SELECT schema_name, table_name, column_name, data_type, is_nullable, comment"
        " FROM duckdb_columns() WHERE database_name = '{0}' ORDER BY ALL",
        "SELECT schema_name, table_name, comment FROM duckdb_tables()"
        " WHERE database_name = '{0}' ORDER BY ALL",
        "SELECT * FROM internal.counts ORDER BY ALL",
        "SELECT * FROM internal.form",
    )
    found = []
    for name in ("first", "second"):
        store = Store(tmp_path / name)
        assert store.rows("SELECT count(*) FROM studies") == [(0,)]
        empty = [store.rows(fact.format("store")) for fact in facts]
        store.folder.mkdir(parents=True, exist_ok=True)
        with Database(store.folder / "store.duckdb").writing():
            pass
        found.append((empty, store.folder / "store.duckdb"))
    with duckdb.connect(tmp_path / "made" / "store.duckdb", read_only=True) as made:
        expected = [made.execute(fact.format("store")).fetchall() for fact in facts]
    assert len(expected[0]) > 200
    assert sum(row[-1] is not None for row in expected[0]) > 200
    for empty, path in found:
        assert empty == expected
        with duckdb.connect(path, read_only=True) as copied:
            assert [copied.execute(fact.format("store")).fetchall() for fact in facts] == expected
