"""One row of the size table, and the exact p and E of counts that its rows look up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from promptops.analysis import e_values, intervals, paired_tests

__all__ = ["ALPHA", "Row", "e_of", "e_of_means", "e_table", "half_table", "p_of", "p_table"]

ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Row:
    """name; limit: the rate that it may have; studies: None for an enumerated row; rate, broken: of
    no-better versions promoted under the rule, and without it.
    """

    name: str
    limit: float
    studies: int | None
    rate: float
    broken: float

    def lower(self, rate: float) -> float:
        """One-sided 99 % lower bound of a simulated rate (Clopper-Pearson)."""
        if self.studies is None:
            return rate
        return intervals.clopper_pearson(round(rate * self.studies), self.studies, level=0.98)[0]

    @property
    def holds(self) -> bool:
        return self.lower(self.rate) <= self.limit + 1e-12

    @property
    def breaks(self) -> bool:
        """Whether the row without its rule is seen to fail."""
        return self.lower(self.broken) > self.limit


@cache
def p_of(b: int, c: int) -> float:
    return paired_tests.sign_flip([1.0] * b + [-1.0] * c).p_greater


@cache
def e_of(b: int, c: int) -> float:
    return e_values.e_value_of_counts(b, c)


@cache
def half_of(b: int, c: int) -> float:
    return paired_tests.sign_flip([1.0] * b + [-1.0] * c, ties="half").p_greater


half_table: Callable[..., Any] = np.vectorize(half_of, otypes=[float])
p_table: Callable[..., Any] = np.vectorize(p_of, otypes=[float])
e_table: Callable[..., Any] = np.vectorize(e_of, otypes=[float])


def e_of_means(wins: Any, losses: Any) -> Any:
    """E of many studies at once, each of the means of k repeats of its examples.

    wins, losses: repeats won and lost, studies x examples x k as 0 and 1; fewer than 255 examples,
    so that the nodes of `e_values` integrate exactly.
    """
    k = wins.shape[2]
    steps = wins.sum(2) - losses.sum(2)
    nodes, shares = np.polynomial.legendre.leggauss(128)
    stakes = (nodes + 1) / 2
    logs = np.zeros((len(steps), len(stakes)))
    for step in range(-k, k + 1):
        logs += (steps == step).sum(1)[:, None] * np.log1p(stakes * step / k)
    top = logs.max(1, keepdims=True)
    return np.exp(top[:, 0]) * (np.exp(logs - top) @ (shares / 2))
