"""R4 and R12: any number of kernels, threads, tasks and forks write and read at once, and no row is
lost.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from promptops.spool.segment import finished
from promptops.store import Store
from promptops.store.recorder import Spool

WRITER = """
import sys, time
from promptops.store import Store
store, name, count = Store(sys.argv[1]), sys.argv[2], int(sys.argv[3])
for n in range(count):
    store.append("study_events", [{"study_id": name, "event_at": "2026-01-01T00:00:00", "event": str(n), "detail": "x" * 1000}])
    time.sleep(0.002)  # so that readers and mergers have their turns meanwhile
"""
READER = """
import json, sys, time
from pathlib import Path
from promptops.store import Store
folder, merging, seen, faults, turns = Path(sys.argv[1]), sys.argv[2] == "merge", 0, [], 0
store = Store(folder / "store")
while not (folder / "stop").exists():
    try:
        if merging:
            store.merge()
        count = store.rows("select count(*) from study_events")[0][0]
        turns += 1
        if count < seen:
            faults.append(f"{seen} became {count}")
        seen = count
    except Exception as error:
        faults.append(repr(error))
print(json.dumps([turns, seen, faults]))
"""


def at_once(tmp_path: Path, rows: int) -> None:
    def start(code: str, *words: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", code, *map(str, words)],
            stdout=subprocess.PIPE,
            text=True,
        )

    Store(tmp_path / "store").append(
        "study_events", [{"study_id": "first", "event_at": "2026-01-01T00:00:00", "event": "0"}]
    )
    others = [start(READER, tmp_path, how) for how in ("merge", "merge", "read", "read")]
    began = time.perf_counter()
    writers = [start(WRITER, tmp_path / "store", f"w{n}", rows) for n in range(4)]
    assert [writer.wait(240 + rows // 10) for writer in writers] == [0] * 4
    took = time.perf_counter() - began
    (tmp_path / "stop").touch()
    for other in others:
        turns, _, faults = json.loads(other.communicate(timeout=120)[0])
        assert faults == []
        assert turns > 0
    store = Store(tmp_path / "store")
    assert store.rows("select count(*), count(distinct (study_id, event)) from study_events") == [
        (4 * rows + 1, 4 * rows + 1)
    ]
    assert store.verify() == []
    print(f"{4 * rows:,} rows of 4 writers in {took:.1f} s beside 2 mergers and 2 readers")


def test_four_writers_two_mergers_two_readers(tmp_path: Path) -> None:
    """R4: 2,000 of 2,000, no reader error, counts never go back."""
    at_once(tmp_path, 500)


@pytest.mark.soak
def test_four_writers_two_mergers_two_readers_all_night(tmp_path: Path) -> None:
    """R4 at a NIGHT figure: 100,000 of 100,000."""
    at_once(tmp_path, 25_000)


def event(study: str, name: object) -> dict[str, Any]:
    return {"study_id": study, "event_at": "2026-01-01T00:00:00", "event": str(name)}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_threads_tasks_and_a_fork_lose_nothing(tmp_path: Path) -> None:
    """R12: 8 threads and 200 tasks record while the process forks; parent and child both go on, in
    segments of their own.
    """
    store = Store(tmp_path)
    halfway = threading.Event()

    def work(name: str) -> None:
        for n in range(200):
            store.append("study_events", [event(name, n)])
            if n == 100:
                halfway.set()

    async def task(name: str) -> None:
        for n in range(5):
            store.append("study_events", [event(name, n)])
            await asyncio.sleep(0)

    async def tasks() -> None:
        await asyncio.gather(*(task(f"task{n}") for n in range(200)))

    threads = [threading.Thread(target=work, args=(f"thread{n}",)) for n in range(8)]
    threads.append(threading.Thread(target=lambda: asyncio.run(tasks())))
    for thread in threads:
        thread.start()
    halfway.wait(60)
    child = os.fork()
    if not child:  # only this thread lives on here
        try:
            for n in range(100):
                store.append("study_events", [event("child", n)])
            store.flush()
            os._exit(0)
        finally:
            os._exit(1)
    for thread in threads:
        thread.join()
    assert os.waitpid(child, 0)[1] == 0
    assert store.rows("select count(*), count(distinct (study_id, event)) from study_events") == [
        (8 * 200 + 1_000 + 100,) * 2
    ]
    assert len(list((tmp_path / "segments").iterdir())) == 2
    assert store.verify() == []


def test_an_interrupt_in_the_middle_of_a_write_neither_loses_nor_shifts_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stop button between a write and its bookkeeping: the segment's bytes and its offsets
    still agree.
    """
    store = Store(tmp_path)
    store.append("study_events", [event("s", 0)])
    assert store.rows("select count(*) from study_events") == [(1,)]
    real = os.write

    def interrupted(fd: int, data: bytes) -> int:
        monkeypatch.setattr(os, "write", real)
        real(fd, data[: len(data) // 2])
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        store.append("study_events", [event("s", 1)])
    assert store.rows("select count(*) from study_events") == [(2,)]
    for n in range(2, 10):
        store.append("study_events", [event("s", n)])
    assert store.rows("select count(*) from study_events") == [(10,)]
    store.flush()
    assert Store(tmp_path).rows("select count(*) from study_events") == [(10,)]
    assert store.verify() == []


def test_a_group_is_synced_within_fifty_milliseconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R1, the power cut: a sync follows each group soon, by itself, and none is wasted while
    nothing comes.
    """
    synced: list[float] = []
    real = os.fdatasync if hasattr(os, "fdatasync") else os.fsync
    monkeypatch.setattr(
        os, "fdatasync", lambda fd: (real(fd), synced.append(time.monotonic()))[0], raising=False
    )
    store = Store(tmp_path)
    waits = []
    for n in range(10):
        synced.clear()
        written = time.monotonic()
        store.append("study_events", [event("s", n)])
        while not synced and time.monotonic() < written + 5:
            time.sleep(0.002)
        waits.append(synced[0] - written)
    assert sorted(waits)[4] < 0.05
    time.sleep(0.1)
    synced.clear()
    time.sleep(0.3)
    assert synced == []


def test_a_writer_thread_ends_when_there_is_nothing_to_sync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No thread is left behind, and the next append starts another."""
    monkeypatch.setattr("promptops.store.recorder._IDLE_S", 0.05)
    spool = Spool(tmp_path)
    for _ in range(2):
        spool.append(b"")
        thread = spool._syncer
        assert thread is not None
        thread.join(5)
        assert not thread.is_alive()
        assert spool._syncer is None
    spool.seal()


def test_a_segment_that_ended_has_no_writer_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is slow, and the sync in the background still has the segment open: until that is
    over, a share or an archive would leave its rows out.
    """
    begun, go_on = threading.Event(), threading.Event()
    real = os.fdatasync

    def slow(fd: int) -> None:
        begun.set()
        go_on.wait(30)
        real(fd)

    monkeypatch.setattr(os, "fdatasync", slow)
    spool = Spool(tmp_path)
    spool.append(b"")
    name = spool.own[0]
    assert begun.wait(30)
    ended: list[str] = []

    def end() -> None:
        spool.seal()
        ended.extend(segment.name for segment in finished(tmp_path))

    thread = threading.Thread(target=end)
    thread.start()
    thread.join(0.3)  # without the turn it comes to its end here, and finds nothing finished
    go_on.set()
    thread.join(30)
    assert ended == [name]


def test_segments_that_end_while_others_record_lose_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads record while segments are full or sealed every moment: each row is in a segment with
    a name and a first line.
    """
    monkeypatch.setattr("promptops.store.recorder.ROTATE", 2_000)
    store = Store(tmp_path)
    stop = threading.Event()

    def seal() -> None:
        while not stop.is_set():
            store.close()

    def work(name: str) -> None:
        for n in range(150):
            store.append("study_events", [event(name, n)])

    sealer = threading.Thread(target=seal)
    threads = [threading.Thread(target=work, args=(f"thread{n}",)) for n in range(4)]
    for thread in [sealer, *threads]:
        thread.start()
    for thread in threads:
        thread.join()
    stop.set()
    sealer.join()
    store.flush()
    paths = list((tmp_path / "segments").iterdir())
    assert len(paths) > 5
    assert all(path.name.count("-") == 2 and path.read_bytes()[18:23] == b"meta " for path in paths)
    assert store.rows("select count(*), count(distinct (study_id, event)) from study_events") == [
        (600, 600)
    ]
