"""Which models a judgement rests on: the name and fingerprint of every reply that came back for it,
so that a judge or an embedder that was swapped behind its address does not go unnoticed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..canonical import canonical

if TYPE_CHECKING:
    from ..run import Run
    from ..version import PromptVersion
    from .case import Ask

__all__ = ["JudgedBy"]


class JudgedBy:
    """Notes who replied while one scorer judges one case. since: replies from before this moment
    are not used again, "" if all are.
    """

    __slots__ = ("_came", "since")

    def __init__(self, since: str = "") -> None:
        self._came: dict[tuple[str, str | None], None] = {}
        self.since = since

    def note(self, model: str | None, fingerprint: str | None = None) -> None:
        """A reply of this model; nothing if it did not say its name."""
        if model is not None:
            self._came[model, fingerprint] = None

    def asking(self, ask: Ask) -> Ask:
        """The same `ask`, whose replies are noted here."""

        async def noted(version: PromptVersion, values: Mapping[str, Any], repeat: int) -> Run:
            run = await ask(version, values, repeat)
            self.note(run.model_returned, run.system_fingerprint)
            return run

        return noted

    @property
    def text(self) -> str | None:
        """As in the column `scores.judged_by`: a JSON list of [model, fingerprint or null] in a
        fixed order; None if nobody was asked.
        """
        came = sorted(self._came, key=lambda pair: (pair[0], pair[1] or ""))
        return canonical([list(pair) for pair in came]) if came else None
