"""What was recorded as one flat Parquet file: other tools read every run with its scores."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from promptops.errors import StoreError
from promptops.store import Store


def test_a_row_per_run_place_and_score(tmp_path: Path) -> None:
    """DuckDB reads it by itself; a run without a study or a score has a row too."""
    store = Store(tmp_path / "store")
    at = "2026-01-01T00:00:00"
    store.append("studies", [{"id": "s1", "name": "tone", "design": "{}", "created_at": at}])
    store.append(
        "runs",
        [
            {"id": f"r-{n}", "key": f"k{n}", "output": f"answer {n}", "started_at": at}
            for n in range(3)
        ],
    )
    place = {"study_id": "s1", "arm": "v1", "version_id": "p1-a", "repeat": 0, "reused": False}
    store.append(
        "study_runs",
        [{**place, "example_id": f"e{n}", "run_id": f"r-{n}"} for n in range(2)],
    )
    score = {"run_id": "r-0", "example_fingerprint": "f", "scorer_version": "1"}
    store.append("scores", [{**score, "scorer": s, "value": 0.5} for s in ("a", "b")])
    path = tmp_path / "x.parquet"
    assert store.export(path) == {"runs": 4}
    rows = duckdb.sql(
        f"select run_id, study, arm, scorer, value, started_at::varchar from '{path}'"
    ).fetchall()
    moment = "2026-01-01 00:00:00"
    assert rows == [
        ("r-0", "tone", "v1", "a", 0.5, moment),
        ("r-0", "tone", "v1", "b", 0.5, moment),
        ("r-1", "tone", "v1", None, None, moment),
        ("r-2", None, None, None, None, moment),
    ]
    assert store.export(path, "s1") == {"runs": 3}
    with pytest.raises(StoreError, match="no study s2 to export"):
        store.export(path, "s2")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["store", "x.parquet"]
