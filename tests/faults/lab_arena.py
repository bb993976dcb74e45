"""Processes that evaluate studies over one folder, started fast, so that many can be killed: one
process imports the lab once and forks a child for each life. Every call of a model is one line of a
file, written before it is answered, or a request to the endpoint at `url`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

WIDTH = 8

# reads a job, forks, prints the child's pid; reads a line, prints how the child ended
MOTHER = """
import json, os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job begins with it ignored
import duckdb, getpass, pandas, pyarrow.json, re2
# what a life would import for itself: some fifty lives of a test would do so each
import promptops.lab.live_view, promptops.lab.optimization, promptops.scale.membership
import promptops.study.ask_cells, promptops.views.faces, promptops.views.progress_view
from promptops.lab import Dataset, Lab
from promptops.study.study_run import StudyRun
from promptops.models.endpoint import EndpointModel
from promptops.models.scripted import ScriptedModel
from promptops.scorers import equals
from promptops.redact import Redactor
from promptops.store.recorder import Spool

Redactor()("warm=up sk-0123456789abcdefghij")  # re keeps the patterns, and children have them

def die_at(number):
    append, done = Spool.append, [0]
    def dying(self, lines):
        append(self, lines)
        done[0] += 1
        if done[0] == number:
            os.kill(os.getpid(), signal.SIGKILL)
    Spool.append = dying

def live(job):
    if job["dies_at"]:
        die_at(job["dies_at"])
    if job["forgets"]:
        StudyRun._lacking = lambda self, places: {}
    calls = os.open(job["root"] + "/calls.txt", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    def answer(request):
        os.write(calls, f"{job['life']} {request['messages'][-1]['content']}\\n".encode())
        return "ok"
    model = ScriptedModel(answer, latency_ms=15, remote=True)
    if job["url"]:
        model = EndpointModel(base_url=job["url"], label="the endpoint")
    lab = Lab(job["root"], models={"m": model})
    prompt = lab.prompt(job["study"])
    versions = [prompt.save(f"{job['study']}, {name}: {{{{x}}}}", model="m") for name in ("first", "second")]
    data = Dataset.read([{"id": str(n), "x": f"question {n}", "expected": "ok"} for n in range(job["examples"])])
    study = lab.evaluate(versions, data, [equals()], concurrency=job["width"], name=job["study"])
    lab.store.close()
    return 0 if study.status == "finished" else 3

for line in sys.stdin:
    job = json.loads(line)
    child = os.fork()
    if not child:
        code = 4
        try:
            code = live(job)
        except KeyboardInterrupt:
            code = 130
        except BaseException:
            import traceback
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    print(child, flush=True)
    sys.stdin.readline()  # until it is asked for, a child that ended stays, so that its id is no other's
    print(os.waitpid(child, 0)[1], flush=True)
"""


class Mother:
    """Starts one life after another; `with Mother(root) as mother`.

    url: of the endpoint that the lives ask; "" for a model of their own process.
    """

    def __init__(self, root: Path, examples: int, *, width: int = WIDTH, url: str = "") -> None:
        self._root, self._examples, self._width, self._url = root, examples, width, url

    def __enter__(self) -> Mother:
        log = (self._root / f"stderr-{id(self)}.txt").open("w")
        self._log = Path(log.name)
        self._process = subprocess.Popen(
            [sys.executable, "-c", MOTHER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        log.close()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=60)

    def start(
        self,
        study: str,
        life: str,
        *,
        dies_at: int = 0,
        forgets: bool = False,
        root: Path | None = None,
    ) -> int:
        """Its process id. root: of its lab, the mother's by default; dies_at: it kills itself behind that many records written, 0: never;
        forgets: broken on purpose, it does not score what an earlier life left without a score.
        """
        job = {
            "root": str(root or self._root),
            "study": study,
            "life": life,
            "examples": self._examples,
            "width": self._width,
            "url": self._url,
        }
        job |= {"dies_at": dies_at, "forgets": forgets}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        return int(self._line())

    def end(self) -> int:
        """The exit code of the life that was started, negative for a signal."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return os.waitstatus_to_exitcode(int(self._line()))

    def said(self) -> str:
        return self._log.read_text()[-3000:]

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, self.said()
        return line


def calls(root: Path) -> list[tuple[str, str]]:
    """(life, question) of every call so far."""
    path = root / "calls.txt"
    if not path.exists():
        return []
    return [
        (line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in path.read_text().splitlines()
    ]


def wait_for_calls(root: Path, more: int, until_s: float = 20.0) -> None:
    start, until = len(calls(root)), time.monotonic() + until_s
    while len(calls(root)) < start + more and time.monotonic() < until:
        time.sleep(0.002)


def figures(store: Any, name: str) -> dict[str, int]:
    """Of a study: its places, and those whose answer is there, and is scored."""
    rows = store.rows(
        "select count(distinct (m.version_id, m.example_id, m.repeat)), count(distinct r.key),"
        " count(distinct s.run_id) from studies t join study_runs m on m.study_id = t.id join runs"
        " r on r.id = m.run_id and r.failure is null left join scores s on s.run_id = r.id and"
        " s.passed where t.name = ?",
        [name],
    )
    return dict(zip(("places", "answers", "scored"), rows[0], strict=True))
