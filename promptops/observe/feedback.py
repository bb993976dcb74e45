"""Feedback on an answer, given later: `promptops.feedback(answer.id, good=False)`."""

from __future__ import annotations

import time
from contextlib import suppress
from math import isfinite
from typing import Any

from ..run import new_id
from .live_call import capped
from .open_queues import queue_for

__all__ = ["feedback"]


def feedback(
    run: str,
    *,
    good: bool | None = None,
    score: float | None = None,
    label: str | None = None,
    correction: str | None = None,
    note: str | None = None,
    by: str | None = None,
    sink: str | None = None,
) -> bool:
    """Record feedback on a live answer, without waiting and without raising for bad arguments.

    Args:
        run: the answer's id: the provider's (`answer.id`) or the call's own (`call.id`).
        good: thumbs up or down.
        score: a number, on the application's own scale.
        label: a category.
        correction: the right answer, which becomes the golden answer of the example. The
            correction, the label and the note are always recorded; keys and secrets in them are
            redacted.
        note: a free text.
        by: the person who gave it; only a keyed hash is written.
        sink: the sink, as in `observe`; None: the sink of this process, else PROMPTOPS_RECORD.

    Returns:
        Whether it was accepted; False if there is no sink, or no feedback was given.
    """
    text: list[tuple[str, float | None, str | None]] = []
    if good is not None:
        text.append(("good", 1.0 if good else 0.0, None))
    number = _number(score)
    if number is not None:
        text.append(("score", number, None))
    label, correction, note, by = map(_text, (label, correction, note, by))
    if label is not None:
        text.append(("label", None, label))
    if not text and (correction is not None or note is not None):
        text.append(("correction" if correction is not None else "note", None, None))
    queue = queue_for(sink)
    if queue is None or not text or not isinstance(run, str):
        return False
    taken = True
    for place, (kind, value, category) in enumerate(text):
        row: dict[str, Any] = {
            "id": new_id("f"),
            "run": run,
            "kind": kind,
            "value": value,
            "label": category,
            "by": by,
            "at": time.time(),
        }
        if place == 0:  # once, beside the first
            row["correction"], row["note"] = correction, note
        taken = queue.put("feedback", row) and taken
    return taken


def _number(score: object) -> float | None:
    """A finite number, else None: no file can hold another, and it rates nothing."""
    with suppress(OverflowError):
        if isinstance(score, (int, float)) and isfinite(score):
            return float(score)
    return None


def _text(given: object) -> str | None:
    """The text of the value; None if it cannot be shown as text."""
    with suppress(Exception):
        return None if given is None else str(capped(str(given)))
    return None
