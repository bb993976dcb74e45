"""The process of the server: its client leaves without a word, or a person interrupts it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import anyio
import pytest

from promptops.lab import Lab
from promptops.mcp import server as served
from promptops.mcp.agent import Agent
from promptops.mcp.agent_tools import ToolResult
from promptops.models.scripted import ScriptedModel

pytest.importorskip("mcp")
HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}


def server(folder: Path) -> subprocess.Popen[bytes]:
    """A server that has answered its first request."""
    command = [sys.executable, "-m", "promptops.cli", "mcp", "--agent", "bot"]
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        [*command, "--root", str(folder)], stdin=pipe, stdout=pipe, stderr=pipe
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(HELLO).encode() + b"\n")
    process.stdin.flush()
    assert json.loads(process.stdout.readline())["id"] == 1
    return process


def test_an_interrupt_ends_it_while_it_waits_for_its_client(tmp_path: Path) -> None:
    """The thread that reads standard input had held it until the next line."""
    process = server(tmp_path)
    process.send_signal(signal.SIGINT)
    try:
        assert process.wait(20) == -signal.SIGINT
    finally:
        process.kill()
        process.communicate()


def test_a_client_that_left_is_no_fault(tmp_path: Path) -> None:
    process = server(tmp_path)
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, told = process.communicate(json.dumps({**HELLO, "id": 2}).encode() + b"\n", timeout=60)
    assert (process.returncode, told) == (0, b"")


def test_a_full_disk_behind_its_output_is_one_sentence(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "promptops.cli", "mcp", "--agent", "bot"]
    with open("/dev/full", "wb", buffering=0) as full:
        process = subprocess.Popen(
            [*command, "--root", str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=full,
            stderr=subprocess.PIPE,
        )
    _, told = process.communicate(json.dumps(HELLO).encode() + b"\n", timeout=60)
    assert process.returncode == 2
    assert told.startswith(b"error: the client cannot be answered on standard output: No space")
    assert told.count(b"\n") == 1


def test_a_call_that_is_cancelled_asks_no_more(tmp_path: Path) -> None:
    """The study that it began is stopped within a second, keeps what it has, and its rest is not
    counted as spent.
    """
    asked = []

    def slow(_: object) -> str:
        asked.append(time.sleep(0.1))
        return "yes"

    lab = Lab(tmp_path, models={"m": ScriptedModel(slow)})
    agent = Agent.of(lab, "bot", calls=2_000)
    for text in ("Is it? {{q}}", "Really? {{q}}"):
        lab.prompt("w").save(text, model="m")
    rows = "".join(f"e{i},question {i},yes\n" for i in range(400))
    (tmp_path / "d.csv").write_text("id,q,expected\n" + rows)
    arguments = {"prompt": "w", "candidate": "v2", "baseline": "v1", "dataset": "d.csv",
                 "scorers": ["equals"]}  # fmt: skip

    async def cancelled() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(served.answered, agent, "evaluate", arguments)
            while len(asked) < 5:
                await anyio.sleep(0.02)
            group.cancel_scope.cancel()

    anyio.run(cancelled)
    known = len(asked)
    assert known < 600
    assert agent.budget.left().calls >= 2_000 - known
    time.sleep(0.3)
    assert len(asked) == known


def test_a_cancelled_call_that_never_began_holds_nothing_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = Agent.of(Lab(tmp_path), "bot")
    begun = threading.Event()
    monkeypatch.setattr(served, "call", lambda *_: begun.set() or ToolResult("x"))

    async def cancelled() -> None:
        with anyio.move_on_after(20, shield=True) as limit, anyio.CancelScope() as scope:
            scope.cancel()
            await served.answered(agent, "show_budget", {})
        assert not limit.cancelled_caught

    anyio.run(cancelled)
    assert not begun.is_set()
