"""lm-evaluation-harness: `samples_*.jsonl`, one line per document and filter.

The lines of one document with different filters are one run with one score for each metric and
filter.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..canonical import canonical
from ..dataset.example import Example
from .imported import Imported, ImportedRun
from .scored import FileImport

__all__ = ["is_samples", "read_samples"]

_STAMP = re.compile(r"_\d{4}-\d\d-\d\dT[\d.:-]+$")


def is_samples(row: Mapping[str, object]) -> bool:
    """Whether a line is one of lm-eval's."""
    return {"doc_id", "doc", "target", "resps"} <= set(row)


def read_samples(rows: Sequence[tuple[int, Mapping[str, Any]]], path: Path) -> Imported:
    """One run per document; its scores are named "metric", or "metric/filter" beside others."""
    gathered = FileImport(path.name)
    label = _STAMP.sub("", path.stem).removeprefix("samples_")
    filters = {str(row.get("filter", "none")) for _, row in rows}
    examples: dict[str, Example] = {}
    outputs: dict[str, str | None] = {}
    scores: dict[str, dict[str, float | None]] = {}
    repeated: list[int] = []  # the lines of documents with several answers
    for number, row in rows:
        name = str(row["doc_id"])
        if name not in examples:
            examples[name] = _example(name, row)
            outputs[name] = _output(row)
            if len(_answers(row)) > 1:
                repeated.append(number)
        for metric in row.get("metrics") or []:
            suffix = f"/{row.get('filter')}" if len(filters) > 1 else ""
            key = f"{metric}{suffix}"
            value = row.get(str(metric))
            scores.setdefault(name, {})[key] = gathered.score(str(metric), value)
    if repeated:
        gathered.leave(
            f"answers after the first (documents: {len(repeated):,})",
            "a loglikelihood or repeated task keeps one score for all of them",
            line=repeated[0],
        )
    runs = tuple(
        ImportedRun(
            name,
            label,
            outputs[name],
            scores.get(name, {}),
            failure=None if (outputs[name] or "").strip() else "empty_output",
        )
        for name in examples
    )
    return Imported(
        "lm-eval samples",
        label,
        (),
        tuple(examples.values()),
        runs,
        tuple(gathered.left),
        unscaled=frozenset(
            name
            for metric in gathered.outside
            for name in (metric, *(f"{metric}/{each}" for each in filters))
        ),
    )


def _example(name: str, row: Mapping[str, object]) -> Example:
    """What was asked: the rendered prompt, which two runs of one task share."""
    arguments = row.get("arguments")
    first: Any = arguments
    if isinstance(arguments, Mapping):
        first = next(iter(arguments.values()), {})
        prompt = first.get("arg_0") if isinstance(first, Mapping) else None
    else:
        while isinstance(first, list) and first:
            first = first[0]
        prompt = first
    doc = row["doc"] if isinstance(row["doc"], Mapping) else {"doc": row["doc"]}
    inputs = {"prompt": prompt} if isinstance(prompt, str) else dict(doc)
    return Example(name, inputs or {"doc_id": name}, expected=row["target"])


def _answers(row: Mapping[str, object]) -> list[object]:
    found = row.get("resps")
    return found if isinstance(found, list) else [found]


def _output(row: Mapping[str, object]) -> str | None:
    found: Any = row.get("resps")
    while isinstance(found, list) and found:
        found = found[0]
    if found is None or isinstance(found, str):
        return found
    return canonical(found)
