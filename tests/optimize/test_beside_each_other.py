"""Searches on one project at the same time."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from promptops.lab import Lab
from promptops.models.scripted import ScriptedModel
from promptops.optimize import FewShot
from promptops.scorers import equals
from tests.optimize.test_search import answer, data


def test_what_two_searches_need_is_paid_for_once(tmp_path: Path) -> None:
    """Two that differ in their random numbers both begin with the seed's answers on val."""
    paid: list[str] = []

    def asked(request: Mapping[str, Any]) -> str:
        paid.append(hashlib.sha256(json.dumps(request, default=str).encode()).hexdigest())
        time.sleep(0.01)
        return answer(request)

    labs = [Lab(tmp_path, models={"m": ScriptedModel(asked)}) for _ in range(2)]
    version = labs[0].prompt("colour").save("Name the colour.\n\nItem: {{item}}", model="m")
    found: dict[int, Any] = {}

    def search(seed: int) -> None:
        found[seed] = labs[seed].optimize(
            version,
            data(),
            [equals()],
            method=FewShot(candidates=3),
            concurrency=4,
            seed=seed,
            budget_calls=60,
        )

    threads = [threading.Thread(target=search, args=(seed,)) for seed in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0].id != found[1].id
    assert [found[seed].status for seed in range(2)] == ["finished"] * 2
    assert len(paid) == len(set(paid))
    assert len(paid) < sum(found[seed].calls["task"] for seed in range(2))
