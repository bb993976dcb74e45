"""Simulated monitors, of which the truth is known: how often they alarm without drift, and how many
days they need to find a drop.

Worlds: of the examples a share is flaky (8 % in the steady world, 35 % in the noisy one) and passes
with a probability drawn from 0.3 to 0.9; of the others nine in ten always pass and one in ten never
does. A drop of d points takes d in a hundred examples, drawn among those that pass more often than
not, down to a probability that lowers the mean of the whole by d points.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .drift import Anchor, Detector

if TYPE_CHECKING:
    import numpy as np
    from numpy.random import Generator
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["FLAKY", "World", "alarm_days", "evidence"]

FLAKY = {"steady": 0.08, "noisy": 0.35}


@dataclass(frozen=True, slots=True)
class World:
    """One kind of monitor.

    examples: asked per day; flaky: the share of them without a certain outcome; repeats: of the
    anchor; quiet: days before the drop; drop: by how much the mean falls, 0.05 is five points.
    """

    examples: int = 100
    flaky: float = FLAKY["steady"]
    repeats: int = 10
    quiet: int = 30
    drop: float = 0.0


def evidence(world: World, monitors: int, days: int, seed: int) -> Floats:
    """E of so many independent monitors after each of so many days: (monitors, days)."""
    import numpy as np

    rng = np.random.default_rng(seed)
    before = _probabilities(world, monitors, rng)
    after = _dropped(before, world, rng)
    chosen = rng.random((monitors, world.repeats, world.examples)) < before[:, None, :]
    anchor = Anchor.of(chosen.astype(float))
    detector, found = Detector.start(anchor), np.empty((monitors, days))
    for day in range(days):
        chance = before if day < world.quiet else after
        scores = (rng.random(chance.shape) < chance).astype(float)
        detector = detector.after(anchor, scores, rng.random(monitors))
        found[:, day] = detector.e
    return found


def alarm_days(found: Floats, threshold: float, first: int = 0) -> Floats:
    """Days from day `first` to the alarm of each monitor, 1 for the day itself; inf if it does
    not alarm. A monitor that had alarmed before day `first` counts from there.
    """
    import numpy as np

    over = found[:, first:] >= threshold
    days: Floats = np.where(over.any(axis=1), over.argmax(axis=1) + 1.0, np.inf)
    return days


def _probabilities(world: World, monitors: int, rng: Generator) -> Floats:
    import numpy as np

    shape = (monitors, world.examples)
    certain = (rng.random(shape) < 0.9).astype(float)
    chance: Floats = np.where(
        rng.random(shape) < world.flaky, rng.uniform(0.3, 0.9, shape), certain
    )
    return chance


def _dropped(before: Floats, world: World, rng: Generator) -> Floats:
    """The probabilities after the drop: good examples fail, one after the other, until it is
    reached.
    """
    import numpy as np

    if not world.drop:
        return before
    order = np.argsort(np.where(before > 0.5, rng.random(before.shape), 2.0), axis=1)
    sorted_ = np.take_along_axis(before, order, axis=1)
    reached = np.cumsum(sorted_, axis=1)
    left = np.clip(reached - world.drop * world.examples, 0.0, sorted_)
    after = np.empty_like(before)
    np.put_along_axis(after, order, left, axis=1)
    return after
