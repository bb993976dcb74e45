"""Law: recording never raises, never waits and never lies: a row that was put is stored or counted
as dropped, whatever happens to the disk, the process or the sink.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import queue as queues
import signal
import subprocess
import sys
import textwrap
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from promptops.monitor.live_lines import LiveLines
from promptops.observe.live_queue import LIMIT, LiveQueue
from promptops.observe.open_queues import sink_of
from promptops.observe.row_writer import RowWriter
from promptops.observe.sinks import FolderSink, StdoutSink
from tests.observe.live_rows_of import rows_of


class Collector(BaseHTTPRequestHandler):
    """Takes whatever is sent."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


ROW = {"prompt": "p", "attribution": "carried", "values": None, "filler": "x" * 700}


def queue_of(sink: Any) -> LiveQueue:
    return LiveQueue(sink, RowWriter())


def put(queue: LiveQueue, number: int) -> float:
    """Put so many rows; returns the longest time that one took, in seconds."""
    worst = 0.0
    for index in range(number):
        began = time.perf_counter()
        queue.put("live", {**ROW, "id": f"l-{index}"})
        worst = max(worst, time.perf_counter() - began)
    return worst


def whole(queue: LiveQueue) -> dict[str, Any]:
    """The health, which must add up."""
    health = queue.health()
    assert health["put"] == health["stored"] + health["dropped"] + health["waiting"], health
    return health


