"""Standard streams that are full, closed, gone or do not block: no traceback, and the exit code is
the command's own.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from promptops.registry.loader import Loader

from .conftest import NAME

Started = Callable[..., "subprocess.Popen[bytes]"]
WORDS = ["list"], ["show", NAME], ["status"], ["registry", "check"], ["scorers"], ["--version"]
WORDS += (["help", "security"], ["--help"], ["history", NAME])


@pytest.fixture
def started(path: Path) -> Started:
    """A command in the project's folder, as a process."""

    def start(*words: str, **options: Any) -> subprocess.Popen[bytes]:
        options = {"stderr": subprocess.PIPE, "cwd": path.parent} | options
        return subprocess.Popen([sys.executable, "-m", "promptops.cli", *words], **options)

    return start


@pytest.mark.parametrize("words", WORDS, ids="-".join)
def test_a_full_disk_behind_standard_output_is_one_sentence(
    started: Started, words: list[str]
) -> None:
    with open("/dev/full", "wb") as full:
        process = started(*words, stdout=full)
    said = process.communicate()[1].decode()
    assert process.returncode == 2
    assert said.splitlines()[-1] == (
        "error: standard output cannot be written (No space left on device); the command was"
        " carried out, and what it says is incomplete."
    )
    assert "Traceback" not in said


@pytest.mark.parametrize("words", WORDS, ids="-".join)
def test_a_reader_that_went_away_changes_no_exit_code(started: Started, words: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = started(*words, stdout=writing)
    os.close(writing)
    said = process.communicate()[1].decode()
    assert (process.returncode, "Traceback" in said, "BrokenPipe" in said) == (0, False, False)


def test_a_refusal_stays_one_whoever_reads(started: Started, path: Path) -> None:
    path.write_text(path.read_text().replace("Version 1", "Version 7"))
    for target in ("/dev/full", os.devnull):
        with open(target, "wb") as stream:
            process = started("registry", "check", stdout=stream)
        process.communicate()
        assert process.returncode == 1


@pytest.mark.parametrize("words", WORDS, ids="-".join)
@pytest.mark.parametrize("closed", [(1,), (2,), (0, 1, 2)], ids=str)
def test_closed_streams_change_no_exit_code(
    started: Started, words: list[str], closed: tuple[int, ...]
) -> None:
    process = started(*words, stdout=subprocess.PIPE, preexec_fn=lambda: [*map(os.close, closed)])
    said = b"".join(part or b"" for part in process.communicate())
    assert (process.returncode, b"Traceback" in said) == (0, False)


def test_a_step_is_made_though_nobody_can_be_told(started: Started, path: Path) -> None:
    process = started(
        "rollback", NAME, "--env", "prod", preexec_fn=lambda: [*map(os.close, (0, 1, 2))]
    )
    process.communicate()
    assert process.returncode == 0
    assert Loader(path).get(NAME, "prod").number == 1


def test_a_pipe_that_does_not_block_gets_everything(started: Started) -> None:
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(writing, False)
    process = started("help", "security", stdout=writing)
    os.close(writing)
    with open(reading, "rb") as pipe:
        found = pipe.read()
    process.communicate()
    assert process.returncode == 0
    assert found.rstrip().endswith(b"before it is closed.")
