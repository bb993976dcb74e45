"""A study by batches that dies at any moment pays for no request twice and loses none."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from promptops.engine.batch_ledger import Intent
from promptops.engine.batch_pass import Batches
from promptops.engine.clock import SystemClock
from promptops.engine.executor import Order
from promptops.engine.hand_over import BatchPace
from promptops.engine.question import Question
from promptops.lab import Lab
from promptops.models.batches import BatchDoor, BatchItem
from promptops.models.protocol import Call
from promptops.run import Attempt, Run
from promptops.version import PromptVersion
from tests.faults.batch_server import BatchServer
from tests.study.test_batches import MODELS, client, version

N = 6
KINDS = ("openai", "anthropic", "gemini")


class Killed(BaseException):
    """The process died here."""


class Death:
    """Dies at a step, which is one of everything that is written or sent: before or after it."""

    def __init__(self, at: int) -> None:
        self.at, self.step = at, 0

    def point(self) -> None:
        """Die here, if it is time."""
        self.step += 1
        if self.step == self.at:
            raise Killed


class Kept:
    """What survives a death: intents, events and runs, as a disk keeps them."""

    def __init__(self) -> None:
        self.intents: dict[str, Intent] = {}
        self.over: set[str] = set()
        self.runs: list[Run] = []


class DyingLedger:
    """The ledger's contract over `Kept`, with a death before and after every write."""

    def __init__(self, kept: Kept, death: Death) -> None:
        self.kept, self.death = kept, death

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        yield

    def waiting(self, keys: Collection[str]) -> list[Intent]:
        kept = self.kept
        found = [each for each in kept.intents.values() if each.id not in kept.over]
        return [each for each in found if set(keys) & (set(each.keys) - each.collected)]

    def answered(self, keys: Collection[str]) -> Collection[str]:
        return {run.key for run in self.kept.runs if run.output == "yes"}.intersection(keys)

    def recorded(self, keys: Collection[str]) -> dict[str, Run]:
        return {run.key: run for run in self.kept.runs if run.output == "yes" and run.key in keys}

    def taken(self) -> frozenset[str]:
        return frozenset(each.batch for each in self.kept.intents.values() if each.batch)

    def intend(self, intent: Intent) -> None:
        self._write(intent)

    def handed_in(self, intent: Intent, batch: str) -> None:
        self._write(replace(intent, batch=batch))

    def collected(self, intent: Intent, keys: Sequence[str]) -> None:
        known = self.kept.intents[intent.id]
        self._write(replace(known, collected=known.collected.union(keys)))

    def closed(self, intent: Intent, why: str) -> None:
        self.death.point()
        self.kept.over.add(intent.id)
        self.death.point()

    def _write(self, intent: Intent) -> None:
        self.death.point()
        self.kept.intents[intent.id] = intent
        self.death.point()


class DyingDoor:
    """A provider's door, with a death before and after every request."""

    def __init__(self, door: BatchDoor, death: Death) -> None:
        self.door, self.death = door, death
        self.most, self.most_bytes = 4, door.most_bytes  # two batches of six

    async def hand_in(self, items: Sequence[BatchItem], intent: str, model: str) -> str:
        self.death.point()
        made = await self.door.hand_in(items, intent, model)
        self.death.point()
        return made

    async def seek(
        self, intent: str, since: float, ids: Collection[str], taken: Collection[str]
    ) -> Any:
        self.death.point()
        return await self.door.seek(intent, since, ids, taken)

    async def look(self, batch: str) -> Any:
        self.death.point()
        return await self.door.look(batch)

    async def results(self, batch: str, requests: Mapping[str, Mapping[str, Any]]) -> Any:
        self.death.point()
        return await self.door.results(batch, requests)

    async def aclose(self) -> None:
        await self.door.aclose()


class DyingModel:
    """A model of the provider whose door dies."""

    remote, label = True, "there"

    def __init__(self, model: Any, death: Death) -> None:
        self._model, self._death = model, death

    def batches(self, api: str) -> Any:
        return DyingDoor(self._model.batches(api), self._death)

    def check(self, request: Mapping[str, Any]) -> None:
        self._model.check(request)

    async def complete(self, call: Call) -> Any:
        raise AssertionError("a batch was asked for")

    async def aclose(self) -> None:
        """Nothing is open."""


class Later(SystemClock):
    """A calendar that is some minutes on each time that the process is started again."""

    def __init__(self, start: int) -> None:
        self._on = 600.0 * start

    def wall(self) -> float:
        return time.time() + self._on


def questions(asked: PromptVersion, model: Any, done: Collection[str]) -> list[Question]:
    """What a process asks that has nothing but the recorded runs."""
    out = []
    for n in range(N):
        key = f"k1:{n:032x}"
        call = Call(asked.request(q=f"question {n}"), asked, repeat=0)
        if key not in done:
            out.append(Question(call, model, key, "p", asked.id, asked.model or "", str(n)))
    return out


