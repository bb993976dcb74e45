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
from promptops.store import Store, merge_segments
from promptops.store.schema import LATER, TABLES


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
        "study_events", [{"study_id": "s", "at": "2026-01-01T00:00:00", "event": "started"}]
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
    """A store whose file has none of the later columns, and whose segment does not name them."""
    old = Store(folder)
    old.append_all({"runs": [{"id": "r-1"}], "attempts": [attempt()]})
    old.merge()
    old.close()
    with duckdb.connect(str(folder / "store.duckdb")) as con:
        for table, column in LATER:
            con.execute(f"alter table {table} drop column {column}")
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


def test_without_it_an_older_file_would_not_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proof of the test above: a merge that widens nothing cannot read the file of an older
    release.
    """
    store = as_an_older_release_left_it(tmp_path)
    monkeypatch.setattr(merge_segments, "_widen", lambda con: None)
    with pytest.raises(duckdb.BinderException, match="cost_usd"):
        store.rows("select run_id, cost_usd from attempts")


def test_an_older_archive_and_an_older_export_are_read(tmp_path: Path) -> None:
    """Parquet without the column gives nulls; so does a segment, and so an export of segments."""
    store = as_an_older_release_left_it(tmp_path / "old")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(merge_segments, "LATER", ())
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
