"""G15: no network inside a lock, one deadline for a fetch, and every broken answer of a host is a
RegistryError that leaves the destination as it was.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from promptops import PromptVersion, RegistryError
from promptops.registry.editor import Editor
from promptops.registry.sync import sync
from promptops.registry.write_lock import locked

NAME = "support-triage"
Answer = Callable[[socket.socket], object]
Hosts = Callable[[Answer], str]


@pytest.fixture
def host() -> Iterator[Hosts]:
    """Starts a raw host that answers each connection with a function; all end with the test."""
    closing: list[socket.socket] = []

    def start(answer: Answer) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        closing.append(listener)

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                try:
                    connection.recv(65_536)
                    answer(connection)
                except OSError:
                    pass
                finally:
                    connection.close()

        threading.Thread(target=serve, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}/promptops.json"

    yield start
    for listener in closing:
        listener.close()


@pytest.fixture
def dest(tmp_path: Path) -> Path:
    path = tmp_path / "promptops.json"
    editor = Editor(path)
    for number in (1, 2):
        editor.save(NAME, PromptVersion(f"Version {number}: {{{{ticket}}}}"))
        editor.promote(NAME, number, "dev", author="ann")
    return path


def drip(start: bytes, piece: bytes) -> Answer:
    """Sends a little now and then, for ever: no single read of it ever times out."""
    silence = threading.Event()

    def answer(connection: socket.socket) -> None:
        connection.sendall(start)
        for _ in range(200):
            connection.sendall(piece)
            silence.wait(0.05)

    return answer


def sends(answer: bytes) -> Answer:
    return lambda connection: connection.sendall(answer)


OK = b"HTTP/1.1 200 OK\r\n"
BROKEN = {
    "a cut chunk": sends(OK + b"Transfer-Encoding: chunked\r\n\r\n40\r\n{}"),
    "a chunk that is none": sends(OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}"),
    "another protocol": sends(b"SSH-2.0\r\n\r\n"),
    "nothing": sends(b""),
    "a status that is none": sends(b"HTTP/1.1 abc OK\r\n\r\n"),
    "many headers": sends(OK + b"".join(b"X%d: y\r\n" % n for n in range(150)) + b"\r\n{}"),
    "an endless header": sends(OK + b"X: " + b"y" * 70_000 + b"\r\n\r\n{}"),
    "fewer bytes than said": sends(OK + b"Content-Length: 900\r\n\r\n{}"),
    "304 without a copy": sends(b"HTTP/1.1 304 Not Modified\r\n\r\n"),
    "a part": sends(b"HTTP/1.1 206 Partial Content\r\nContent-Length: 2\r\n\r\n{}"),
    "no content": sends(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "compressed": sends(OK + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08"),
    "ftp": sends(b"HTTP/1.1 302 Found\r\nLocation: ftp://127.0.0.1/x\r\n\r\n"),
    "file": sends(b"HTTP/1.1 302 Found\r\nLocation: file:///etc/hostname\r\n\r\n"),
    "data": sends(b"HTTP/1.1 302 Found\r\nLocation: data:,{}\r\n\r\n"),
    "another scheme": sends(b"HTTP/1.1 302 Found\r\nLocation: https://127.0.0.1:1/\r\n\r\n"),
    "itself for ever": sends(b"HTTP/1.1 302 Found\r\nLocation: /promptops.json\r\n\r\n"),
    "headers that drip": drip(OK, b"X: y\r\n"),
    "a body that drips": drip(OK + b"Content-Length: 3000\r\n\r\n", b" "),
    "a status that drips": drip(b"", b" "),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_every_broken_answer_is_an_error_of_the_registry(
    host: Hosts, dest: Path, broken: str
) -> None:
    before = dest.read_bytes()
    limit = 0.3 if "drip" in broken else 20.0
    with pytest.raises(RegistryError) as caught:
        sync(host(BROKEN[broken]), str(dest), timeout_s=limit)
    assert "\n" not in str(caught.value)
    assert dest.read_bytes() == before


def test_a_rollback_goes_through_while_a_host_is_waited_for(host: Hosts, dest: Path) -> None:
    """The lock is free all the while, and what was written then is not overwritten."""
    asked, go = threading.Event(), threading.Event()
    body = dest.read_bytes()

    def answer(connection: socket.socket) -> None:
        asked.set()
        go.wait(30)
        connection.sendall(OK + b"Content-Length: %d\r\n\r\n" % len(body + b"\n") + body + b"\n")

    faults: list[BaseException] = []

    def run() -> None:
        try:
            sync(address, str(dest), timeout_s=30)
        except RegistryError as error:
            faults.append(error)

    address = host(answer)
    thread = threading.Thread(target=run)
    thread.start()
    assert asked.wait(30)
    with locked(str(dest), wait_s=0):
        pass
    Editor(dest).rollback(NAME, "dev", author="ann")
    written = dest.read_bytes()
    go.set()
    thread.join(30)
    assert "was written while" in str(faults[0])
    assert dest.read_bytes() == written
