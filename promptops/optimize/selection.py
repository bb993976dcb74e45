"""Which candidate is the best on val, and which nothing beats in both quality and cost.

Compared are those that answered the most val rows, each with the seed on the same rows. Guardrails
are constraints: a candidate that loses more than five points on one of them is not chosen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .guards import broken
from .halving import mean_of
from .lineage import Candidate, Lineage
from .task import Task

__all__ = ["Selection", "front_of", "winner_of"]


@dataclass(frozen=True, slots=True)
class Selection:
    """winner: the seed where nothing is better; why: what kept the leader out, "" if nothing
    did.
    """

    winner: Candidate
    why: str = ""


def winner_of(lineage: Lineage, task: Task, goal: Literal["better", "cheaper"]) -> Selection:
    """The best so far by the goal; ties go to the seed, then to the cheaper, then to the first."""
    seed = lineage.candidates[task.seed.id]
    known = {result.example.id: result for result in task.on_val(task.seed)}
    good = []
    for candidate in _compared(lineage, task):
        results = task.on_val(candidate.version)
        beside = [known[r.example.id] for r in results if r.example.id in known]
        gain = mean_of(results) - mean_of(beside) if len(beside) == len(results) else -1.0
        if candidate is not seed and (gain > 0 or (goal == "cheaper" and gain == 0)):
            good.append((gain, candidate, beside))
    if goal == "cheaper":
        good = [each for each in good if _tokens(task, each[1]) < _tokens(task, seed)]
        good.sort(key=lambda each: (_tokens(task, each[1]), each[1].number))
    else:
        good.sort(key=lambda each: (-each[0], _tokens(task, each[1]), each[1].number))
    why = ""
    for _, candidate, beside in good:
        lost = broken(beside, task.on_val(candidate.version))
        if not lost:
            return Selection(candidate, why)
        why = why or f"{candidate.label} leads, and loses on the guardrail {lost}."
    return Selection(seed, why)


def front_of(lineage: Lineage, task: Task) -> list[Candidate]:
    """Candidates, the seed among them, that nothing beats in both quality and tokens."""
    best: list[Candidate] = []
    ranked = sorted(
        _compared(lineage, task),
        key=lambda c: (-mean_of(task.on_val(c.version)), _tokens(task, c), c.number),
    )
    for candidate in ranked:
        if not best or _tokens(task, candidate) < _tokens(task, best[-1]):
            best.append(candidate)
    return best


def _compared(lineage: Lineage, task: Task) -> list[Candidate]:
    """The seed, and the candidates that answered the most val rows."""
    seed = lineage.candidates[task.seed.id]
    others = [c for c in lineage.candidates.values() if c is not seed]
    most = max((len(task.on_val(c.version)) for c in others), default=0)
    return [seed, *(c for c in others if most and len(task.on_val(c.version)) == most)]


def _tokens(task: Task, candidate: Candidate) -> float:
    results = task.on_val(candidate.version)
    return sum(r.tokens for r in results) / len(results) if results else 0.0
