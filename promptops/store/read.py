"""Asking a store: our own SQL with bound values, and the user's own under lock and key.

A user's query reads and nothing else: no file, no extension, no setting, no write; a row limit that
is reported when it cuts, and a time limit.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import contextmanager
from numbers import Real
from typing import TYPE_CHECKING, Any

from ..errors import StoreError
from .connect import is_damage
from .recorder import outside
from .schema import DEPLOYMENTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duckdb import DuckDBPyConnection as Connection
    from pandas import DataFrame

__all__ = [
    "Deployments",
    "Params",
    "as_stored",
    "ask_user",
    "asked",
    "show_deployments",
    "checked_limit",
]

Params = Sequence[object] | Mapping[str, object] | None
Deployments = Callable[[], Iterable[Mapping[str, object]]]
_LOCKS = (
    "SET temp_directory = ''",
    "SET memory_limit = '2GB'",  # one query must not take the machine with it
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)


def as_stored(value: Any) -> Any:
    """The value as a row holds it: a lone surrogate, which UTF-8 cannot carry, is replaced; lists
    are taken item by item.
    """
    if isinstance(value, (list, tuple)):
        return [as_stored(each) for each in value]
    if not isinstance(value, str) or value.isascii():
        return value
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def asked(con: Connection, sql: str, params: Params) -> Any:
    """What our own SQL finds; a text that DuckDB cannot take is asked as it was stored."""
    import duckdb

    try:
        return con.execute(sql, params)
    except duckdb.InvalidInputException:
        given = dict(params) if isinstance(params, Mapping) else list(params or ())
        kept = (
            {name: as_stored(value) for name, value in given.items()}
            if isinstance(given, dict)
            else as_stored(given)
        )
        if kept == given:
            raise
        return con.execute(sql, kept)


def show_deployments(con: Connection, query: str, deployments: Deployments | None) -> None:
    """Make the table `deployments`, filled where the query names it."""
    con.execute("DROP TABLE IF EXISTS temp.deployments")  # of an earlier read of the same sitting
    for statement in DEPLOYMENTS.ddl(temporary=True):
        con.execute(statement)
    if deployments is not None and "deployments" in query.lower():
        names = DEPLOYMENTS.names
        rows = [[row.get(name) for name in names] for row in deployments()]
        if rows:
            con.executemany(f"INSERT INTO deployments VALUES ({', '.join('?' * len(names))})", rows)


def checked_limit(limit: int) -> int:
    """The largest number of rows. Raises StoreError if it is negative."""
    if limit < 0:
        raise StoreError(f"limit is {limit}; expected the largest number of rows, 0 or more.")
    return limit


def _checked_timeout(seconds: object) -> float:
    found = float(seconds) if isinstance(seconds, Real) else 0.0
    if not found > 0:
        raise StoreError(f"timeout_s is {seconds!r}; expected a number of seconds above 0.")
    return min(found, threading.TIMEOUT_MAX)


def ask_user(con: Connection, query: str, limit: int, timeout_s: float) -> DataFrame:
    """The answer to one statement that reads, at most `limit` rows (a warning says that it was
    cut).

    Raises StoreError, which says what was wrong with the query, that it was refused, or that it
    took too long.
    """
    import duckdb

    for lock in _LOCKS:
        con.execute(lock)
    query = as_stored(query)
    try:
        statements = con.extract_statements(query)
        if len(statements) != 1:
            raise StoreError(
                f"expected one SQL statement, got {len(statements)}; run them one at a time."
            )
        with _interrupted_after(con, _checked_timeout(timeout_s)):
            relation = con.sql(query)
            if relation is None:
                raise StoreError(
                    "this statement returns no rows; the store is read-only here: query it with"
                    " SELECT."
                )
            frame: DataFrame = relation.limit(checked_limit(limit) + 1).df()
    except duckdb.InterruptException:
        raise StoreError(
            f"the query ran longer than {timeout_s:g} s and was ended; narrow it, or pass a longer"
            " timeout_s."
        ) from None
    except duckdb.Error as error:
        if is_damage(error):
            raise  # the store sets the file aside, and asks again
        raise StoreError(
            f"the query cannot be answered: {str(error).strip().splitlines()[0]}"
        ) from None
    if len(frame) > limit:
        warnings.warn(
            f"only the first {'row is' if limit == 1 else f'{limit:,} rows are'} shown; pass a"
            " larger limit, or aggregate in the query.",
            stacklevel=outside(),
        )
        frame = frame.iloc[:limit]
    return frame


@contextmanager
def _interrupted_after(con: Connection, seconds: float) -> Iterator[None]:
    """Again and again: an interrupt that falls between two steps of the query is forgotten."""
    done = threading.Event()

    def interrupt() -> None:
        if not done.wait(seconds):
            while not done.is_set():
                con.interrupt()
                done.wait(0.05)

    thread = threading.Thread(target=interrupt, name="promptops-query", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
