"""What is asked, within which limits, and from where: the values that a sweep is started with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..canonical import Written
from ..errors import SetupError
from ..models.failures import DEADLINE_S
from ..models.protocol import Call, Model

__all__ = ["CallAllowance", "Limits", "Provenance", "Question"]


@dataclass(frozen=True, slots=True)
class Question:
    """A call with what its run is filed under. key: `run.reuse_key` of it; unrendered: why there is
    nothing to send, "" if there is; messages: those of its request as canonical text, where that
    was made for the key.
    """

    call: Call
    model: Model
    key: str
    prompt: str
    version_id: str
    model_name: str
    example_id: str | None = None
    example_fingerprint: str | None = None
    role: str = "model"
    unrendered: str = ""
    messages: Written | None = None


@dataclass(slots=True)
class CallAllowance:
    """How many attempts several sweeps may send together; a retry is one too. more: asked for a
    higher number where that is used up; False if there is none. Used on one event loop.
    """

    most: int
    more: Callable[[int], bool]
    sent: int = 0

    def take(self) -> bool:
        """Whether one more attempt may be sent, which is then counted."""
        if self.sent >= self.most:
            if not self.more(self.most + 1):
                return False
            self.most += 1
        self.sent += 1
        return True


@dataclass(frozen=True, slots=True)
class Limits:
    """What a sweep may use. None: no limit, and for concurrency: found out as it goes (see pace).

    timeout_s: of one attempt; deadline_s: of one call with its retries and waits; prices: see
        `prices.price_of`; earlier_usd, earlier_tokens: of the same budget, spent before this sweep:
        what says why a sweep ended names the whole budget; calls: see `CallAllowance`;
        max_attempts: those that were not refused with 429, which costs nothing; max_refusals: how
        often that may come. A large question waits longer than others where tokens are limited.
    """

    concurrency: int | None = None
    budget_usd: float | None = None
    budget_tokens: int | None = None
    deadline_s: float | None = DEADLINE_S
    timeout_s: float = 120.0
    max_attempts: int = 8
    max_refusals: int = 32
    prices: Mapping[str, object] | None = None
    earlier_usd: float = 0.0
    earlier_tokens: int = 0
    calls: CallAllowance | None = None

    def __post_init__(self) -> None:
        for name in ("concurrency", "max_attempts", "max_refusals", "timeout_s", "deadline_s"):
            value = getattr(self, name)
            if value is not None and not (_is_number(value) and value > 0):
                raise SetupError(f"{name} is {value!r}; give a number above 0.")
        for name in ("budget_usd", "budget_tokens"):
            value = getattr(self, name)
            if value is not None and not (_is_number(value) and value >= 0):
                raise SetupError(f"{name} is {value!r}; give 0 or more, or None for no budget.")

    @property
    def budgeted(self) -> bool:
        """Whether money or tokens are limited."""
        return self.budget_usd is not None or self.budget_tokens is not None


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a run was asked from: the hash of the notebook cell's source, the git commit and
    whether it was dirty.
    """

    cell_hash: str | None = None
    git_commit: str | None = None
    git_dirty: bool | None = None
