"""What the system does not give more of: memory, threads, open files or processor time.

The error that comes of it depends on who asked: the interpreter, the loader of a shared library, a
library in C++ or the system. It may also come of an earlier one that a library passed over, so the
whole chain of causes is searched, and then how near the process is to its limit of memory.
"""

from __future__ import annotations

import errno
import importlib
import os
import re
from collections.abc import Iterator
from contextlib import suppress

__all__ = ["loading_was_stopped", "rehearse", "shortage"]

_MEMORY = re.compile(
    "out of memory|bad.alloc|cannot allocate memory|failed to map segment|allocation failure"
    "|cannot create .{0,60}mapping|static TLS block|error return without exception set",
    re.IGNORECASE,
)
_THREADS = re.compile(
    "can't start new thread|resource temporarily unavailable|can't allocate lock", re.IGNORECASE
)
# what a verdict needs; each may end its process as it is loaded, numpy's with exit code 1
_LIBRARIES = ("numpy", "pyarrow", "duckdb")
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


def rehearse() -> str:
    """Load the libraries of a verdict, where memory is limited in a child process first; one
    sentence if it did not survive that.

    A library in C ends the process where it gets no memory, with a code of its own: 1, which would
    say that a check does not hold.
    """
    if not _memory_is_limited():
        return ""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1)
            os.dup2(nowhere, 2)
            _load()
            code = 0
        finally:
            os._exit(code)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if ended != 0:
        return (
            f"this process may not take the memory that {', '.join(_LIBRARIES)} need; raise the"
            " limit (`ulimit -v`) to 3 GB or more. Nothing recorded is lost: run the command again"
            " afterwards."
        )
    _load()
    return ""


def _load() -> None:
    for name in _LIBRARIES:
        with suppress(ModuleNotFoundError):
            importlib.import_module(name)


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
