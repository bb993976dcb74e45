"""R6, R10: scores and places are recorded together, column by column; they come back as the rows
that were given, and damage costs one pack.
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptops.errors import StoreError
from promptops.spool.lines import meta_line, plain_json, record, scan
from promptops.spool.segment import Piece
from promptops.store import Store
from promptops.store.arrow_rows import ArrowRows
from promptops.store.segment_records import PACK, TOGETHER, encode, encode_columns

SHARED = {"scorer": "equals", "scorer_version": "1", "scored_at": "2026-01-01T00:00:00"}


def score(run: int, **more: Any) -> dict[str, Any]:
    return {
        "run_id": f"r-{run}",
        "example_fingerprint": "f",
        **SHARED,
        "value": 1.0,
        "passed": True,
        **more,
    }


def read(data: bytes) -> tuple[list[dict[str, Any]], int, int]:
    """The rows of `scores`, the damaged stretches, and the records that hold none."""
    gathered = ArrowRows()
    found = scan(data, last=True)
    gathered.add(Piece("s", 0, data, found))
    rows = [
        row for table, part in gathered.tables() if table == "scores" for row in part.to_pylist()
    ]
    return rows, len(found.damage), gathered.wrong


values = st.fixed_dictionaries(
    {},
    optional={
        "value": st.none() | st.floats(0, 1) | st.just(math.nan),
        "passed": st.none() | st.booleans(),
        "raw_value": (
            st.none()
            | st.floats(allow_nan=True, allow_infinity=True)
            | st.integers(-(2**60), 2**60)
        ),
        "reason": st.none() | st.text(st.characters(codec="utf-8"), max_size=20),
        "unscored": st.none() | st.just("missing expected"),
        "scored_at": st.none() | st.datetimes() | st.just("2026-01-01T00:00:00+02:00"),
    },
)


@settings(deadline=None)  # pyarrow is imported on the way
@given(st.lists(values, min_size=1, max_size=12))
def test_rows_come_back_as_one_by_one(drawn: list[dict[str, Any]]) -> None:
    """A pack says of every row what a record of its own would say: nothing is shared that
    differs.
    """
    rows = [score(number) | more for number, more in enumerate(drawn)]
    together, damaged, wrong = read(encode("scores", rows, bytes))
    alone = [read(encode("scores", [row], bytes))[0][0] for row in rows]
    assert together == alone
    assert (damaged, wrong) == (0, 0)


def test_one_row_given_twice_is_that_row(tmp_path: Path) -> None:
    """A pack of rows that share every value, which holds no list to count them by."""
    store = Store(tmp_path)
    store.append("scores", [score(1), score(1)])
    assert store.rows("select run_id from scores") == [("r-1",)]
    assert store.stats()["damaged_records"] == 0


def test_many_rows_are_several_packs() -> None:
    """No pack has more than TOGETHER rows, and none is lost between them."""
    data = encode("scores", [score(number) for number in range(2 * TOGETHER + 1)], bytes)
    assert len(scan(data, last=True).rows[PACK]) == 3
    assert [row["run_id"] for row in read(data)[0]] == [
        f"r-{number}" for number in range(2 * TOGETHER + 1)
    ]


@pytest.mark.parametrize("bit", [0x01, 0x20, 0x80])
def test_a_flipped_bit_costs_at_most_the_pack_that_it_is_in(bit: int) -> None:
    """Every byte of the middle one of three packs; the damage is counted."""
    packs = [encode("scores", [score(2 * n), score(2 * n + 1, value=0.0)], bytes) for n in range(3)]
    before, middle = len(meta_line()) + len(packs[0]), packs[1]
    for position in range(len(middle) - 1):
        data = bytearray(meta_line() + b"".join(packs))
        data[before + position] ^= bit
        rows, damaged, _ = read(bytes(data))
        assert [row["run_id"] for row in rows] == ["r-0", "r-1", "r-4", "r-5"], position
        assert damaged == 1


def test_a_row_that_does_not_fit_costs_itself(tmp_path: Path) -> None:
    """Another writer's pack with a key missing and a text for a number: the sound rows are kept,
    the others are counted.
    """
    columns = {
        **SHARED,
        "example_fingerprint": "f",
        "run_id": ["r-1", None, "r-3", "r-4"],
        "value": [1.0, 1.0, "much", 0.5],
    }
    data = meta_line() + record(
        PACK, plain_json({"table": "scores", "rows": 4, "columns": columns})
    )
    rows, damaged, wrong = read(data)
    assert [row["run_id"] for row in rows] == ["r-1", "r-4"]
    assert (damaged, wrong) == (0, 2)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"table": "scores"},
        {"table": "scores", "rows": 2, "columns": {"run_id": ["r-1"]}},
        {"table": "scores", "rows": 10**12, "columns": {"run_id": "r"}},
        {"table": 3},
    ],
)
def test_a_pack_that_is_none_is_counted(document: dict[str, Any]) -> None:
    """Sound JSON in another form never stops a merge."""
    rows, _, wrong = read(
        meta_line() + record(PACK, plain_json(document)) + encode("scores", [score(7)], bytes)
    )
    assert [row["run_id"] for row in rows] == ["r-7"]
    assert wrong >= 1


def test_packs_and_tables_of_a_newer_release_are_ignored() -> None:
    """An unknown column is left out, an unknown table too."""
    known = {**SHARED, "example_fingerprint": "f", "run_id": ["r-1"], "mood": "good"}
    packs = [
        {"table": "moods", "rows": 1, "columns": {"id": ["m"]}},
        {"table": "scores", "rows": 1, "columns": known},
    ]
    rows, _, wrong = read(b"".join(record(PACK, plain_json(pack)) for pack in packs))
    assert [row["run_id"] for row in rows] == ["r-1"]
    assert wrong == 0


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({**SHARED, "example_fingerprint": "f", "run_id": ["a", None]}, "scores.run_id is missing"),
        ({**SHARED, "run_id": ["a"]}, "scores.example_fingerprint is missing"),
        (
            {**SHARED, "example_fingerprint": "f", "run_id": ["a"], "value": ["much"]},
            "scores.value is str 'much'; expected a number",
        ),
        (
            {**SHARED, "example_fingerprint": "f", "run_id": ["a"], "mood": "good"},
            "scores has no column 'mood'",
        ),
        (
            {**SHARED, "example_fingerprint": ["f"], "run_id": ["a", "b"]},
            r"columns of scores have \[1, 2\] rows",
        ),
    ],
)
def test_columns_that_do_not_fit_are_refused_before_a_byte_is_written(
    tmp_path: Path, columns: dict[str, Any], said: str
) -> None:
    store = Store(tmp_path / "store")
    with pytest.raises(StoreError, match=said):
        store.append_columns("scores", columns)
    assert not store.folder.exists()


def test_secrets_and_long_texts_are_dealt_with_in_packs() -> None:
    """Cleaned at the one write point, capped with length and hash."""
    secret = b"hush-hush-1234"
    data = encode_columns(
        "scores",
        {
            **SHARED,
            "example_fingerprint": "f",
            "run_id": ["a", "b"],
            "reason": ["it said hush-hush-1234", "x" * 1_000_001],
        },
        lambda text: text.replace(secret, b"[redacted]"),
    )
    assert secret not in data
    reasons = [row["reason"] for row in read(data)[0]]
    assert reasons[0] == "it said [redacted]"
    assert reasons[1].startswith("xxx")
    assert "1 more characters, sha256" in reasons[1]


def test_the_doctor_and_a_rebuild_agree_on_packs(tmp_path: Path) -> None:
    """Through file, archive and rebuild: the same rows, and nothing to say of them."""
    store = Store(tmp_path / "store")
    run = {
        "id": "r-1",
        "key": "k",
        "prompt": "",
        "version_id": "v",
        "model": "m",
        "endpoint": "e",
        "role": "model",
        "repeat": 0,
        "request": "{}",
    }
    store.append(
        "runs",
        [
            {**run, "id": f"r-{number}", "started_at": "2026-01-01T00:00:00"}
            for number in range(1200)
        ],
    )
    store.append("scores", [score(number, value=number / 1200) for number in range(1200)])
    before = store.rows("select * from scores order by run_id")
    assert len(before) == 1200
    assert store.verify() == []
    store.close()
    assert store.archive() == 1
    (store.folder / "store.duckdb").unlink()
    again = Store(store.folder)
    assert again.rows("select * from scores order by run_id") == before
    assert again.verify() == []
    assert (
        json.loads(next(store.folder.glob("archive/*/manifest.json")).read_text())["rows"]["scores"]
        == 1200
    )


def test_a_new_segment_outlives_a_power_cut_by_its_name_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder that a segment is made in is synced, once a segment: a file's own sync keeps its
    bytes, not its entry.
    """
    synced: list[int] = []
    whole = os.fsync

    def counted(fd: int) -> None:
        synced.append(os.fstat(fd).st_ino)
        whole(fd)

    monkeypatch.setattr(os, "fsync", counted)
    store = Store(tmp_path / "store")
    store.append("scores", [score(1)])
    folder = (store.folder / "segments").stat().st_ino
    assert synced.count(folder) == 1
    store.append("scores", [score(2)])
    assert synced.count(folder) == 1


def test_small_packs_are_built_together_and_damage_stays_where_it_is() -> None:
    """Packs of few rows, as a running study leaves them, come back in their order; one that holds a
    wrong value costs its rows alone.
    """
    packs = [
        encode(
            "scores", [score(n * 3 + k, reason="x" if k else None) for k in range(n % 3 + 1)], bytes
        )
        for n in range(450)
    ]
    expected = [row["run_id"] for pack in packs for row in read(pack)[0]]
    rows, damaged, wrong = read(b"".join(packs))
    assert [row["run_id"] for row in rows] == expected
    assert (damaged, wrong) == (0, 0)
    bad = {
        "table": "scores",
        "rows": 2,
        "columns": {
            **SHARED,
            "example_fingerprint": "f",
            "run_id": ["r-bad", "r-good"],
            "value": ["no", 1.0],
        },
    }
    packs.insert(100, record(PACK, plain_json(bad)))
    rows, damaged, wrong = read(b"".join(packs))
    assert sorted(row["run_id"] for row in rows) == sorted([*expected, "r-good"])
    assert (damaged, wrong) == (0, 1)
