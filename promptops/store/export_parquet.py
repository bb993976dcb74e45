"""One flat Parquet file of what was asked, answered and judged, for tools that know nothing of this
store: DuckDB, Spark, Postgres, a spreadsheet.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import StoreError
from .export import new_file
from .schema import TABLES

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection as Connection

__all__ = ["export_parquet"]

_MANY = 20_000  # rows in a row group
_SCORES = ("scorer", "scorer_version", "value", "passed", "raw_value", "unit", "reason", "unscored")


def export_parquet(con: Connection, path: Path, study: str | None) -> int:
    """Write a row per run, place in a study and score, with the columns of `runs` as they are
    called; returns how many. JSON is text, times are in UTC.

    Raises StoreError for an unknown study.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if (
        study is not None
        and not con.execute("SELECT 1 FROM studies WHERE id = ?", [study]).fetchall()
    ):
        raise StoreError(
            f"there is no study {study} to export; list them with `select id, name from studies`."
        )
    con.execute(_sql(study is not None), [study] if study is not None else [])
    count, schema = 0, _schema()
    with (
        new_file(path) as temporary,
        pq.ParquetWriter(temporary, schema, compression="zstd") as writer,
    ):
        while rows := con.fetchmany(_MANY):
            columns = zip(*rows, strict=True)
            arrays = [
                pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            count += len(rows)
    return count


def _schema() -> pa.Schema:
    """The pyarrow schema of the file."""
    import pyarrow as pa

    runs, scores = TABLES["runs"].arrow(), TABLES["scores"].arrow()
    fields = [field.with_name("run_id") if field.name == "id" else field for field in runs]
    fields += [pa.field(name, pa.string()) for name in ("study_id", "study", "arm")]
    return pa.schema([*fields, *(scores.field(name) for name in _SCORES)])


def _sql(one_study: bool) -> str:
    columns = [
        f'r."{name}" AS "{"run_id" if name == "id" else name}"' for name in TABLES["runs"].names
    ]
    columns += ["p.study_id", 'st."name" AS study', "p.arm"]
    columns += [f's."{name}"' for name in _SCORES]
    join = "JOIN" if one_study else "LEFT JOIN"
    return (
        f"SELECT {', '.join(columns)} FROM runs r {join} study_runs p ON p.run_id = r.id"
        " LEFT JOIN studies st ON st.id = p.study_id LEFT JOIN scores s ON s.run_id = r.id"
        + (" WHERE p.study_id = ?" if one_study else "")
        + " ORDER BY r.started_at, r.id, p.study_id, s.scorer"
    )
