"""A race on val: all candidates on few rows, the better half on twice as many, and so on.

The seed is never raced out, so that there is always something to compare with. A candidate that
breaks a guardrail ranks behind all that keep them, however good it is. Each rung is one sweep over
all that are left. A race that ends on few rows flatters its winner: where val has them, the last
rung has at least 32.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

from ..version import PromptVersion
from .guards import broken
from .task import Result, Task

__all__ = ["cost_of", "first_of", "mean_of", "race", "rungs"]

FIRST, LAST = 8, 32


def rungs(rows: int, candidates: int, first: int = FIRST) -> Iterator[int]:
    """How many val rows each rung has seen: 8 or `first`, then twice as many each time, and at last
    all of them, or as many as bring the candidates down to one, but never fewer than 32.
    """
    seen, left = min(first, rows), candidates
    while True:
        yield seen
        if seen >= rows or (left <= 1 and seen >= LAST):
            return
        seen, left = min(rows, 2 * seen), (left + 1) // 2


def cost_of(rows: int, candidates: int, first: int = FIRST) -> int:
    """The answers of candidates that a race asks for, at most; the seed's are apart."""
    asked, before, left = 0, 0, candidates
    for seen in rungs(rows, candidates, first):
        asked += left * (seen - before)
        before, left = seen, (left + 1) // 2
    return asked


def first_of(rows: int, candidates: int, left: int | None) -> int:
    """How many rows the first rung asks: 8, or twice that again and again while the whole race
    takes no more than the answers that are left. Few rows send the best home too often.
    """
    first = FIRST
    while left is not None and first < rows and cost_of(rows, candidates, 2 * first) <= left:
        first *= 2
    return first


def mean_of(results: Sequence[Result]) -> float:
    """The mean of the primary; an unscored answer counts as nothing won: 0."""
    return sum(r.score or 0.0 for r in results) / len(results) if results else 0.0


async def race(
    task: Task, candidates: Sequence[PromptVersion], rng: Random, share: float = 1.0
) -> PromptVersion:
    """Race the candidates beside the seed; returns the one that is left, or leads when the budget
    is spent. share: of the calls that are left, for which the first rung is chosen.
    """
    order = list(task.val)
    rng.shuffle(order)
    left = list(candidates)
    answers = None
    if task.left is not None:
        unasked = len(order) - len(task.on_val(task.seed))
        answers = int(share * task.left / task.calls_of_an_answer) - unasked
    for seen in rungs(len(order), len(left), first_of(len(order), len(left), answers)):
        await task.ask([task.seed, *left], order[:seen])
        for version in (task.seed, *left):
            task.note(version, "kept")
        seeds = task.on_val(task.seed)
        left.sort(key=lambda each: _place(seeds, task.on_val(each)))  # stable: the order decides
        if task.over:
            break
        keep = max(1, (len(left) + 1) // 2)
        for version in left[keep:]:
            task.note(version, "raced_out", f"not among the better {keep} of {len(left)}")
        left = left[:keep]
    return left[0] if left else task.seed


def _place(seed: Sequence[Result], found: Sequence[Result]) -> tuple[bool, float]:
    """What a candidate is ranked by, the smallest first."""
    asked = {result.example.id for result in found}
    beside = [result for result in seed if result.example.id in asked]
    return bool(broken(beside, found, spared=1)), -mean_of(found)
