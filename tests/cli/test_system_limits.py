"""What the system does not give more of is one sentence that names it, and exit code 2."""

from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from promptops.cli import __main__ as cli
from promptops.cli.system_limits import loading_was_stopped, shortage

from .conftest import Run


def chained(error: BaseException) -> BaseException:
    try:
        try:
            raise error
        except BaseException as first:
            raise AttributeError("partially initialized module") from first
    except AttributeError as last:
        return last


SHORT = [
    (MemoryError(), "more memory"),
    (OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)), "more memory"),
    (ImportError("libarrow.so: failed to map segment from shared object"), "more memory"),
    (RuntimeError("std::bad_alloc"), "more memory"),
    (RuntimeError("can't start new thread"), "another thread"),
    (OSError(errno.EAGAIN, os.strerror(errno.EAGAIN)), "another thread"),
    (OSError(errno.EMFILE, os.strerror(errno.EMFILE), "x"), "too many files"),
    (OSError(errno.EFBIG, os.strerror(errno.EFBIG)), "grow further"),
    (ExceptionGroup("group", [ValueError("a"), MemoryError()]), "more memory"),
]
OTHER = [ValueError("x"), ImportError("No module named 'duckdb'"), RuntimeError("a bug")]
OTHER += [OSError(errno.EFBIG, "it has 70,000,000 bytes", "x"), OSError(errno.ENOENT, "gone")]


@pytest.mark.parametrize(("error", "what"), SHORT)
def test_what_is_short_ends_a_command_with_one_sentence(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: Exception, what: str
) -> None:
    """Also where another error came of it."""
    for raised in (error, chained(error)):

        def fails(*_: object, raised: BaseException = raised) -> click.Command:
            raise raised

        with monkeypatch.context() as patched:
            patched.setattr(cli.importlib, "import_module", fails)
            code, out, said = run("list")
        assert (code, out) == (2, "")
        assert re.fullmatch(rf"error: .*{what}.*; raise the limit.*\n", said)
        assert "Nothing recorded is lost" in said


@pytest.mark.parametrize("error", OTHER, ids=repr)
def test_another_error_is_not_called_short(error: BaseException) -> None:
    assert shortage(error) == shortage(chained(error)) == ""


def test_ctrl_c_is_not_called_short() -> None:
    def stopped(name: str) -> KeyboardInterrupt:
        try:
            exec("raise KeyboardInterrupt", {"__name__": name})
        except KeyboardInterrupt as error:
            return error
        raise AssertionError

    assert not loading_was_stopped(stopped("numpy.core"))  # no limit is near
    assert not loading_was_stopped(stopped("promptops.cli"))


ENDED = """
import atexit, os, resource, signal, sys, time
resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup, which may have started the tests, ignores it
from promptops.cli import __main__ as cli
def run(words):
    how, code = sys.argv[1:]
    if how == "library":
        os._exit(int(code))
    if how == "abort":
        os.abort()
    if how == "said":
        sys.exit(int(code))
    if how == "late":
        atexit.register(os._exit, 127)
        sys.exit(int(code))
    if how == "crash":
        raise RuntimeError
    print("ready", flush=True)
    try:
        time.sleep(30)
    except KeyboardInterrupt:
        sys.exit(130)
cli._run = run
cli.main(["doctor"])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the limits are of Linux")
@pytest.mark.parametrize(
    ("how", "code", "expected"),
    [("library", code, 2) for code in (0, 1, 2, 127)]
    + [("abort", 0, 2)]
    + [(how, code, code) for how in ("said", "late") for code in (0, 1, 2, 3, 130)],
)
def test_a_library_that_ends_the_process_is_never_a_verdict(
    how: str, code: int, expected: int
) -> None:
    """Exit code 1 would say that the store is damaged, or that a prompt is refused; and what the
    command found stands where a library ends the process after the command has ended.
    """
    ended = subprocess.run(
        [sys.executable, "-c", ENDED, how, str(code)], capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == expected
    if how == "said" or (how, code) == ("late", 0):
        assert ended.stderr == ""
    else:
        assert ended.stderr.splitlines()[-1].startswith("error: a library ended this process with")
    assert ended.stdout == ""


@pytest.mark.skipif(sys.platform != "linux", reason="the limits are of Linux")
@pytest.mark.parametrize(
    ("number", "expected"),
    [(signal.SIGTERM, 128 + 15), (signal.SIGHUP, 128 + 1), (signal.SIGINT, 130)],
)
def test_a_signal_reaches_a_command_whose_memory_is_limited(number: int, expected: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ENDED, "wait", "0"], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
    ) as command:
        assert command.stdout is not None
        assert command.stdout.readline() == b"ready\n"
        command.send_signal(number)
        assert command.wait(10) == expected


LIMITED = """
import resource, sys
kind, limit = sys.argv[1], int(sys.argv[2])
resource.setrlimit(getattr(resource, kind), (limit, limit))
sys.argv[1:] = sys.argv[3:]
from promptops.cli.__main__ import main
main()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the limits are of Linux")
@pytest.mark.parametrize(
    ("kind", "limit"),
    [("RLIMIT_AS", mb << 20) for mb in (400, 700, 1000)]
    + [("RLIMIT_NOFILE", files) for files in (8, 24)],
)
@pytest.mark.parametrize("words", [["studies"], ["doctor"]], ids=" ".join)
def test_a_process_at_its_limit_prints_no_traceback(
    path: Path, kind: str, limit: int, words: list[str], store: Callable[[], None]
) -> None:
    """Whichever step is the one that gets no more."""
    store()
    ended = subprocess.run(
        [sys.executable, "-c", LIMITED, kind, str(limit), *words],
        cwd=path.parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in ended.stderr
    assert ended.returncode in (0, 2)
    assert ended.returncode == 0 or ended.stderr.splitlines()[-1].startswith("error: ")
    assert not (path.parent / ".promptops" / "aside").exists()


@pytest.fixture
def store(path: Path) -> Callable[[], None]:
    def record() -> None:
        from promptops.store import Store

        made = Store(path.parent / ".promptops")
        made.append(
            "study_events",
            [{"study_id": "s", "event_at": "2026-01-01T00:00:00", "event": "began"}],
        )
        made.close()
        made.merge()

    return record
