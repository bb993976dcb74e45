"""What the log says of the calls of a study, at the debug level of `promptops.engine`: who was
asked, how large the request was, what came of each attempt and how long it took.

A line holds no content: neither messages and values nor answers and the words of an error, and so
no key either.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from ..run import Attempt
from .question import Question

__all__ = ["attempt_ended", "attempt_sent"]

_LOG = logging.getLogger("promptops.engine")
_CONTENT = ("messages", "input", "system", "instructions", "contents", "prompt")
_LABELS = ("role", "type")


def attempt_sent(run_id: str, number: int, question: Question) -> None:
    """A request is about to leave."""
    if not _LOG.isEnabledFor(logging.DEBUG):
        return
    call = question.call
    _LOG.debug(
        "%s attempt %d sent to %s: %s %s, model %s, example %s, repeat %d, %s",
        run_id,
        number,
        question.model.label,
        question.prompt or "no prompt",
        question.version_id,
        question.model_name,
        question.example_id or "without an id",
        call.repeat,
        _size(call.request),
    )


def attempt_ended(attempt: Attempt) -> None:
    """An attempt was answered, or failed."""
    if not _LOG.isEnabledFor(logging.DEBUG):
        return
    status = "" if attempt.http_status is None else f", status {attempt.http_status}"
    tokens = (
        ""
        if attempt.tokens_in is None and attempt.tokens_out is None
        else f", {attempt.tokens_in or 0} tokens in and {attempt.tokens_out or 0} out"
    )
    _LOG.debug(
        "%s attempt %d %s after %.0f ms%s%s",
        attempt.run_id,
        attempt.number,
        f"failed ({attempt.failure})" if attempt.failure else "answered",
        attempt.latency_ms,
        status,
        tokens,
    )


def _size(request: Mapping[str, Any]) -> str:
    """How large a request is, and the names of what it sets."""
    parts = next((request[name] for name in _CONTENT if request.get(name)), ())
    messages = 1 if isinstance(parts, str) else len(parts)
    characters = sum(_characters(request.get(name)) for name in _CONTENT)
    sets = sorted(name for name in request if name not in (*_CONTENT, "model"))
    named = f", with {', '.join(sets)}" if sets else ""
    plural = "" if messages == 1 else "s"
    return f"{messages} message{plural} of {characters:,} characters{named}"


def _characters(value: object) -> int:
    """The characters of the texts in JSON."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        return sum(_characters(part) for name, part in value.items() if name not in _LABELS)
    return sum(map(_characters, value)) if isinstance(value, (list, tuple)) else 0
