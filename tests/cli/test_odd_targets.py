"""A target that a person names may be a pipe or /dev/stdout: what somebody reads is written to, and
no command waits for a pipe that nobody reads.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from promptops.errors import DatasetError, StoreError
from promptops.lab import Dataset
from promptops.store import Store
from tests.cli.conftest import Run

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes"),
    pytest.mark.usefixtures("no_waiting"),
]
FILES = Path(__file__).parents[1] / "exchange" / "files"
RUNS = [str(FILES / f"lm_eval_samples_{name}.jsonl") for name in "ab"]
TABLE = "id,expected,a,b\n" + "".join(
    f"{n},yes,{'yes' if n % 3 else 'no'},yes\n" for n in range(30)
)
COMPARE = ("compare", "table.csv", "--baseline", "a", "--candidate", "b")
SCAN = ("scan", "app.py", "--baseline", "known.json", "--write-baseline")

NAMED = {  # the target -> the command that writes to it
    ".gitignore": ("init",),
    ".claude/skills/promptops/SKILL.md": ("skill", "--install"),
    ".claude/skills/promptops/llms.txt": ("skill", "--install"),
    "src/promptops.ts": ("export", "--typescript", "src"),
    "small.json": ("export", "small.json", "--env", "prod"),
    "copy.json": ("sync", "promptops.json", "copy.json"),
    "audit.html": ("audit", *RUNS, "-o", "audit.html"),
    "compare.html": (*COMPARE, "-o", "compare.html"),
    "known.json": SCAN,
}


@pytest.fixture
def folder(path: Path) -> Path:
    """The project's folder, with a table to compare and a prompt in code."""
    (path.parent / "table.csv").write_text(TABLE, encoding="utf-8")
    (path.parent / "app.py").write_text(
        'PROMPT = "You are a helpful assistant. Answer {question}"\n', encoding="utf-8"
    )
    return path.parent


@pytest.mark.parametrize("target", NAMED)
def test_a_pipe_that_nobody_reads_is_named(folder: Path, run: Run, target: str) -> None:
    """With its path and what it is, at once; it is still there afterwards."""
    (folder / target).parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(folder / target)
    code, _, said = run(*NAMED[target])
    assert code == 2, said
    assert target in said
    assert "pipe" in said
    assert "fault of promptops" not in said
    assert (folder / target).is_fifo()


@pytest.mark.parametrize("target", ["audit.html", "compare.html", "known.json"])
def test_a_pipe_that_somebody_reads_is_written_to(folder: Path, run: Run, target: str) -> None:
    """What the reader gets is what a file would hold; the pipe stays one."""
    assert run(*NAMED[target])[0] == 0
    expected = (folder / target).read_bytes()
    (folder / target).unlink()
    os.mkfifo(folder / target)
    reading = os.open(folder / target, os.O_RDONLY | os.O_NONBLOCK)
    got: list[bytes] = []

    def read() -> None:
        select.select([reading], [], [])  # until somebody writes
        os.set_blocking(reading, True)
        with os.fdopen(reading, "rb") as file:
            got.append(file.read())

    thread = threading.Thread(target=read)
    thread.start()
    assert run(*NAMED[target])[0] == 0
    thread.join(60)
    assert got == [expected]
    assert len(expected) > 100
    assert (folder / target).is_fifo()


@pytest.mark.parametrize("target", ["audit.html", "compare.html"])
@pytest.mark.skipif(not os.path.exists("/dev/stdout"), reason="this system has no /dev/stdout")
def test_standard_output_may_be_named(folder: Path, target: str) -> None:
    """`-o /dev/stdout` in a pipeline, as in `promptops audit runs/ -o /dev/stdout | ...`."""
    words = ["/dev/stdout" if word == target else word for word in NAMED[target]]
    before = os.lstat("/dev/stdout").st_ino
    done = subprocess.run(
        [sys.executable, "-m", "promptops", *words],
        capture_output=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        text=True,
        check=True,
        timeout=120,
    )
    assert "<!doctype html>" in done.stdout.lower()
    assert os.lstat("/dev/stdout").st_ino == before


@pytest.mark.parametrize("target", ["audit.html", "compare.html"])
def test_a_link_stays_a_link(folder: Path, run: Run, target: str) -> None:
    """The file that it leads to is written, as /dev/stdout leads to the file of a redirection."""
    (folder / "kept").mkdir()
    (folder / target).symlink_to(Path("kept") / target)
    assert run(*NAMED[target])[0] == 0
    assert (folder / target).is_symlink()
    assert os.listdir(folder / "kept") == [target]


@pytest.mark.parametrize(
    ("write", "error"),
    [
        (lambda path: Dataset.read([{"x": "1"}]).write(path), DatasetError),
        (lambda path: Store(path.parent / "store").export(path), StoreError),
    ],
    ids=["dataset", "store"],
)
def test_a_pipe_is_not_replaced_by_a_file(
    tmp_path: Path, write: Callable[[Path], object], error: type[Exception]
) -> None:
    """A dataset and an export are read back by their path, so that no pipe can be in its place."""
    os.mkfifo(tmp_path / "rows.jsonl")
    with pytest.raises(error, match="pipe, socket or device"):
        write(tmp_path / "rows.jsonl")
    assert (tmp_path / "rows.jsonl").is_fifo()
