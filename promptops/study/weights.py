"""How often each example is asked, of a column that somebody counted."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from ..dataset import Example
from ..errors import StudyError
from .copies import ROWS

__all__ = ["weight_column", "weights_of"]

_MOST = 1e15  # sums and squares of larger weights overflow


def weight_column(weights: str | None, columns: Iterable[str]) -> str | None:
    """The column that `weights=` names; None for None and for "rows".

    Raises:
        StudyError: there is no such column, or "rows" is a column as well.
    """
    known = sorted(columns)
    if weights is None:
        return None
    if not isinstance(weights, str):
        raise StudyError(
            f'weights is {weights!r}; expected None, "rows", or the name of a column of numbers.'
        )
    if weights == ROWS:
        if ROWS in known:
            raise StudyError(
                'weights="rows" weighs an example by its copies, and the dataset has a column'
                " 'rows' too; rename the column to weigh by it."
            )
        return None
    if weights not in known:
        raise StudyError(
            f"weights is {weights!r}; expected None (every distinct example counts once),"
            ' "rows" (the mean weighs an example by how often it is in the dataset) or a column of'
            f" numbers; the columns are {', '.join(map(repr, known[:20]))}."
        )
    return weights


def weights_of(
    examples: Iterable[Example], column: str, copies: Mapping[str, str]
) -> dict[str, float]:
    """Example id -> its weight; the weights of copies add up.

    Args:
        examples: that are compared.
        column: of numbers from 0, in which each example has one.
        copies: id of a copy -> id of the example that it repeats.

    Raises:
        StudyError: a value is not such a number, or all are 0.
    """
    found: dict[str, float] = {}
    for example in examples:
        name = copies.get(example.id, example.id)
        found[name] = found.get(name, 0.0) + _number(example, column)
    if found and not any(found.values()):
        raise StudyError(f"every weight in the column {column!r} is 0; nothing would count.")
    return found


def _number(example: Example, column: str) -> float:
    value = example.inputs.get(column)
    try:
        number = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not 0 <= number <= _MOST:
        raise StudyError(
            f"the example {example.id!r} has the weight {value!r} in the column {column!r};"
            " expected a number from 0 to 1e15, such as how often it is asked."
        )
    return number
