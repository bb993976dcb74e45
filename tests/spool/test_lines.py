"""R6, S14, S15: a damaged record costs itself alone; what no column can hold is refused or cleaned
before it is written.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptops.errors import StoreError
from promptops.spool.lines import meta_line, scan
from promptops.store.arrow_rows import arrow_of
from promptops.store.segment_records import MAX_TEXT, encode


def event(name: str, **more: Any) -> dict[str, Any]:
    return {"study_id": "s", "event_at": "2026-01-01T00:00:00", "event": name, **more}


def lines(*names: str) -> bytes:
    return meta_line() + b"".join(encode("study_events", [event(name)], bytes) for name in names)


def names(data: bytes, *, last: bool = True) -> tuple[list[str], int]:
    """The events that are found, and how many stretches are damaged."""
    found = scan(data, last=last)
    return [json.loads(data[a:b])["event"] for a, b in found.rows.get("study_events", [])], len(
        found.damage
    )


def fields_of(table: str, row: dict[str, Any], clean: Callable[[bytes], bytes] = bytes) -> Any:
    data = encode(table, [row], clean)
    ((start, stop),) = scan(data, last=True).rows[table]
    return json.loads(data[start:stop])


# -- damage


def test_a_segment_cut_anywhere_loses_only_the_record_that_was_cut() -> None:
    """Cut at every byte of its last two records: what stands whole before the cut is read, nothing
    else.
    """
    whole = lines("one", "two", "three")
    second, third = len(lines("one")), len(lines("one", "two"))
    for cut in range(second, len(whole) + 1):
        expected = ["one", "two", "three"][: 1 + (cut >= third - 1) + (cut >= len(whole) - 1)]
        found, damaged = names(whole[:cut])
        assert found == expected, cut
        assert damaged == (cut not in (second, third - 1, third, len(whole) - 1, len(whole))), cut


def test_a_torn_tail_is_waited_for_while_its_writer_lives() -> None:
    """Not damage, and not skipped: the next scan begins at the torn record."""
    whole, third = lines("one", "two", "three"), len(lines("one", "two"))
    for cut in range(third, len(whole)):
        found = scan(whole[:cut])
        assert found.end == third
        assert not found.damage


@pytest.mark.parametrize("bit", [0x01, 0x20, 0x80])
def test_a_flipped_bit_costs_at_most_the_record_that_it_is_in(bit: int) -> None:
    """Every byte of the last two records, one at a time."""
    whole = lines("one", "two", "three")
    second, third = len(lines("one")), len(lines("one", "two"))
    for position in range(second, len(whole)):
        data = bytearray(whole)
        data[position] ^= bit
        found, damaged = names(bytes(data))
        hit = "two" if position < third else "three"
        newline = position in (third - 1, len(whole) - 1)
        assert [name for name in ("one", "two", "three") if name != hit or newline] == found, (
            position
        )
        assert damaged == (not newline), position


@given(st.binary(max_size=300), st.integers(0, 2))
def test_garbage_between_records_never_hides_a_sound_one(noise: bytes, place: int) -> None:
    """Any bytes, on lines of their own, anywhere."""
    parts = [encode("study_events", [event(str(n))], bytes) for n in range(3)]
    parts.insert(place, noise + b"\n")
    assert names(b"".join(parts))[0] == ["0", "1", "2"]


def test_a_row_of_another_shape_is_left_out_and_counted() -> None:
    """A sound checksum over a row that no release of our own writes does not stop the rows beside
    it.
    """
    good = json.dumps(event("good")).encode()
    for bad in (
        b'{"study_id": "s", "at": "no time", "event": "bad"}',
        b'{"study_id": 5}',
        b"[" * 100_000,
        b'{"event": "no key"}',
        b"{}",
    ):
        table, dropped = arrow_of("study_events", [good, bad, good])
        assert (table.column("event").to_pylist(), dropped) == (["good", "good"], 1), bad[:40]


@pytest.mark.parametrize(
    ("odd", "back"),
    [
        (b'{"id":"odd","id":"odd"}', {}),
        (b'{"id":"odd","tokens_in":1.0}', {"tokens_in": 1}),
        (b'{"id":"odd","tokens_in":1e5}', {"tokens_in": 100_000}),
        (b'{"id":"odd","output":"\\ud800"}', {"output": "\ufffd"}),
    ],
)
def test_a_sound_row_in_a_form_that_arrow_does_not_read(odd: bytes, back: dict[str, Any]) -> None:
    """Another program on the team's store wrote it: it is read as we write it, and what is beside
    it as it is.
    """
    good = json.dumps({"id": "good", "output": "yes"}).encode()
    table, dropped = arrow_of("runs", [good, odd, good, good])
    assert table.column("id").to_pylist() == ["good", "odd", "good", "good"]
    row = table.to_pylist()[1]
    assert ({name: row[name] for name in back}, dropped) == (back, 0)


# -- values


@pytest.mark.parametrize(
    ("table", "row", "said"),
    [
        ("nothing", {}, "no table 'nothing'"),
        ("runs", {"id": "r", "colour": 1}, "no column 'colour'"),
        ("runs", {"output": "x"}, "runs.id is missing"),
        ("runs", {"id": 5}, "runs.id is int '5'; expected text"),
        ("runs", {"id": "r", "tokens_in": "many"}, "expected a whole number"),
        ("runs", {"id": "r", "tokens_in": 1.5}, "expected a whole number"),
        ("runs", {"id": "r", "latency_ms": "1"}, "expected a number"),
        ("runs", {"id": "r", "git_dirty": 1}, "expected true or false"),
        ("runs", {"id": "r", "started_at": "yesterday"}, "UTC as ISO 8601"),
    ],
)
def test_a_row_that_does_not_fit_is_refused_by_name(
    table: str, row: dict[str, Any], said: str
) -> None:
    """Table, column, what it was and what was expected, before a byte is written."""
    with pytest.raises(StoreError, match=said):
        encode(table, [{"id": "fine"} if table == "runs" else {}, row], bytes)


def test_unknown_is_null_never_zero() -> None:
    """None, NaN, infinities, an empty time and a number beyond 64 bits are left out."""
    row = {
        "id": "r",
        "cost_usd": float("nan"),
        "latency_ms": float("inf"),
        "tokens_in": 10**30,
        "started_at": "",
        "output": None,
    }
    assert fields_of("runs", row) == {"id": "r"}


def test_numpy_values_are_the_values() -> None:
    """What comes out of a frame is recorded as what it is."""
    row = {
        "id": "r",
        "tokens_in": np.int64(3),
        "cost_usd": np.float64(0.5),
        "git_dirty": np.bool_(True),
        "latency_ms": 3,
    }
    assert fields_of("runs", row) == {
        "id": "r",
        "tokens_in": 3,
        "cost_usd": 0.5,
        "git_dirty": True,
        "latency_ms": 3.0,
    }


def test_a_time_in_any_zone_is_recorded_as_utc() -> None:
    """Text with an offset, and datetimes with and without one."""
    for value in (
        "2026-01-01T02:00:00+02:00",
        datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))),
        datetime(2026, 1, 1, tzinfo=UTC),
    ):
        assert (
            fields_of("runs", {"id": "r", "started_at": value})["started_at"]
            == "2026-01-01T00:00:00.000000"
        )


def test_lone_surrogates_and_control_characters_are_kept_as_far_as_utf8_can() -> None:
    """A lone surrogate becomes U+FFFD; NUL, newlines and the rest come back through Arrow as they
    were.
    """
    odd = "a\x00b\nc\r\u2028\u202e😀\x7f"
    assert fields_of("runs", {"id": "r", "output": "x\ud800y"})["output"] == "x\ufffdy"
    document = json.dumps({"id": "r", "output": odd}).encode()
    assert arrow_of("runs", [document])[0].column("output").to_pylist() == [odd]


def test_a_huge_text_is_kept_as_head_length_and_hash() -> None:
    """50 MB in, 1 MB stored, and the rest can still be recognised."""
    text = "é" * MAX_TEXT + "tail" * 12_000_000
    kept = fields_of("runs", {"id": "r", "output": text})["output"]
    digest = hashlib.sha256(text[MAX_TEXT:].encode()).hexdigest()
    assert kept == text[:MAX_TEXT] + f"… [48,000,000 more characters, sha256 {digest}]"


def test_a_huge_document_stays_json(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is capped says so in a form that a reader can parse."""
    kept = json.loads(
        fields_of("runs", {"id": "r", "request": json.dumps({"image": "A" * 17_000_000})})[
            "request"
        ]
    )
    assert kept["capped"]["characters"] == 17_000_013
    assert len(kept["capped"]["head"]) == MAX_TEXT


@given(
    st.text(max_size=200),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(2**53), 2**53),
)
def test_what_is_recorded_comes_back(text: str, number: float, whole: int) -> None:
    """Any text that UTF-8 holds, any double, any whole number, through line and Arrow."""
    row = {"id": "r", "output": text, "cost_usd": number, "tokens_in": whole}
    data = encode("runs", [row], bytes)
    ((start, stop),) = scan(data, last=True).rows["runs"]
    table, dropped = arrow_of("runs", [data[start:stop]])
    back = table.to_pylist()[0]
    assert dropped == 0
    assert {name: back[name] for name in row} == row
