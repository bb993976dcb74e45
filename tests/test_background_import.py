"""A module that is imported beside other work is whole wherever it is met."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from promptops.background_import import import_beside, import_safely

FORKS = """
import os, sys, threading, time
from pathlib import Path
class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == NAME:
            begun.set()
            time.sleep(0.5)
            if FORKS_ITSELF and not (child := os.fork()):
                os._exit(0)
begun = threading.Event()
BEGIN
sys.meta_path.insert(0, Slow())
thread = threading.Thread(target=begin)
thread.start()
begun.wait(10)
child = os.fork()
if not child:
    __import__(NAME)
    os._exit(0)
for _ in range(100):
    if os.waitpid(child, os.WNOHANG)[0]:
        break
    time.sleep(0.1)
else:
    os.kill(child, 9)
    sys.exit("the child waits for an import that never ends")
thread.join()
"""
BEGINS = {
    "duckdb": """
from promptops.store.make_ready import make_ready
begin = lambda: make_ready(Path(sys.argv[1]))
""",
    "aiohttp": """
from promptops.models.plain_sender import import_transport as begin
""",
}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.parametrize("itself", [False, True])
@pytest.mark.parametrize("name", sorted(BEGINS))
def test_a_child_forked_meanwhile_can_import_it(tmp_path: Path, name: str, itself: bool) -> None:
    """The fork waits for the import, and one that the import makes itself waits for nothing."""
    program = FORKS.replace("NAME", repr(name)).replace("BEGIN", BEGINS[name])
    words = [
        sys.executable,
        "-c",
        program.replace("FORKS_ITSELF", str(itself)),
        str(tmp_path / "s"),
    ]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_cannot_be_imported_is_met_by_who_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a missing module nor a thread that cannot be started is an error here."""
    import_safely("promptops.no_such_module")

    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("threading.Thread.start", refuse)
    import_beside("promptops.no_such_module")
