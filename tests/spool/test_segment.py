"""A store's segments: whose they are, which have ended, and what is read of each while its writer
goes on.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from promptops.errors import StoreError
from promptops.spool import segment as segments_module
from promptops.spool.ends import ends_of
from promptops.spool.lines import SCHEMA, meta_line, record
from promptops.spool.segment import (
    SEGMENTS,
    Piece,
    Segment,
    SegmentFile,
    check_schema,
    finished,
    make_folder,
    raise_schema,
    read_pieces,
    remove_finished,
    schema_of,
    segment_name,
    segments,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


def rows(count: int, size: int = 10) -> bytes:
    return b"".join(
        record("t", b'{"n":"' + bytes([65 + n % 26]) * size + b'"}') for n in range(count)
    )


def written(folder: Path, name: str, data: bytes) -> Segment:
    """A segment whose writer has ended."""
    path = make_folder(folder) / f"{name}.jsonl"
    path.write_bytes(data)
    return Segment(name, path, len(data))


def of(pieces: list[Piece]) -> list[tuple[int, int, int, int]]:
    """(start, end, records, damage) of each."""
    return [(p.start, p.end, len(p.scan.rows.get("t", [])), len(p.scan.damage)) for p in pieces]


# -- the folder


def test_the_folder_is_private_and_out_of_git(folder: Path) -> None:
    """0700, an ignore file, the schema; made once, and what is there stays."""
    where = make_folder(folder)
    assert where == folder / SEGMENTS
    assert [(p.stat().st_mode & 0o777) for p in (folder, where)] == [0o700, 0o700]
    assert (folder / ".gitignore").read_text(encoding="utf-8").endswith("*\n")
    assert (folder / "SCHEMA").read_text(encoding="utf-8") == f"{SCHEMA}\n"
    (folder / ".gitignore").write_text("mine", encoding="utf-8")
    assert make_folder(folder) == where
    assert (folder / ".gitignore").read_text(encoding="utf-8") == "mine"


def test_a_folder_that_is_a_symlink_is_refused(folder: Path, tmp_path: Path) -> None:
    """It could lead anywhere."""
    folder.mkdir()
    (folder / SEGMENTS).symlink_to(tmp_path)
    with pytest.raises(StoreError, match="is a symlink"):
        make_folder(folder)


def test_a_newer_store_is_not_written_and_an_older_one_is_raised(folder: Path) -> None:
    """Ours and older may be written; the number goes up, never down; no temporary file is left."""
    make_folder(folder)
    form = folder / "SCHEMA"
    form.write_text(f"{SCHEMA + 1}\n", encoding="utf-8")
    assert schema_of(folder) == SCHEMA + 1
    with pytest.raises(StoreError, match=f"schema {SCHEMA + 1}"):
        check_schema(folder)
    with pytest.raises(StoreError, match="newer release"):
        make_folder(folder)
    raise_schema(folder)
    assert schema_of(folder) == SCHEMA + 1
    form.write_text(f"{SCHEMA - 1}\n", encoding="utf-8")
    check_schema(folder)
    raise_schema(folder)
    assert schema_of(folder) == SCHEMA
    before = form.stat().st_ino
    raise_schema(folder)  # nothing to say: the file is not written again
    assert form.stat().st_ino == before
    assert sorted(p.name for p in folder.iterdir()) == [".gitignore", "SCHEMA", SEGMENTS]
    form.unlink()
    raise_schema(folder)
    assert not form.exists()
    assert schema_of(folder) == SCHEMA


# -- a process's own segment


def test_a_segment_is_its_writer_s_until_it_closes(folder: Path) -> None:
    """Private, locked, never made twice; its last size is noted when it ends, and nothing is where
    it holds nothing.
    """
    name = segment_name()
    own = SegmentFile(folder, name)
    assert own.path.stat().st_mode & 0o777 == 0o600
    assert own.state() == (0, False)
    with pytest.raises(FileExistsError):
        SegmentFile(folder, name)
    os.write(own.fd, SegmentFile.first_line() + rows(2))
    size = own.state()[0]
    assert size == own.path.stat().st_size > 0
    assert finished(folder) == []
    assert not remove_finished(Segment(name, own.path, size))
    own.sync()
    own.close()
    own.close()
    assert own.fd == -1
    assert ends_of(folder) == {name: size}
    assert [(found.name, found.size) for found in finished(folder)] == [(name, size)]
    empty = SegmentFile(folder, "empty")
    empty.close()
    assert "empty" not in ends_of(folder)


def test_a_segment_that_was_removed_under_its_writer_leaves_no_note(folder: Path) -> None:
    """What it holds is gone, and the doctor is not to look for it by this note."""
    own = SegmentFile(folder, "gone")
    os.write(own.fd, rows(1))
    own.path.unlink()
    assert own.state()[1]
    own.close()
    assert ends_of(folder) == {}


def test_names_sort_by_time_and_name_their_writer() -> None:
    """A name of another shape has an unknown writer."""
    first = segment_name()
    time.sleep(1e-6)
    second = segment_name()
    assert first < second
    assert Segment(first, Path(), 0).writer == str(os.getpid())
    assert Segment("other", Path(), 0).writer == "unknown"
    assert Segment("a-b", Path(), 0).writer == "unknown"
    assert Segment("a-b-c-d", Path(), 0).writer == "unknown"


# -- listing and removing


def test_segments_are_listed_oldest_first_and_nothing_else_is(folder: Path) -> None:
    """No other file, no folder, no symlink; no store, no segments."""
    assert segments(folder) == []
    for name, count in (("b", 2), ("a", 1)):
        written(folder, name, rows(count))
    where = folder / SEGMENTS
    (where / "note.txt").write_text("x", encoding="utf-8")
    (where / "folder.jsonl").mkdir()
    (where / "link.jsonl").symlink_to(where / "a.jsonl")
    found = segments(folder)
    assert [(s.name, s.size) for s in found] == [("a", len(rows(1))), ("b", len(rows(2)))]
    assert found[0].path == where / "a.jsonl"


def test_an_empty_segment_may_be_about_to_be_locked(folder: Path) -> None:
    """One without bytes counts as ended only after a minute; one with bytes at once."""
    young, old = written(folder, "young", b""), written(folder, "old", b"")
    past = time.time() - 70
    os.utime(old.path, (past, past))
    written(folder, "full", rows(1))
    assert [s.name for s in finished(folder)] == ["full", "old"]
    recent = time.time() - 50
    os.utime(young.path, (recent, recent))
    assert [s.name for s in finished(folder)] == ["full", "old"]


def test_only_the_bytes_that_are_kept_elsewhere_are_removed(folder: Path) -> None:
    """A segment of another size stays; one that is gone already is not removed."""
    found = written(folder, "a", rows(2))
    assert not remove_finished(Segment("a", found.path, found.size - 1))
    assert not remove_finished(Segment("a", found.path, found.size + 1))
    assert found.path.exists()
    assert remove_finished(found)
    assert not found.path.exists()
    assert not remove_finished(found)


# -- reading


def test_all_records_are_read_and_from_any_offset_the_rest(folder: Path) -> None:
    """One piece if it is short; nothing from its end on."""
    data = rows(3)
    found = written(folder, "a", data)
    one = len(data) // 3
    assert of(list(read_pieces(found, 0))) == [(0, len(data), 3, 0)]
    assert of(list(read_pieces(found, one))) == [(one, len(data), 2, 0)]
    assert of(list(read_pieces(found, len(data)))) == []
    assert of(list(read_pieces(Segment("a", found.path, one), 0))) == [(0, one, 1, 0)]


def test_memory_stays_flat(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CHUNK bytes at a time, and more only for a record that is longer than that."""
    data = rows(10)
    one = len(data) // 10
    assert segments_module.CHUNK == 8 << 20
    monkeypatch.setattr(segments_module, "CHUNK", 2 * one + 3)
    found = written(folder, "a", data)
    pieces = list(read_pieces(found, 0))
    assert of(pieces) == [(n * 2 * one, (n + 1) * 2 * one, 2, 0) for n in range(5)]
    assert max(len(piece.data) for piece in pieces) == 2 * one + 3
    monkeypatch.setattr(segments_module, "CHUNK", 16)
    assert sum(piece[2] for piece in of(list(read_pieces(found, 0)))) == 10
    long = list(read_pieces(written(folder, "long", rows(1, 1000) + rows(200)), 0))
    assert sum(piece[2] for piece in of(long)) == 201
    assert max(len(piece.data) for piece in long[1:]) <= 128  # after the long one as before it


