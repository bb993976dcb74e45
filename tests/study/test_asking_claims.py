"""Two processes that ask the same at one moment pay once; whoever is killed or stopped holds up
nobody.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

import pytest

from promptops.lab import Lab, target
from promptops.models.protocol import Reply
from promptops.models.scripted import ScriptedModel
from promptops.scorers import equals
from promptops.study import asking_claims
from promptops.study.asking_claims import AskingClaims
from promptops.study.running import RunningStudy
from promptops.version import PromptVersion

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
CALLER = """
import sys, time
from pathlib import Path
from promptops.lab import Lab
from promptops.models.protocol import Reply
from promptops.models.scripted import ScriptedModel

root, fresh = Path(sys.argv[1]), sys.argv[2] == "fresh"

def answer(request):
    with open(root / "asked", "a") as file:
        file.write("x")
    return Reply("yes", tokens_in=10, tokens_out=1)

lab = Lab(root, models={"m": ScriptedModel(answer, "m", latency_ms=400, remote=True)})
version = lab.prompt("p")[1]
(root / f"ready{time.monotonic_ns()}").touch()
while not (root / "go").exists():
    time.sleep(0.001)
for row in range(3):
    answered = version(t=f"row {row}", fresh=fresh)
    print(answered.text, answered.reused)
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


def begin_calling(project: Path, how: str = "") -> subprocess.Popen[str]:
    words = [sys.executable, "-c", CALLER, str(project), how]
    return subprocess.Popen(words, cwd=project, stdout=subprocess.PIPE, text=True)


def go_together(project: Path, callers: int) -> None:
    """Let children that call a version begin at one moment."""
    while len(list(project.glob("ready*"))) < callers:
        time.sleep(0.01)
    (project / "go").touch()


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


def test_looking_again_makes_no_question_twice(
    project: Path, make_lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A first study, whose folder of claims is new, looks twice for answers: the questions whose
    keys it looks for are made once, beside the one for each version that the checks make.
    """
    made: list[str] = []

    def requested(version: PromptVersion, messages: list[dict[str, object]]) -> dict[str, object]:
        made.append(version.id)
        return chat_request(version, messages)

    chat_request = PromptVersion.chat_request
    lab = make_lab(".", models={"m": ScriptedModel(lambda _: Reply("yes"), "m", remote=True)})
    versions = lab.prompt("p").versions[:2]
    monkeypatch.setattr(PromptVersion, "chat_request", requested)
    study = lab.evaluate(versions, "rows.jsonl", [equals()]).wait()
    assert study.status == "finished"
    assert sorted(made) == sorted([version.id for version in versions] * (ROWS + 1))


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


def test_two_processes_that_call_a_version_at_once_pay_once(project: Path) -> None:
    """Each of three questions has one answer, which the later process is given as a recorded
    one.
    """
    children = [begin_calling(project) for _ in range(2)]
    go_together(project, 2)
    answers = [words.splitlines() for words in ended(*children)]
    assert [len(each) for each in answers] == [3, 3]
    assert sorted(chain(*answers)) == ["yes False"] * 3 + ["yes True"] * 3
    assert asked(project) == 3
    assert list((project / ".promptops" / "asking").iterdir()) == []


def test_a_call_and_a_study_of_one_version_pay_once(project: Path) -> None:
    children = [begin(project, 0, 1), begin_calling(project)]
    go_together(project, 1)
    study, call = ended(*children)
    assert study == f"finished {ROWS}"
    assert [line.split()[0] for line in call.splitlines()] == ["yes"] * 3
    assert asked(project) == ROWS


def test_a_call_that_asks_afresh_waits_for_nobody(project: Path) -> None:
    children = [begin_calling(project, "fresh") for _ in range(2)]
    go_together(project, 2)
    assert [words.splitlines() for words in ended(*children)] == [["yes False"] * 3] * 2
    assert asked(project) == 6


def test_two_threads_that_call_a_version_at_once_pay_once(
    project: Path, make_lab: Callable[..., Lab]
) -> None:
    model = ScriptedModel(lambda _: Reply("yes"), "m", latency_ms=200, remote=True)
    version = make_lab(".", models={"m": model}).prompt("p")[1]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: version(t="row 1"), range(4)))
    assert sorted(answer.reused for answer in answers) == [False, True, True, True]
    assert len(model.calls) == 1


def test_a_study_of_the_same_process_is_not_waited_for(
    project: Path, make_lab: Callable[..., Lab]
) -> None:
    """A cell of a notebook gets its answer while a study runs, and code that a study calls does not
    wait for that study.
    """
    gate, seen = threading.Event(), list[str]()

    async def answer(t: str) -> str:
        seen.append(t)
        while len(seen) == 1 and not gate.is_set():  # the study's first question
            await asyncio.sleep(0.01)
        return "yes"

    lab = make_lab(".", models={"m": target(answer, identity="one")})
    version = lab.prompt("p")[1]
    with ThreadPoolExecutor(1) as pool:
        study = pool.submit(lab.evaluate, [version], "rows.jsonl", [equals()], concurrency=1)
        rescue = threading.Timer(20, gate.set)
        rescue.start()
        while not seen:
            time.sleep(0.01)
        other = next(t for n in range(2) if (t := f"row {n}") not in seen)
        try:
            assert version(t=other).text == "yes"
            assert not gate.is_set()
        finally:
            gate.set()
            rescue.cancel()
        assert study.result(60).status == "finished"


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


@pytest.mark.parametrize("taken_over", [True, False])
def test_who_was_stopped_and_goes_on_asks_nothing_that_another_asked_since(
    project: Path, make_lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch, taken_over: bool
) -> None:
    """Its claims no longer counted. Where nobody came meanwhile, it goes on as if nothing had
    been.
    """
    monkeypatch.setattr(asking_claims, "_QUIET_S", 1.0)
    (project / "go").touch()
    quick = "from promptops.study import asking_claims as c; c._BEAT_S, c._QUIET_S = 0.2, 1.0\n"
    words = [sys.executable, "-c", quick + CHILD, str(project), "0", "2", "0", "0"]
    child = subprocess.Popen(words, cwd=project, stdout=subprocess.PIPE, text=True)
    while asked(project) < 6:
        time.sleep(0.01)
    os.kill(child.pid, signal.SIGSTOP)
    before = asked(project)
    try:
        time.sleep(1.5)
        if taken_over:
            model = ScriptedModel(lambda _: Reply("yes"), "m", remote=True)
            lab = make_lab(".", models={"m": model})
            study = lab.evaluate(lab.prompt("p").versions[:2], "rows.jsonl", [equals()])
            assert study.status == "finished"
    finally:
        os.kill(child.pid, signal.SIGCONT)
    (said,) = ended(child)
    if taken_over:
        assert asked(project) <= before + 4  # what was in flight, and until it has noticed
        assert said.startswith("stopped")
    else:
        assert asked(project) == 2 * ROWS
        assert said == f"finished {2 * ROWS}"


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
        with pytest.warns(UserWarning, match="waits for another process") as said:
            found = lab.evaluate(versions, "rows.jsonl", [equals()])
        assert time.monotonic() - began < 10  # long before the other's claim ends
        assert any("stopped by hand. Run the cell again" in str(each.message) for each in said)
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
