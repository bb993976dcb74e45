"""Which proposals of searches show an example that is purged: a proposer is shown what rows ask and
how they are answered, and its calls name no row.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection as Connection

__all__ = ["proposals_with"]

_BEGINNING = 200  # characters: a proposer is shown the beginnings of long texts
_TELLING = 12  # characters: shorter ones (a label, a number) tell an example only together


def proposals_with(con: Connection, examples: Collection[str]) -> list[str]:
    """Ids of the runs that asked a proposer, and show one of these examples."""
    if not examples:
        return []
    asked = con.execute("SELECT id, request FROM runs WHERE role = 'propose'").fetchall()
    if not asked:
        return []
    rows = con.execute(
        "SELECT DISTINCT document FROM examples WHERE example_id IN (SELECT unnest(?))",
        [sorted(examples)],
    ).fetchall()
    shown = [pieces for (text,) in rows if (pieces := _pieces(text))]
    found = []
    for run, request in asked:
        text = " ".join(" ".join(_texts(_parsed(request))).split())
        if any(_is_in(text, pieces) for pieces in shown):
            found.append(str(run))
    return found


def _pieces(document: str) -> list[str]:
    """How an example's inputs begin, each on one line."""
    read = _parsed(document)
    inputs = read.get("inputs") if isinstance(read, dict) else None
    texts = [" ".join(" ".join(_texts(value)).split()) for value in (inputs or {}).values()]
    return [text[:_BEGINNING] for text in texts if text]


def _is_in(text: str, pieces: list[str]) -> bool:
    return any(len(piece) >= _TELLING and piece in text for piece in pieces) or all(
        re.search(rf"(?<!\w){re.escape(piece)}(?!\w)", text) for piece in pieces
    )


def _texts(value: Any) -> Iterator[str]:
    """The texts and numbers of a JSON value."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif value is not None:
        yield str(value)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, TypeError, RecursionError):
        return str(text)
