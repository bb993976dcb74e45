"""A search that is killed again and again: `python killed_searches.py FOLDER BUDGET KILLS`.

Each life is a fork of this process, which has imported all that a search needs, and ends by
`os._exit` in a model's call or before a row is appended, at a place that its number draws; the last
one lives. Also what its tests search.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Any

from promptops.dataset import Dataset
from promptops.lab import Lab
from promptops.models.scripted import ScriptedModel
from promptops.optimize import FewShot
from promptops.scorers import equals
from promptops.store import Store

LABELS = ("red", "green", "blue")
BUDGETS: Mapping[str, Mapping[str, int]] = {
    "calls": {"budget_calls": 120},
    "tokens": {"budget_tokens": 8_000},
}
KILLED = 9
NEEDED = (
    "duckdb",
    "pyarrow.compute",
    "pyarrow.json",
    "re2",
    "scipy.special",
    "promptops.lab.optimization",
    "promptops.scale.membership",
)


def data() -> Dataset:
    """120 rows of three labels."""
    return Dataset.read(
        [
            {"id": f"r{n}", "item": f"thing {n} of some kind", "expected": LABELS[n % 3]}
            for n in range(120)
        ]
    )


def answer(request: Mapping[str, Any]) -> str:
    """Right more often the more it was told; the same for the same request."""
    messages = request["messages"]
    number = int(str(messages[-1]["content"]).rpartition("Item: ")[2].split()[1])
    draw = int(hashlib.sha256(json.dumps(messages).encode()).hexdigest()[:8], 16) / 16**8
    return LABELS[number % 3] if draw < min(0.2 + 0.05 * len(messages), 0.9) else "mauve"


def search(lab: Any, v1: Any, budget: str, width: int = 4) -> Any:
    """The search that is killed."""
    return lab.optimize(
        v1,
        data(),
        [equals()],
        method=FewShot(candidates=6),
        concurrency=width,
        **BUDGETS[budget],
    )


def story(found: Any) -> dict[str, Any]:
    """All that a search decided."""
    lineage = found.search.lineage
    return {
        "id": found.id,
        "best": found.best.id,
        "candidates": [(c.id, c.parents, c.how, c.n, c.score) for c in found.candidates],
        "events": [(e.version, e.status, e.n, e.score) for e in lineage.events],
        "calls": found.calls,
        "tokens": found.search.spending.tokens,
    }


def life(folder: Path, budget: str, dies: Callable[[str], None]) -> tuple[Any, Any, int]:
    """(lab, search, calls that were paid) of one process."""
    calls = [0]

    def asked(request: Mapping[str, Any]) -> str:
        dies("call")
        calls[0] += 1
        return answer(request)

    append = Store.append

    def appending(self: Store, table: str, rows: Any) -> Any:
        dies("append")
        return append(self, table, rows)

    Store.append = appending  # type: ignore[method-assign]
    lab = Lab(folder, models={"m": ScriptedModel(asked)})
    v1 = lab.prompt("colour").save("Name the colour.\n\nItem: {{item}}", model="m")
    return lab, search(lab, v1, budget), calls[0]


def kill(folder: Path, budget: str, number: int, most: int) -> int:
    """How a life ended that dies at the place of its number, after `most` new calls at most:
    KILLED, or 0 if it got through.
    """
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    draw = Random(number)
    where, left = draw.choice(("call", "append")), [0]
    left[0] = draw.randrange(1, most if where == "call" else 16)

    def dies(kind: str) -> None:
        left[0] -= kind == where
        if left[0] < 0:
            os._exit(KILLED)

    life(folder, budget, dies)
    os._exit(0)


def main(folder: Path, budget: str, kills: int) -> None:
    """Kill, let it end, and compare with a search that was never killed."""
    for module in NEEDED:  # once, not in each life
        importlib.import_module(module)
    ends = [kill(folder / "killed", budget, number, 3 + 80 // kills) for number in range(kills)]
    assert ends == [KILLED] * kills, ends
    lab, found, paid = life(folder / "killed", budget, lambda kind: None)
    [(runs, keys)] = lab.store.rows("select count(*), count(distinct key) from runs")
    assert runs == keys == found.calls["task"], (runs, keys, found.calls)
    _, whole, calls = life(folder / "whole", budget, lambda kind: None)
    assert story(found) == story(whole)
    assert paid < calls
    rows = lab.store.stats()["rows"]
    assert rows["candidates"] == len(found.candidates)
    assert rows["candidate_events"] == len(found.search.lineage.events)
    print(f"{kills} kills, same end")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
