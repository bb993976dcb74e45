"""What an application notices of a sink that is dead, full, gone or blocked: no exception, no call
that waits more than 50 ms, each row counted, and an exit within two seconds of its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from promptops.observe.live_queue import LiveQueue
from promptops.observe.row_writer import RowWriter
from promptops.observe.sinks import FolderSink, StdoutSink

pytestmark = pytest.mark.benchmark

ROWS = 30_000
ROW = {"prompt": "p", "attribution": "carried", "values": {"ticket": "x" * 200}, "filler": "x"}
WORST_MS = 50.0
EXIT_S = 2.0


class FullDisk(FolderSink):
    """A folder whose disk takes 200 kB."""

    room = 200_000

    def write(self, lines: list[tuple[str, dict[str, Any]]]) -> tuple[int, int]:
        if self.room <= 0:
            raise OSError(28, "No space left on device")
        self.room -= 1_000 * len(lines)
        return super().write(lines)


@contextmanager
def blocked() -> Iterator[StdoutSink]:
    """A pipe that nobody reads."""
    reading, writing = os.pipe()
    try:
        yield StdoutSink(writing)
    finally:
        os.close(reading)
        os.close(writing)


@contextmanager
def sink_of(fault: str, folder: Path) -> Iterator[Any]:
    """A sink with this fault."""
    if fault == "blocked writer":
        with blocked() as sink:
            yield sink
    elif fault == "full disk":
        yield FullDisk(folder / "live")
    elif fault == "unwritable folder":
        (folder / "file").write_text("")
        yield FolderSink(folder / "file" / "live")
    else:
        yield FolderSink(folder / "live")


def raises(text: str) -> str:
    """A redactor of the application's that raises."""
    raise RuntimeError("redact")


FAULTS = ("none", "full disk", "unwritable folder", "removed folder", "blocked writer", "redactor")


def puts(queue: LiveQueue, fault: str, folder: Path) -> list[float]:
    """Milliseconds of each of so many puts; half of them before the folder is removed."""
    took = []
    for index in range(ROWS):
        row = {**ROW, "id": f"l-{index}"}
        began = time.perf_counter()
        queue.put("live", row)
        took.append((time.perf_counter() - began) * 1e3)
        if fault == "removed folder" and index == ROWS // 2:
            shutil.rmtree(folder / "live", ignore_errors=True)
    return took


def longest(runs: list[list[float]]) -> float:
    """Milliseconds of the longest put of each 250 in the best of the runs."""
    places = range(0, ROWS, 250)
    return max(min(max(run[place : place + 250]) for run in runs) for place in places)


@pytest.mark.parametrize("fault", FAULTS)
def test_no_call_waits(fault: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """30,000 rows: the longest put, and put = stored + dropped + waiting.

    A busy machine takes the processor away at random: what is judged is the longest put of each 250
    in the best of up to four runs, since a wait of our own is in each of them. Two are always made,
    the others only while the mark is missed.
    """
    runs: list[list[float]] = []
    closing: list[float] = []
    for number in range(4):
        if number >= 2 and longest(runs) <= WORST_MS and min(closing) <= EXIT_S:
            break
        folder = tmp_path / str(number)
        folder.mkdir()
        with sink_of(fault, folder) as sink:
            queue = LiveQueue(sink, RowWriter(raises) if fault == "redactor" else RowWriter())
            runs.append(puts(queue, fault, folder))
            # what a broken sink does not take still waits after any time
            queue.flush(5.0 if fault in ("none", "redactor") else 0.5)
            health = queue.health()
            began = time.perf_counter()
            queue.close()
            closing.append(time.perf_counter() - began)
        assert health["put"] == ROWS
        assert health["put"] == health["stored"] + health["dropped"] + health["waiting"]
    own = longest(runs)
    p50 = min(sorted(run)[ROWS // 2] for run in runs)
    with capsys.disabled():
        print(
            f"\n{fault:18} put p50 {p50 * 1e3:5.1f} us, longest {own:6.2f} ms"
            f" (with the machine's own {max(map(max, runs)):.0f}); {health['stored']:,} stored,"
            f" {health['dropped']:,} dropped, {health['waiting']:,} waiting; closed in"
            f" {min(closing):.2f} s"
        )
    assert own <= WORST_MS
    assert min(closing) <= EXIT_S


EXITS = """
import atexit, os, sys, time
atexit.register(lambda: os.write(1, f"{time.monotonic() - began:.3f}\\n".encode()))  # runs last
from promptops.observe.open_queues import open_queue
queue = open_queue(sys.argv[1])
for _ in range(100):
    queue.put("live", {"id": "l-1"})
began = time.monotonic()
"""


@pytest.mark.parametrize("sink", ["folder in the way", "no collector", "silent collector"])
def test_a_process_ends(sink: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From the application's last line until everything of ours has ended."""
    import socket

    (tmp_path / "file").write_text("")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        named = {
            "folder in the way": str(tmp_path / "file" / "live"),
            "no collector": "otlp+http://127.0.0.1:9",
            "silent collector": f"otlp+http://127.0.0.1:{silent.getsockname()[1]}",
        }[sink]
        ended = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(EXITS), named],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    seconds = float(ended.stdout)
    with capsys.disabled():
        print(f"\n{sink:18} the process ends {seconds:.2f} s after its last line")
    assert seconds <= EXIT_S
