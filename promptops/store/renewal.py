"""Making the tables of a new DuckDB file, and bringing a file that an older release wrote to the
tables of this one, with all its rows.

A former name becomes the name of today, and what is lacking is added, in one transaction: a process
that dies in between leaves the file as it was. Nothing is rebuilt, so rows that only this file
still holds stay.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from .schema import FORMER, SCHEMA, TABLES

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection as Connection

__all__ = ["create", "is_current", "renew"]


def create(con: Connection) -> None:
    """The tables, comments and the ledger, in one transaction."""
    con.execute("BEGIN")
    for table in TABLES.values():
        for statement in table.ddl():
            con.execute(statement)
    con.execute("CREATE SCHEMA internal")
    con.execute("CREATE TABLE internal.ledger (segment VARCHAR, bytes BIGINT, dropped BIGINT)")
    con.execute("CREATE TABLE internal.counts (table_name VARCHAR, rows BIGINT)")
    con.execute("CREATE TABLE internal.form (schema_version INTEGER)")
    con.execute("INSERT INTO internal.form VALUES (?)", [SCHEMA])
    con.execute("INSERT INTO internal.counts SELECT unnest(?), 0", [list(TABLES)])
    con.execute("COMMIT")


def is_current(con: Connection) -> bool:
    """Whether the file attached as `store` has every table and column of this release."""
    present = _present(con)
    return all(set(table.names) <= present.get(name, set()) for name, table in TABLES.items())


def renew(con: Connection) -> bool:
    """Rename and add what this release needs. Returns whether anything was to be done.

    Raises duckdb.Error, and changes nothing, where the file cannot be written.
    """
    import duckdb

    present = _present(con)
    if all(set(table.names) <= present.get(name, set()) for name, table in TABLES.items()):
        return False
    con.execute("BEGIN")
    try:
        for name in TABLES:
            _renew_table(con, name, present.get(name))
        con.execute(
            "UPDATE internal.form SET schema_version = greatest(schema_version, ?)", [SCHEMA]
        )
        con.execute("COMMIT")
    except BaseException:
        with suppress(duckdb.Error):  # a commit that failed has rolled back already
            con.execute("ROLLBACK")
        raise
    return True


def _renew_table(con: Connection, name: str, present: set[str] | None) -> None:
    table = TABLES[name]
    if present is None:
        for statement in table.ddl():
            con.execute(statement)
        con.execute("INSERT INTO internal.counts VALUES (?, 0)", [name])
        return
    missing = [column for column in table.names if column not in present]
    former = {new: old for old, new in FORMER.get(name, {}).items() if old in present}
    for column in missing:
        if column in former:
            con.execute(f'ALTER TABLE {name} RENAME COLUMN "{former[column]}" TO "{column}"')
        else:
            con.execute(table.widen(column))
    if missing:
        for statement in table.comments():
            con.execute(statement)


def _present(con: Connection) -> dict[str, set[str]]:
    """table -> names of its columns, as the file has them."""
    found: dict[str, set[str]] = {}
    for table, column in con.execute(
        "SELECT table_name, column_name FROM duckdb_columns()"
        " WHERE database_name = 'store' AND schema_name = 'main'"
    ).fetchall():
        found.setdefault(table, set()).add(column)
    return found
