"""Demonstrations: random sets of train rows with right answers, raced on val.

Cheap, and strong where the form of the answer is the matter; where knowledge is, see
`instructions`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Literal

from ..dataset import Example
from ..errors import StudyError
from .halving import race
from .task import Task
from .texts import with_demonstrations

__all__ = ["FewShot"]

_SHARE = 4  # own answers may take this part of the budget at most: 1 in 4


@dataclass(frozen=True, slots=True)
class FewShot:
    """The method "few_shot", or with your own settings: `method=FewShot(k=24)`.

    k: demonstrations per candidate; candidates: the number of sets drawn; source: "golden" shows
    the golden answers, "own" the seed's answers that the primary found correct. If train has no
    golden answers, the seed's are used.
    """

    k: int = 6
    candidates: int = 16
    source: Literal["golden", "own"] = "golden"

    def __post_init__(self) -> None:
        for name in ("k", "candidates"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise StudyError(f"{name} is {value!r}; give a whole number, at least 1.")
        if self.source not in ("golden", "own"):
            raise StudyError(f'source is {self.source!r}; choose "golden" or "own".')

    @property
    def name(self) -> str:
        return "few_shot"

    def document(self) -> Mapping[str, object]:
        """The settings that determine the search."""
        return {"k": self.k, "candidates": self.candidates, "source": self.source}

    async def run(self, task: Task, rng: Random) -> None:
        """Draw sets, and race them."""
        pairs = await self._pairs(task, rng)
        drawn = []
        for _ in range(self.candidates if pairs else 0):
            chosen = rng.sample(pairs, min(self.k, len(pairs)))
            version = with_demonstrations(task.seed, chosen)
            if version is not None and task.offer(
                version, how=f"{len(chosen)} demonstrations", demonstrations=True
            ):
                drawn.append(version)
        await race(task, drawn, rng)

    async def _pairs(self, task: Task, rng: Random) -> list[tuple[Example, str]]:
        """Train rows with the answers to show."""
        golden = [(each, text) for each in task.train if (text := task.golden_text(each))]
        if golden and self.source == "golden":
            return golden
        rows = list(task.train)
        rng.shuffle(rows)
        most = len(rows) if task.left is None else max(1, task.left // _SHARE)
        found = await task.ask([task.seed], rows[: min(most, len(rows))])
        return [(r.example, r.output) for r in found[task.seed.id] if r.score == 1.0]
