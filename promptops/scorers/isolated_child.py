"""The other side of `isolated=True`: a process that calls one function for as long as it is asked.

It is started by its path, so that nothing of the package is imported but what the function needs.
Frames on its pipes are a length of 8 bytes and as many of pickle; what the function prints goes to
the error stream.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import pickle
import signal
import struct
import sys
from collections.abc import Callable
from typing import IO, Any

__all__ = ["answer", "hear", "limited", "read_frame", "serve", "write_frame"]

_OPENED: list[tuple[str, bool]] = []  # by the call that is answered
_MOST = 2_000
_LENGTH = struct.Struct(">Q")
# where the parent was killed during a call that cannot be interrupted, the system ends this process
_LONGEST_S = 3600


def read_frame(pipe: IO[bytes]) -> bytes | None:
    """The next frame; None if the pipe ended."""
    head = pipe.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    size = _LENGTH.unpack(head)[0]
    body = pipe.read(size)
    return body if len(body) == size else None


def write_frame(pipe: IO[bytes], body: bytes) -> None:
    """Write a frame and flush it."""
    pipe.write(_LENGTH.pack(len(body)))
    pipe.write(body)
    pipe.flush()


def serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Read the function, then answer each frame of arguments until the pipe ends."""
    first = read_frame(requests)
    if first is None:
        return
    function: Callable[..., object] | None = None
    broken = b""
    try:
        limit, packed = pickle.loads(first)
        limited(limit)
        function = pickle.loads(packed)
    except BaseException as error:
        broken = _raised(error)
    while (arguments := read_frame(requests)) is not None:
        _alarm(_LONGEST_S)
        write_frame(answers, broken if function is None else answer(function, arguments))
        _alarm(0)


def answer(function: Callable[..., Any], arguments: bytes) -> bytes:
    """The frame of a call: what the function gives, or what it raises."""
    _OPENED.clear()
    try:
        values, named = pickle.loads(arguments)
        result = function(*values, **named)
        if inspect.isawaitable(result):
            result = asyncio.run(_awaited(result))
        return pickle.dumps(("gave", result, *dict.fromkeys(_OPENED)))
    except BaseException as error:
        return _raised(error)


def hear(event: str, arguments: tuple[Any, ...]) -> None:
    """Note each file that is opened: its path, and whether it is written."""
    if event == "open" and len(_OPENED) < _MOST and not isinstance(arguments[0], int):
        with contextlib.suppress(Exception):  # opening an odd path raises by itself
            writes = bool(arguments[2] & (os.O_WRONLY | os.O_RDWR))
            _OPENED.append((os.path.abspath(os.fsdecode(arguments[0])), writes))


def limited(growth_mb: int) -> None:
    """Let this process's memory grow by so much and no more, where the system can: an allocation
    beyond raises MemoryError, or ends this process.
    """
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        with open("/proc/self/statm", "rb") as file:
            used = int(file.read().split()[5]) * os.sysconf("SC_PAGE_SIZE")
        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (used + (growth_mb << 20), most))


async def _awaited(result: Any) -> object:
    return await result


def _raised(error: BaseException) -> bytes:
    """The frame of an exception: itself where it survives a pickle, and its name and text."""
    name = type(error).__name__
    try:
        text = str(error)
    except Exception:
        text = "it has no text"
    try:
        whole: bytes | None = pickle.dumps(error)
        pickle.loads(whole or b"")
    except Exception:
        whole = None
    return pickle.dumps(("raised", (whole, name, text)))


def _alarm(seconds: int) -> None:
    if hasattr(signal, "alarm"):
        signal.alarm(seconds)


def _main() -> None:
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)  # what the function prints is not an answer
    sys.stdout = sys.stderr
    sys.addaudithook(hear)
    with contextlib.suppress(BrokenPipeError):
        serve(requests, answers)
    os._exit(0)


if __name__ == "__main__":
    _main()
