"""What asking costs beside a model that takes no time: cells without a study, and one `v(...)` in
a store of 10,000 runs.

The best of some rounds counts, since noise only adds: `pytest tests/benchmarks -m benchmark -n 0
-s` prints the figures.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from promptops.dataset import Dataset
from promptops.lab import Lab
from promptops.run import new_id, utc
from promptops.scorers import equals
from promptops.study.ask_cells import Cell, CellAsker
from promptops.study.project import Project
from promptops.study.queries.recorded_runs import runs_where
from promptops.study.records import keep_runs
from promptops.version import PromptVersion

pytestmark = pytest.mark.benchmark

ROUNDS = 60
FIXED_MS, ROW_MS, CALL_MS = 5.0, 0.5, 10.0
STORED = 10_000


async def at_once(item: str) -> str:
    """A model that takes no time."""
    return "A"


@pytest.mark.parametrize("rows", [5, 50])
def test_cells_cost_five_ms_and_half_a_ms_each(tmp_path: Path, rows: int) -> None:
    """A minibatch of new cells, recorded and scored, is 5 ms + 0.5 ms per row."""
    project = Project.open(tmp_path, models={"m": at_once})
    data = Dataset.read([{"item": f"s{n}", "expected": "A"} for n in range(rows)])
    asker = CellAsker(project, [equals()])
    taken = []
    for turn in range(ROUNDS):
        version = PromptVersion(f"{turn} {{{{item}}}}", model="m")
        began = time.perf_counter()
        found = project.loop.finish(asker.ask([Cell(version, example) for example in data]))
        taken.append((time.perf_counter() - began) * 1e3)
        assert len(found) == rows
    project.close()
    limit = FIXED_MS + ROW_MS * rows
    print(f"{rows} cells: best {min(taken):.1f} ms, median {sorted(taken)[ROUNDS // 2]:.1f} ms")
    assert min(taken[1:]) <= limit


def test_a_minibatch_of_a_rung_costs_ten_ms(tmp_path: Path) -> None:
    """1,000 candidates on 5 rows each, 16 to a sweep: 10 ms for each of them."""
    project = Project.open(tmp_path, models={"m": at_once})
    data = list(Dataset.read([{"item": f"s{n}", "expected": "A"} for n in range(5)]))
    asker, taken = CellAsker(project, [equals()]), 0.0
    for first in range(0, 1000, 16):
        rung = [
            PromptVersion(f"{n} {{{{item}}}}", model="m")
            for n in range(first, min(first + 16, 1000))
        ]
        began = time.perf_counter()
        cells = [Cell(version, example) for example in data for version in rung]
        assert len(project.loop.finish(asker.ask(cells))) == len(cells)
        taken += time.perf_counter() - began
    project.close()
    print(f"1,000 candidate-minibatches of 5: {taken:.2f} ms each")
    assert taken <= 10.0


class Endpoint:
    """An HTTP server of this process that answers every request at once."""

    def __init__(self) -> None:
        answer = {
            "id": "c",
            "object": "chat.completion",
            "created": 0,
            "model": "m",
            "choices": [
                {
                    "index": 0,
                    "finish_reason": "stop",
                    "message": {"role": "assistant", "content": "A"},
                }
            ],
            "usage": {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6},
        }
        body = json.dumps(answer).encode()
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
        self._reply = f"{head}\r\n\r\n".encode() + body
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> str:
        self._thread.start()
        starting = asyncio.start_server(self._serve, "127.0.0.1", 0)
        server = asyncio.run_coroutine_threadsafe(starting, self._loop).result(10)
        return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                size = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
                await reader.readexactly(int(size or 0))
                writer.write(self._reply)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


@pytest.fixture
def url() -> Iterator[str]:
    with Endpoint() as found:
        yield found


def test_a_single_call_costs_ten_ms(tmp_path: Path, url: str) -> None:
    """`v(...)`, asked, answered and recorded, in a store of 10,000 runs of an earlier process."""
    import openai

    models: dict[str, Any] = {"m": openai.OpenAI(base_url=url, api_key="none")}
    lab = Lab(tmp_path, models=models)
    version = lab.prompt("x").save("q {{item}}", model="m")
    version(item="first")
    [run] = runs_where(lab.store, "true", [])
    began = utc()
    copies = [
        replace(run, id=new_id(), key=f"{run.key}{n}", started_at=began) for n in range(STORED)
    ]
    keep_runs(lab.store, copies, [])
    lab.project.close()
    lab = Lab(tmp_path, models=models)
    version = lab.prompt("x")[1]
    new, known = [], []
    for turn in range(ROUNDS):
        began_s = time.perf_counter()
        assert version(item=f"i{turn}").text == "A"
        new.append((time.perf_counter() - began_s) * 1e3)
        began_s = time.perf_counter()
        assert version(item=f"i{turn}").reused
        known.append((time.perf_counter() - began_s) * 1e3)
    lab.project.close()
    for name, taken in (("new", new), ("known", known)):
        print(f"v(...), {name}: best {min(taken):.1f} ms, median {sorted(taken)[ROUNDS // 2]:.1f}")
    assert min(new) <= CALL_MS
    assert min(known) <= CALL_MS
