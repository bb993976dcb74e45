"""Who answers: the one small protocol that endpoints, recordings, scripts, targets and the embedded
model share.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from numbers import Real
from operator import attrgetter
from typing import Any, Protocol, runtime_checkable

from ..version import PromptVersion

__all__ = [
    "Call",
    "HasNotes",
    "Model",
    "Prepares",
    "Reply",
    "SpeaksForms",
    "known_amount",
    "known_count",
]

_MOST = 1e15  # a larger number is not a figure of a call
_COUNTS = ("tokens_in", "tokens_out", "tokens_cached", "tokens_cache_write", "tokens_reasoning")
_AMOUNTS = ("cost_usd", "first_token_ms")
_read_counts = attrgetter(*_COUNTS)


@dataclass(frozen=True, slots=True)
class Call:
    """One question. `request`: what is sent, in the version's own form; `chat`: the same as
    arguments of a chat completion, for code that reads it rather than sends it.

    values: what was rendered; example_id and repeat let a recording find its answer. A model that
    answers by itself looks at `request` (and `repeat`, where it adds chance) only. on_token: called
    with each piece of a streamed text.
    """

    request: Mapping[str, Any]
    version: PromptVersion | None = None
    prompt: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    example_id: str | None = None
    repeat: int = 0
    timeout_s: float | None = None
    on_token: Callable[[str], None] | None = None
    neutral: Mapping[str, object] | None = None  # `chat`, where the request is of another form

    @property
    def api(self) -> str:
        """The form of the request."""
        return self.version.api if self.version is not None else "chat"

    @property
    def chat(self) -> Mapping[str, Any]:
        """The question as arguments of a chat completion."""
        return self.request if self.neutral is None else self.neutral


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back from one attempt. failure: an outcome class of `FAILURES` (refusal,
    truncated_length, ...). billed_apart: what a provider has a rate of its own for, by the names of
    genai-prices: input_audio_tokens, cache_write_1h_tokens, web_searches, ...

    A token count that is not a whole number from 0, and a cost that is not a finite number from
    0, are unknown (None): a model of the user's own may report anything, and a negative cost would
    give money back to a budget.
    """

    text: str | None
    tool_calls: tuple[Mapping[str, Any], ...] = ()
    finish_reason: str | None = None
    failure: str | None = None
    failure_detail: str | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    tokens_cached: int | None = None
    tokens_cache_write: int | None = None  # of tokens_in, those that were written into a cache
    tokens_reasoning: int | None = None  # of tokens_out
    billed_apart: Mapping[str, int] = field(default_factory=dict)  # at rates of their own
    reasoning: str | None = None  # what the model thought before it answered, capped
    service_tier: str | None = None
    cost_usd: float | None = None  # where the answerer itself states a cost
    model: str | None = None
    fingerprint: str | None = None
    request_id: str | None = None
    first_token_ms: float | None = None
    headers: Mapping[str, str] = field(default_factory=dict)  # rate-limit headers, lower case

    def __post_init__(self) -> None:
        for name, value in zip(_COUNTS, _read_counts(self), strict=True):
            if not (value is None or (value.__class__ is int and 0 <= value < _MOST)):
                object.__setattr__(self, name, known_count(value))
        for name in _AMOUNTS:
            if getattr(self, name) is not None:
                object.__setattr__(self, name, known_amount(getattr(self, name)))


def known_count(value: object) -> int | None:
    """A number of tokens; None if it is not a whole number from 0."""
    amount = known_amount(value)
    return int(amount) if amount is not None and amount.is_integer() else None


def known_amount(value: object) -> float | None:
    """A cost or a time; None if it is not a number from 0 up to what a store can add up."""
    if isinstance(value, bool) or not isinstance(value, (Real, Decimal)):
        return None
    try:
        amount = float(value)
    except (OverflowError, ValueError):
        return None
    return amount if 0 <= amount < _MOST else None


@runtime_checkable
class Model(Protocol):
    """Answers calls. `label` names it in reuse keys and tables; `remote` says whether pace, retries
    and budget apply.

    complete raises promptops.errors.CallError, which carries its failure class, when an attempt
    fails. check(request) raises SetupError before a study starts when it can never answer (no key,
    unknown name); aclose lets go of connections.
    """

    @property
    def label(self) -> str: ...

    @property
    def remote(self) -> bool: ...

    async def complete(self, call: Call) -> Reply: ...

    def check(self, request: Mapping[str, object]) -> None: ...

    async def aclose(self) -> None: ...


@runtime_checkable
class HasNotes(Protocol):
    """A model with something to tell about how it was asked: one sentence each, for the person who
    reads the study.
    """

    @property
    def notes(self) -> tuple[str, ...]: ...


@runtime_checkable
class Prepares(Protocol):
    """A model whose first call needs what takes a while to import."""

    def prepare(self) -> None:
        """Begin with it in another thread, where calls are about to be made; never raises."""


@runtime_checkable
class SpeaksForms(Protocol):
    """A model that takes some request forms and no others; one without `apis` takes any."""

    @property
    def apis(self) -> frozenset[str]: ...
