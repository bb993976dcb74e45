"""A webhook hears of an alarm once, and its failures are reported without its address."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from promptops.errors import SetupError
from promptops.monitor.drift_file import MonitorFile
from promptops.monitor.webhook import alarm_text, body_of, post_open_alarms

from .test_drift_day import after, monitor


class Receiver:
    """A server that keeps what it is sent and answers as told. status 0: never answers."""

    def __init__(self) -> None:
        self.bodies: list[Any] = []
        self.status = 200
        receiver = self
        self.released = threading.Event()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                size = int(self.headers["Content-Length"])
                receiver.bodies.append(json.loads(self.rfile.read(size)))
                if receiver.status == 0:
                    receiver.released.wait(20)
                if receiver.status == 0:
                    return
                self.send_response(receiver.status)
                if receiver.status == 302:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?token=SECRET-1"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self) -> None:
        """End the server."""
        self.released.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver of this test."""
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A monitor's file with one open alarm."""
    where = tmp_path / "promptops.monitors" / "triage.prod.json"
    after(monitor(), range(1, 6), set(range(6))).write(where)
    return str(where)


def test_an_alarm_is_posted_once_in_the_documented_shape(path: str, receiver: Receiver) -> None:
    assert post_open_alarms(path, receiver.url) == []
    assert post_open_alarms(path, receiver.url) == []
    [body] = receiver.bodies
    assert body["promptops"] == "drift_alarm"
    assert body["format"] == 1
    assert set(body) == {
        *("promptops", "format", "id", "text", "prompt", "env", "scorer", "day", "since"),
        *("evidence", "threshold", "before", "now", "cause"),
    }
    assert set(body["cause"]) == {"kind", "sentence", "command"}
    assert body["text"].startswith("triage in prod: equals(expected) fell from 100.0 % to 85.0 %")
    assert MonitorFile.read(path).alarms[0]["posted"]


@pytest.mark.parametrize("status", [500, 404, 302])
def test_what_was_not_taken_is_said_without_the_address_and_tried_again(
    path: str, receiver: Receiver, status: int
) -> None:
    receiver.status = status
    [fault] = post_open_alarms(path, receiver.url)
    assert f"it answered {status}" in fault
    assert "SECRET" not in fault
    receiver.status = 200
    assert post_open_alarms(path, receiver.url) == []
    assert MonitorFile.read(path).alarms[0]["posted"]


def test_a_receiver_that_never_answers_costs_its_time_limit_only(
    path: str, receiver: Receiver
) -> None:
    receiver.status = 0
    [fault] = post_open_alarms(path, receiver.url, timeout_s=0.2)
    assert "not delivered" in fault
    assert "SECRET" not in fault


def test_a_receiver_that_answers_byte_by_byte_costs_its_time_limit_only(path: str) -> None:
    """Each byte is in time for a socket's own limit; the delivery as a whole is not."""
    ended = threading.Event()

    def drip(server: socket.socket) -> None:
        peer, _ = server.accept()
        with peer:
            while not ended.wait(0.05):
                try:
                    peer.send(b"H")
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip, args=(server,), daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/hook"
        [fault] = post_open_alarms(path, url, timeout_s=0.3)
        ended.set()
        thread.join(20)
    assert "no answer within 0.3 s" in fault
    assert MonitorFile.read(path).alarms[0]["posted"] is None


def test_two_runs_at_once_post_an_alarm_once(path: str, receiver: Receiver) -> None:
    """While the first waits for the receiver, the second begins: it finds the alarm posted."""
    receiver.status = 0
    answers: list[list[str]] = []

    def run() -> None:
        answers.append(post_open_alarms(path, receiver.url, timeout_s=60))

    runs = [threading.Thread(target=run) for _ in range(2)]
    runs[0].start()
    while not receiver.bodies:  # the first has posted, and waits
        runs[0].join(0.01)
    runs[1].start()
    runs[1].join(0.2)
    receiver.status = 200
    receiver.released.set()
    for each in runs:
        each.join(60)
    assert len(receiver.bodies) == 1
    assert MonitorFile.read(path).alarms[0]["posted"]


def test_nobody_listening_is_said(path: str) -> None:
    with socket.socket() as taken:  # bound and not listening: nobody else gets the port meanwhile
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/hook"
        [fault] = post_open_alarms(path, url, timeout_s=5)
    assert "ConnectionRefusedError" in fault


def test_acknowledged_and_ended_alarms_are_not_posted(path: str, receiver: Receiver) -> None:
    file = MonitorFile.read(path)
    known = {**file.alarms[0], "acknowledged": {"at": "", "by": "", "reason": ""}}
    file.with_alarm(known).write(path)
    assert post_open_alarms(path, receiver.url) == []
    file.with_alarm({**known, "closed": {"day": "", "why": ""}}).write(path)
    assert post_open_alarms(path, receiver.url) == []
    assert receiver.bodies == []


@pytest.mark.parametrize(
    "url", ["", "file:///etc/passwd", "ftp://a/b", "https://", "hook", "http://[::1/x"]
)
def test_an_address_that_is_not_of_the_web_is_refused(path: str, url: str) -> None:
    with pytest.raises(SetupError, match="not an http or https one"):
        post_open_alarms(path, url)


def test_the_body_of_an_alarm_is_json_and_small(path: str) -> None:
    file = MonitorFile.read(path)
    assert len(json.dumps(body_of(file, file.alarms[0]))) < 2000


def test_a_file_of_others_writes_no_lines_of_its_own() -> None:
    """A cause in a committed file that holds a line break is shown on its one line."""
    [alarm] = after(after(monitor(), range(1, 11)), range(11, 18), {3, 4, 5, 6}).alarms
    forged = {**alarm["cause"], "sentence": "it fell\nundo: promptops promote triage v9\x1b[2K"}
    lines = alarm_text({**alarm, "monitor": "triage.prod", "cause": forged})
    assert lines[1] == "cause: it fell undo: promptops promote triage v9[2K"
    assert all(line.isprintable() for line in lines)
