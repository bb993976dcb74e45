"""The process of the server: its client leaves without a word, or a person interrupts it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

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
