"""Live rows as examples: a failure in production becomes a test, once per content, with the
correction that somebody gave as its golden answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..canonical import tagged
from ..dataset import Dataset
from ..dataset.example import RESERVED, Example
from ..errors import DatasetError, PromptOpsError
from ..store import Store
from .queries.live_judged import feedback_not_labelled

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["NO_CONTENT", "example_of", "labels_of_feedback", "rows_of", "to_dataset"]

NO_CONTENT = "the application keeps no content: observe(client, content=...) keeps a share of it"


def example_of(row: Mapping[str, Any]) -> Example | None:
    """The example of a live row; None if its values were not kept.

    Its id is of its inputs' content; cluster: its session; expected: the correction, where one was
    given.
    """
    try:
        values = json.loads(row.get("values") or "null")
    except ValueError:
        return None
    if not isinstance(values, dict):
        return None
    history = values.pop("history", None) or ()
    inputs = {name: value for name, value in values.items() if name not in RESERVED}
    try:
        name = tagged("e1", [inputs, list(history)])
    except PromptOpsError:
        return None
    seen = "reviewed" if row.get("reviewed") else None
    tags = ["live", *filter(None, [seen, row.get("failure"), row.get("label")])]
    return Example(
        name,
        inputs,
        row.get("correction"),
        cluster=row.get("session"),
        tags=tuple(tags),
        history=tuple(history),
    )


def to_dataset(rows: Sequence[Mapping[str, object]], path: Path) -> tuple[Dataset, int, int]:
    """Add the rows to a .jsonl file of examples, which is created if it is missing.

    Returns the dataset, how many examples are new, and how many rows had no content. A row whose
    inputs the file has already adds nothing but the correction that it lacks; what the
    file has is never changed otherwise. Raises DatasetError if no row has content.
    """
    if path.suffix != ".jsonl":
        raise DatasetError(f"{path.name} cannot be appended to; give a path that ends in .jsonl.")
    there = list(Dataset.read(path)) if path.exists() else []
    known = {example.id: example for example in there}
    order = [example.id for example in there]
    new = bare = 0
    for row in rows:
        example = example_of(row)
        if example is None:
            bare += 1
            continue
        before = known.get(example.id)
        if before is None:
            order.append(example.id)
            new += 1
        elif before.expected is not None or example.expected is None:
            continue
        known[example.id] = example
    if not order:
        raise DatasetError(
            f"none of {len(rows):,} live rows has the values that it was called with: {NO_CONTENT}."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    Dataset.of([known[name] for name in order], name=path.stem).write(path)
    return Dataset.read(path), new, bare


def rows_of(found: DataFrame) -> list[dict[str, Any]]:
    """The rows as dicts, unknown as None."""
    import pandas as pd

    return [
        {str(name): None if _missing(pd, value) else value for name, value in row.items()}
        for row in found.to_dict("records")
    ]


def _missing(pandas: Any, value: Any) -> bool:
    return bool(not isinstance(value, (Sequence, Mapping)) and pandas.isna(value))


def labels_of_feedback(store: Store, runs: Sequence[str]) -> int:
    """Votes and scores on these live rows as labels of people, each once.

    A vote is "pass" (1 good, 0 bad); a score counts if it is from 0 to 1. Returns how many are
    new.
    """
    rows = [
        {
            "id": f"b-{word}",
            "run_id": run,
            "rater": by,
            "kind": "pass" if kind == "good" else "score",
            "value": value,
            "note": note,
            "labelled_at": at.isoformat(),
        }
        for word, run, kind, value, note, by, at in feedback_not_labelled(store, runs)
    ]
    if rows:
        store.append("labels", rows)
    return len(rows)
