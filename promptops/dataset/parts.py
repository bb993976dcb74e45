"""Parts of a dataset: a split, the examples whose columns have given values, a sample.

Whatever is left out, the examples keep their ids, splits and order.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..errors import DatasetError
from .example import RESERVED, Example
from .roles import likely
from .split import SPLITS

__all__ = ["cell_of", "checked_column", "columns_of", "in_split", "matching", "sampled"]


def in_split(examples: Sequence[Example], name: str) -> Iterator[Example]:
    """The examples of one split. Raises DatasetError for a name that is not one of a split."""
    if name not in SPLITS:
        raise DatasetError(f"there is no split {name!r}; the splits are {', '.join(SPLITS)}.")
    return (example for example in examples if example.split == name)


def matching(examples: Sequence[Example], columns: Mapping[str, object]) -> Iterator[Example]:
    """The examples whose columns have the wanted values; see `Dataset.where`."""
    return (
        example
        for example in examples
        if all(_matches(cell_of(example, name), wanted) for name, wanted in columns.items())
    )


def sampled(examples: Sequence[Example], n: int, seed: int, of: str) -> Iterator[Example]:
    """`n` examples drawn without replacement, in their order; the same for the same seed whatever
    the order of the rows. of: the dataset's name, for the error.

    Raises DatasetError if there are not so many.
    """
    if not 0 <= n <= len(examples):
        raise DatasetError(f"{n:,} examples were asked for, and {of!r} has {len(examples):,}.")
    drawn = set(random.Random(seed).sample(sorted(example.id for example in examples), n))
    return (example for example in examples if example.id in drawn)


def columns_of(examples: Sequence[Example]) -> tuple[str, ...]:
    """id, the inputs in order of first use, then the reserved columns that any example has."""
    inputs = dict.fromkeys(name for example in examples for name in example.inputs)
    rest = [
        name
        for name in RESERVED[1:]
        if any(getattr(example, name) not in (None, ()) for example in examples)
    ]
    return ("id", *inputs, *rest)


def checked_column(column: str, columns: Sequence[str], of: str) -> str:
    """The column's name. Raises DatasetError, naming what is near, if the data lack it."""
    if column in RESERVED or column in columns:
        return column
    near = likely(column, columns)
    hint = (
        f"did you mean {near!r}?"
        if near
        else f"its columns are {', '.join(map(repr, columns[:12]))}."
    )
    raise DatasetError(f"{of!r} has no column {column!r}; {hint}")


def cell_of(example: Example, name: str) -> Any:
    """An example's own field, or the value of one of its columns."""
    return getattr(example, name) if name in RESERVED else example.inputs.get(name)


def _matches(value: object, wanted: object) -> bool:
    if callable(wanted):
        return bool(wanted(value))
    wanted_any = wanted if isinstance(wanted, (list, tuple, set, frozenset)) else (wanted,)
    if isinstance(value, tuple):
        return value == wanted or any(tag in value for tag in wanted_any)
    return bool(value == wanted) or any(value == one for one in wanted_any)
