"""Merging: every row once, whatever was merged before and wherever it lies by now, with the marks
that say so.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from promptops.spool.lines import meta_line
from promptops.spool.segment import Segment, make_folder, remove_finished, segments
from promptops.store import merge_segments
from promptops.store.archive import write_batch
from promptops.store.connect import attach
from promptops.store.database import create
from promptops.store.merge_segments import Sources, everything, insert, merge, sources_of
from promptops.store.segment_records import encode


def event(name: str) -> dict[str, Any]:
    return {"study_id": "s", "event_at": "2026-01-01T00:00:00", "event": name}


def data(*names: str) -> bytes:
    return meta_line() + b"".join(encode("study_events", [event(name)], bytes) for name in names)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_folder(tmp_path / "store")
    return tmp_path / "store"


@pytest.fixture
def con(tmp_path: Path) -> Iterator[Any]:
    con = attach(tmp_path / "store.duckdb")
    create(con)
    yield con
    con.close()


def segment(folder: Path, name: str, content: bytes) -> Segment:
    path = folder / "segments" / f"{name}.jsonl"
    path.write_bytes(content)
    return Segment(name, path, len(content))


def names(con: Any) -> list[str]:
    return sorted(row[0] for row in con.execute("SELECT event FROM study_events").fetchall())


def ledger(con: Any) -> dict[str, tuple[int, int]]:
    listed = con.execute("SELECT segment, bytes, dropped FROM internal.ledger").fetchall()
    return {name: (size, dropped) for name, size, dropped in listed}


def counted(con: Any) -> int:
    query = "SELECT rows FROM internal.counts WHERE table_name = 'study_events'"
    return int(con.execute(query).fetchall()[0][0])


# -- what was recorded


def test_sources_are_what_is_on_the_disk_and_what_waits(folder: Path) -> None:
    """Segments by name, the process's own with the size that it knows of, its waiting bytes
    counted to it alone.
    """
    first, last = segment(folder, "a", data("1")), segment(folder, "c", data("2"))
    segment(folder, "b", data("3") + b"not listed yet")
    found = sources_of(folder, ("b", len(data("3")), b"wait"))
    assert [s.name for s in found.segments] == ["a", "b", "c"]
    sizes = {"a": first.size, "b": len(data("3")) + 4, "c": last.size}
    assert found.sizes() == sizes
    assert found.segments[1].path == folder / "segments" / "b.jsonl"
    assert not found.beyond(sizes)
    assert found.beyond({**sizes, "b": sizes["b"] - 1})
    assert found.beyond({name: size for name, size in sizes.items() if name != "a"})
    assert not sources_of(folder).beyond({**sizes, "b": 1 << 30})
    assert [s.name for s in sources_of(folder).segments] == ["a", "b", "c"]


def test_sizes_are_the_larger_of_segment_and_archive(folder: Path) -> None:
    """A segment that is archived is known by its batch, and by itself where it went on."""
    kept = segment(folder, "a", data("1"))
    write_batch(folder, [kept])
    assert sources_of(folder).sizes() == {"a": kept.size}
    grown = segment(folder, "a", data("1", "2"))
    assert sources_of(folder).sizes() == {"a": grown.size}
    segment(folder, "a", b"")
    assert sources_of(folder).sizes() == {"a": kept.size}


def test_within_marks_is_what_was_recorded_up_to_them(folder: Path) -> None:
    """Segments are cut, unknown ones are empty, batches are in only whole, waiting bytes as far as
    the mark goes.
    """
    kept = segment(folder, "a", data("1"))
    write_batch(folder, [kept])
    other = segment(folder, "b", data("2"))
    found = sources_of(folder, ("b", other.size, b"12345"))
    cut = found.within({"a": kept.size, "b": other.size + 2})
    assert [(s.name, s.size) for s in cut.segments] == [("a", kept.size), ("b", other.size)]
    assert (len(cut.batches), cut.pending) == (1, ("b", b"12"))
    less = found.within({"a": kept.size - 1, "b": other.size - 1})
    assert [s.size for s in less.segments] == [kept.size - 1, other.size - 1]
    assert (less.batches, less.pending) == ((), ("b", b""))
    more = found.within({"a": 1 << 30, "b": 1 << 30})
    assert [s.size for s in more.segments] == [kept.size, other.size]
    assert (len(more.batches), more.pending) == (1, ("b", b"12345"))
    assert [s.size for s in found.within({}).segments] == [0, 0]


# -- merging


def test_each_row_comes_in_once(con: Any, folder: Path) -> None:
    """Segments in their order, the rest of one that has grown, and nothing a second time; the first
    row of a key is the row.
    """
    segment(folder, "a", data("1", "2"))
    segment(folder, "b", data("2", "3"))
    assert merge(con, sources_of(folder)) == 3
    assert names(con) == ["1", "2", "3"]
    assert merge(con, sources_of(folder)) == 0
    more = segment(folder, "a", data("1", "2") + encode("study_events", [event("4")], bytes))
    assert merge(con, sources_of(folder)) == 1
    assert (names(con), counted(con)) == (["1", "2", "3", "4"], 4)
    assert ledger(con) == {"a": (more.size, 0), "b": (len(data("2", "3")), 0)}


def test_what_waits_in_memory_is_merged_and_its_bytes_are_not_read_again(
    con: Any, folder: Path
) -> None:
    """The mark is of the bytes that the file will have; another segment is not given them."""
    own, other = data("1"), segment(folder, "b", data("2"))
    waiting = encode("study_events", [event("3")], bytes)
    segment(folder, "a", own)
    assert merge(con, sources_of(folder, ("a", len(own), waiting))) == 3
    assert ledger(con) == {"a": (len(own) + len(waiting), 0), "b": (other.size, 0)}
    segment(folder, "a", own + waiting)
    assert merge(con, sources_of(folder)) == 0


def test_damage_is_counted_with_its_segment(con: Any, folder: Path) -> None:
    """By the segment's mark, over several merges, and where a record's JSON has no row of its
    table.
    """
    broken = bytearray(data("1", "2", "3"))
    broken[len(data("1")) + 30] ^= 1
    segment(folder, "a", bytes(broken))
    assert merge(con, sources_of(folder)) == 2
    assert ledger(con)["a"] == (len(broken), 1)
    tail = bytearray(encode("study_events", [event("4")], bytes) * 2)
    tail[30] ^= 1
    whole = segment(folder, "a", bytes(broken + tail))
    assert merge(con, sources_of(folder)) == 1
    assert ledger(con)["a"] == (whole.size, 2)
    from promptops.spool.lines import record

    odd = segment(folder, "b", meta_line() + record("study_events", b'{"event_at":"never"}'))
    assert merge(con, sources_of(folder)) == 0
    assert ledger(con)["b"] == (odd.size, 1)


def test_a_merge_goes_a_step_at_a_time(
    con: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """16 MB per transaction; after `most` bytes no further step, and the rest comes in with the
    next merge.
    """
    assert merge_segments._STEP == 16 << 20
    monkeypatch.setattr(merge_segments, "_STEP", 1)
    sizes = [segment(folder, name, data(name)).size for name in "abc"]
    assert merge(con, sources_of(folder), most=1) == 1
    assert names(con) == ["a"]
    assert merge(con, sources_of(folder), most=sizes[1] + 1) == 2
    assert merge(con, sources_of(folder), most=1) == 0
    monkeypatch.setattr(merge_segments, "_STEP", 2 * sizes[0])
    for name in "def":
        segment(folder, name, data(name))
    assert merge(con, sources_of(folder), most=1) == 2  # two segments are one step
    assert merge(con, sources_of(folder), most=sizes[0]) == 1
    assert names(con) == list("abcdef")


def test_an_archive_is_merged_like_its_segments(con: Any, folder: Path) -> None:
    """Before or after them, once; its damage is counted once, with the first of its segments."""
    broken = bytearray(data("1", "2"))
    broken[len(data()) + 30] ^= 1
    kept = [segment(folder, "a", bytes(broken)), segment(folder, "b", data("3"))]
    batch = write_batch(folder, kept)
    assert batch.dropped == 1
    for one in kept:
        remove_finished(one)
    assert segments(folder) == []
    assert merge(con, sources_of(folder)) == 2
    assert names(con) == ["2", "3"]
    assert ledger(con) == {"a": (kept[0].size, 1), "b": (kept[1].size, 0)}
    assert merge(con, sources_of(folder)) == 0
    # merged as a segment, and archived since: the batch is not read again
    late = segment(folder, "c", data("4"))
    assert merge(con, sources_of(folder)) == 1
    batch = write_batch(folder, [late])
    shutil.rmtree(batch.folder)
    assert merge(con, Sources((), (batch,))) == 0


def test_a_batch_that_cannot_be_read_is_left_out_and_named(
    con: Any, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are merged; one that was rewritten since it was listed is nobody's fault."""
    lost = write_batch(folder, [segment(folder, "a", data("1"))])
    segment(folder, "a", b"")
    (lost.folder / "study_events.parquet").write_bytes(b"no parquet")
    said: list[str] = []
    monkeypatch.setattr(merge_segments, "say", said.append)
    segment(folder, "b", data("2"))
    assert merge(con, sources_of(folder)) == 1
    assert len(said) == 1
    assert str(lost.folder) in said[0]
    assert "a" not in ledger(con)
    shutil.rmtree(lost.folder)
    assert merge(con, Sources((), (lost,))) == 0
    assert len(said) == 1


