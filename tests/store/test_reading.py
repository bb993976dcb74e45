"""Asking the store: everything that was recorded is seen at once, and a user's own SQL reads and
nothing else (S17).
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from promptops.errors import StoreError
from promptops.store import Store
from promptops.store.database import Database


def event(name: str, study: str = "s") -> dict[str, Any]:
    return {"study_id": study, "event_at": "2026-01-01T00:00:00", "event": name}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "store")
    made.append(
        "runs",
        [
            {"id": f"r-{n}", "key": f"k{n}", "tokens_in": n, "started_at": "2026-01-01T00:00:00"}
            for n in range(20)
        ],
    )
    return made


def test_opening_costs_nothing(tmp_path: Path) -> None:
    """No folder, file, thread, and no heavy import; a question to a store that holds nothing makes
    nothing either.
    """
    code = (
        "import sys, threading\nfrom pathlib import Path\nfrom promptops.store import Store\nfolder"
        " = Path(sys.argv[1]) / 'store'\nstore = Store(folder)\nassert not folder.exists() and"
        " threading.active_count() == 1\nassert not {'duckdb', 'pandas', 'pyarrow', 'numpy'} &"
        " set(sys.modules), sorted(sys.modules)\nassert store.rows('select count(*) from runs') =="
        " [(0,)]\nassert store.verify() == [] and not folder.exists()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_what_was_appended_is_seen_at_once_by_this_and_any_other_store(store: Store) -> None:
    """Before anything was merged or synced."""
    assert store.rows("select count(*) from runs") == [(20,)]
    store.append("runs", [{"id": "r-new"}])
    assert Store(store.folder).rows("select count(*) from runs") == [(21,)]
    assert store.frame("select id from runs where id = ?", ["r-new"])["id"].tolist() == ["r-new"]


def test_values_are_bound_by_place_and_by_name(store: Store) -> None:
    """A list for `?`, a mapping for `$name`, lists as values too; text that looks like SQL is
    text.
    """
    assert store.rows("select id from runs where tokens_in = ?", [3]) == [("r-3",)]
    assert store.rows(
        "select count(*) from runs where id in (select unnest($ids))",
        {"ids": ["r-1", "r-2", "x'; drop table runs; --"]},
    ) == [(2,)]
    assert store.rows("select count(*) from runs") == [(20,)]


def test_rows_that_repeat_a_key_collapse_to_the_first(store: Store) -> None:
    """In one append, over several, over stores, and against what is merged."""
    store.append(
        "runs",
        [
            {"id": "r-0", "tokens_in": 99},
            {"id": "r-x", "tokens_in": 1},
            {"id": "r-x", "tokens_in": 2},
        ],
    )
    store.merge()
    Store(store.folder).append("runs", [{"id": "r-x", "tokens_in": 3}])
    assert store.rows("select id, tokens_in from runs where id in ('r-0', 'r-x') order by id") == [
        ("r-0", 0),
        ("r-x", 1),
    ]
    assert store.verify() == []


def test_deployments_are_read_when_they_are_asked_for(tmp_path: Path) -> None:
    """The hook is called by a query that names the table, and by no other."""
    calls: list[int] = []

    def deployments() -> list[Mapping[str, Any]]:
        calls.append(1)
        return [
            {
                "prompt": "p",
                "env": "prod",
                "at": "2026-01-01T00:00:00Z",
                "version": 2,
                "other": "ignored",
            }
        ]

    store = Store(tmp_path / "store", deployments=deployments)
    store.append("study_events", [event("one")])
    store.rows("select count(*) from study_events")
    assert calls == []
    assert (
        store.sql("select prompt, env, version, percent from deployments").to_dict("records")[0][
            "version"
        ]
        == 2
    )
    assert store.rows('select "at"::text from Deployments') == [("2026-01-01 00:00:00",)]
    assert Store(tmp_path / "store").rows("select count(*) from deployments") == [(0,)]


# -- the user's own


@pytest.mark.parametrize(
    "query",
    [
        "select * from read_csv('/etc/passwd')",
        "select * from '/etc/passwd'",
        "select * from read_text('store.duckdb')",
        "select * from glob('*')",
        "attach '/tmp/other.db'",
        "copy runs to 'stolen.csv'",
        "export database 'stolen'",
        "install httpfs",
        "load httpfs",
        "set enable_external_access = true",
        "reset lock_configuration",
        "pragma enable_external_access",
        "drop table runs",
        "delete from runs",
        "insert into runs (id) values ('r-forged')",
        "update runs set output = 'forged'",
        "create table mine as select 1",
        "detach store",
        "select 1; drop table runs",
        "x'; DROP TABLE runs; --",
        "select * from store",  # a Python variable of our own
        "call pragma_nothing()",
        "",
    ],
)
def test_a_query_that_does_more_than_read_is_refused(store: Store, query: str) -> None:
    """Files, extensions, settings, writes, several statements: one sentence, nothing done."""
    with pytest.raises(StoreError):
        store.sql(query)
    assert store.rows("select count(*), count(output) from runs") == [(20, 0)]


@pytest.mark.parametrize(
    "query",
    [
        "select 1",
        "select 1;",
        "with a as (from runs) select count(*) from a -- so",
        "describe runs",
        "show tables",
        "summarize runs",
    ],
)
def test_whatever_reads_is_answered(store: Store, query: str) -> None:
    """SELECT in all its forms, and what tells about the tables."""
    assert len(store.sql(query))


def test_a_cut_answer_says_so(store: Store) -> None:
    """At most `limit` rows, in the query's order, with a warning only if there were more."""
    with pytest.warns(UserWarning, match="first 5 rows"):
        assert store.sql("select tokens_in from runs order by tokens_in desc", limit=5)[
            "tokens_in"
        ].tolist() == [19, 18, 17, 16, 15]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(store.sql("select * from runs", limit=20)) == 20


