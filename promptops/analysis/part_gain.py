"""The gain on one part of the examples: a model, a task or a tag, each with the same figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Self

from .facts import gain_interval
from .units import labels_of

if TYPE_CHECKING:
    from pandas import DataFrame

    from .arms import Pairs

__all__ = ["PartGain", "frame_of"]


@dataclass(frozen=True, slots=True)
class PartGain:
    """name: of the part; n: shared examples; candidate and baseline: mean scores; gain: their
    difference, positive where the candidate did better, with its 90 % interval (None if it is
    not estimable); wins and losses: examples that improved and regressed.
    """

    name: str
    n: int
    candidate: float
    baseline: float
    gain: float
    low: float | None
    high: float | None
    wins: int
    losses: int

    @classmethod
    def of(cls, name: str, pairs: Pairs, clusters: Mapping[str, str] | None) -> Self:
        """The figures of these pairs; fields of a subclass have their defaults.

        Args:
            name: of the part.
            pairs: outcomes of its examples, one or more.
            clusters: example id -> cluster; None if examples are independent.
        """
        low, high, _, _ = gain_interval(pairs, labels_of(pairs, clusters), bootstrap=False)
        return cls(
            name,
            pairs.n,
            float(pairs.candidate.mean()),
            float(pairs.baseline.mean()),
            float(pairs.d.mean()),
            low,
            high,
            int((pairs.d > 1e-12).sum()),
            int((pairs.d < -1e-12).sum()),
        )


def frame_of(parts: Sequence[PartGain], kind: type[PartGain], index: str) -> DataFrame:
    """One row per part.

    Args:
        parts: in the order of the rows.
        kind: their type, which names the columns if there are none.
        index: what a part is: "model", "task" or "tag".
    """
    import pandas as pd

    columns = [field.name for field in fields(kind)]
    rows = [[getattr(part, column) for column in columns] for part in parts]
    return pd.DataFrame(rows, columns=columns).rename(columns={"name": index}).set_index(index)
