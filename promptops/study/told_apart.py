"""A dataset as a study takes it: the ids, clusters and tags that look like keys as the store will
record them. What it holds in memory and what it reads back are then the same examples.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..dataset import Dataset

if TYPE_CHECKING:
    from ..store import Store

__all__ = ["told_apart"]


def told_apart(dataset: Dataset, store: Store) -> Dataset:
    """The dataset itself where nothing in it looks like a key."""
    names = [name for one in dataset for name in (one.id, one.cluster or "", *one.tags)]
    found = store.identifiers(names)
    if found == names:
        return dataset
    known = dict(zip(names, found, strict=True))
    examples = [
        replace(
            one,
            id=known[one.id],
            cluster=one.cluster and known[one.cluster],
            tags=tuple(known[tag] for tag in one.tags),
        )
        for one in dataset
    ]
    origin = dataset.origin and replace(
        dataset.origin, lines={known.get(id, id): line for id, line in dataset.origin.lines.items()}
    )
    return Dataset(tuple(examples), dataset.name, dataset.notes, dataset.roles, origin)
