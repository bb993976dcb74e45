"""Numbers as other tools write them, as ours: unknown stays unknown, and is never 0."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

__all__ = ["number", "utc_text", "whole"]


def number(value: Any, *, unit: bool = True) -> float | None:
    """A number, also from text or true and false; None for anything else.

    unit: only from 0 to 1, as a score is; anything outside is None, since its scale is unknown.
    """
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, str):
        word = value.strip().lower()
        if word in ("true", "false"):
            return float(word == "true")
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    if not math.isfinite(found) or (unit and not 0 <= found <= 1) or found < 0:
        return None
    return found


def whole(value: object) -> int | None:
    """A count, or None."""
    found = number(value, unit=False)
    return None if found is None else int(found)


def utc_text(value: object) -> str:
    """A time (ISO 8601, or seconds or milliseconds since 1970) as UTC text; "" if unknown."""
    try:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            seconds = value / 1000 if value > 1e11 else value
            moment = datetime.fromtimestamp(seconds, UTC)
        else:
            moment = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    except (ValueError, OverflowError, OSError):
        return ""
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC)
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds")
