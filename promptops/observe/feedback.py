"""Feedback on an answer, given later: `promptops.feedback(answer.id, good=False)`."""

from __future__ import annotations

import time
from typing import Any

from ..run import new_id
from .open_queues import queue_for

__all__ = ["feedback"]

CAP = 32_000


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
    """Record feedback on a live answer; never waits, never raises for what it is given.

    Args:
        run: the answer's id: the provider's (`answer.id`) or the call's own (`call.id`).
        good: thumbs up or down.
        score: a number, as the application rates it.
        label: a category.
        correction: what the answer should have been, which becomes the golden answer of the
            example. Like the label and the note it is recorded because it is given here; keys and
            secrets are redacted.
        note: anything else.
        by: who gave it; only a keyed hash is written.
        sink: where to, as in `observe`; None: where this process observes, else PROMPTOPS_RECORD.

    Returns:
        Whether it was taken: False if nothing was named to write to, or no feedback was given.
    """
    text: list[tuple[str, float | None, str | None]] = []
    if good is not None:
        text.append(("good", 1.0 if good else 0.0, None))
    if isinstance(score, (int, float)):
        text.append(("score", float(score), None))
    if label is not None:
        text.append(("label", None, str(label)[:CAP]))
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
            row["correction"] = None if correction is None else str(correction)[:CAP]
            row["note"] = None if note is None else str(note)[:CAP]
        taken = queue.put("feedback", row) and taken
    return taken
