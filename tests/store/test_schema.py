"""The documented tables: the values that are recorded fit them, every column is explained, and the
file opens in duckdb 1.x.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import duckdb
import pytest

from promptops.run import Attempt, Run
from promptops.score import Score
from promptops.spool.lines import SCHEMA, meta_line, plain_json, record
from promptops.store import Store, database
from promptops.store.schema import FORMER, TABLES, renamed

LATER = (  # (table, column) that came after release 0.1, or within it
    ("runs", "tokens_cache_write"),
    ("runs", "tokens_reasoning"),
    ("runs", "reasoning"),
    ("runs", "service_tier"),
    ("runs", "imported_from"),
    ("attempts", "cost_usd"),
    ("versions", "made_by"),
    ("datasets", "origin"),
    ("verdicts", "env"),
)


@pytest.mark.parametrize(("table", "value"), [("runs", Run), ("attempts", Attempt)])
def test_a_table_has_exactly_the_fields_of_its_value(table: str, value: type) -> None:
    """runs and attempts are Run and Attempt, field by field, in order."""
    assert TABLES[table].names == tuple(field.name for field in dataclasses.fields(value))


def test_scores_hold_every_field_of_a_score() -> None:
    """A Score's name is the scorer's; all its other fields have a column."""
    assert {field.name for field in dataclasses.fields(Score)} - {"name"} <= set(
        TABLES["scores"].names
    )


def test_every_key_is_a_column_and_every_kind_is_known() -> None:
    """What the table of columns says is consistent in itself."""
    for table in TABLES.values():
        assert set(table.key) <= set(table.names)
        assert {column.kind for column in table.columns} <= {
            "text",
            "json",
            "int",
            "float",
            "bool",
            "time",
        }
        assert len(set(table.names)) == len(table.names)


def test_every_column_has_a_comment_in_the_database(tmp_path: Path) -> None:
    """`duckdb_columns()` explains every column of every table, to any tool."""
    store = Store(tmp_path)
    store.append("runs", [dict.fromkeys(TABLES["runs"].names) | {"id": "r-1"}])
    silent = store.rows(
        "select table_name, column_name from duckdb_columns() where database_name = 'store' and"
        " schema_name = 'main' and comment is null"
    )
    assert silent == []
    assert len(
        store.rows(
            "select 1 from duckdb_tables() where database_name = 'store' and schema_name = 'main'"
            " and comment is not null"
        )
    ) == len(TABLES)


def test_the_file_is_made_in_the_storage_version_that_every_duckdb_reads(tmp_path: Path) -> None:
    """Created as v1.0.0, so that duckdb 1.x opens what 2.x wrote."""
    store = Store(tmp_path)
    store.append(
        "study_events", [{"study_id": "s", "event_at": "2026-01-01T00:00:00", "event": "started"}]
    )
    store.merge()
    with duckdb.connect(str(tmp_path / "store.duckdb"), read_only=True) as con:
        tags = con.execute(
            "select tags['storage_version'] from duckdb_databases() where database_name = 'store'"
        ).fetchall()
    assert tags[0][0].startswith("v1.0.0")


# -- a column that a later release added


def attempt(**more: Any) -> dict[str, Any]:
    return {
        "run_id": "r-1",
        "number": 1,
        "started_at": "2026-01-01T00:00:00",
        "latency_ms": 1.5,
        **more,
    }


def as_an_older_release_left_it(folder: Path) -> Store:
    """A store whose file has the columns of format 1: none of the later ones, the rest by their
    former names. Its segment does not name what is later.
    """
    old = Store(folder)
    old.append_all({"runs": [{"id": "r-1", "role": "judge"}], "attempts": [attempt()]})
    old.merge()
    old.close()
    with duckdb.connect(str(folder / "store.duckdb")) as con:
        for table, column in LATER:
            con.execute(f"alter table {table} drop column {column}")
        for table, names in FORMER.items():
            for former, name in names.items():
                con.execute(f'alter table {table} rename column "{name}" to "{former}"')
        con.execute("update internal.form set schema_version = 1")
    (folder / "SCHEMA").write_text("1\n")
    return Store(folder)


def test_the_later_columns_are_the_last_of_their_tables() -> None:
    """What an older release lists by name comes first: positions of its columns stay."""
    for table in {table for table, _ in LATER}:
        later = [column for found, column in LATER if found == table]
        assert list(TABLES[table].names[-len(later) :]) == later
        assert not set(later) & set(TABLES[table].key)


def test_an_older_file_is_given_what_came_later(tmp_path: Path) -> None:
    """Read at once: what it held is unknown there and nothing is set aside; then written; the
    comment is there too.
    """
    store = as_an_older_release_left_it(tmp_path)
    assert store.rows("select run_id, cost_usd from attempts") == [("r-1", None)]
    store.append("attempts", [attempt(number=2, cost_usd=0.25)])
    assert store.rows("select number, cost_usd from attempts order by number") == [
        (1, None),
        (2, 0.25),
    ]
    assert store.verify() == []
    assert not (tmp_path / "aside").exists()
    said = (
        "select comment from duckdb_columns() where database_name = 'store' and table_name ="
        " 'attempts' and column_name = 'cost_usd'"
    )
    assert "certainly not billed" in store.rows(said)[0][0]


def test_an_older_file_is_renewed_once_and_says_so(tmp_path: Path) -> None:
    """Every column has its name of today, its value and its comment; the folder and the file say
    the format in which they are now, and a second look changes nothing.
    """
    store = as_an_older_release_left_it(tmp_path)
    assert store.rows("select id, role, system_fingerprint from runs") == [("r-1", "judge", None)]
    assert (tmp_path / "SCHEMA").read_text() == f"{SCHEMA}\n"
    before = (tmp_path / "store.duckdb").read_bytes()
    assert Store(tmp_path).rows("select role from runs") == [("judge",)]
    assert (tmp_path / "store.duckdb").read_bytes() == before
    silent = "select 1 from duckdb_columns() where schema_name = 'main' and comment is null"
    assert store.rows(f"{silent} and database_name = 'store'") == []
    with duckdb.connect(str(tmp_path / "store.duckdb"), read_only=True) as con:
        assert con.execute("select schema_version from internal.form").fetchall() == [(SCHEMA,)]


def test_an_older_file_that_cannot_be_written_is_read_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another program holds it, or the disk is full: the rows come from the segments, by the names
    of today, and the file keeps its bytes.
    """
    store = as_an_older_release_left_it(tmp_path)
    before = (tmp_path / "store.duckdb").read_bytes()

    def full(_con: object) -> bool:
        raise OSError("No space left on device")

    monkeypatch.setattr(database, "renew", full)
    assert store.rows("select id, role from runs") == [("r-1", "judge")]
    assert (tmp_path / "store.duckdb").read_bytes() == before


