"""Parts of a dataset: a split, the examples that a condition keeps, a sample.

Whatever is left out, the examples keep their ids, splits and order.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Self

from ..errors import DatasetError
from .example import RESERVED
from .split import SPLITS

if TYPE_CHECKING:
    from .example import Example

__all__ = ["Parts", "cell_of"]


class Parts:
    """What has examples and can be cut down to some of them."""

    __slots__ = ()
    examples: tuple[Example, ...]
    name: str

    def split(self, name: str) -> Self:
        """The examples of "train", "val" or "test": a quarter, a quarter and half of all, by a hash
        that never moves one.
        """
        if name not in SPLITS:
            raise DatasetError(f"there is no split {name!r}; the splits are {', '.join(SPLITS)}.")
        return self._with(example for example in self.examples if example.split == name)

    @property
    def train(self) -> Self:
        return self.split("train")

    @property
    def val(self) -> Self:
        return self.split("val")

    @property
    def test(self) -> Self:
        return self.split("test")

    def filter(self, keep: Callable[[Example], object]) -> Self:
        """The examples for which `keep(example)` is true."""
        return self._with(example for example in self.examples if keep(example))

    def where(self, **columns: Any) -> Self:
        """The examples whose columns have the given values: `where(product="billing",
        tags=["angry", "legal"])`.

        A list, tuple or set means any of its values, and a function is called with the value; a tag
        matches any of an example's tags. Raises DatasetError for a column that no example has.
        """
        for name in columns:
            self._must_have(name)
        return self.filter(
            lambda example: all(
                _matches(cell_of(example, name), wanted) for name, wanted in columns.items()
            )
        )

    def sample(self, n: int, *, seed: int = 0) -> Self:
        """`n` examples drawn without replacement, in the dataset's order; the same for the same
        seed whatever the order of the rows.
        """
        if not 0 <= n <= len(self.examples):
            raise DatasetError(
                f"{n:,} examples were asked for, and {self.name!r} has {len(self.examples):,}."
            )
        drawn = set(random.Random(seed).sample(sorted(example.id for example in self.examples), n))
        return self.filter(lambda example: example.id in drawn)

    def _with(self, examples: Iterable[Example]) -> Self:
        raise NotImplementedError

    def _must_have(self, column: str) -> None:
        raise NotImplementedError


def cell_of(example: Example, name: str) -> Any:
    """An example's own field, or the value of one of its columns."""
    return getattr(example, name) if name in RESERVED else example.inputs.get(name)


def _matches(value: Any, wanted: Any) -> bool:
    if callable(wanted):
        return bool(wanted(value))
    wanted_any = wanted if isinstance(wanted, (list, tuple, set, frozenset)) else (wanted,)
    if isinstance(value, tuple):
        return value == wanted or any(tag in value for tag in wanted_any)
    return bool(value == wanted) or any(value == one for one in wanted_any)
