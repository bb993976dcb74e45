"""R2 and R13: a study that was killed or interrupted at any point is finished by running it again,
and pays for nothing twice.

A process forked from a warm one runs the study against an endpoint in this process, which counts
the calls. It is killed (or gets an interrupt) at random moments until one is through. Seeds are fixed; a
failing one is in the message.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from promptops.store import Store
from tests.faults.lab_arena import Mother
from tests.faults.server import FaultServer, Say, Seen, completion

pytestmark = pytest.mark.skipif(
    not os.path.exists("/proc/self/stat"), reason="lives are forked here, and looked at in /proc"
)
EXAMPLES, WIDTH = 120, 10
STUDY = "study"


def killed_until_through(
    mother: Mother, root: Path, asked: Counter[str], seed: int, kills: int, how: signal.Signals
) -> int:
    """How many kills hit. asked: calls by prompt, as the endpoint of the mother's lives counts
    them. Raises if a life fails by itself.
    """
    rng, hits = random.Random(seed), 0
    for number in range(kills + 1):
        pid = mother.start(STUDY, str(number), root=root)
        if number < kills:
            already, more = asked.total(), rng.randint(0, 2 * EXAMPLES // kills)
            while living(pid) and asked.total() < already + max(1, more):
                time.sleep(0.002)
            time.sleep(rng.random() * 0.03)
            hits += living(pid)
            os.kill(pid, how)  # a zombie if it has ended: it is waited for below
        code = mother.end()
        if code == 0:
            return hits
        assert number < kills, f"seed {seed}: {mother.said()}"
        expected = -signal.SIGKILL if how is signal.SIGKILL else 130
        assert code == expected, f"seed {seed}: {code}, {mother.said()}"
    raise AssertionError(f"seed {seed}: the study never came to its end")


def living(pid: int) -> bool:
    """Whether a life is still running: one that ended stays, until it is asked for."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def check(root: Path, seeds: Sequence[int], kills: int, how: signal.Signals) -> None:
    """One folder and study for each seed; the endpoint and the process that forks are shared."""
    asked: Counter[str] = Counter()

    def answer(seen: Seen) -> Say:
        asked[seen.prompt] += 1
        return Say(body=completion(), wait_s=0.02)

    with (
        FaultServer(answer) as server,
        Mother(root, EXAMPLES, width=WIDTH, url=server.url) as mother,
    ):
        for seed in seeds:
            asked.clear()
            place = root / str(seed)
            place.mkdir()
            hits = killed_until_through(mother, place, asked, seed, kills, how)
            whole(place, asked, hits, seed)


def whole(root: Path, asked: Counter[str], hits: int, seed: int) -> None:
    assert hits >= 1, f"seed {seed}: no kill hit a running child"
    store = Store(root / ".promptops")
    answered = store.rows("select key, count(*) from runs where failure is null group by key")
    assert len(answered) == len(asked) == 2 * EXAMPLES, f"seed {seed}"
    assert [key for key, count in answered if count > 1] == [], f"seed {seed}: duplicate rows"
    places = store.rows(
        "select count(distinct (version_id, example_id, repeat)) from study_runs m join studies s"
        " on s.id = m.study_id where s.name = ?",
        [STUDY],
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
    check(tmp_path, [7], kills=2, how=how)


@pytest.mark.soak
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
def test_two_hundred_kills(tmp_path: Path, how: signal.Signals) -> None:
    """The same at ten random points of each of twenty studies."""
    check(tmp_path, range(20), 10, how)
