"""Each request form beside chat completions in the same run: the same questions, recorded durably,
against one loopback server that answers in the form it is asked in.

All of it is one process: the forms take turns by slices of a hundred calls, each of them first as
often as the others, and a form is compared with chat's slice of the same turn. The median over the
turns decides, of the processor's time and of the clock's, so that other work on the machine, which
meets neighbours alike, leaves the verdict as it is.
"""

from __future__ import annotations

import asyncio
import gc
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from promptops.engine.sweep import Limits, Question, Sweep
from promptops.models.anthropic_model import AnthropicModel
from promptops.models.endpoint import EndpointModel
from promptops.models.gemini_model import GeminiModel
from promptops.models.protocol import Call, Model
from promptops.run import Attempt, Run, reuse_key
from promptops.store import Store
from promptops.version import PromptVersion

pytestmark = pytest.mark.benchmark

FORMS = ("chat", "responses", "anthropic", "gemini")
SLICE, TURNS, WIDTH = 100, 3 * len(FORMS), 50
LEAST = 0.9
TEXT = "Read the question about the item below and answer with its code alone, no other words. " * 3
VERSION = PromptVersion(f"{TEXT}\n{{{{item}}}}", model="m-1", settings={"max_tokens": 64})
ANSWERS: dict[bytes, dict[str, Any]] = {
    b"/chat/completions": {
        "id": "c",
        "object": "chat.completion",
        "model": "m-1",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "A1"},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 60, "completion_tokens": 2, "total_tokens": 62},
    },
    b"/responses": {
        "id": "r",
        "object": "response",
        "status": "completed",
        "model": "m-1",
        "output": [
            {
                "type": "message",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "A1", "annotations": []}],
            }
        ],
        "usage": {"input_tokens": 60, "output_tokens": 2, "total_tokens": 62},
    },
    b"/messages": {
        "id": "m",
        "type": "message",
        "role": "assistant",
        "model": "m-1",
        "content": [{"type": "text", "text": "A1"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 60, "output_tokens": 2},
    },
    b":generateContent": {
        "candidates": [
            {"content": {"role": "model", "parts": [{"text": "A1"}]}, "finishReason": "STOP"}
        ],
        "usageMetadata": {"promptTokenCount": 60, "candidatesTokenCount": 2},
        "modelVersion": "m-1",
        "responseId": "g",
    },
}


class Answering(asyncio.Protocol):
    """Answers each request whose head and body have come, by the end of its path."""

    def __init__(self) -> None:
        self._come = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self._come += data
        while (end := self._come.find(b"\r\n\r\n")) >= 0:
            head = self._come[:end].lower()
            length = int(head.partition(b"content-length:")[2].split(b"\r", 1)[0])
            if len(self._come) < end + 4 + length:
                return
            path = self._come.split(b" ", 2)[1]
            self._come = self._come[end + 4 + length :]
            self._transport.write(next(READY[name] for name in READY if path.endswith(name)))


def ready(answer: dict[str, Any]) -> bytes:
    body = json.dumps(answer).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


READY = {name: ready(answer) for name, answer in ANSWERS.items()}


async def serve() -> None:
    """Print the port, and answer until the process is ended."""
    server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@pytest.fixture
def address() -> Iterator[str]:
    """The address of the server, in a process of its own."""
    words = [sys.executable, __file__]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        server.kill()


def model(form: str, address: str) -> Model:
    """The model that an evaluation makes for a form."""
    if form == "anthropic":
        return AnthropicModel(base_url=address, api_key="k")
    if form == "gemini":
        pytest.importorskip("google.genai")
        return GeminiModel(api_key="k")
    return EndpointModel(base_url=f"{address}/v1", api_key="k")


def questions(form: str, asked: Model, turn: int) -> Iterator[Question]:
    """The questions of one slice; no two of a run are equal."""
    version = VERSION.but(api=form)
    if form == "responses":
        version = version.but(max_tokens=None, max_completion_tokens=64)
    for number in range(turn * SLICE, (turn + 1) * SLICE):
        values = {"item": f"[item {number:04d}]"}
        messages = version.render(values)
        chat = version.chat_request(messages)
        request = version.to_request(messages)
        key = reuse_key(version.id, chat["messages"], asked.label, 0)
        call = Call(request, version, "p", values, str(number), 0, neutral=chat)
        yield Question(call, asked, key, "p", version.id, "m-1", str(number), str(number))


class Side:
    """One form with its model and its store. walls, processor: seconds of its slices."""

    def __init__(self, form: str, address: str, folder: Path) -> None:
        self.form, self.model, self.store = form, model(form, address), Store(folder)
        self.walls, self.processor = list[float](), list[float]()
        self._found = list[Run]()

    async def slice(self, turn: int) -> None:
        """Ask, record and time a slice, whose rows must be the same in every form."""
        asked = questions(self.form, self.model, turn)
        sweep = Sweep(asked, record=self._record, limits=Limits(concurrency=WIDTH))
        gc.collect()
        began, used = time.perf_counter(), time.process_time()
        await sweep.run()
        self.walls.append(time.perf_counter() - began)
        self.processor.append(time.process_time() - used)
        told = {(run.output, run.tokens_in, run.tokens_out, run.failure) for run in self._found}
        assert len(self._found) == SLICE
        assert told == {("A1", 60, 2, None)}
        self._found.clear()

    def _record(self, runs: Sequence[Run], attempts: Sequence[Attempt]) -> None:
        self._found.extend(runs)
        for table, rows in (("attempts", attempts), ("runs", runs)):
            self.store.append(
                table, [{name: getattr(row, name) for name in row.__slots__} for row in rows]
            )


async def played(sides: Sequence[Side]) -> None:
    """All turns; what is made once per model is made in a turn that is not counted."""
    for turn in range(TURNS + 1):
        first = turn % len(sides)
        for side in (*sides[first:], *sides[:first]):
            await side.slice(turn)
    for side in sides:
        del side.walls[0], side.processor[0]
        await side.model.aclose()
        side.store.close()


def beside(chat: Sequence[float], own: Sequence[float]) -> float:
    """How fast a form is beside chat, 1 being as fast: the median over the turns."""
    return statistics.median(one / other for one, other in zip(chat, own, strict=True))


def test_each_form_is_as_fast_as_chat_completions(
    address: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At least 0.9 times the calls a second of chat completions, by the processor's time and by the
    clock; the rows are the same.
    """
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", address)
    sides = [Side(form, address, tmp_path / form) for form in FORMS]
    asyncio.run(played(sides))
    chat = sides[0]
    found = {
        side.form: (beside(chat.processor, side.processor), beside(chat.walls, side.walls))
        for side in sides
    }
    with capsys.disabled():
        for side in sides:
            processor, clock = found[side.form]
            print(
                f"\n{side.form}: {SLICE / statistics.median(side.walls):,.0f} calls/s recorded,"
                f" beside chat {clock:.2f}x by the clock, {processor:.2f}x of CPU time"
            )
    assert {form: pair for form, pair in found.items() if min(pair) < LEAST} == {}


if __name__ == "__main__":
    asyncio.run(serve())
