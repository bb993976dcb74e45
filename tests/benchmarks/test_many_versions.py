"""30 versions on 40 metrics: a leaderboard, and a comparison that is decided beside all others,
take no more than 5 s of CPU each.

`pytest tests/benchmarks -m benchmark -n 0 -s` prints the figures.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest

from promptops.analysis.arms import Arm, Outcomes
from promptops.analysis.compare import compare
from promptops.analysis.finalists import decide_many
from promptops.analysis.standings import leaderboard

pytestmark = pytest.mark.benchmark

VERSIONS, METRICS, EXAMPLES = 30, 40, 500
LIMIT_S = 5.0


@pytest.fixture(scope="module")
def arms() -> list[Arm]:
    rng = np.random.default_rng(1)
    names = [f"e{i}" for i in range(EXAMPLES)]

    def outcomes() -> Outcomes:
        drawn = rng.random(EXAMPLES).tolist()
        return Outcomes.of({name: [score] for name, score in zip(names, drawn, strict=True)})

    return [
        Arm(f"p1-v{v}", f"v{v}", {f"metric {m}": outcomes() for m in range(METRICS)})
        for v in range(VERSIONS)
    ]


def cpu(work: Callable[[], object], name: str) -> float:
    """Seconds of this process's CPU, the best of two."""
    taken = []
    for _ in range(2):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    print(f"{name} of {VERSIONS} versions x {METRICS} metrics: {min(taken):.2f} s of CPU")
    return min(taken)


def test_a_leaderboard_of_many_versions_and_metrics(arms: list[Arm]) -> None:
    assert cpu(lambda: leaderboard(arms), "a leaderboard") <= LIMIT_S


def test_a_verdict_beside_many_rivals(arms: list[Arm]) -> None:
    def decided() -> None:
        baseline, *candidates = arms
        found = [compare(candidate, baseline) for candidate in candidates]
        decide_many(found)
        assert len(found[0].differences) == METRICS

    assert cpu(decided, "a decided comparison") <= LIMIT_S
