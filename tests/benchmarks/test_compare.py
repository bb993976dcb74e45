"""Comparing at size: a million stored runs within a second; a table of 5,000 rows within ten, start
of Python included.

Alone on the machine: `pytest -m benchmark tests/benchmarks/test_compare.py`.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from promptops.analysis.compare import compare as facts
from promptops.lab import Lab
from promptops.run import utc
from promptops.study.study_record import ScorerRef

pytestmark = [pytest.mark.benchmark, pytest.mark.xdist_group("million")]

SCORERS = [ScorerRef("equals", "1")]
ARMS = {"p1-" + "a" * 32: ("v1", 0.60), "p1-" + "b" * 32: ("v2", 0.61)}


@pytest.fixture(
    scope="module", params=[(500_000, 1), (10_000, 50)], ids=["500,000 x 1", "10,000 x 50"]
)
def million(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lab]:
    """A store of a million synthetic runs of two versions, merged."""
    examples, repeats = request.param
    lab = Lab(tmp_path_factory.mktemp("million"))
    chance, at = random.Random(1), utc()
    arms = [
        {
            "version": version,
            "label": label,
            "model": "m",
            "endpoint": "e",
            "prompt": "",
            "number": None,
        }
        for version, (label, _) in ARMS.items()
    ]
    config = {
        "arms": arms,
        "dataset": {"fingerprint": "d1-x", "name": "big", "n": examples},
        "scorers": [scorer.document() for scorer in SCORERS],
        "repeats": repeats,
        "split": None,
    }
    lab.store.append(
        "studies",
        [
            {
                "id": "s1-big",
                "name": "big",
                "prompt": "",
                "design": json.dumps(config),
                "created_at": at,
                "author": "x",
            }
        ],
    )
    step = max(20_000 // repeats, 1)
    for start in range(0, examples, step):
        runs: list[dict[str, Any]] = []
        links: list[dict[str, Any]] = []
        scores: list[dict[str, Any]] = []
        for i in range(start, min(start + step, examples)):
            for version, (label, share) in ARMS.items():
                for repeat in range(repeats):
                    id_, right = f"r-{label}{i:08d}{repeat:03d}", chance.random() < share
                    runs.append(
                        {
                            "id": id_,
                            "key": id_,
                            "prompt": "",
                            "version_id": version,
                            "model": "m",
                            "endpoint": "e",
                            "role": "model",
                            "example_id": f"e{i}",
                            "example_fingerprint": f"f{i}",
                            "repeat": repeat,
                            "request": "{}",
                            "output": "yes",
                            "tokens_in": 10,
                            "tokens_out": 3,
                            "cost_usd": 1e-5 * (1 + i % 7),
                            "latency_ms": 100.0 + i % 50,
                            "attempts": 1,
                            "started_at": at,
                        }
                    )
                    links.append(
                        {
                            "study_id": "s1-big",
                            "arm": label,
                            "version_id": version,
                            "example_id": f"e{i}",
                            "example_fingerprint": f"f{i}",
                            "repeat": repeat,
                            "run_id": id_,
                            "reused": False,
                        }
                    )
                    scores.append(
                        {
                            "run_id": id_,
                            "example_fingerprint": f"f{i}",
                            "scorer": "equals",
                            "scorer_version": "1",
                            "value": float(right),
                            "passed": right,
                            "scored_at": at,
                        }
                    )
        for table, rows in (("runs", runs), ("study_runs", links), ("scores", scores)):
            lab.store.append(table, rows)
    lab.store.merge()
    yield lab
    lab.store.close()


def test_two_versions_over_a_million_runs(million: Lab) -> None:
    """From the store to every figure: within a second, and the same twice."""
    from promptops.study.outcomes import arms_of

    sources = [("s1-big", version, label) for version, (label, _) in reversed(ARMS.items())]
    taken, said = [], set()
    for _ in range(4):
        began = time.perf_counter()
        found = facts(*arms_of(million.store, sources, SCORERS))
        taken.append(time.perf_counter() - began)
        said.add(json.dumps([figures.document() for figures in found.differences]))
    print(
        f"\n{found.primary.n:,} examples x {found.primary.repeats}: {min(taken):.2f} s (of"
        f" {', '.join(f'{t:.2f}' for t in taken)})"
    )
    assert found.primary.n * found.primary.repeats * 2 == 1_000_000
    assert len(said) == 1
    assert min(taken) <= 1.0


def test_the_command_on_five_thousand_rows(tmp_path: Path) -> None:
    """`promptops compare` in a process of its own, report included, within ten seconds."""
    path, chance = tmp_path / "big.csv", random.Random(7)
    lines = [
        f"It is {n + (chance.random() < 0.3)},So {n + (chance.random() < 0.2)},{n}"
        for n in range(5000)
    ]
    path.write_text("a,b,gold\n" + "\n".join(lines) + "\n", encoding="utf-8")
    began = time.perf_counter()
    command = [
        sys.executable,
        "-m",
        "promptops.cli",
        "compare",
        str(path),
        "--baseline",
        "a",
        "--candidate",
        "b",
        "--expected",
        "gold",
        "-o",
        str(tmp_path / "r.html"),
    ]
    subprocess.run(command, check=True, capture_output=True)
    print(f"\n5,000 rows: {time.perf_counter() - began:.1f} s")
    assert time.perf_counter() - began <= 10
