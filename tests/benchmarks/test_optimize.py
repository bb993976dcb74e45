"""What searching costs beside a model that takes no time, and how fast it stops: O8 and O9.

`pytest tests/benchmarks/test_optimize.py -m benchmark -n 0 -s` prints the figures.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pytest

from promptops.dataset import Dataset
from promptops.models.scripted import ScriptedModel
from promptops.optimize import Gepa, Instructions, Task
from promptops.optimize.search import Search, begin, designed
from promptops.optimize.spending import Allowance
from promptops.scorers import equals
from promptops.study.project import Project
from promptops.version import PromptVersion

pytestmark = pytest.mark.benchmark

BATCHES, SIZE, RUNG, MOST_MS, STOP_S = 1_000, 5, 8, 10.0, 1.0


async def at_once(item: str) -> str:
    """A model that takes no time."""
    return "A"


def rows(count: int = 200) -> Dataset:
    """Rows of which every second one is right."""
    return Dataset.read([{"item": f"s{n}", "expected": "AB"[n % 2]} for n in range(count)])


@dataclass
class Minibatches:
    """A method that asks `BATCHES` candidates on `SIZE` train rows, a rung at a time."""

    name: str = "minibatches"
    taken: list[float] = field(default_factory=list)

    def document(self) -> Mapping[str, object]:
        return {}

    async def run(self, task: Task, rng: Random) -> None:
        for first in range(0, BATCHES, RUNG):
            batch = rng.sample(list(task.train), SIZE)
            rung = [
                PromptVersion(f"{number} {{{{item}}}}", model=task.seed.model)
                for number in range(first, first + RUNG)
            ]
            began = time.perf_counter()
            for version in rung:
                task.offer(version, how="probe")
            await task.ask(rung, batch)
            for version in rung:
                task.note(version, "kept")
            self.taken.append((time.perf_counter() - began) * 1e3 / RUNG)


def started(project: Project, method: Any, data: Dataset, calls: int) -> Search:
    seed = PromptVersion("Say it.\n\n{{item}}", model="m")
    design = designed(
        project, seed, data, [equals()], method=method, allowance=Allowance(calls=calls)
    )
    return begin(project, design)


def test_a_minibatch_costs_ten_ms(tmp_path: Path) -> None:
    """O8: 1,000 candidate-minibatches of 5, recorded and scored; the best tenth counts."""
    project = Project.open(tmp_path, models={"m": at_once})
    method = Minibatches()
    search = started(project, method, rows(), BATCHES * SIZE + 500)
    search.wait(300)
    taken = sorted(method.taken)
    print(
        f"best {taken[0]:.1f} ms, tenth {taken[len(taken) // 10]:.1f}, median"
        f" {taken[len(taken) // 2]:.1f} per candidate-minibatch"
    )
    assert len(search.lineage.candidates) == BATCHES + 1
    assert taken[len(taken) // 10] <= MOST_MS
    project.close()


@pytest.mark.parametrize("where", ["answer", "proposal", "gepa"])
def test_a_stop_takes_a_second(tmp_path: Path, where: str) -> None:
    """O9: while an answer, a proposal, or gepa's thread is waited for; nothing stays behind."""
    reached = threading.Event()

    async def thinks(call: Any) -> str:
        reached.set()
        await asyncio.sleep(60)
        return "never"

    slow = ScriptedModel(thinks, label="slow")
    models = {"m": slow if where == "answer" else at_once, "slow": slow}
    project = Project.open(tmp_path, models=models)
    method = Gepa(proposer="slow") if where == "gepa" else None
    search = started(
        project, method or Instructions(proposer="slow", operators=False), rows(), 2_000
    )
    assert reached.wait(60)
    began = time.perf_counter()
    search.stop()
    search.wait(30)
    taken = time.perf_counter() - began
    print(f"{where}: stopped after {taken:.3f} s")
    assert search.status == "stopped"
    assert search.best.number == 0
    assert taken <= STOP_S
    project.close()
    assert time.perf_counter() - began <= 5 * STOP_S
