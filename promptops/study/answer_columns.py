"""Columns of a table that belong to its answers, and not to the examples: what a scorer may read of
the row beside the answer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..dataset.example import RESERVED
from ..models.recorded import plain_cell
from ..scorers.case import columns_of_answer, request_of_columns

if TYPE_CHECKING:
    from ..dataset import Dataset, Example

__all__ = ["answer_columns", "as_judged", "varying"]


def answer_columns(
    table: Any, dataset: Dataset, examples: Sequence[object], known: Collection[str | None]
) -> dict[str, list[object]]:
    """{"columns": the kept columns of each row as an imported run keeps them}; {} if the table has
    no column but those that are known, or that the dataset has already.

    A column that the dataset has too is the dataset's, unless the table has several values of it
    for one example: then it is of the answers.

    Args:
        table: a DataFrame, or a list of rows.
        dataset: whose examples the answers are of.
        examples: the example's id of each row.
        known: columns that are read as something else.
    """
    framed = hasattr(table, "columns")
    named = table.columns if framed else (key for row in table for key in row)
    names = [
        name
        for name in dict.fromkeys(map(str, named))
        if name not in known and name not in RESERVED
    ]
    cells = {
        name: [_plain(value) for value in (table[name] if framed else (r.get(name) for r in table))]
        for name in names
    }
    held = {name for example in dataset for name in example.inputs}
    kept = {
        name: values
        for name, values in cells.items()
        if name not in held or varying(examples, values)
    }
    if not kept:
        return {}
    rows = [
        {name: values[row] for name, values in kept.items() if values[row] is not None}
        for row in range(len(examples))
    ]
    return {"columns": [request_of_columns(row) for row in rows]}


def _plain(value: Any) -> object:
    return value.tolist() if hasattr(value, "tolist") else plain_cell(value)


def varying(examples: Iterable[object], values: Iterable[object]) -> bool:
    """Whether some example has two values of a column."""
    first: dict[str, str] = {}
    return any(
        first.setdefault(str(example), repr(value)) != repr(value)
        for example, value in zip(examples, values, strict=True)
    )


def as_judged(dataset: Dataset, cells: Mapping[str, Sequence[Any]]) -> Iterable[Example]:
    """The examples with every column that some answer of theirs has, as scorers read them."""
    if "columns" not in cells:
        return dataset
    found: dict[str, dict[str, Any]] = {}
    for example, text in zip(cells["example"], cells["columns"], strict=True):
        found.setdefault(str(example), {}).update(columns_of_answer(text))
    return [example.beside(found.get(example.id, {})) for example in dataset]
