"""A million live rows by version and hour, with p50 and p95, in at most 0.3 s; and by version and
arm, with votes and quality, in at most 1 s.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import duckdb
import pytest

from promptops.monitor.live_questions import by_hour, by_version
from promptops.store.schema import TABLES

pytestmark = pytest.mark.benchmark

ROWS = 1_000_000
_KINDS = {"text": "VARCHAR", "int": "BIGINT", "float": "DOUBLE", "bool": "BOOLEAN"}
ASKED = {"prompt": "triage", "env": "prod", "since": "2026-11-22T00:00:00"}


class Rows:
    """What the questions ask of a store: a table of a million calls of a week, three versions."""

    def __init__(self) -> None:
        self._con = duckdb.connect()
        for name in ("live", "feedback", "scores", "live_hours"):
            listed = ", ".join(
                f'"{column.name}" {_KINDS.get(column.kind, "VARCHAR")}'
                if column.kind != "time"
                else f'"{column.name}" TIMESTAMP'
                for column in TABLES[name].columns
            )
            self._con.execute(f"CREATE TABLE {name} ({listed})")
        self._con.execute(
            "INSERT INTO live BY NAME SELECT 'l-' || i AS id, 'triage' AS prompt, 'prod' AS env,"
            " 'p1-' || i % 3 AS version_id, 1 + i % 3 AS version, 'gpt-4o-mini' AS model,"
            " TIMESTAMP '2026-11-22' + to_seconds(i * 604800 / $n) AS started_at,"
            " exp(6 + hash(i) % 1000 / 500.0) AS latency_ms, 500 AS tokens_in, 90 AS tokens_out,"
            " CASE WHEN hash(i) % 50 = 0 THEN 'rate_limit' END AS failure"
            " FROM range($n) r(i)",
            {"n": ROWS},
        )
        self._con.execute(
            "INSERT INTO feedback BY NAME SELECT 'f-' || i AS id, 'l-' || i * 20 AS run,"
            " 'good' AS kind, (i % 5 > 0)::DOUBLE AS value FROM range($n // 20) r(i)",
            {"n": ROWS},
        )
        self._con.execute(
            "INSERT INTO scores BY NAME SELECT 'l-' || i * 20 AS run_id, 'equals' AS scorer,"
            " (i % 7 > 0)::DOUBLE AS value FROM range($n // 20) r(i)",
            {"n": ROWS},
        )

    def rows(self, sql: str, given: Any = None) -> list[tuple[Any, ...]]:
        return self._con.execute(sql, given).fetchall()


def fastest(step: Callable[[], Any]) -> float:
    took = []
    for _ in range(5):
        began = time.perf_counter()
        step()
        took.append(time.perf_counter() - began)
    return min(took)


def test_a_million_live_rows(capsys: pytest.CaptureFixture[str]) -> None:
    store: Any = Rows()
    hours = by_hour(store, ASKED)
    assert len(hours) == 7 * 24 * 3
    assert sum(row["calls"] for row in hours) == ROWS
    versions = by_version(store, {**ASKED, "scorer": None})
    assert [row["votes"] for row in versions] == [pytest.approx(ROWS / 60, abs=1)] * 3
    hourly = fastest(lambda: by_hour(store, ASKED))
    whole = fastest(lambda: by_version(store, {**ASKED, "scorer": None}))
    with capsys.disabled():
        print(f"\n{ROWS:,} live rows: by hour {hourly:.3f} s, all figures {whole:.3f} s")
    assert hourly <= 0.3
    assert whole <= 1.0
