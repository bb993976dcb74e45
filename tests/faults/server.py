"""A loopback endpoint that misbehaves by script, and a loopback proxy: nothing in a test of calls
leaves the machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Seen:
    """A request as it arrived. number: from 0, over all; headers: lower-case names."""

    number: int
    method: str
    path: str
    headers: Mapping[str, str]
    body: Any

    @property
    def prompt(self) -> str:
        return str(self.body["messages"][-1]["content"])


@dataclass(frozen=True)
class Say:
    """An HTTP reply. cut: only so many bytes of the body are sent, then the connection is reset;
    pieces: sent one by one with `pause_s` between them (a stream); wait_s: before anything is sent.
    """

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    pieces: tuple[bytes, ...] | None = None
    pause_s: float = 0.0
    wait_s: float = 0.0


HANG = "hang"  # the request is read, nothing is ever said
RESET = "reset"  # the connection is reset instead of a reply
HANG_UP = "hang up"  # the connection is closed in order, without a reply


def completion(text: str | None = "ok", *, usage: Any = None, **over: Any) -> dict[str, Any]:
    """A chat completion's body; `over` replaces its top-level fields, `message`, `finish_reason`
    those of its choice.
    """
    message = over.pop("message", {"role": "assistant", "content": text, "refusal": None})
    choice = {"index": 0, "message": message, "finish_reason": over.pop("finish_reason", "stop")}
    tokens = (
        {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14}
        if usage is None
        else usage
    )
    head = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m-2026",
        "system_fingerprint": "fp_1",
    }
    return {**head, "choices": [choice], "usage": tokens, **over}


def error(message: str, code: Any = None, kind: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def events(*chunks: Any, done: bool = True) -> tuple[bytes, ...]:
    """Server-sent events of a stream."""
    sent = [f"data: {json.dumps(chunk)}\n\n".encode() for chunk in chunks]
    return (*sent, b"data: [DONE]\n\n") if done else tuple(sent)


class FaultServer:
    """`with FaultServer(script) as server`: script(seen) says what is answered.

    `seen` lists all requests, `url` ends in /v1.
    """

    def __init__(
        self, script: Callable[[Seen], Say | str], *, tls: ssl.SSLContext | None = None
    ) -> None:
        self._script, self._tls = script, tls
        self.seen: list[Seen] = []
        self.broken: list[str] = []  # what went wrong in the server itself
        self.port = 0

    @property
    def url(self) -> str:
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Any:
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()

        async def start() -> None:
            self._server = await asyncio.start_server(
                self._serve, "127.0.0.1", 0, ssl=self._tls, backlog=1024
            )
            self.port = self._server.sockets[0].getsockname()[1]
            ready.set()

        def work() -> None:
            self._loop.set_exception_handler(
                lambda loop, context: None
            )  # peers vanish here by design
            self._loop.create_task(start())
            self._loop.run_forever()
            self._server.close()
            for task in asyncio.all_tasks(self._loop):
                task.cancel()
            self._loop.run_until_complete(asyncio.sleep(0.01))
            self._loop.close()

        self._thread = threading.Thread(target=work, daemon=True)
        self._thread.start()
        assert ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        except Exception as broken:
            self.broken.append(repr(broken))
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ", 2)
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head[1:] if line)
        }
        raw = await reader.readexactly(int(headers.get("content-length", 0)))
        seen = Seen(len(self.seen), method, path, headers, json.loads(raw) if raw else None)
        self.seen.append(seen)
        said = self._script(seen)
        if isinstance(said, str):
            if said == HANG:
                await asyncio.sleep(3600)
            if said == RESET:
                _reset_on_close(writer)
            return False
        await asyncio.sleep(said.wait_s)
        return await self._say(said, writer)

    async def _say(self, said: Say, writer: asyncio.StreamWriter) -> bool:
        pieces = said.pieces
        body = (
            said.body
            if isinstance(said.body, bytes)
            else b""
            if said.body is None
            else json.dumps(said.body).encode()
        )
        kind = "text/event-stream" if pieces is not None else "application/json"
        length = {} if pieces is not None else {"Content-Length": str(len(body))}
        headers = {"Content-Type": kind, **length, **said.headers}
        head = (
            f"HTTP/1.1 {said.status} Said\r\n"
            + "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            + "\r\n"
        )
        writer.write(head.encode("latin-1"))
        if pieces is not None:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(said.pause_s)
            if said.cut is not None:
                _reset_on_close(writer)
            return False  # the end of the connection ends the stream
        writer.write(body if said.cut is None else body[: said.cut])
        await writer.drain()
        if said.cut is not None:
            await asyncio.sleep(0.02)  # so that the first part is read before the reset discards it
            _reset_on_close(writer)
            return False
        return True


def _reset_on_close(writer: asyncio.StreamWriter) -> None:
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class Proxy(FaultServer):
    """A proxy that leads every address to one loopback port, whatever host it is asked for.

    `hosts` lists what was asked.
    """

    def __init__(self, target_port: int) -> None:
        super().__init__(lambda seen: HANG_UP)
        self._target = target_port
        self.hosts: list[str] = []
        self.credentials: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, OSError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            method, target, _ = head.split(" ", 2)
            self.hosts.append(target)
            for line in head.split("\r\n"):
                if line.lower().startswith("proxy-authorization:"):
                    self.credentials.append(line.partition(":")[2].strip())
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
            if method == "CONNECT":
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                path = "/" + target.split("/", 3)[3]
                back.write(head.replace(target, path, 1).encode("latin-1"))
            await asyncio.wait(
                [
                    asyncio.create_task(_pump(reader, back)),
                    asyncio.create_task(_pump(there, writer)),
                ]
            )
        writer.close()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError, OSError):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    with contextlib.suppress(ConnectionError, OSError, RuntimeError):
        sink.close()


class JumpClock:
    """A clock whose waits take no time: it jumps to the end of each.

    `slept` lists their lengths in seconds.
    """

    def __init__(self) -> None:
        self._at = 1000.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self._at

    def wall(self) -> float:
        return 1.8e9 + self._at

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        until = self._at + seconds
        await asyncio.sleep(0)
        self._at = max(self._at, until)

    def jump(self, seconds: float) -> None:
        self._at += seconds
