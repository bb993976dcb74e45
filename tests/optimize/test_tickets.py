"""O4 on the embedded model (not an LLM) and the tour's tickets: instructions beat the seed on rows
that the search never saw, and the gate agrees.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import pytest

from promptops.dataset import Dataset
from promptops.optimize import FewShot, Instructions
from promptops.scorers import equals

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
from ticket_prompts import BY_HAND, HEAD

TICKETS = Path(__file__).resolve().parents[2] / "data" / "support_tickets.jsonl"


def gain(lab: Any, method: Any, seed: int) -> tuple[float, str]:
    """(gain on the test split, the gate's decision) of one search."""
    tickets = Dataset.read(TICKETS, inputs=["ticket"], expected="category", tags="tags")
    text = f"{HEAD}\n\nTicket: {{{{ticket}}}}"
    v1 = lab.prompt("category").save(text, model="embedded", temperature=0)
    search = lab.optimize(v1, tickets, [equals()], method=method, budget_calls=500, seed=seed)
    if search.search.best.number == 0:
        return 0.0, "nothing"
    found = search.confirm().compare(candidate=search.best, baseline=v1)
    return float(found.primary.gain), found.verdict.decision


SEEDS = pytest.mark.parametrize(
    "seeds", [(4,), pytest.param(range(5), marks=pytest.mark.soak)], ids=["one", "all"]
)


@SEEDS
def test_a_pool_of_instructions_is_promoted(
    make_lab: Callable[..., Any], seeds: Sequence[int]
) -> None:
    """20 points or more, in each of 5 seeds. The fast one is the seed whose race began on 8 rows
    once, and sent the best text home.
    """
    lab = make_lab()
    for seed in seeds:
        found, decision = gain(lab, Instructions(texts=BY_HAND), seed)
        assert decision == "promote", seed
        assert found >= 0.2, seed


@pytest.mark.soak
def test_what_train_rows_give_by_themselves_is_promoted(make_lab: Callable[..., Any]) -> None:
    """Without a text of ours, 84 train rows bring 10 points or more, in each of 5 seeds."""
    lab = make_lab()
    for seed in range(5):
        found, decision = gain(lab, Instructions(), seed)
        assert decision == "promote", seed
        assert found >= 0.1, seed


@pytest.mark.soak
def test_many_demonstrations_gain_on_average(make_lab: Callable[..., Any]) -> None:
    """k = 48: 5 points or more, over 5 seeds."""
    lab = make_lab()
    assert mean(gain(lab, FewShot(k=48), seed)[0] for seed in range(5)) >= 0.05
