"""Two prompts on several models: does the gain depend on the model?

Each example has a gain per model, and where the models do not matter these gains are exchangeable:
whose is whose is a matter of labels. With two models their difference is tested by the exact
two-sided sign-flip test. With more, the labels of the models are permuted within each example (or
cluster), and the statistic is Hotelling's T squared of the contrasts between models, which assumes
no equal variances and no sphericity (restricted permutation within blocks: Edgington and Onghena,
Randomization Tests, 4th edition 2007, chapter 6; that a studentised statistic keeps its level where
models are unequally noisy: Konietschke and Pauly, Statistics and Computing 24, 2014). It is exact
for "the gains behave alike on every model", and approximate for "their means are equal". The
permutations have a fixed seed, so that the same data give the same p.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import StatisticsError
from ..markup import plain_repr
from . import paired_tests, words
from .compare import ComparisonFacts
from .part_gain import PartGain, frame_of
from .slices import part_of
from .units import labels_of, units_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pandas import DataFrame

    Floats = NDArray[np.float64]

__all__ = ["ModelGain", "ModelGains", "Interaction", "hotelling", "interaction", "over_models"]

DRAWS, SEED = 9_999, 20_260_101
_ALPHA = 0.05
_AT_ONCE = 4_000_000  # numbers of one batch of permutations


@dataclass(frozen=True, slots=True)
class Interaction:
    """statistic: Hotelling's T squared of the contrasts between models, None if no gain differs
    between models; p: that the gain does not depend on the model; method: how p was found; units:
    independent examples or clusters.
    """

    statistic: float | None
    p: float
    method: str
    units: int


@dataclass(frozen=True, slots=True)
class ModelGain(PartGain):
    """The gain on one model."""

    @property
    def model(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class ModelGains:
    """Two prompts on several models. cells: one per model, largest gain first; found: the
    interaction; n: examples that both prompts were asked on every model; measure: what was scored.
    """

    candidate: str
    baseline: str
    measure: str
    cells: tuple[ModelGain, ...]
    found: Interaction
    n: int

    @property
    def depends(self) -> bool:
        """Whether the gain is shown to depend on the model (two-sided, .05)."""
        return self.found.p <= _ALPHA

    def statement(self) -> str:
        """One paragraph in plain words."""
        first, last = self.cells[0], self.cells[-1]
        shown = "p < 0.0001" if self.found.p < 0.0001 else f"p = {words.number(self.found.p, 2)}"
        ends = (
            f"{words.points(first.gain)} on {first.name}, {words.points(last.gain)} on {last.name}"
        )
        among = f"{words.count(self.n, 'example')} asked on {words.count(len(self.cells), 'model')}"
        if self.depends:
            return (
                f"The gain of {self.candidate} over {self.baseline} depends on the model, {shown}:"
                f" {ends} ({among})."
            )
        return (
            f"That the gain of {self.candidate} over {self.baseline} depends on the model is not"
            f" shown, {shown}: {ends} ({among})."
        )

    @property
    def frame(self) -> DataFrame:
        """One row per model."""
        return frame_of(self.cells, ModelGain, "model")

    @plain_repr
    def __repr__(self) -> str:
        return f"<ModelGrid: {self.statement()}>"


def over_models(comparisons: Mapping[str, ComparisonFacts], name: str | None = None) -> ModelGains:
    """The grid of one pair of prompts on several models.

    Args:
        comparisons: model -> the comparison of the two prompts on it, candidate and baseline alike.
        name: a scorer; None: the primary of the first.

    Raises:
        StatisticsError: fewer than two models, or no example that was scored on all of them.
    """
    found = list(comparisons.values())
    if len(found) < 2:
        raise StatisticsError("a grid needs two models or more; evaluate both prompts on each.")
    measure = name or found[0].primary_name
    pairs = {model: each.pairs(measure) for model, each in comparisons.items()}
    shared = set.intersection(*(set(each.examples) for each in pairs.values()))
    if not shared:
        raise StatisticsError(f"no example was scored by {measure} in both prompts on every model.")
    order = [example for example in pairs[next(iter(pairs))].examples if example in shared]
    gains, cells = [], []
    for model, each in pairs.items():
        place = {example: index for index, example in enumerate(each.examples)}
        part = part_of(each, [place[example] for example in order])
        gains.append(part.d)
        cells.append(ModelGain.of(model, part, comparisons[model].grounds.clusters))
    labels = labels_of(part, found[0].grounds.clusters)
    steps = [each.grid for each in pairs.values()]
    grid = steps[0] if len(set(steps)) == 1 and not part.measure else None
    ranked = tuple(sorted(cells, key=lambda cell: (-cell.gain, cell.name)))
    names = (_prompt(found[0].candidate.label), _prompt(found[0].baseline.label))
    tested = interaction(gains, labels=labels, grid=grid)
    return ModelGains(*names, measure, ranked, tested, len(order))


def interaction(
    gains: Sequence[Sequence[float] | Floats],
    *,
    labels: list[str] | None = None,
    grid: float | None = None,
    draws: int = DRAWS,
) -> Interaction:
    """Whether the gains of some examples depend on the model.

    Args:
        gains: one list per model, the same examples in the same order.
        labels: cluster of each example, None if examples are independent.
        grid: the step of the gains of 0/1 scores; None: not known.
        draws: permutations, where there are three models or more.

    Raises:
        StatisticsError: fewer than two models, or lists of different lengths.
    """
    import numpy as np

    if len(gains) < 2 or len({len(each) for each in gains}) != 1:
        raise StatisticsError(
            "an interaction needs two models or more on the same examples; evaluate both"
            " prompts on each."
        )
    units = np.array([units_of(np.asarray(each, dtype=float), labels)[0] for each in gains]).T
    moving = units[np.ptp(units, axis=1) > 1e-12]  # equal on every model: no order changes it
    statistic = hotelling(units)
    if not len(moving):
        return Interaction(None, 1.0, "no difference", len(units))
    if len(gains) == 2:
        test = paired_tests.sign_flip(units[:, 0] - units[:, 1], grid=grid)
        return Interaction(statistic, test.p_two_sided, f"sign-flip, {test.method}", len(units))
    p = _permuted(units, moving, draws)
    return Interaction(statistic, p, f"permutation, {draws:,} draws", len(units))


def hotelling(units: object) -> float:
    """T squared of "the mean gain is the same on every model": n c' S^-1 c of the contrasts with
    the last model; infinite where contrasts are constant and not 0.

    Args:
        units: a row per unit, a column per model.
    """
    import numpy as np

    values = np.asarray(units, dtype=float)
    share = float(_share(values[None], len(values))[0])
    return (len(values) - 1) * share / (1 - share) if share < 1 - 1e-12 else math.inf


def _share(gains: Floats, units: int) -> Floats:
    """h = s' Q^+ s / n of many sets of gains (set x unit x model), of the sum s and the sum of
    products Q of their contrasts, with T squared = (n - 1) h / (1 - h).

    It rises with T squared and is never above 1, also when contrasts are constant.
    """
    import numpy as np

    contrasts = gains[:, :, :-1] - gains[:, :, -1:]
    sums = contrasts.sum(1)
    products = contrasts.transpose(0, 2, 1) @ contrasts
    inverse = np.linalg.pinv(products, rcond=1e-10, hermitian=True)
    found: Floats = np.einsum("bi,bij,bj->b", sums, inverse, sums) / units
    return found


def _permuted(units: Floats, moving: Floats, draws: int) -> float:
    """(1 + permutations with a statistic at least as large) / (1 + draws)."""
    import numpy as np

    rng, n = np.random.default_rng(SEED), len(units)
    seen = float(_share(moving[None], n)[0]) * (1 - 1e-9)
    reached = 0
    size = max(_AT_ONCE // moving.size, 1)
    for start in range(0, draws, size):
        count = min(size, draws - start)
        order = rng.random((count, *moving.shape)).argsort(2)
        shuffled = np.take_along_axis(np.broadcast_to(moving, order.shape), order, 2)
        reached += int((_share(shuffled, n) >= seen).sum())
    return (1 + reached) / (1 + draws)


def _prompt(label: str) -> str:
    """The label of an arm without its model: "v2 · gpt-6" is of v2."""
    return label.split(" · ")[0]
