"""Columns that other tools write and that would be misread here: assertions in a column named
`__expected`, a model's answer under `output`, 64-bit numbers.

Whatever is changed or left out is noted. A column that the caller names is taken as named.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..canonical import MAX_INTEGER
from .roles import Asked
from .rows import Row

__all__ = ["read_rightly"]

_ASSERTIONS = re.compile(r"__expected\d*")
_MOST_DIGITS = 10**40  # a longer number is a bomb, and is refused where it is checked
_OF_A_GENERATION = frozenset(
    ("model", "usage", "usagedetails", "modelparameters", "tokens", "latency", "traceid")
)


def read_rightly(rows: Sequence[Row], asked: Asked, notes: list[str]) -> list[Row]:
    """The rows without what is not an example's, and with long numbers as text."""
    columns = list(dict.fromkeys(name for _, row in rows for name in row))
    named = _named(asked)
    dropped = {
        name for name in (*_assertions(columns, notes), *_said(columns, notes)) if name not in named
    }
    long = _long(rows, notes)
    expectations = [
        name
        for name in ("expectations",)
        if any(isinstance(row.get(name), Mapping) for _, row in rows)
    ]
    if not (dropped or long or expectations):
        return list(rows)
    return [
        (
            place,
            {
                name: str(value) if name in long and type(value) is int else _response(name, value)
                for name, value in row.items()
                if name not in dropped
            },
        )
        for place, row in rows
    ]


def _named(asked: Asked) -> set[str]:
    found = {asked.expected, asked.id, asked.cluster, asked.split}
    for listed in (asked.tags, asked.inputs):
        if isinstance(listed, Mapping):
            found.update(listed.values())
        elif isinstance(listed, (list, tuple)):
            found.update(listed)
        else:
            found.add(listed)  # type: ignore[arg-type]
    return {str(name) for name in found if name}


def _assertions(columns: Sequence[str], notes: list[str]) -> list[str]:
    """promptfoo's own columns, where a test table has its `__expected`."""
    if not any(_ASSERTIONS.fullmatch(name) for name in columns):
        return []
    found = [name for name in columns if name.startswith("__")]
    notes.append(
        f"{', '.join(map(repr, found))} hold assertions of promptfoo, not golden answers, and were"
        " left out; `promptops import FILE` brings them over as each row's checks."
    )
    return found


def _said(columns: Sequence[str], notes: list[str]) -> list[str]:
    """`output` beside `model` or `usage`: a model's answer."""
    keys = {re.sub(r"[\W_]+", "", name.casefold()) for name in columns}
    beside = sorted(keys & _OF_A_GENERATION)
    if "output" not in columns or not beside or "inputs" in keys:
        return []
    notes.append(
        f"'output' is beside {beside[0]!r}: it is a model's answer, not a golden answer, and"
        " was left out; say expected='output' if it is one, or use `promptops import FILE`."
    )
    return ["output"]


def _long(rows: Sequence[Row], notes: list[str]) -> set[str]:
    """Columns with an integer that JSON readers do not keep."""
    found = {
        name: value
        for _, row in rows
        for name, value in row.items()
        if type(value) is int and MAX_INTEGER < abs(value) < _MOST_DIGITS
    }
    notes += [
        f"the whole numbers in column {name!r} were read as text, such as {str(value)!r}: some are"
        " beyond 2^53 - 1, which JSON readers do not keep."
        for name, value in found.items()
    ]
    return set(found)


def _response(name: str, value: Any) -> Any:
    """MLflow's `expectations` as the one response that it expects."""
    if name == "expectations" and isinstance(value, Mapping) and "expected_response" in value:
        return value["expected_response"]
    return value
