"""Law: under gunicorn, preloaded, each worker records its own calls, once each, also those of a
worker that is killed.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.request
from pathlib import Path

from tests.observe.live_rows_of import rows_of

APP = """
import os
import promptops
from promptops import PromptVersion

VERSION = PromptVersion("Say {{word}}", model="m")

class Completions:
    def create(self, **request):
        return {"id": "c-1", "model": "m", "choices": [
            {"message": {"content": "hi"}, "finish_reason": "stop"}], "usage": None}

class Client:
    def __init__(self):
        self.chat = type("Chat", (), {})()
        self.chat.completions = Completions()

client = promptops.observe(Client())
client.chat.completions.create(**VERSION.request(word="preloaded"))

def app(environ, start_response):
    answer = client.chat.completions.create(**VERSION.request(word=environ["PATH_INFO"]))
    promptops.feedback(answer["id"], good=True)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
"""


def get(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/x", timeout=120) as answer:
        return str(answer.read().decode())


def test_gunicorn_preloaded(tmp_path: Path) -> None:
    """Three workers, 60 requests, one worker killed: 61 calls and 60 votes, nothing twice."""
    (tmp_path / "served.py").write_text(textwrap.dedent(APP))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    live = tmp_path / "live"
    command = [sys.executable, "-m", "gunicorn", "--preload", "-w", "3", "-b", f"127.0.0.1:{port}"]
    command += ["--timeout", "0"]  # a busy machine is not a worker that hangs
    process = subprocess.Popen(
        [*command, "--no-control-socket", "served:app"]
        if b"--no-control-socket" in _help()
        else [*command, "served:app"],
        cwd=tmp_path,
        env={**os.environ, "PROMPTOPS_RECORD": str(live)},
        stderr=subprocess.PIPE,
    )
    try:
        workers: set[str] = set()
        for _ in range(1_200):
            try:
                workers.add(get(port))
                break
            except OSError:
                time.sleep(0.1)
        for _ in range(59):
            workers.add(get(port))
        _stored(live, 61)
        os.kill(int(max(workers)), signal.SIGKILL)
        rows = rows_of(live)
        assert len({row["id"] for row in rows}) == len(rows) == 61
        assert len(rows_of(live, "feedback")) == 60
        assert json.dumps(rows).count("p1-") == 61
        assert len(list((live / "segments").glob("*.jsonl"))) == 1 + len(workers)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


def _stored(live: Path, number: int) -> None:
    until = time.monotonic() + 120
    while len(rows_of(live)) < number or len(rows_of(live, "feedback")) < number - 1:
        assert time.monotonic() < until, len(rows_of(live))
        time.sleep(0.05)


def _help() -> bytes:
    return subprocess.run(
        [sys.executable, "-m", "gunicorn", "--help"], capture_output=True, check=False
    ).stdout
