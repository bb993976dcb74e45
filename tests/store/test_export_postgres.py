"""The exported table in Debian's Postgres: the same rows and figures as in DuckDB."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import duckdb
import pytest

from promptops.store import Store

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(not BINARIES, reason="Debian's package postgresql is not installed"),
]
TYPES = {"VARCHAR": "text", "DOUBLE": "double precision"}  # other names are the same in both
AT = "2026-01-01T00:00:00"


class Postgres:
    """A server on a socket in a folder of its own; it refuses to run as root."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._programs = folder, BINARIES[-1].parent
        self._user: str | None = None
        if os.getuid() == 0:
            with suppress(KeyError):
                self._user = pwd.getpwnam("postgres").pw_name
            shutil.chown(folder, self._user)

    def program(self, name: str, *arguments: str) -> str:
        done = subprocess.run(
            [str(self._programs / name), *arguments],
            cwd=self.folder,
            user=self._user,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def ask(self, *statements: str) -> str:
        words = [word for each in statements for word in ("-c", each)]
        return self.program("psql", "-h", str(self.folder), "-d", "postgres", "-qAt", *words)


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))  # a socket's path is short
    server, data = Postgres(folder), str(folder / "data")
    try:
        server.program("initdb", "-D", data, "-A", "trust", "--no-sync")
        options = f"-c listen_addresses='' -c unix_socket_directories={folder}"
        server.program(
            "pg_ctl", "-D", data, "-w", "-l", str(folder / "log"), "-o", options, "start"
        )
        try:
            yield server
        finally:
            server.program("pg_ctl", "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


def test_postgres_holds_the_same_rows(tmp_path: Path, postgres: Postgres) -> None:
    """By the way that the guide shows: Parquet to CSV by DuckDB, then COPY; texts with quotes,
    line breaks and emoji, empty texts and unknown values survive.
    """
    store = Store(tmp_path / "store")
    odd = ['say "hi"\n\tand, go', "\U0001f600 ünïcode \\N", "", None, "plain"]
    store.append("studies", [{"id": "s1", "name": "tone", "design": "{}", "created_at": AT}])
    runs = [{"id": f"r-{n}", "key": f"k{n}", "output": odd[n % 5]} for n in range(200)]
    store.append("runs", [{**run, "started_at": AT, "cost_usd": 0.1} for run in runs])
    score = {"example_fingerprint": "f", "scorer": "a", "scorer_version": "1"}
    store.append("scores", [{**score, "run_id": f"r-{n}", "value": n / 7} for n in range(200)])
    table, comma = tmp_path / "runs.parquet", postgres.folder / "runs.csv"
    store.export(table)
    duckdb.sql(f"copy (from '{table}') to '{comma}' (header)")
    columns = duckdb.sql(f"describe from '{table}'").fetchall()
    named = ", ".join(f'"{name}" {TYPES.get(kind, kind)}' for name, kind, *_ in columns)
    postgres.ask(f"create table runs ({named})", f"\\copy runs from '{comma}' csv header")
    figures = (
        "select count(*), count(distinct run_id), count(output), sum(length(output)), sum(value),"
        " min(started_at)"
    )
    [mine] = duckdb.sql(f"{figures} from '{table}'").fetchall()
    theirs = postgres.ask(f"{figures} from runs").strip().split("|")
    assert theirs[:4] == [str(each) for each in mine[:4]]
    assert float(theirs[4]) == pytest.approx(mine[4], rel=1e-12)
    assert theirs[5].startswith("2026-01-01 00:00:00")
    assert postgres.ask("select output from runs where run_id = 'r-1'").strip() == odd[1]
