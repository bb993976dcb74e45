"""The documented tables: the values that are recorded fit them, every column is explained, and the file opens in duckdb 1.x."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import duckdb
import pytest

from promptops.run import Attempt, Run
from promptops.score import Score
from promptops.store import Store
from promptops.store.schema import TABLES


@pytest.mark.parametrize(("table", "value"), [("runs", Run), ("attempts", Attempt)])
def test_a_table_has_exactly_the_fields_of_its_value(table: str, value: type) -> None:
    """runs and attempts are Run and Attempt, field by field, in order."""
    assert TABLES[table].names == tuple(field.name for field in dataclasses.fields(value))


def test_scores_hold_every_field_of_a_score() -> None:
    """A Score's name is the scorer's; all its other fields have a column."""
    assert {field.name for field in dataclasses.fields(Score)} - {"name"} <= set(TABLES["scores"].names)


def test_every_key_is_a_column_and_every_kind_is_known() -> None:
    """What the table of columns says is consistent in itself."""
    for table in TABLES.values():
        assert set(table.key) <= set(table.names)
        assert {column.kind for column in table.columns} <= {"text", "json", "int", "float", "bool", "time"}
        assert len(set(table.names)) == len(table.names)


def test_every_column_has_a_comment_in_the_database(tmp_path: Path) -> None:
    """`duckdb_columns()` explains every column of every table, to any tool."""
    store = Store(tmp_path)
    store.append("runs", [dict.fromkeys(TABLES["runs"].names) | {"id": "r-1"}])
    silent = store.rows(
        "select table_name, column_name from duckdb_columns() where database_name = 'store' and schema_name = 'main' and comment is null"
    )
    assert silent == []
    assert len(
        store.rows("select 1 from duckdb_tables() where database_name = 'store' and schema_name = 'main' and comment is not null")
    ) == len(TABLES)


def test_the_file_is_made_in_the_storage_version_that_every_duckdb_reads(tmp_path: Path) -> None:
    """Created as v1.0.0, so that duckdb 1.x opens what 2.x wrote."""
    store = Store(tmp_path)
    store.append("study_events", [{"study_id": "s", "at": "2026-01-01T00:00:00", "event": "started"}])
    store.merge()
    with duckdb.connect(str(tmp_path / "store.duckdb"), read_only=True) as con:
        tags = con.execute("select tags['storage_version'] from duckdb_databases() where database_name = 'store'").fetchall()
    assert tags[0][0].startswith("v1.0.0")