def test_a_query_without_end_is_ended(store: Store) -> None:
    """After `timeout_s`, with a sentence; the next one is answered."""
    began = time.monotonic()
    with pytest.raises(StoreError, match=r"longer than 0\.3 s"):
        store.sql("select count(*) from range(1000000000) a, range(1000000000) b", timeout_s=0.3)
    assert time.monotonic() - began < 20
    assert len(store.sql("select 1")) == 1


@pytest.mark.parametrize("odd", ["1", b"1", [30], None, 0, -1, float("nan")])
def test_a_limit_of_time_that_is_none_is_refused(store: Store, odd: Any) -> None:
    """A query never runs without a limit; the longest one is what a thread can wait."""
    with pytest.raises(StoreError, match=r"timeout_s is .*; expected a number of seconds"):
        store.sql("select 1", timeout_s=odd)
    for longest in (10**30, float("inf")):
        assert len(store.sql("select 1", timeout_s=longest)) == 1


def test_threads_may_ask_at_the_same_time(store: Store) -> None:
    """Readers, a writer and a merger in one process: no error, and no row is missed."""
    faults: list[BaseException] = []

    def ask() -> None:
        try:
            seen = 0
            for _ in range(6):
                count = store.rows("select count(*) from runs")[0][0]
                assert count >= seen
                seen = count
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for n in range(50):
        store.append("runs", [{"id": f"r-more-{n}"}])
    store.merge()
    for thread in threads:
        thread.join()
    assert faults == []
    assert store.rows("select count(*) from runs") == [(70,)]


def test_a_merge_of_many_sittings_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is opened again after some bytes: all rows come in once, also when a torn tail is
    never covered.
    """
    monkeypatch.setattr("promptops.store.access.SITTING_BYTES", 1)
    monkeypatch.setattr("promptops.store.merge_segments._STEP", 1)
    monkeypatch.setattr("promptops.spool.segment.CHUNK", 2_000)
    opened: list[object] = []
    real = Database.writing
    monkeypatch.setattr(Database, "writing", lambda self: (opened.append(1), real(self))[1])
    rows = [
        {"study_id": "s", "event_at": "2026-01-01T00:00:00", "event": f"{n}", "detail": "x" * 500}
        for n in range(40)
    ]
    store = Store(tmp_path)
    store.append("study_events", rows)
    store.close()
    (path,) = (tmp_path / "segments").iterdir()
    torn = path.read_bytes()[:-20]
    path.write_bytes(torn)
    assert Store(tmp_path).merge() == 39
    assert 5 < len(opened) < 40
    assert Store(tmp_path).rows("select count(*), count(distinct event) from study_events") == [
        (39, 39)
    ]
