"""R2 and R13: a study that was killed or interrupted at any point is finished by running it again,
and pays for nothing twice.

A child process runs the study against an endpoint in this process, which counts the calls. The
child is killed (or gets an interrupt) at random moments until it is through. Seeds are fixed; a
failing one is in the message.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from promptops.store import Store
from tests.faults.server import FaultServer, Say, Seen, completion

EXAMPLES, WIDTH = 120, 10
CHILD = """
import sys
from promptops.lab import Dataset, Lab
from promptops.models.endpoint import EndpointModel
from promptops.scorers import equals

root, url, examples, width = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
lab = Lab(root, models={"m": EndpointModel(base_url=url, label="the endpoint")})
prompt = lab.prompt("p")
versions = [prompt.save("first: {{x}}", model="m"), prompt.save("second: {{x}}", model="m")]
data = Dataset.read([{"id": str(n), "x": f"question {n}", "expected": "ok"} for n in range(examples)])
study = lab.evaluate(versions, data, [equals()], concurrency=width)
print("done", study.id, flush=True)
"""


def killed_until_through(
    root: Path, seed: int, kills: int, how: signal.Signals
) -> tuple[Counter[str], int, str]:
    """(calls by prompt, kills that hit, the study's id). Raises if a child fails by itself."""
    rng = random.Random(seed)
    asked: Counter[str] = Counter()
    hits = 0

    def answer(seen: Seen) -> Say:
        asked[seen.prompt] += 1
        return Say(body=completion(), wait_s=0.02)

    with FaultServer(answer) as server:
        for number in range(kills + 1):
            child = subprocess.Popen(
                [sys.executable, "-c", CHILD, str(root), server.url, str(EXAMPLES), str(WIDTH)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            if number < kills:
                already, more = asked.total(), rng.randint(0, 2 * EXAMPLES // kills)
                while child.poll() is None and asked.total() < already + max(1, more):
                    time.sleep(0.002)
                time.sleep(rng.random() * 0.03)
                hits += child.poll() is None
                child.send_signal(how)
            out, err = child.communicate(timeout=120)
            if child.returncode == 0:
                return asked, hits, out.split()[-1]
            assert number < kills, f"seed {seed}: {err[-2000:]}"
            assert child.returncode in (
                -signal.SIGKILL,
                -signal.SIGINT,
                1,
                130,
            ), f"seed {seed}: {err[-2000:]}"
            assert how is signal.SIGKILL or "KeyboardInterrupt" in err, (
                f"seed {seed}: {err[-2000:]}"
            )
    raise AssertionError(f"seed {seed}: the study never came to its end")


def check(root: Path, seed: int, kills: int, how: signal.Signals) -> None:
    asked, hits, study = killed_until_through(root, seed, kills, how)
    assert hits >= 1, f"seed {seed}: no kill hit a running child"
    store = Store(root / ".promptops")
    answered = store.rows("select key, count(*) from runs where failure is null group by key")
    assert len(answered) == len(asked) == 2 * EXAMPLES, f"seed {seed}"
    assert [key for key, count in answered if count > 1] == [], f"seed {seed}: duplicate rows"
    places = store.rows(
        "select count(distinct (version_id, example_id, repeat)) from study_runs where"
        " study_id = ?",
        [study],
    )
    assert places == [(2 * EXAMPLES,)], f"seed {seed}"
    scored = store.rows("select count(distinct run_id) from scores where passed")
    assert scored == [(2 * EXAMPLES,)], f"seed {seed}: answers without a score"
    repeated = asked.total() - len(asked)
    assert repeated <= WIDTH * hits, (
        f"seed {seed}: {repeated} calls were paid for twice in {hits} kills"
    )


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
def test_running_it_again_finishes_the_study_and_pays_nothing_twice(
    tmp_path: Path, how: signal.Signals
) -> None:
    """0 lost, 0 duplicate rows, repeated calls <= those in flight at each kill; everything
    scored.
    """
    check(tmp_path, seed=7, kills=2, how=how)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
def test_two_hundred_kills(tmp_path: Path, seed: int, how: signal.Signals) -> None:
    """The same at ten random points of each of twenty studies."""
    check(tmp_path, seed, 10, how)
