"""Law: a log that was rotated is read whether or not it was compressed meanwhile, once."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from promptops.monitor import log_file
from promptops.monitor.ingest import is_live_file, take_file, take_folder
from promptops.store import Store

PACKED: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
}
each_packing = pytest.mark.parametrize("ending", PACKED)


def lines(first: int, last: int) -> bytes:
    """Rows of calls."""
    rows: list[dict[str, Any]] = [
        {"promptops": "live", "id": f"l-{n:032x}", "started_at": "2026-07-01T00:00:00"}
        for n in range(first, last)
    ]
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def held(store: Store) -> int:
    return int(store.rows("SELECT count(*) FROM live")[0][0])


@pytest.mark.parametrize("ending", [*PACKED, ".GZ"])
def test_a_folder_whose_files_are_compressed_as_they_are_rotated(
    tmp_path: Path, ending: str
) -> None:
    """Rows of the last hours before the rotation had been passed over in silence."""
    store = Store(tmp_path / "store")
    folder = tmp_path / "record"
    folder.mkdir()
    grown = folder / "live-7-abc.jsonl"
    grown.write_bytes(lines(0, 5))
    take_folder(store, folder)
    packed = folder / f"{grown.name}.1{ending}"
    packed.write_bytes(PACKED[ending.lower()](lines(0, 9)))
    grown.write_bytes(lines(9, 12))
    assert take_folder(store, folder).rows == 7
    assert held(store) == 12
    assert take_folder(store, folder).rows == 0
    store.close()


@each_packing
def test_a_log_that_is_being_compressed_is_read_at_the_next_look(
    tmp_path: Path, ending: str
) -> None:
    store = Store(tmp_path / "store")
    folder = tmp_path / "record"
    folder.mkdir()
    data = PACKED[ending](lines(0, 3_000))
    packed = folder / f"live-7-abc.jsonl.1{ending}"
    for size in (0, 5, len(data) // 2, len(data) - 3, len(data)):
        packed.write_bytes(data[:size])
        take_folder(store, folder)
    assert held(store) == 3_000
    store.close()


@each_packing
def test_a_damaged_log_hides_no_other(tmp_path: Path, ending: str) -> None:
    """bzip2's fault is an OSError: with one such file, no look at the folder came to an end."""
    folder = tmp_path / "record"
    folder.mkdir()
    (folder / "live-8-abc.jsonl").write_bytes(lines(0, 3))
    store = Store(tmp_path / "store")
    data = PACKED[ending](lines(3, 400))
    for place, damage in enumerate((b"\0" * 20, b"not packed at all\n" * 9)):
        packed = folder / f"live-7-abc.jsonl.{place}{ending}"
        packed.write_bytes(data[:40] + damage + data[60:] if place == 0 else damage)
        assert take_file(store, packed).cut == 1
    take_folder(store, folder)
    assert held(store) >= 3
    store.close()


def test_a_python_without_bzip2_and_xz_reads_the_others(tmp_path: Path) -> None:
    """Live calls could not be looked at where Python was built without these libraries."""
    (tmp_path / "record").mkdir()
    for number, (ending, pack) in enumerate(PACKED.items()):
        path = tmp_path / "record" / f"live-{number}-abc.jsonl.1{ending}"
        path.write_bytes(pack(lines(number, number + 1)))
    code = (
        "import sys; sys.modules.update(_lzma=None, _bz2=None)\n"
        "from pathlib import Path\n"
        "from promptops.monitor.ingest import take_file, take_folder\n"
        "from promptops.store import Store\n"
        "import promptops.exchange.bounded_file\n"
        "folder = Path(sys.argv[1])\n"
        "store = Store(folder / 'store')\n"
        "print(take_folder(store, folder / 'record').rows)\n"
        "print(take_file(store, folder / 'record' / 'live-2-abc.jsonl.1.xz').cut)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], env=environment, capture_output=True, text=True
    )
    assert done.stdout.split() == ["1", "1"], done.stderr


@each_packing
def test_a_compressed_log_is_known_again(tmp_path: Path, ending: str) -> None:
    """What a purge removed stays away when the log is imported under its new name."""
    store = Store(tmp_path / "store")
    log = tmp_path / "app.log"
    log.write_bytes(b"started\n" + lines(0, 10))
    assert take_file(store, log).rows == 10
    store.purge(live=[f"l-{n:032x}" for n in range(4)])
    packed = tmp_path / f"app.log.1{ending}"
    packed.write_bytes(PACKED[ending](log.read_bytes() + lines(10, 12)))
    assert is_live_file(packed)
    take_file(store, packed)
    assert held(store) == 8
    packed.write_bytes(packed.read_bytes()[:-9])
    assert take_file(store, packed).cut == 1
    store.close()


