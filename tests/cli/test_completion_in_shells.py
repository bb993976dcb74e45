"""A person types in a real shell and presses Tab: the shell runs what was completed. Tried with
each of bash, zsh and fish that this machine has.
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import shutil
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from promptops.cli.completion_command import LINES

# without the user's own files; what is typed first
START = {
    "bash": (["bash", "--noprofile", "--norc", "-i"], ""),
    "zsh": (["zsh", "-f", "-i"], "autoload -Uz compinit && compinit -u -D\n"),
    "fish": (["fish", "--private", "--no-config", "-i"], ""),
}
# what is typed before Tab, and the words that the shell then runs
TYPED = {
    "promptops roll": "rollback",
    "promptops show sup": "show support-triage",
    "promptops promote support-triage v1 --env p": "promote support-triage v1 --env prod",
    "promptops show plain v": "show plain v1",
}
PATIENCE_S = 100.0  # a busy machine; a quiet one needs a second


class Terminal:
    """A shell behind a pseudo-terminal, in the project's folder."""

    def __init__(self, command: list[str], folder: Path, environment: dict[str, str]) -> None:
        self._master, slave = pty.openpty()
        self._shell = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=folder,
            env=environment,
            start_new_session=True,
            # fish ends without a terminal that it controls
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(slave)
        self.shown = b""

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def wait(self, path: Path, lines: int) -> list[str]:
        """The lines of a file once it has as many; what the shell shows is read meanwhile."""
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            if select.select([self._master], [], [], 0.02)[0]:
                self.shown += os.read(self._master, 65536)
            found = path.read_text().splitlines() if path.exists() else []
            if len(found) >= lines:
                return found
        raise AssertionError(self.shown.decode(errors="replace")[-2000:])

    def close(self) -> None:
        self._shell.kill()
        self._shell.wait()
        os.close(self._master)


@pytest.fixture
def ran(tmp_path: Path) -> Path:
    """What the program of the name `promptops` was run with, a line each; asked by a shell for a
    completion, it is the real one.
    """
    folder, ran = tmp_path / "bin", tmp_path / "ran"
    folder.mkdir()
    program = folder / "promptops"
    program.write_text(
        "#!/bin/sh\n"
        f'[ -n "$_PROMPTOPS_COMPLETE" ] && exec "{sys.executable}" -m promptops "$@"\n'
        f'echo "$@" >> "{ran}"\n'
    )
    program.chmod(0o755)
    return ran


@pytest.fixture(params=sorted(LINES))
def terminal(request: pytest.FixtureRequest, path: Path, ran: Path) -> Iterator[Terminal]:
    """Each shell that this machine has, after the line that `promptops completion` prints."""
    command, first = START[request.param]
    if shutil.which(command[0]) is None:
        pytest.skip(f"this machine has no {command[0]}")
    environment = {
        **os.environ,
        "PATH": f"{ran.parent / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "HOME": str(ran.parent),
        "XDG_CONFIG_HOME": str(ran.parent),
        "XDG_DATA_HOME": str(ran.parent),
        "TERM": "dumb",
        "COLUMNS": "200",
    }
    opened = Terminal(command, path.parent, environment)
    opened.type(f"{first}{LINES[request.param][0]}\npromptops ready\n")
    try:
        assert opened.wait(ran, 1) == ["ready"]
        yield opened
    finally:
        opened.close()


def test_tab_completes_what_is_typed(terminal: Terminal, ran: Path) -> None:
    """Commands, prompts, versions and environments of the registry in whose folder the shell is."""
    for number, typed in enumerate(TYPED, 2):
        terminal.type(f"{typed}\t\n")
        terminal.wait(ran, number)
    assert ran.read_text().splitlines()[1:] == list(TYPED.values())
