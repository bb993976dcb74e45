"""Rows that DuckDB reads itself are the rows that Arrow reads; what is in any other form than ours
is left to Arrow.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptops.spool.lines import plain_json, record, scan
from promptops.spool.segment import Piece
from promptops.store.arrow_rows import ArrowRows
from promptops.store.connect import MEMORY, attach
from promptops.store.database import create
from promptops.store.packs import Part
from promptops.store.segment_records import PACK, encode
from promptops.store.staged_rows import stage, unstage

texts = st.none() | st.text(max_size=30) | st.sampled_from(['"', "\\", '\\"', "\x00", "😀\u2028"])
runs = st.fixed_dictionaries(
    {"id": st.text(max_size=8)},
    optional={
        "output": texts,
        "request": texts,
        "tokens_in": st.none() | st.integers(-(2**63), 2**63 - 1),
        "cost_usd": st.none() | st.floats() | st.integers(-(2**60), 2**60),
        "latency_ms": st.floats(0, 1e6),
        "git_dirty": st.none() | st.booleans(),
        "started_at": st.none() | st.datetimes() | st.just("2026-01-01T00:00:00+02:00"),
    },
)
scores = st.fixed_dictionaries(
    {"run_id": st.text(max_size=8), "scorer": st.sampled_from(["a", "b"])},
    optional={
        "value": st.none() | st.floats(0, 1),
        "passed": st.none() | st.booleans(),
        "raw_value": st.none() | st.floats() | st.integers(-(2**60), 2**60),
        "reason": texts,
        "scored_at": st.none() | st.datetimes(),
    },
)
WHOLE = {"example_fingerprint": "f", "scorer_version": "1", "scored_at": "2026-01-01T00:00:00"}


@pytest.fixture(scope="module")
def con() -> Iterator[Any]:
    con = attach(MEMORY)
    create(con)
    yield con
    con.close()


def parts(data: bytes, *, ours: bool) -> tuple[ArrowRows, list[Part]]:
    gathered = ArrowRows()
    gathered.add(Piece("s", 0, data, scan(data, last=True)), ours=ours)
    return gathered, list(gathered.parts())


def both(con: Any, data: bytes, *, ours: bool) -> tuple[list[Any], list[Any], bool]:
    """The rows as DuckDB reads them, as Arrow does, and whether DuckDB read all parts."""
    gathered, found = parts(data, ours=ours)
    by_duckdb, by_arrow, all_of_it = [], [], True
    for part in found:
        arrow = gathered.built(part)
        columns = ", ".join(f'"{name}"' for name in arrow.column_names)
        con.register("arrow", arrow)
        by_arrow += con.execute(f"SELECT {columns} FROM arrow").fetchall()
        con.unregister("arrow")
        if stage(con, "staged", part):
            by_duckdb += con.execute(f"SELECT {columns} FROM temp.staged ORDER BY rowid").fetchall()
            unstage(con, "staged")
        else:
            all_of_it = False
    return by_duckdb, by_arrow, all_of_it


@settings(deadline=None)
@given(drawn=st.lists(runs, min_size=1, max_size=8), ours=st.booleans())
def test_rows_are_the_same(con: Any, drawn: list[dict[str, Any]], ours: bool) -> None:
    by_duckdb, by_arrow, whole = both(con, encode("runs", drawn, bytes), ours=ours)
    if whole:
        assert by_duckdb == by_arrow
    assert whole or not ours
    assert len(by_arrow) == len(drawn)


@settings(deadline=None)
@given(drawn=st.lists(st.lists(scores, min_size=1, max_size=5), min_size=1, max_size=4))
def test_packs_are_the_same(con: Any, drawn: list[list[dict[str, Any]]]) -> None:
    for number, row in enumerate(row for pack in drawn for row in pack):
        row["run_id"] += str(number)
    data = b"".join(encode("scores", [WHOLE | row for row in pack], bytes) for pack in drawn)
    by_duckdb, by_arrow, whole = both(con, data, ours=False)
    if whole:
        assert by_duckdb == by_arrow
    assert len(by_arrow) == sum(map(len, drawn))


def test_what_a_study_records_is_read_by_duckdb(con: Any) -> None:
    """Runs and scores as they usually are: else nothing would be gained."""
    rows = [
        {"id": f"r-{n}", "output": "yes — ü", "latency_ms": 0.25 * n, "cost_usd": 1e-07 * n}
        | {"tokens_in": n, "git_dirty": n > 3, "started_at": "2026-01-01T00:00:00.000001"}
        for n in range(9)
    ]
    scored = [WHOLE | {"run_id": f"r-{n}", "scorer": "a", "value": n % 2} for n in range(9)]
    data = encode("runs", rows, bytes) + encode("scores", scored, bytes)
    by_duckdb, by_arrow, whole = both(con, data, ours=False)
    assert whole
    assert by_duckdb == by_arrow
    assert len(by_duckdb) == 18


ODD = [
    {"id": 5},
    {"id": "r", "tokens_in": "5"},
    {"id": "r", "tokens_in": 1.5},
    {"id": "r", "tokens_in": True},
    {"id": "r", "tokens_in": 10**19},
    {"id": "r", "latency_ms": "1"},
    {"id": "r", "git_dirty": 1},
    {"id": "r", "git_dirty": "true"},
    {"id": "r", "output": 5},
    {"id": "r", "output": {"a": 1}},
    {"id": "r", "output": None},
    {"id": "r", "mood": "good"},
    {"id": "r", "started_at": "2026-02-30T00:00:00.000000"},
    {"id": "r", "started_at": "infinity"},
    {"id": "r", "started_at": "2026-01-01 00:00:00"},
    {"output": "x"},
    {"output": "x", "id": "r"},
    [],
]


@pytest.mark.parametrize(
    "odd",
    [
        *map(json.dumps, ODD),
        '{"id":"r","id":"s"}',
        '{"id":"r"',
        '{"id":"r","latency_ms":1e400}',
        '{"id":"r","latency_ms":NaN}',
    ],
)
def test_rows_in_another_form_are_left_to_arrow(con: Any, odd: str) -> None:
    """Beside a sound one; nothing is left of the attempt."""
    document = odd.replace(", ", ",").replace(": ", ":").encode()
    part = Part("runs", [b'{"id":"good"}', document])
    assert not stage(con, "staged", part)
    assert stage(con, "staged", Part("runs", [b'{"id":"good"}']))
    unstage(con, "staged")


@pytest.mark.parametrize(
    "columns",
    [
        {"value": ["1", 2.0]},
        {"value": [True, 2.0]},
        {"passed": [1, True]},
        {"reason": [1, "x"]},
        {"scored_at": "yesterday"},
        {"scored_at": ["2026-02-30T00:00:00.000000", "2026-01-01T00:00:00.000000"]},
        {"run_id": ["a", None]},
        {"scorer": None},
    ],
)
def test_packs_with_a_value_of_another_type_are_left_to_arrow(
    con: Any, columns: dict[str, Any]
) -> None:
    usual = {
        **WHOLE,
        "scored_at": "2026-01-01T00:00:00.000000",
        "run_id": ["a", "b"],
        "scorer": "s",
    }

    def made(**more: Any) -> Part:
        pack = {"table": "scores", "rows": 2, "columns": {**usual, **more}}
        [part] = parts(record(PACK, plain_json(pack)), ours=False)[1]
        return part

    assert not stage(con, "staged", made(**columns))
    assert stage(con, "staged", made())
    unstage(con, "staged")


CHILD = """
import sys
from promptops.store import Store
store = Store(sys.argv[1])
store.append("runs", [{"id": f"r-{n}", "started_at": "2026-01-01T00:00:00"} for n in range(50)])
score = {"scorer": "s", "scorer_version": "1", "example_fingerprint": "f", "value": 1.0}
store.append("scores", [score | {"run_id": f"r-{n}"} for n in range(50)])
assert store.rows("select count(*) from runs join scores on id = run_id") == [(50,)]
store.close()
print(*sorted({"numpy", "pandas", "pyarrow"} & sys.modules.keys()))
"""


def test_recording_and_asking_import_neither_arrow_nor_numpy(tmp_path: Path) -> None:
    """They take longer to import than a study's rows to merge; also for a process that reads what
    another has written.
    """
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", CHILD, str(tmp_path)],
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        assert done.stdout.split() == []
        (tmp_path / "store.duckdb").unlink()


def test_a_time_that_no_row_of_ours_has_is_left_to_arrow(con: Any) -> None:
    """DuckDB reads 24:00 as the next day; Arrow leaves the row out."""
    odd = {"id": "r", "started_at": "2026-01-01T24:00:00.000000"}
    _, by_arrow, whole = both(con, record("runs", plain_json(odd)), ours=False)
    assert (by_arrow, whole) == ([], False)
