"""The whole claim, on request (`-m soak`): two hosts of two workers, 20,000 calls; workers that are
killed; scorers that need the processor.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from promptops.lab import Lab
from promptops.scorers import equals
from tests.faults.server import FaultServer, Say, completion
from tests.scale import cpu_scorers
from tests.scale.test_workers import KEY, opened, rows, versions

pytestmark = pytest.mark.soak


@contextmanager
def hosts(folder: Path, count: int, workers: int, nanny: bool = True) -> Iterator[tuple[str, Any]]:
    """The address of a scheduler, with workers in a folder per host, each a process of its own."""
    from distributed import LocalCluster

    os.environ[KEY] = "not-a-key-of-anyone"
    cluster = LocalCluster(n_workers=0, dashboard_address=None, protocol="tcp", silence_logs=50)
    joined = []
    for host in range(count):
        place = folder / f"host{host}"
        place.mkdir()
        for _ in range(workers):
            words = ["--nthreads", "1", "--no-dashboard", "--nanny" if nanny else "--no-nanny"]
            joined.append(
                subprocess.Popen(
                    [
                        *(sys.executable, "-m", "distributed.cli.dask_worker"),
                        *(cluster.scheduler_address, *words),
                    ],
                    cwd=place,
                    stderr=subprocess.DEVNULL,
                )
            )
    try:
        while len(cluster.scheduler_info["workers"]) < count * workers:
            time.sleep(0.1)
        yield cluster.scheduler_address, joined
    finally:
        for process in joined:
            process.terminate()
            process.wait(20)
        cluster.close()


def test_two_hosts_with_two_workers_each_make_every_call_once(tmp_path: Path) -> None:
    """20,000 calls: the server counts each once, rows = ids = keys, the whole study then asks 0."""
    asked: Counter[str] = Counter()

    def reply(seen: Any) -> Say:
        asked[seen.body["messages"][-1]["content"]] += 1
        return Say(200, completion("a"), wait_s=0.05)

    with FaultServer(reply) as server, hosts(tmp_path, 2, 2) as (address, _):
        lab = opened(tmp_path / "lab", server.url)
        began = time.monotonic()
        lab.evaluate(versions(lab), rows(10_000), [equals()], concurrency=100, workers=address)
        took = time.monotonic() - began
        assert len(server.seen) == 20_000
        assert set(asked.values()) == {1}
        counts = "select count(*), count(distinct id), count(distinct key) from runs"
        assert lab.store.rows(counts) == [(20_000, 20_000, 20_000)]
        again = opened(tmp_path / "lab", server.url)
        began = time.monotonic()
        again.evaluate(versions(again), rows(10_000), [equals()])
        assert len(server.seen) == 20_000
        print(
            f"20,000 calls over 2 x 2 workers: {took:.1f} s; the whole again: "
            f"{time.monotonic() - began:.1f} s, 0 calls"
        )


def test_a_worker_that_is_killed_costs_its_calls_in_flight(tmp_path: Path) -> None:
    """20 kills at random moments after its first answers: repeated calls <= its calls in flight."""
    chance, worst = random.Random(24), 0
    for turn in range(20):
        place = tmp_path / str(turn)
        place.mkdir()
        with FaultServer(lambda seen: Say(200, completion("a"), wait_s=0.02)) as server:
            with hosts(place, 1, 2, nanny=False) as (address, joined):
                lab = opened(place / "lab", server.url)

                def kill() -> None:
                    while len(server.seen) < 20:
                        time.sleep(0.005)
                    time.sleep(chance.random() * 0.8)
                    joined[0].send_signal(signal.SIGKILL)

                thread = threading.Thread(target=kill)
                thread.start()
                lab.evaluate(versions(lab), rows(200), [equals()], concurrency=16, workers=address)
                thread.join()
            repeated = len(server.seen) - 400
            counts = "select count(*), count(distinct key) from runs where failure is null"
            assert lab.store.rows(counts)[0][1] == 400
            assert repeated <= 8, repeated
            worst = max(worst, repeated)
    print(f"20 kills: at most {worst} calls repeated, of 8 in flight at a worker")


def test_scorers_that_need_the_processor_gain(tmp_path: Path) -> None:
    """1,000 recorded answers judged by a scorer of 20 ms CPU: two workers on two cores take 1.7
    times less than one process.
    """
    from promptops.models.scripted import ScriptedModel

    studies = []
    for name in ("here", "there"):
        lab = Lab(tmp_path / name, models={"m": ScriptedModel(lambda chat: "a")})
        studies.append(lab.evaluate(versions(lab), rows(500), [equals()]))
    study, copy = studies
    began = time.monotonic()
    study.rescore([cpu_scorers.patient])
    here = time.monotonic() - began
    with hosts(tmp_path, 1, 2) as (address, _):
        copy.rescore([cpu_scorers.quick], workers=address)  # the workers have imported us
        began = time.monotonic()
        copy.rescore([cpu_scorers.patient], workers=address)
        there = time.monotonic() - began
    print(f"1,000 judgements of 20 ms CPU: {here:.1f} s here, {there:.1f} s at two workers")
    print(f"ratio {here / there:.2f}")
    assert here / there >= 1.7
