"""Columns that other tools write and that would be misread here: assertions in a column named
`__expected`, a model's answer under `output`, 64-bit numbers.

Whatever is changed or left out is noted. A column that the caller names is taken as named.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from ..canonical import MAX_INTEGER
from .roles import RequestedRoles
from .rows import Row

__all__ = ["read_rightly"]

_ASSERTIONS = re.compile(r"__expected\d*")
_LOOKED_AT = 50  # rows
_LONGEST_CELL = 100_000
_MOST_DIGITS = 10**40  # a longer number is a bomb, refused where it is checked
# names without their case and marks: what a call of a model leaves beside its answer
_OF_A_GENERATION = frozenset(
    (
        *("model", "modelname", "modelid", "usage", "usagedetails", "modelparameters", "traceid"),
        *("tokens", "tokensin", "tokensout", "inputtokens", "outputtokens", "totaltokens"),
        *("prompttokens", "completiontokens", "latency", "latencyms", "latencys", "finishreason"),
        *("costusd", "totalcost"),
    )
)
_OF_A_VERDICT = frozenset(("score", "scores", "pass", "passed"))
# a column `answer` is golden beside a car's model, and not beside a language model
_MODEL = re.compile(
    r"(?i)gpt|claude|gemini|gemma|llama|mi[sx]tral|qwen|deepseek|\bo[134]\b|command-r"
)


def read_rightly(rows: Sequence[Row], asked: RequestedRoles, notes: list[str]) -> list[Row]:
    """The rows without what is not an example's, and with long numbers as text."""
    columns = list(dict.fromkeys(name for _, row in rows for name in row))
    named = _named(asked)
    dropped = {
        name
        for name in (*_assertions(columns, notes), *_said(columns, rows, notes))
        if name not in named
    }
    long = _long(rows, notes)
    notes += _offered(columns, rows)
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


def _named(asked: RequestedRoles) -> set[str]:
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


def _said(columns: Sequence[str], rows: Sequence[Row], notes: list[str]) -> list[str]:
    """`output` or `answer` beside what a call leaves, or beside a verdict: a model's answer."""
    plain = {name: re.sub(r"[\W_]+", "", name.casefold()) for name in columns}
    beside = [name for name in columns if plain[name] in _OF_A_GENERATION]
    judged = [name for name in columns if plain[name] in _OF_A_VERDICT]
    sure = [
        name
        for name in beside
        if plain[name] != "model" or any(_MODEL.search(str(row.get(name))) for _, row in rows[:100])
    ]
    found = {}
    if "output" in columns and (beside or judged) and "inputs" not in plain.values():
        found["output"] = (beside or judged)[0]
    if "answer" in columns and sure:
        found["answer"] = sure[0]
    notes += [
        f"{name!r} is beside {mark!r}: it is a model's answer, not a golden answer, and was left"
        f" out; pass expected={name!r} if it is one, or use `promptops import FILE`."
        for name, mark in found.items()
    ]
    return list(found)


def _offered(columns: Sequence[str], rows: Sequence[Row]) -> list[str]:
    """Columns of text that is JSON in every row of the beginning: it stays text, and is offered."""
    found = []
    for name in columns:
        cells = [row[name] for _, row in rows[:_LOOKED_AT] if row.get(name) not in (None, "")]
        if cells and all(isinstance(cell, str) and _is_json(cell) for cell in cells):
            found.append(
                f"the cells of {name!r} are JSON and stay text: json_equals() compares them as"
                " JSON; for values, write the rows as .jsonl."
            )
    return found


def _is_json(cell: str) -> bool:
    if cell.lstrip()[:1] not in ("{", "[") or len(cell) > _LONGEST_CELL:
        return False
    try:
        json.loads(cell)
    except (ValueError, RecursionError):
        return False
    return True


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


def _response(name: str, value: object) -> object:
    """MLflow's `expectations` as the one response that it expects."""
    if name == "expectations" and isinstance(value, Mapping) and "expected_response" in value:
        return value["expected_response"]
    return value