def one_life(kind: str, server: BatchServer, kept: Kept, death: Death, start: int) -> None:
    """One process: it asks what has no answer, and dies if it has to."""
    from promptops.study.resolve_model import as_model

    model = DyingModel(as_model(client(kind, server.url), MODELS[kind]), death)
    done = {run.key for run in kept.runs if run.scorable}

    def record(runs: Sequence[Run], attempts: Sequence[Attempt]) -> None:
        death.point()
        kept.runs.extend(runs)
        death.point()

    order = Order(questions(version(kind), model, done), record)
    going = Batches(DyingLedger(kept, death), BatchPace(0.0), Later(start)).start(order)
    with suppress(Killed):
        asyncio.run(going.run())


@pytest.fixture(scope="module")
def provider() -> Iterator[BatchServer]:
    with BatchServer() as server:
        yield server


@pytest.fixture
def server(provider: BatchServer) -> BatchServer:
    provider.reset()
    return provider


@pytest.mark.parametrize("seed", range(50))
def test_dead_at_random_moments_nothing_is_paid_twice_or_lost(
    server: BatchServer, seed: int
) -> None:
    """Fifty runs, each dead at up to four random points before or after a write or a request, some
    with a connection that drops: every request is answered once and recorded once.
    """
    chance, kind = random.Random(seed), KINDS[seed % 3]
    server.looks = chance.choice((0, 1))
    server.drop = [chance.random() < 0.5] if chance.random() < 0.4 else []
    kept = Kept()
    lives = [chance.randint(1, 14) for _ in range(chance.randint(1, 4))]
    for start in range(24):
        death = Death(lives[start] if start < len(lives) else 0)
        one_life(kind, server, kept, death, start)
        if start % 3 == 2:
            server.end("completed", N)
        if start >= len(lives) and len({run.key for run in kept.runs}) == N:
            break
    assert Counter(server.paid.values()) == {1: N}, (lives, server.made)
    assert len({run.key for run in kept.runs if run.output == "yes"}) == N


def test_a_broken_ledger_is_found_out(server: BatchServer) -> None:
    """The same lives over a ledger that forgets what it intended pay twice: the test can fail."""
    server.looks, kept = 9, Kept()
    one_life("openai", server, kept, Death(5), 0)  # after the hand-over, before its event
    kept.intents.clear()
    one_life("openai", server, kept, Death(0), 1)
    server.end("completed", N)
    assert 2 in server.paid.values()


NURSERY = """
import os, sys, traceback
import promptops.engine.batch_pass as batch_pass
from promptops.engine.hand_over import BatchPace
batch_pass.BatchPace = lambda wait_s=0.0: BatchPace(wait_s, 0.02, 0.1, settled_s=0.5)
from promptops.lab import Lab
from promptops.scorers import equals
from tests.study.test_batches import MODELS, PRICES, client, version

def live(folder, kind, url):
    rows = [{"id": str(n), "q": f"question {n}", "expected": "yes"} for n in range(40)]
    lab = Lab(folder, models={MODELS[kind]: client(kind, url)}, prices=PRICES)
    return lab.evaluate([version(kind)], rows, [equals()], batch="10m").status

child = 0
for line in sys.stdin:
    if child:  # reaped only now, so that its number cannot be another's while it may be killed
        os.waitpid(child, 0)
    child, code = os.fork(), 1
    if child == 0:
        try:
            code = 0 if live(*line.split()) == "finished" else 3
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    print(child, flush=True)
    end = os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    print(-end.si_status if end.si_code == os.CLD_KILLED else end.si_status, flush=True)
"""


class Nursery:
    """Starts processes that have everything imported and nothing opened, so that fifty of them take
    a minute: each is a process of its own, and dies of a signal as any other does.
    """

    def __init__(self) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-c", NURSERY]
        self._process = subprocess.Popen(
            command, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def start(self, *words: str) -> int:
        """Start one; its process id."""
        assert self._process.stdin is not None
        self._process.stdin.write(" ".join(words) + "\n")
        self._process.stdin.flush()
        return self.next_number()

    def next_number(self) -> int:
        """The id of the process that began, or the exit code of the one that ended."""
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(60)


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    made = Nursery()
    yield made
    made.close()


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", KINDS)
def test_killed_at_random_moments_for_real(tmp_path: Path, nursery: Nursery, kind: str) -> None:
    """Fifty-one processes (17 of each provider) are killed by SIGKILL at random moments of a study,
    and a last one finishes each: 0 paid twice, 0 lost.
    """
    chance, died = random.Random(kind), 0
    for number in range(17):
        folder = str(tmp_path / f"{number:02d}")
        with BatchServer() as server:
            server.looks = chance.randint(0, 6)
            child, began = nursery.start(folder, kind, server.url), time.monotonic()
            while not server.seen and time.monotonic() < began + 60:
                time.sleep(0.002)  # its first request is where the interesting moments begin
            time.sleep(chance.random() * 0.4)
            os.kill(child, signal.SIGKILL)
            died += nursery.next_number() == -signal.SIGKILL
            server.end("completed", 40)
            nursery.start(folder, kind, server.url)
            assert nursery.next_number() == 0, "the last one did not finish"
            assert Counter(server.paid.values()) == {1: 40}
            lab = Lab(folder)
            query = "select count(distinct key) from runs where output = 'yes'"
            assert lab.store.rows(query) == [(40,)]
            lab.project.close()
    assert died > 8, f"{died} of 17 were killed before they had finished"
