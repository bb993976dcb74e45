"""Parts of a dataset: a split, the examples whose columns have given values, a sample.

Whatever is left out, the examples keep their ids, splits and order.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..canonical import tagged
from ..errors import DatasetError
from .example import RESERVED, Example
from .roles import likely
from .split import SPLITS, key_of, split_of

__all__ = [
    "cell_of",
    "changed",
    "check_examples",
    "checked_column",
    "columns_of",
    "fingerprint_of",
    "in_split",
    "matching",
    "position_of",
    "sampled",
    "unsplit",
]

_MOST_NAMED = 10_000  # ids that are searched for a near one


def check_examples(examples: object) -> None:
    """Raises DatasetError for anything but a tuple of examples; only the first one is looked at."""
    first = examples[0] if isinstance(examples, tuple) and examples else None
    if not isinstance(examples, tuple) or not (first is None or isinstance(first, Example)):
        raise DatasetError(
            f"Dataset(...) takes a tuple of Example objects, not a {type(examples).__name__}"
            f"{f' of {type(first).__name__}' if first is not None else ''}; rows, tables and"
            " files are read by Dataset.read(...)."
        )


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


def cell_of(example: Example, name: str) -> object:
    """An example's own field, or the value of one of its columns."""
    return getattr(example, name) if name in RESERVED else example.inputs.get(name)


def position_of(id: str, index: Mapping[str, int], of: str) -> int:
    """The place of an example. Raises DatasetError, naming a near id, if no example has it.

    index: id -> place; of: the dataset's name.
    """
    if id in index:
        return index[id]
    near = likely(id, list(index)) if len(index) <= _MOST_NAMED else None
    hint = f"; did you mean {near!r}?" if near else f" among its {len(index):,}."
    raise DatasetError(f"{of!r} has no example {id!r}{hint}")


def changed(example: Example, changes: Mapping[str, Any]) -> Example:
    """The example with other fields. Raises DatasetError for a field that examples do not have."""
    try:
        return replace(example, **changes)
    except TypeError:
        raise DatasetError(
            f"an example has no field {next(iter(changes))!r}; its fields are"
            f" {', '.join(('inputs', *RESERVED))}."
        ) from None


def fingerprint_of(examples: Sequence[Example]) -> str:
    """`d1-` and 32 hex digits over ids, content and clusters, whatever the order of the rows."""
    return tagged(
        "d1",
        sorted((example.id, example.fingerprint, example.cluster or "") for example in examples),
    )


def _matches(value: object, wanted: object) -> bool:
    if callable(wanted):
        return bool(wanted(value))
    wanted_any = wanted if isinstance(wanted, (list, tuple, set, frozenset)) else (wanted,)
    if isinstance(value, tuple):
        return value == wanted or any(tag in value for tag in wanted_any)
    return bool(value == wanted) or any(value == one for one in wanted_any)


def unsplit(example: Example) -> dict[str, object]:
    """The document of an example; a split that its hash gave is left out, so that another cluster
    gives another.
    """
    document = example.document()
    if example.split == split_of(key_of(example.id, example.cluster)):
        del document["split"]
    return document
