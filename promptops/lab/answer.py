"""What one ad-hoc call came to: the text first, its cost and time beside it."""

from __future__ import annotations

import json
from typing import Any

from ..markup import plain_repr
from ..run import Run
from . import show

__all__ = ["Answer"]


class Answer:
    """The answer to one call. text: the model's answer ("" if it gave none); run: the full record;
    reused: whether a recorded answer was reused, at no cost.
    """

    def __init__(self, run: Run, *, label: str = "", reused: bool = False) -> None:
        self.run, self.label, self.reused = run, label, reused

    @property
    def text(self) -> str:
        return self.run.output or ""

    @property
    def cost_usd(self) -> float | None:
        return self.run.cost_usd

    @property
    def latency_ms(self) -> float | None:
        return self.run.latency_ms

    def json(self) -> Any:
        """The answer parsed as JSON. Raises ValueError if it is not JSON."""
        return json.loads(self.text)

    def facts(self) -> str:
        """The model, the time and the cost, in one line."""
        from ..analysis import words

        run = self.run
        who = (
            "embedded model, not an LLM"
            if run.endpoint == "embedded"
            else f"{run.model_returned or run.model or 'no model'} at {run.endpoint}"
        )
        parts = [who]
        if run.latency_ms is not None:
            parts.append(words.duration(run.latency_ms / 1000))
        parts.append(f"cost {words.money(run.cost_usd)}")
        if run.tokens_in is not None:
            parts.append(f"{run.tokens_in:,} + {run.tokens_out or 0:,} tokens")
        if run.failure:
            parts.append(f"failed: {run.failure}")
        if self.reused:
            parts.append("asked before, nothing was paid now")
        return " · ".join(parts)

    def __str__(self) -> str:
        return self.text

    @plain_repr
    def __repr__(self) -> str:
        return f"{self.text}\n[{self.label} · {self.facts()}]"

    def _repr_html_(self) -> str:
        return show.html(self)