def test_a_torn_tail_is_waited_for_while_its_writer_lives(folder: Path) -> None:
    """And is damage once the writer is gone, unless the file has grown since it was listed."""
    data = rows(2)
    torn = data + rows(1)[:-4]
    own = SegmentFile(folder, "live")
    os.write(own.fd, torn)
    live = Segment("live", own.path, len(torn))
    assert of(list(read_pieces(live, 0))) == [(0, len(data), 2, 0)]
    own.close()
    assert of(list(read_pieces(live, 0))) == [(0, len(torn), 2, 1)]
    with live.path.open("ab") as file:
        file.write(b"more")
    assert of(list(read_pieces(live, 0))) == [(0, len(data), 2, 0)]


def test_what_waits_in_memory_follows_the_file(folder: Path) -> None:
    """Bytes that this process could not write yet are read after those of the file, whole, from any
    offset in either; a torn record among them is still to be written.
    """
    data, waiting = rows(2), rows(3)
    found = written(folder, "a", data)
    whole = len(data) + len(waiting)
    assert of(list(read_pieces(found, 0, waiting))) == [(0, whole, 5, 0)]
    assert of(list(read_pieces(found, len(data), waiting))) == [(len(data), whole, 3, 0)]
    one = len(waiting) // 3
    later = len(data) + one
    assert of(list(read_pieces(found, later, waiting))) == [(later, whole, 2, 0)]
    assert of(list(read_pieces(found, 0, waiting[:-2]))) == [(0, whole - one, 4, 0)]
    nothing = Segment("b", found.path.with_name("b.jsonl"), 0)
    assert of(list(read_pieces(nothing, 0, waiting))) == [(0, len(waiting), 3, 0)]


def test_bytes_in_memory_are_read_a_stretch_at_a_time(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The border between file and memory may be in a stretch, or at its edge."""
    data, waiting = rows(2), rows(4)
    found, one = written(folder, "a", data), len(data) // 2
    for size in (one, one + 1, 2 * one, 3 * one):
        monkeypatch.setattr(segments_module, "CHUNK", size)
        pieces: list[Any] = of(list(read_pieces(found, 0, waiting)))
        assert sum(piece[2] for piece in pieces) == 6
        assert pieces[-1][1] == len(data) + len(waiting)


def test_a_segment_that_is_gone_is_an_error(folder: Path) -> None:
    """The reader knows where its bytes are kept by now."""
    found = written(folder, "a", rows(1))
    found.path.unlink()
    with pytest.raises(FileNotFoundError):
        list(read_pieces(found, 0))


def test_damage_in_the_middle_costs_its_record(folder: Path) -> None:
    """The meta line and the others are as they were."""
    data = bytearray(meta_line() + rows(3))
    at = len(meta_line()) + len(rows(3)) // 2
    data[at] ^= 1
    found = written(folder, "a", bytes(data))
    assert of(list(read_pieces(found, 0))) == [(0, len(data), 2, 1)]