def script(code: str, folder: Path, **options: Any) -> subprocess.Popen[str]:
    head = """
    import os, sys, time, threading
    from pathlib import Path
    from promptops.observe.live_queue import LiveQueue
    from promptops.observe.row_writer import RowWriter
    from promptops.observe.sinks import FolderSink
    folder = Path(sys.argv[1])
    queue = LiveQueue(FolderSink(folder), RowWriter())
    """
    text = textwrap.dedent(head) + textwrap.dedent(code)
    return subprocess.Popen(
        [sys.executable, "-c", text, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def done(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out


# -- sinks that fail


class Blocked:
    """Takes nothing until it is released."""

    linger_s = 0.0

    def __init__(self) -> None:
        self.released, self.entered = threading.Event(), threading.Event()

    def write(self, lines: list[tuple[str, dict[str, Any]]]) -> tuple[int, int]:
        self.entered.set()
        self.released.wait(60)
        return len(lines), 0

    def close(self) -> None:
        """Nothing is open."""


class Broken:
    """Takes `room` rows, then none."""

    linger_s = 0.0

    def __init__(self, room: int) -> None:
        self.room, self.taken = room, 0

    def write(self, lines: list[tuple[str, dict[str, Any]]]) -> tuple[int, int]:
        count = min(self.room - self.taken, len(lines))
        if not count or lines[0][0] == "live_losses":
            raise OSError(28, "No space left on device")
        self.taken += count
        return count, 0

    def secret(self) -> bytes | None:
        return None

    def forked(self) -> None: ...

    def close(self) -> None: ...


def test_what_a_full_disk_drops_is_counted() -> None:
    """30,000 rows onto a disk that takes 3,919: nothing raises, and the count is exact."""
    sink = Broken(3_919)
    queue = queue_of(sink)
    put(queue, 30_000)
    while queue.health()["stored"] < 3_919:
        time.sleep(0.01)
    queue.close()
    health = whole(queue)
    assert (health["stored"], health["waiting"]) == (3_919, 0)
    assert health["dropped"] == 30_000 - 3_919
    assert "No space left" in health["fault"]


def test_a_disk_that_works_again_goes_on(tmp_path: Path) -> None:
    """Rows that wait for a disk are written when it has room; what was dropped before stands in the
    record.
    """
    queue = queue_of(FolderSink(tmp_path / "file" / "live"))
    (tmp_path / "file").write_text("in the way")
    put(queue, LIMIT + 2_000)
    assert whole(queue)["stored"] == 0
    (tmp_path / "file").unlink()
    assert queue.flush(30)
    put(queue, 1)
    assert queue.flush(30)
    health = whole(queue)
    assert health["stored"] == len(rows_of(tmp_path / "file" / "live"))
    assert health["fault"] is None
    losses = rows_of(tmp_path / "file" / "live", "live_losses")
    assert sum(row["rows"] for row in losses) == health["dropped"] > 0
    queue.close()


def test_a_torn_write_costs_no_neighbour(tmp_path: Path) -> None:
    """A file that may not grow past 100,000 bytes: whole rows stay, and every one of them reads."""
    process = script(
        """
        import resource, signal
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        for index in range(1_000):
            queue.put("live", {"id": f"l-{index}", "attribution": "x" * 250})
        queue.close()
        health = queue.health()
        print(health["put"], health["stored"], health["dropped"], health["waiting"])
        """,
        tmp_path,
    )
    offered, stored, dropped, waiting = map(int, done(process).split())
    assert (offered, waiting) == (1_000, 0)
    assert stored + dropped == 1_000
    assert 0 < stored < 1_000
    assert [row["id"] for row in rows_of(tmp_path)] == [f"l-{n}" for n in range(stored)]


def test_a_folder_that_is_removed_is_made_again(tmp_path: Path) -> None:
    import shutil

    queue = queue_of(FolderSink(tmp_path / "live"))
    put(queue, 3)
    assert queue.flush(30)
    shutil.rmtree(tmp_path / "live")
    put(queue, 5)
    assert queue.flush(30)
    assert len(rows_of(tmp_path / "live")) == 5
    assert whole(queue)["stored"] == 8
    queue.close()


def test_a_blocked_writer_blocks_nobody() -> None:
    """A pipe that nobody reads: no put waits for it, what does not fit is dropped, and leaving
    takes at most two seconds.
    """
    reading, writing = os.pipe()
    queue = queue_of(StdoutSink(writing))
    try:
        worst = put(queue, 30_000)
        health = whole(queue)
        assert health["dropped"] > 30_000 - LIMIT - 1_000
        assert worst < 5.0  # a generous bound beside a busy machine; the benchmark has the figure
        began = time.monotonic()
        queue.close()
        assert time.monotonic() - began < 10.0
        whole(queue)
    finally:
        os.close(reading)
        os.close(writing)


@pytest.mark.parametrize("sink", ["folder in the way", "no collector", "silent collector"])
def test_leaving_beside_a_dead_sink(sink: str, tmp_path: Path) -> None:
    """The process ends by itself: it does not wait for a sink that does not answer."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        (tmp_path / "file").write_text("")
        named = {
            "folder in the way": str(tmp_path / "file" / "live"),
            "no collector": "otlp+http://127.0.0.1:9",
            "silent collector": f"otlp+http://127.0.0.1:{port}",
        }[sink]
        code = """
        import time
        from promptops.observe.open_queues import open_queue
        queue = open_queue(sys.argv[1])
        for _ in range(100):
            queue.put("live", {"id": "l-1"})
        import atexit
        began = time.monotonic()
        atexit.register(lambda: print(queue.health()["waiting"]))
        """
        head = "import sys\n"
        process = subprocess.Popen(
            [sys.executable, "-c", head + textwrap.dedent(code), named],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        began = time.monotonic()
        done(process)
        assert time.monotonic() - began < 15.0  # 1.5 s and a start, beside a busy machine


def test_hostile_rows_are_counted() -> None:
    """A row whose value raises when it is written costs that row alone."""

    class Angry:
        def __str__(self) -> str:
            raise RuntimeError("no")

    sink = Broken(10)
    queue = queue_of(sink)
    queue.put("live", {"id": "l-1", "values": {"x": Angry()}})
    queue.put("live", {"id": "l-2", "values": {"x": float("nan"), "y": {1, 2}, "z": b"\\xff"}})
    assert queue.flush(30)
    health = whole(queue)
    assert (health["stored"], health["dropped"]) == (1, 1)
    queue.close()


# -- processes that end


def killed(folder: Path, ending: signal.Signals, after: int) -> tuple[list[float], int]:
    """Kill a process that records ~500 calls a second; returns how old, in seconds, each row was
    that it had put, and how many of them stand in the folder.
    """
    process = script(
        """
        for index in range(100_000):
            queue.put("live", {"id": f"l-{index}"})
            os.write(1, f"{time.monotonic()}\\n".encode())
            time.sleep(0.002)
        """,
        folder,
    )
    assert process.stdout is not None
    told = [float(process.stdout.readline()) for _ in range(after)]
    process.send_signal(ending)
    at = time.monotonic()
    told += map(float, process.stdout.read().splitlines())
    process.wait(30)
    return [at - moment for moment in told], len(rows_of(folder))


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM])
def test_killed_at_any_moment(ending: signal.Signals, tmp_path: Path) -> None:
    """kill -9, and SIGTERM, which runs no exit handler: a row that was put a moment ago is there;
    only a thread that was not given the processor yet can lose one.
    """
    for index in range(3):
        ages, stored = killed(tmp_path / str(index), ending, 60 + 37 * index)
        assert stored >= sum(age > 0.5 for age in ages)
        assert len(ages) >= 60 + 37 * index


@pytest.mark.benchmark
def test_a_kill_costs_at_most_one_row(tmp_path: Path) -> None:
    """15 kills at 500 calls a second: the row that was being written, at most."""
    for index in range(15):
        ages, stored = killed(tmp_path / str(index), signal.SIGKILL, 60 + 7 * index)
        assert stored >= len(ages) - 1


def test_every_fork_writes_its_own(tmp_path: Path) -> None:
    """300 rows in the parent, then four children of 500 rows: each row once, five segments."""
    process = script(
        """
        for index in range(300):
            queue.put("live", {"id": f"parent-{index}"})
        children = []
        for child in range(4):
            pid = os.fork()
            if not pid:
                for index in range(500):
                    queue.put("live", {"id": f"child-{child}-{index}"})
                assert queue.flush(30)
                os._exit(0)
            children.append(pid)
        for index in range(50):
            queue.put("live", {"id": f"after-{index}"})
        assert all(os.waitpid(pid, 0)[1] == 0 for pid in children)
        """,
        tmp_path,
    )
    done(process)
    found = [row["id"] for row in rows_of(tmp_path)]
    assert len(found) == len(set(found)) == 300 + 4 * 500 + 50
    assert len(list((tmp_path / "segments").glob("*.jsonl"))) == 5


def test_a_row_imports_nothing(tmp_path: Path) -> None:
    """A process that forks while its writing thread imports a module has children that lack it, and
    every row of theirs is dropped: the thread must find all that it needs already there.
    """
    server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    process = script(
        """
        from promptops.observe.live_call import Observer
        from promptops.observe.otlp_sink import OtlpSink
        from promptops.observe.sinks import StdoutSink

        request = {"messages": [{"content": "x"}], "model": "m"}
        for sink in (FolderSink(folder), StdoutSink(), OtlpSink(os.environ["COLLECTOR"])):
            queue = LiveQueue(sink, RowWriter(lambda text: text.lower()))
            before = set(sys.modules)
            call = Observer(queue, 1.0).begin(request)
            call.failed(OSError("caf\u00e9"))
            queue.put("feedback", {"id": "f-1", "by": "me", "at": time.time(), "kind": "good"})
            assert queue.flush(30) and queue.health()["stored"] == 2, queue.health()
            print(type(sink).__name__, sorted(set(sys.modules) - before), file=sys.stderr)
        os._exit(0)
        """,
        tmp_path,
        env={
            **os.environ,
            "PROMPTOPS_HASH_KEY": "k" * 32,
            "COLLECTOR": f"http://127.0.0.1:{server.server_port}",
        },
    )
    _, told = process.communicate(timeout=60)
    server.shutdown()
    server.server_close()
    assert told.splitlines() == ["FolderSink []", "StdoutSink []", "OtlpSink []"], told


def test_threads_lose_nothing(tmp_path: Path) -> None:
    queue = queue_of(FolderSink(tmp_path))

    def run(thread: int) -> None:
        for index in range(400):
            queue.put("live", {"id": f"l-{thread}-{index}"})

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    queue.close()
    assert len({row["id"] for row in rows_of(tmp_path)}) == 3_200
    assert whole(queue)["stored"] == 3_200


def test_a_process_that_ends_normally_keeps_its_last_row(tmp_path: Path) -> None:
    done(script('queue.put("live", {"id": "l-1"})', tmp_path))
    assert [row["id"] for row in rows_of(tmp_path)] == ["l-1"]


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_children_of_multiprocessing_keep_their_last_row(method: str, tmp_path: Path) -> None:
    """They end without exit handlers: five of five rows of five children had been lost."""
    context = multiprocessing.get_context(method)
    children = [
        context.Process(target=put_one, args=(str(tmp_path), f"l-{index}")) for index in range(5)
    ]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
        assert child.exitcode == 0
    assert sorted(row["id"] for row in rows_of(tmp_path)) == [f"l-{index}" for index in range(5)]


def put_one(folder: str, name: str) -> None:
    """What a child does: one row, and no flush."""
    queue = queue_of(FolderSink(Path(folder)))
    queue.put("live", {"id": name})
    KEPT.append(queue)  # as a process keeps the queues that it opened


KEPT: list[LiveQueue] = []


def test_memory_is_bounded(tmp_path: Path) -> None:
    """Kept content that cannot be written is bounded: past the bound rows go on without theirs."""
    from promptops.observe.live_call import Observer
    from promptops.observe.live_queue import CHARS

    sink = Blocked()
    queue = queue_of(sink)
    observer = Observer(queue, 1.0)
    observer.begin({"messages": [{"content": "x"}]}).answered(None)
    assert sink.entered.wait(60), "the writer waits in the sink: it takes no more rows"
    for _ in range(1_199):
        observer.begin({"messages": [{"content": "x" * 20_000}]}).answered(None)
    assert queue.health()["put"] == 1_200
    kept = CHARS // 20_000
    assert kept < 1_200, "the test puts more than the bound"
    assert not queue.room_for_content
    sink.released.set()
    queue.close()


def test_rows_do_not_wait_for_a_busy_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A child of celery's that ends a second after its calls has written their rows, also where a
    sync of the disk takes longer.
    """
    goes_on = threading.Event()
    monkeypatch.setattr(os, "fsync", lambda descriptor: goes_on.wait(60))
    monkeypatch.setattr(os, "fdatasync", os.fsync, raising=False)
    queue = queue_of(FolderSink(tmp_path / "live"))
    put(queue, 3)
    try:
        assert queue.flush(30)
        assert len(rows_of(tmp_path / "live")) == 3
    finally:
        goes_on.set()
    assert whole(queue)["stored"] == 3
    queue.close()


def test_threads_that_are_patched_after_the_queue_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An application that lets gevent patch threads late goes on: a thread of gevent's that waits
    for a queue of before stops the process.
    """
    waited = []

    class Patched(queues._PySimpleQueue):  # type: ignore[name-defined,misc]  # as eventlet's is
        def get(self, *args: Any, **named: Any) -> Any:
            waited.append(threading.current_thread().name)
            return super().get(*args, **named)

    queue = queue_of(FolderSink(tmp_path))
    monkeypatch.setattr(queues, "SimpleQueue", Patched)
    put(queue, 30)
    assert queue.flush(10)
    assert set(waited) == {"promptops-observe"}
    assert whole(queue)["stored"] == len(rows_of(tmp_path)) == 30
    queue.restart()
    monkeypatch.undo()
    put(queue, 20)
    assert queue.flush(10)
    assert whole(queue)["stored"] == 20


@pytest.mark.parametrize("cut", [1, 20, 34, 50])
def test_a_line_that_a_full_disk_tears_takes_no_other_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: int
) -> None:
    path, real, calls = tmp_path / "out.jsonl", os.write, []

    def write(descriptor: int, data: bytes) -> int:
        calls.append(data)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")
        return real(descriptor, data[:cut] if len(calls) == 2 else data)

    with path.open("ab") as file:
        queue = queue_of(StdoutSink(file.fileno()))
        monkeypatch.setattr("promptops.observe.sinks.os.write", write)
        put(queue, 4)
        assert queue.flush(10)
        monkeypatch.undo()
    assert whole(queue)["stored"] == 4
    lines = LiveLines(path, ("live",))
    assert [row["id"] for _, row in lines] == [f"l-{index}" for index in range(4)]
    assert lines.cut == (cut >= len('{"promptops"'))


@pytest.mark.parametrize(
    "named", ["http://user:word@collector:4318", "https://collector/v1", "s3://b/x", "file:///x"]
)
def test_an_address_that_is_no_sink_is_no_folder_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, named: str
) -> None:
    """The application goes on; its rows are counted as dropped, the log says how an address is
    written, without what it may hold, and nothing is written where nobody looks.
    """
    monkeypatch.chdir(tmp_path)
    queue = queue_of(sink_of(named))
    put(queue, 3)
    assert queue.flush(10)
    assert (queue.health()["stored"], queue.health()["dropped"]) == (0, 3)
    assert "otlp+http(s)://HOST" in str(queue.health()["fault"])
    assert "otlp+http(s)://HOST" in caplog.text
    assert "word" not in caplog.text
    assert list(tmp_path.iterdir()) == []


_WORKERS = """
import os, promptops
for worker in range(4):
    if os.fork() == 0:
        for number in range(40):
            with promptops.call(promptops.PromptVersion("{{x}}", model="m"), x=f"{worker}") as call:
                call.answer = "y" * 30_000
        assert promptops.observe.flush(60)
        os._exit(0)
for worker in range(4):
    os.wait()
"""


def test_workers_that_share_an_output_write_no_row_into_another() -> None:
    """Rows with content are longer than a pipe takes at once: two in five had been torn."""
    environment = {**os.environ, "PROMPTOPS_RECORD": "stdout", "PROMPTOPS_CONTENT": "1"}
    read = b""
    with subprocess.Popen(
        [sys.executable, "-c", _WORKERS], env=environment, stdout=subprocess.PIPE
    ) as workers:
        assert workers.stdout is not None
        while part := os.read(workers.stdout.fileno(), 30_000):
            read += part
            time.sleep(0.001)  # an agent that is slower than they are
    rows = [json.loads(line) for line in read.splitlines()]
    assert sorted(row["values"] for row in rows) == [
        f'{{"x":"{worker}"}}' for worker in range(4) for _ in range(40)
    ]