def test_a_segment_that_is_gone_since_it_was_listed_stops_nothing(con: Any, folder: Path) -> None:
    """The next merge meets it in the archive."""
    gone, there = segment(folder, "a", data("1")), segment(folder, "b", data("2"))
    gone.path.unlink()
    assert merge(con, Sources((gone, there), ())) == 1
    assert ledger(con) == {"b": (there.size, 0)}


def test_a_transaction_that_fails_leaves_nothing(
    con: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither rows nor marks; the next merge makes up for it."""
    segment(folder, "a", data("1"))

    def fail(*_: object) -> int:
        raise RuntimeError("power cut")

    with monkeypatch.context() as broken:
        broken.setattr(merge_segments, "insert", fail)
        with pytest.raises(RuntimeError, match="power cut"):
            merge(con, sources_of(folder))
    assert (names(con), ledger(con)) == ([], {})
    assert merge(con, sources_of(folder)) == 1


def test_hidden_rows_are_not_merged(con: Any, folder: Path) -> None:
    """What was purged is passed over in segments; the others come in."""
    found = sources_of(folder)
    segment(folder, "a", data("1", "2"))

    def keep(segment: str, position: int, table: str, row: bytes) -> bool:
        return b'"1"' not in bytes(row)

    assert merge(con, Sources(sources_of(folder).segments, found.batches, keep=keep)) == 1
    assert names(con) == ["2"]


def test_everything_is_all_of_it_with_repeats(folder: Path) -> None:
    """Archive and segments, from their beginning, whatever was merged."""
    write_batch(folder, [segment(folder, "a", data("1", "2"))])
    segment(folder, "b", data("2"))
    found = [
        (table, name)
        for table, rows in everything(sources_of(folder))
        for name in rows.column("event").to_pylist()
    ]
    assert sorted(found) == [("study_events", name) for name in ("1", "1", "2", "2", "2")]


def test_inserting_nothing_changes_nothing(con: Any, folder: Path) -> None:
    """Of equal keys within one table of rows the first is inserted."""
    segment(folder, "a", data("1", "1"))
    ((_, rows),) = everything(sources_of(folder))
    assert insert(con, "study_events", rows.slice(0, 0)) == 0
    assert insert(con, "study_events", rows) == 1
    assert insert(con, "study_events", rows) == 0
    assert counted(con) == 1


def test_only_a_large_store_takes_the_time_to_compress_its_texts(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FSST saves a share of the file, which is worth it where there is much."""
    rows = [
        {"id": f"r-{n}", "output": f"the answer to {n} and its reason" * 4} for n in range(9000)
    ]
    segment(folder, "a", meta_line() + encode("runs", rows, bytes))
    found = {}
    for step in (merge_segments._STEP, 1 << 20):
        monkeypatch.setattr(merge_segments, "_STEP", step)
        path = tmp_path / f"{step}.duckdb"
        con = attach(path)
        create(con)
        assert merge(con, sources_of(folder)) == 9000
        con.close()
        con = attach(path, read_only=True)
        methods = con.execute("SELECT DISTINCT compression FROM pragma_storage_info('runs')")
        found[step] = {name for (name,) in methods.fetchall()}
        con.close()
    assert ["FSST" in methods for methods in found.values()] == [False, True]
