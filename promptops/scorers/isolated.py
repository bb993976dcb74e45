"""A function that is called in a process of its own, so that whatever it does to the interpreter
costs that call and nothing else.

C code that keeps the interpreter, a crash of it, a fork that hangs: in the caller's process each
stops everything. Here the caller's thread waits in Python code, so that a time limit reaches it,
and a process that is given up is killed. The next call gets a new one.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import ScorerError
from . import isolated_child

__all__ = ["IsolatedFunction"]

_MEMORY_MB = 4096  # by which a call's process may grow, as in the score phase
_TICK_S = 0.05  # between two chances to stop
_IDLE_S = 60.0  # after which a process that nobody asked is replaced


class IsolatedFunction:
    """A function; calling it calls it in a process of its own, and waits there.

    function: it must be possible to pickle it, by cloudpickle if that is installed. Processes
    are kept for the next call, one for each thread that calls at once, and end with this object.
    Raises ScorerError if the function cannot go to another process.
    """

    def __init__(self, function: Callable[..., Any], name: str) -> None:
        self.function, self.name = function, name
        self.__wrapped__ = function
        _packed(function, name)
        self._idle: list[_Child] = []
        self._lock = threading.Lock()
        weakref.finalize(self, _end, self._idle)

    def __reduce__(self) -> tuple[object, ...]:
        return IsolatedFunction, (self.function, self.name)

    def __call__(self, /, *values: object, **arguments: object) -> object:
        request = pickle.dumps((values, arguments))
        child = self._child()
        try:
            kind, found, *opened = child.ask(request)
        except BaseException:
            child.kill()
            raise
        with self._lock:
            self._idle.append(child)
        if kind == "raised":
            raise _error(*found)
        if opened:
            from ..models.files_read import heard_elsewhere

            heard_elsewhere(opened)
        return found

    def _child(self) -> _Child:
        while True:
            with self._lock:
                child = self._idle.pop() if self._idle else None
            if child is None:
                return _Child(_packed(self.function, self.name), self.name)
            if child.usable():
                return child
            child.kill()


class _Child:
    """One process. A thread of its own reads its answers, since a pipe's end cannot be waited for
    and interrupted on every system.
    """

    def __init__(self, packed: bytes, name: str) -> None:
        self._name = name
        paths = [os.path.abspath(path) for path in sys.path]
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(Path(isolated_child.__file__).resolve())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths))},
            start_new_session=True,  # Ctrl-C is the caller's
        )
        self._used = time.monotonic()
        self._answers: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, name="promptops-isolated", daemon=True).start()
        try:
            self._send(pickle.dumps((_MEMORY_MB, packed)))
        except BaseException:
            self.kill()
            raise

    def usable(self) -> bool:
        """Whether it lives and was asked lately."""
        return self._process.poll() is None and time.monotonic() - self._used < _IDLE_S

    def ask(self, request: bytes) -> Any:
        """What came back. Raises ScorerError if the process ended instead."""
        self._send(request)
        while True:
            try:
                found = self._answers.get(timeout=_TICK_S)
            except queue.Empty:
                continue
            if found is None:
                raise self._ended()
            self._used = time.monotonic()
            return pickle.loads(found)

    def kill(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError, ValueError):
                if pipe is not None:
                    pipe.close()

    def _send(self, body: bytes) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # its end is heard of on the other pipe
            isolated_child.write_frame(self._process.stdin, body)

    def _read(self) -> None:
        pipe = self._process.stdout
        assert pipe is not None
        with contextlib.suppress(OSError, ValueError):  # it was closed meanwhile
            while (frame := isolated_child.read_frame(pipe)) is not None:
                self._answers.put(frame)
        self._answers.put(None)

    def _ended(self) -> ScorerError:
        code = self._process.wait()
        with contextlib.suppress(ValueError):
            return ScorerError(
                f"the process of {self._name} was ended by {signal.Signals(-code).name}; its"
                " example is unscored, and the next one gets a new process."
            )
        return ScorerError(
            f"the process of {self._name} ended with exit code {code} and without a verdict; its"
            " example is unscored, and the next one gets a new process."
        )


def _packed(function: Callable[..., object], name: str) -> bytes:
    try:
        import cloudpickle as pickler
    except ImportError:
        pickler = pickle
    try:
        packed: bytes = pickler.dumps(function)
    except Exception as error:
        more = (
            "; cloudpickle takes functions of notebooks and decorated ones: pip install"
            " 'promptops-toolkit[scale]'"
            if pickler is pickle
            else ""
        )
        raise ScorerError(
            f"{name} cannot run in its own process ({type(error).__name__}: {error}); let it"
            f" capture plain values only, or leave out isolated=True{more}."
        ) from None
    return packed


def _error(whole: bytes | None, name: str, text: str) -> BaseException:
    if whole is not None:
        with contextlib.suppress(Exception):
            error = pickle.loads(whole)
            if isinstance(error, BaseException):
                return error
    return RuntimeError(f"{name}: {text}")


def _end(idle: list[_Child]) -> None:
    while idle:
        idle.pop().kill()
