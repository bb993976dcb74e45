"""Two processes that ask the same at one moment pay once; whoever is killed or stopped holds up
nobody.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from promptops.lab import Lab
from promptops.models.protocol import Reply
from promptops.models.scripted import ScriptedModel
from promptops.scorers import equals
from promptops.study import asking_claims
from promptops.study.asking_claims import AskingClaims
from promptops.study.running import RunningStudy

ROWS = 12
CHILD = """
import json, re, sys, time
from pathlib import Path
from promptops.lab import Lab
from promptops.models.protocol import Reply
from promptops.models.scripted import ScriptedModel
from promptops.scorers import equals, rubric

root, first, last, begin, judged = Path(sys.argv[1]), *map(int, sys.argv[2:])

def answer(request):
    with open(root / "asked", "a") as file:
        file.write("x")
    return Reply("yes", tokens_in=10, tokens_out=1)

def verdict(request):
    with open(root / "judged", "a") as file:
        file.write("x")
    case = re.search(r"case\\W+([0-9a-f]{6,})", json.dumps(request["messages"]))
    return Reply(json.dumps({"case": case[1], "reason": "fine", "score": 5}))

lab = Lab(root, models={
    "m": ScriptedModel(answer, "m", latency_ms=60, remote=True),
    "j": ScriptedModel(verdict, "j", latency_ms=60, remote=True),
})
scorers = [rubric("Is it right?", judge="j", name="quality")] if judged else [equals()]
versions = lab.prompt("p").versions[first:last]
while not (root / "go").exists():
    time.sleep(0.01)
study = lab.evaluate(versions, "rows.jsonl", scorers, concurrency=2).wait()
print(study.status, len(study.scores()))
"""


@pytest.fixture
def project(tmp_path: Path, make_lab: Callable[..., Lab]) -> Path:
    rows = [{"id": f"e{n}", "t": f"row {n}", "expected": "yes"} for n in range(ROWS)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "pyproject.toml").touch()
    prompt = Lab(tmp_path).prompt("p")
    for text in ("A", "B", "C"):
        prompt.save(f"{text} {{{{t}}}}", model="m")
    return tmp_path


def begin(project: Path, first: int, last: int, *, judged: bool = False) -> subprocess.Popen[str]:
    words = [str(project), str(first), str(last), "0", str(int(judged))]
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, *words], cwd=project, stdout=subprocess.PIPE, text=True
    )


def ended(*children: subprocess.Popen[str]) -> list[str]:
    return [child.communicate(timeout=120)[0].strip() for child in children]


def asked(project: Path, name: str = "asked") -> int:
    file = project / name
    return len(file.read_text()) if file.exists() else 0


def test_two_processes_that_evaluate_at_once_ask_once(project: Path) -> None:
    """Two studies that share a version, and one of them in two processes."""
    children = [begin(project, *of) for of in ((0, 2), (0, 2), (1, 3))]
    (project / "go").touch()
    assert ended(*children) == [f"finished {2 * ROWS}"] * 3
    assert asked(project) == 3 * ROWS
    assert list((project / ".promptops" / "asking").iterdir()) == []


def test_judges_are_asked_once_too(project: Path) -> None:
    """Also where both begin with every answer recorded."""
    (project / "go").touch()
    ended(begin(project, 0, 2))
    (project / "go").unlink()
    children = [begin(project, 0, 2, judged=True) for _ in range(2)]
    (project / "go").touch()
    assert ended(*children) == [f"finished {2 * ROWS}"] * 2
    assert asked(project) == 2 * ROWS
    assert asked(project, "judged") <= 2 * ROWS


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGSTOP])
def test_who_is_killed_or_stopped_holds_up_nobody(
    project: Path, make_lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch, by: int
) -> None:
    monkeypatch.setattr(asking_claims, "_QUIET_S", 1.0)
    (project / "go").touch()
    child = begin(project, 0, 2)
    while asked(project) < 6:
        time.sleep(0.01)
    os.kill(child.pid, by)
    model = ScriptedModel(lambda _: Reply("yes"), "m", remote=True)
    lab = make_lab(".", models={"m": model})
    try:
        study = lab.evaluate(lab.prompt("p").versions[:2], "rows.jsonl", [equals()])
        assert study.status == "finished"
        assert len(study.scores()) == 2 * ROWS
        assert len(model.calls) <= 2 * ROWS - 4  # of six, two may have been in flight
    finally:
        child.kill()
        child.wait()


def test_a_stop_ends_the_wait(
    project: Path, make_lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking_claims, "_SAID_S", 0.0)
    (project / "go").touch()
    child = begin(project, 0, 2)
    while asked(project) < 2:
        time.sleep(0.01)
    os.kill(child.pid, signal.SIGSTOP)
    model = ScriptedModel(lambda _: Reply("yes"), "m", remote=True)
    lab = make_lab(".", models={"m": model})
    try:
        versions = lab.prompt("p").versions[:2]
        stopped = threading.Timer(0.8, lambda: running()[0].stop("stopped by hand"))

        def running() -> list[RunningStudy]:
            return list(lab.project.running.values())

        stopped.start()
        began = time.monotonic()
        with pytest.warns(UserWarning, match="waits for another process"):
            found = lab.evaluate(versions, "rows.jsonl", [equals()])
        assert time.monotonic() - began < 10  # long before the other's claim ends
        assert found.status == "stopped"
        assert model.calls == []
    finally:
        child.kill()
        child.wait()


def test_what_nobody_claimed_is_not_waited_for(tmp_path: Path) -> None:
    """A pipe, a link, a folder and rubbish in the place of claims; then a link in the folder's."""
    folder, kept = tmp_path / "asking", tmp_path / "mine.claim"
    folder.mkdir()
    kept.write_text("mine")
    os.mkfifo(folder / "1.claim")
    (folder / "2.claim").symlink_to(kept)
    (folder / "3.claim").mkdir()
    (folder / "4.claim").write_bytes(os.urandom(13))
    claims = AskingClaims(tmp_path)
    claims.take(["a"])
    assert claims.waits_for() == ""
    assert sorted(path.name for path in folder.glob("[0-9].claim")) == [
        "1.claim",
        "2.claim",
        "3.claim",
    ]
    shutil.rmtree(folder)
    folder.symlink_to(tmp_path)
    assert not AskingClaims(tmp_path).take(["a"])
    assert kept.read_text() == "mine"
