"""What the system does not give more of: memory, threads, open files or processor time.

The error that comes of it depends on who asked: the interpreter, the loader of a shared library, a
library in C++ or the system. It may also come of an earlier one that a library passed over, so the
whole chain of causes is searched, and then how near the process is to its limit of memory.
"""

from __future__ import annotations

import errno
import os
import re
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

__all__ = ["ended_in_order", "loading_was_stopped", "shortage"]

_MEMORY = re.compile(
    "out of memory|bad.alloc|cannot allocate memory|failed to map segment|allocation failure"
    "|cannot create .{0,60}mapping|static TLS block|error return without exception set",
    re.IGNORECASE,
)
_THREADS = re.compile(
    "can't start new thread|resource temporarily unavailable|can't allocate lock", re.IGNORECASE
)
_UNWRITTEN = 120  # the interpreter's own code where its last output could not be written
_NEAR = 0.85  # of the limit: the piece that was refused is not counted


def shortage(error: BaseException) -> str:
    """One sentence on what was short; "" if the error has another cause."""
    found = ""
    for each in _chain(error):
        found = _of(each)
        if found:
            break
    if not found and (why := _near_its_limit()):
        found = f"this process may not take more memory ({why}; {_said(error)})"
    if not found:
        return ""
    return f"{found}. Nothing recorded is lost: run the command again afterwards."


def _of(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        return (
            f"too many files are open ({_said(error)}); raise the limit (`ulimit -n`) to 1,024 or"
            " more"
        )
    if isinstance(error, OSError) and error.errno == errno.EFBIG and _is_the_systems(error):
        return f"a file may not grow further ({_said(error)}); raise the limit (`ulimit -f`)"
    if _THREADS.search(str(error)) or (isinstance(error, OSError) and error.errno == errno.EAGAIN):
        return (
            f"this process may not start another thread ({_said(error)}); raise the limit of"
            " processes or of memory (`ulimit -u`, `ulimit -v`, or the container's), or end other"
            " programs"
        )
    if (
        isinstance(error, MemoryError)
        or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
        or _MEMORY.search(str(error))
    ):
        return (
            f"this process may not take more memory ({_said(error)}); raise the limit (`ulimit -v`,"
            " or the container's), or end other programs"
        )
    return ""


def ended_in_order() -> Callable[[int], None]:
    """Go on in a child process where memory is limited; the parent tells how it ended, and ends.

    A library in C ends its process where it gets no memory, with a code of its own: 1, which would
    say that a check does not hold, or 127. What is returned is to be called with the exit code
    where this process ends by itself; a child that ended without it, or then with another code, was
    ended by a library.
    """
    if not _memory_is_limited() or threading.active_count() > 1:
        return lambda code: None
    reading, writing = os.pipe()
    forwarded = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    # none may reach the parent before it forwards them
    waiting = signal.pthread_sigmask(signal.SIG_BLOCK, forwarded)
    child = os.fork()
    if child != 0:
        _forward_signals(child)
    signal.pthread_sigmask(signal.SIG_SETMASK, waiting)
    if child == 0:
        os.close(reading)
        return lambda code: _mark(writing, code)
    os.close(writing)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    mark = os.read(reading, 1) if select.select([reading], [], [], 0)[0] else b""
    code = mark[0] if mark else 2
    if ended < 0 and -ended in forwarded | {signal.SIGKILL, signal.SIGPIPE}:
        code = 128 - ended  # as shells say it
    elif mark and ended == _UNWRITTEN:
        code = ended
    elif code != 0 and not (mark and ended == code):
        os.write(2, f"error: {_ended_by_a_library(ended)}\n".encode())
    os._exit(code)


def _mark(writing: int, code: int) -> None:
    with suppress(OSError):  # the parent was killed
        os.write(writing, bytes([code & 0xFF]))
        os.close(writing)


def _forward_signals(child: int) -> None:
    def forward(number: int, frame: object) -> None:
        with suppress(ProcessLookupError):
            os.kill(child, number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, forward)
    # a terminal interrupts both
    signal.signal(signal.SIGINT, signal.SIG_IGN if sys.stdin and sys.stdin.isatty() else forward)


def _ended_by_a_library(code: int) -> str:
    how = f"code {code}" if code >= 0 else f"signal {-code}"
    return (
        f"a library ended this process with {how}, since it may not take the memory that is needed;"
        " raise the limit (`ulimit -v`) to 3 GB or more. Nothing recorded is lost: run the command"
        " again afterwards."
    )


def _memory_is_limited() -> bool:
    try:
        import resource
    except ImportError:  # no such limits here
        return False
    return resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY


def loading_was_stopped(error: KeyboardInterrupt) -> bool:
    """Whether a library did it, not a person: the one beneath numpy interrupts its process where it
    may not start its threads.
    """
    frame = error.__traceback__
    while frame is not None:
        name = frame.tb_frame.f_globals.get("__name__", "")
        if str(name).startswith("numpy") and _near_its_limit():
            return True
        frame = frame.tb_next
    return False


def _is_the_systems(error: OSError) -> bool:
    """And not our own of a file that is too large to be read."""
    return error.strerror == os.strerror(error.errno or 0)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        if isinstance(error, BaseExceptionGroup):
            for part in error.exceptions:
                yield from _chain(part)
        error = error.__cause__ or error.__context__


def _said(error: BaseException) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0]}" if text else type(error).__name__


def _near_its_limit() -> str:
    """How much of its address space the process has taken, where that is nearly all it may."""
    with suppress(Exception):  # no such limits here, or no memory left to look
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        with open("/proc/self/status", encoding="ascii", errors="replace") as file:
            found = re.search(r"^VmPeak:\s*(\d+) kB", file.read(), re.MULTILINE)
        if found and limit != resource.RLIM_INFINITY and int(found[1]) << 10 > _NEAR * limit:
            return f"it took {int(found[1]) >> 10:,} MB of {limit >> 20:,} MB, `ulimit -v`"
    return ""