def test_a_file_without_a_table_of_today_is_given_it(tmp_path: Path) -> None:
    """A release that adds a table needs no migration of its own."""
    store = as_an_older_release_left_it(tmp_path)
    with duckdb.connect(str(tmp_path / "store.duckdb")) as con:
        con.execute("drop table plans")
        con.execute("delete from internal.counts where table_name = 'plans'")
    assert store.rows("select count(*) from plans") == [(0,)]
    store.append("plans", [{"id": "q1-1", "prompt": "p", "document": "{}"}])
    assert store.verify() == []


def test_without_renewal_an_older_file_would_not_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proof of the tests above: a file that is opened as it is has no such column."""
    store = as_an_older_release_left_it(tmp_path)
    monkeypatch.setattr(database, "is_current", lambda con: True)
    monkeypatch.setattr(database, "renew", lambda con: False)
    with pytest.raises(duckdb.BinderException, match="cost_usd"):
        store.rows("select run_id, cost_usd from attempts")


def test_a_former_name_is_given_to_no_other_column() -> None:
    """Files are read by the names that are in them, so a name that means two things over time
    would be read wrongly; and each leads to a column of its table.
    """
    for table, names in FORMER.items():
        assert not set(names) & set(TABLES[table].names), table
        assert set(names.values()) <= set(TABLES[table].names), table
        assert len(set(names.values())) == len(names), table
    assert renamed("runs", {"source": "model", "id": "r-1"}) == {"role": "model", "id": "r-1"}


# -- columns of two meanings, of which one got a name of its own within format 2

FORMERLY: dict[str, dict[str, Any]] = {  # table -> a row as it was written until then
    "attempts": attempt(status=429),
    "live": {"id": "l-1", "number": 3},
    "live_hours": {"id": "h-1", "number": 4},
}
RENAMED = "select (select http_status from attempts), (select version from live), version"


def written_before(path: Path, schema: int) -> None:
    """A segment, which is what an export is too, with the former names."""
    rows = [record(table, plain_json(row)) for table, row in FORMERLY.items()]
    path.write_bytes(meta_line(schema=schema) + b"".join(rows))


@pytest.mark.parametrize("schema", [1, SCHEMA])
def test_a_segment_and_an_export_of_former_names_are_read(tmp_path: Path, schema: int) -> None:
    """By the names of today, before they are merged, in the file, and from the archive alone; the
    same names keep their meaning in other tables.
    """
    store = Store(tmp_path / "store")
    event = {"optimization_id": "o-1", "number": 5, "status": "kept"}
    store.append_all({"candidate_events": [event], "runs": [{"id": "r-1"}]})
    store.close()
    written_before(tmp_path / "store" / "segments" / "a.jsonl", schema)
    written_before(tmp_path / "out", schema)
    fresh = Store(tmp_path / "fresh")
    assert fresh.import_(tmp_path / "out") == dict.fromkeys(FORMERLY, 1)
    for read in (Store(tmp_path / "store"), fresh):
        assert read.rows(f"{RENAMED} from live_hours") == [(429, 3, 4)]
    store = Store(tmp_path / "store")
    store.merge()
    assert store.archive() == 2
    (tmp_path / "store" / "store.duckdb").unlink()
    again = Store(tmp_path / "store")
    assert again.rows(f"{RENAMED} from live_hours") == [(429, 3, 4)]
    assert again.rows("select number, status from candidate_events") == [(5, "kept")]
    assert again.verify() == []


def test_a_file_of_former_names_and_the_format_of_today_is_renewed(tmp_path: Path) -> None:
    """The file's columns say what it lacks, not the number of its format."""
    store = Store(tmp_path)
    rows = {table: [renamed(table, row)] for table, row in FORMERLY.items()}
    store.append_all({**rows, "runs": [{"id": "r-1"}]})
    store.merge()
    store.close()
    with duckdb.connect(str(tmp_path / "store.duckdb")) as con:
        for table in FORMERLY:
            for former, name in FORMER[table].items():
                con.execute(f'alter table {table} rename column "{name}" to "{former}"')
    store = Store(tmp_path)
    assert store.rows(f"{RENAMED} from live_hours") == [(429, 3, 4)]
    with duckdb.connect(str(tmp_path / "store.duckdb"), read_only=True) as con:
        assert con.execute("select http_status from attempts").fetchall() == [(429,)]
        assert con.execute("select version from live").fetchall() == [(3,)]
    assert store.verify() == []


def test_an_older_archive_and_an_older_export_are_read(tmp_path: Path) -> None:
    """Parquet without the column gives nulls; so does a segment, and so an export of segments."""
    store = as_an_older_release_left_it(tmp_path / "old")
    with pytest.MonkeyPatch.context() as patch:
        table = TABLES["attempts"]
        patch.setitem(TABLES, "attempts", dataclasses.replace(table, columns=table.columns[:-1]))  # type: ignore[misc]
        assert store.archive() == 1
    (tmp_path / "old" / "store.duckdb").unlink()
    again = Store(tmp_path / "old")
    assert again.rows("select number, cost_usd from attempts") == [(1, None)]
    again.export(tmp_path / "out")
    fresh = Store(tmp_path / "new")
    assert fresh.import_(tmp_path / "out") == {"runs": 1, "attempts": 1}
    assert fresh.rows("select number, cost_usd from attempts") == [(1, None)]
