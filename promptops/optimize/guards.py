"""Guardrails as constraints: on which of them a candidate loses too much against the seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .task import Result

__all__ = ["broken"]

_TOLERANCE = 0.05  # that a guardrail may lose on val, whose few rows are noisy


def broken(seed: Sequence[Result], found: Sequence[Result], spared: int = 0) -> str:
    """The guardrail on which a candidate loses more than five points, or "".

    spared: rows that it may lose beside those points, so that one row of few does not decide.
    """
    before, now = _means(seed), _means(found)
    for name, mean in before.items():
        lost = mean - now.get(name, 0.0)
        if lost > _TOLERANCE + spared / max(len(found), 1):
            return name
    return ""


def _means(results: Sequence[Result]) -> Mapping[str, float]:
    """guardrail -> mean of what was scored."""
    values: dict[str, list[float]] = {}
    for result in results:
        for name, value in result.guards.items():
            if value is not None:
                values.setdefault(name, []).append(value)
    return {name: sum(found) / len(found) for name, found in values.items()}