def test_a_short_log_that_was_cut_off_is_known_by_what_is_before(tmp_path: Path) -> None:
    """It had been "not UTF-8", where a longer one was read up to the place."""
    packed = tmp_path / "app.log.gz"
    packed.write_bytes(gzip.compress(lines(0, 9))[:-9])
    assert is_live_file(packed)
    packed.write_bytes(gzip.compress(lines(0, 9)) + b"and what is no log")
    assert is_live_file(packed)
    store = Store(tmp_path / "store")
    found = take_file(store, packed)
    assert (found.rows, found.cut) == (9, 1)
    store.close()


def test_a_line_that_unpacks_without_an_end_comes_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few kilobytes had been a text of any length in memory."""
    monkeypatch.setattr(log_file, "_LONGEST", 1 << 16)
    packed = tmp_path / "app.log.gz"
    packed.write_bytes(gzip.compress(b"a" * (1 << 20) + b"\n" + lines(0, 1)))
    with log_file.opened(packed) as file:
        assert max(map(len, log_file.lines_in(file))) == 1 << 16
    store = Store(tmp_path / "store")
    assert take_file(store, packed).rows == 1
    store.close()


@pytest.mark.parametrize("ending", ["", *PACKED])
def test_a_log_is_known_by_its_first_call_however_late(tmp_path: Path, ending: str) -> None:
    """A service's health checks of an hour had made it no known file."""
    texts = b'INFO "GET /health" 200\n' * 10_000
    pack = PACKED.get(ending, bytes)
    log = tmp_path / f"app.log{ending}"
    log.write_bytes(pack(texts + lines(0, 1)))
    assert is_live_file(log)
    log.write_bytes(pack(texts))
    assert not is_live_file(log)


@pytest.mark.parametrize("text", [b"", b"\n", b"INFO started\n", lines(0, 1)[:9]])
def test_a_log_that_was_rotated_just_now_holds_no_call_yet(tmp_path: Path, text: bytes) -> None:
    """`promptops import app.log*` had ended with exit code 2 on each night on which the first call
    came late. A table or an export of another name stays an unknown file.
    """
    live = text != lines(0, 1)[:9]
    for name in ("app.log", "app.log.1", "APP.LOG", "worker.out", "app.log-20261201"):
        log = tmp_path / name
        log.write_bytes(text)
        assert is_live_file(log) == live
    packed = tmp_path / "app.log.2.gz"
    packed.write_bytes(gzip.compress(text))
    assert is_live_file(packed) == live
    for name in ("results.json", "table.csv", "prompts.txt", "log.jsonl", "a.logic.txt"):
        other = tmp_path / name
        other.write_bytes(text)
        assert not is_live_file(other)
    store = Store(tmp_path / "store")
    assert take_file(store, packed).rows == 0
    store.close()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("app.log.2.zst", b"\x28\xb5\x2f\xfd\x04\x58\x81\x05\x00"),
        ("app.log.2.lz4", b"\x04\x22\x4d\x18\x64\x40\xa7"),
        ("app.log", lines(0, 3).decode().encode("utf-16")),
        ("app.log", lines(0, 3).decode().encode("utf-16-le")),
    ],
)
def test_a_log_that_cannot_be_read_is_not_one_without_calls(
    tmp_path: Path, name: str, data: bytes
) -> None:
    """800 calls in app.log.2.zst had been "0 live rows read" with exit code 0, until logrotate
    removed them.
    """
    log = tmp_path / name
    log.write_bytes(data)
    assert not is_live_file(log)


def test_a_log_of_json_is_known_by_its_first_call_however_late(tmp_path: Path) -> None:
    """Of an application that logs JSON, or as Docker keeps it; an export has another name."""
    quiet = b'{"event": "started", "level": "info"}\n' * 4_000
    log, export = tmp_path / "app.log.1", tmp_path / "results.jsonl"
    for path in (log, export):
        path.write_bytes(quiet + lines(0, 3))
    assert is_live_file(log)
    assert not is_live_file(export)
    log.write_bytes(quiet)
    assert not is_live_file(log)
