"""Rows as records: a row that is looked at as a whole is written as one whose values are looked at
one by one, and a secret in one of many rows costs only itself.
"""

from __future__ import annotations

import json
import math
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptops.errors import StoreError
from promptops.spool.lines import scan
from promptops.store.schema import TABLES
from promptops.store.segment_records import MAX_TEXT, encode

texts = st.sampled_from((None, "", "auth", "\ud800", "é\n\u2028"))
wholes = st.none() | st.integers(-(2**64), 2**64) | st.just(True) | st.just(3.0)
numbers = st.none() | st.floats() | st.integers(-(2**60), 2**60)
moments = (
    st.sampled_from((None, "", "2026-01-01T00:00:00.000000", "2026-01-01T00:00:00+02:00"))
    | st.datetimes()
)
ATTEMPTS = st.fixed_dictionaries(
    {"run_id": st.just("r-1"), "number": st.just(1)},
    optional={
        "started_at": moments,
        "latency_ms": numbers,
        "http_status": wholes,
        "failure": texts,
        "request_id": texts,
        "waited_ms": numbers,
        "tokens_in": wholes,
        "cost_usd": numbers,
    },
)


def rows_of(data: bytes, table: str = "attempts") -> list[dict[str, Any]]:
    found = scan(data, last=True)
    assert not found.damage
    return [json.loads(data[start:stop]) for start, stop in found.rows[table]]


def as_stored(name: str, value: Any) -> Any:
    """What the column holds of a value; None for nothing."""
    kind = next(column.kind for column in TABLES["attempts"].columns if column.name == name)
    if value is None or (kind == "time" and value == ""):
        return None
    if kind == "text":
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if kind == "int":
        return int(value) if -(2**63) <= value < 2**63 else None
    if kind == "float":
        return float(value) if math.isfinite(value) else None
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    shift = moment.utcoffset()
    moment = moment.replace(tzinfo=None) - shift if shift else moment.replace(tzinfo=None)
    return moment.isoformat(timespec="microseconds")


@given(st.lists(ATTEMPTS, min_size=1, max_size=6))
def test_each_value_is_stored_as_its_column_says(drawn: list[dict[str, Any]]) -> None:
    """Whatever the types of its neighbours, a value is stored as its column holds it."""
    wanted = [{name: as_stored(name, value) for name, value in row.items()} for row in drawn]
    wanted = [{name: value for name, value in row.items() if value is not None} for row in wanted]
    assert rows_of(encode("attempts", drawn, bytes)) == wanted


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("http_status", "200"),
        ("latency_ms", "5"),
        ("failure", 5),
        ("started_at", "2026-13-01T00:00:00.000000"),
        ("started_at", "noon"),
    ],
)
def test_a_value_that_no_column_holds_is_refused(name: str, value: object) -> None:
    """A row of which one value has the wrong type, or names no day, is refused with its column."""
    row = {"run_id": "r-1", "number": 1, name: value}
    with pytest.raises(StoreError, match=f"attempts.{name}"):
        encode("attempts", [{"run_id": "r-0", "number": 1}, row], bytes)


def test_a_missing_key_is_refused_among_whole_rows() -> None:
    """A row without a part of its key is refused, with the name of what is missing."""
    whole = {"run_id": "r-1", "number": 1, "failure": "auth"}
    with pytest.raises(StoreError, match=r"attempts\.number is missing"):
        encode("attempts", [whole, {**whole, "number": None}], bytes)


def test_a_secret_in_one_of_many_rows_is_removed_there() -> None:
    """Rows are looked at together, and cleaned one by one where that finds a secret."""
    rows = [{"run_id": f"r-{n}", "number": 1, "detail": f"no {n}"} for n in range(20)]
    rows[7]["detail"] = "the key is s3cr3t-value"
    found = rows_of(encode("attempts", rows, lambda data: data.replace(b"s3cr3t-value", b"***")))
    assert found == [*rows[:7], {**rows[7], "detail": "the key is ***"}, *rows[8:]]


def test_a_text_beyond_the_cap_is_kept_as_its_head() -> None:
    """A text that is longer than a text may be is cut with its length and hash; its neighbours are
    whole.
    """
    rows = [{"run_id": f"r-{n}", "number": 1, "detail": "x" * n} for n in (3, MAX_TEXT + 5)]
    short, long = rows_of(encode("attempts", rows, bytes))
    assert short["detail"] == "xxx"
    assert long["detail"].startswith("x" * MAX_TEXT + "… [5 more characters, sha256 ")
