"""What a row of an export must look like before it is taken in: an export is a file, and a file is
anybody's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from .schema import TABLES

__all__ = ["odd"]

_DEEPEST = 200  # levels of a JSON column; the deepest that is written here has some ten
_FIRST = datetime(1970, 1, 1)
_COUNTS = ("repeat", "attempts", "number", "n_examples", "position", "http_status", "version")


def odd(table: str, row: Mapping[str, Any]) -> str | None:
    """Why the row cannot be one that a store wrote; None if it can."""
    for column in TABLES[table].columns:
        value = row.get(column.name)
        if value is None:
            continue
        if column.kind == "json" and not _is_json(value):
            return f"{column.name} is not JSON"
        if column.kind == "time" and not _is_time(value):
            return f"{column.name} is not a time between 1970 and today"
        counted = column.name in _COUNTS or column.name.startswith("tokens")
        if column.kind == "int" and counted and value < 0:
            return f"{column.name} is {value}, below zero"
    value = row.get("value") if table == "scores" else None
    if value is not None and not 0 <= value <= 1:
        return f"value is {value:g}, outside 0 to 1"
    return None


def _is_json(text: str) -> bool:
    if _depth(text) > _DEEPEST:
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _depth(text: str) -> int:
    """At least how deep it nests; brackets in texts count as well where there are very many."""
    deepest = depth = 0
    quoted = escaped = False
    for mark in text if text.count("[") + text.count("{") > _DEEPEST else "":
        if quoted:
            quoted, escaped = escaped or mark != '"', mark == "\\" and not escaped
        elif mark == '"':
            quoted = True
        elif mark in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif mark in "]}":
            depth -= 1
    return deepest


def _is_time(value: object) -> bool:
    if not isinstance(value, datetime):
        return False
    # UTC, as every time here; a row from the future would remain the newest
    return _FIRST < value < datetime.now(UTC).replace(tzinfo=None) + timedelta(days=2)
