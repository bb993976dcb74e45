"""One recorded call: what was asked, what came back, what it cost, how it failed.

A run is written once and never changed. Unknown is None, never zero. How a call can fail is the
closed table `failure_classes.FAILURES`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import count

from .canonical import tagged
from .failure_classes import FAILURES, Kind

__all__ = ["Attempt", "Run", "ids_until_now", "new_id", "reuse_key", "utc"]

_OF_FORM = frozenset(
    ("invalid_json", "schema_mismatch", "tool_error")
)  # an answer is there, but not as the request wanted it


def _counted() -> Iterator[int]:
    return count(int.from_bytes(os.urandom(8), "big"))


_COUNTS = [_counted()]  # the last is this process's, those before it its parents'
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: _COUNTS.append(_counted()))


@dataclass(frozen=True, slots=True)
class Run:
    """One call for one version, example and repeat: a row of the table `runs`.

    id: `r-` and 32 hex digits; key: what makes an equal call (see `reuse_key`); texts are UTF-8,
    `request` and `tool_calls` canonical JSON; latency_ms: of the whole call, retries and waits
    included; `failure` None: it answered.
    """

    id: str
    key: str
    prompt: str  # the prompt's name, "" for a scratch version
    version_id: str
    model: str  # the name asked for
    endpoint: str  # label of who answered; part of the key
    role: str  # "model" | "target" | "judge" | "propose" | "probe" | "imported"
    example_id: str | None  # None for an ad-hoc call
    example_fingerprint: str | None  # of the example's content: pairs only equal content
    repeat: int
    request: str  # canonical JSON of what was sent, secrets redacted
    output: str | None  # the assistant's text; None if nothing came back
    tool_calls: str | None = None
    finish_reason: str | None = None
    failure: str | None = None  # a class of FAILURES
    failure_detail: str | None = None  # the raw code and message
    tokens_in: int | None = None
    tokens_out: int | None = None
    tokens_cached: int | None = None
    cost_usd: float | None = (
        None  # of the answer, and of the attempts before it as far as their cost is known
    )
    latency_ms: float | None = None
    first_token_ms: float | None = None  # of streaming calls
    attempts: int = 1
    model_returned: str | None = None
    system_fingerprint: str | None = None  # the provider's
    started_at: str = ""  # UTC, ISO 8601 without zone, microseconds
    cell_hash: str | None = None  # hash of the notebook cell's source
    git_commit: str | None = None
    git_dirty: bool | None = None
    tokens_cache_write: int | None = None  # of tokens_in, those that were written into a cache
    tokens_reasoning: int | None = None  # of tokens_out
    reasoning: str | None = None  # the model's reasoning, kept apart from the answer, capped
    service_tier: str | None = None  # flex, priority, batch, ...: as it came back
    imported_from: str | None = None  # the file that it came in with; None: asked here

    @property
    def kind(self) -> Kind | None:
        """What sort of failure it was; None if the model answered."""
        return FAILURES[self.failure] if self.failure else None

    @property
    def answered(self) -> bool:
        """Whether there is a whole answer, be it in another form than the request asked for: each
        scorer judges what concerns it.
        """
        return self.failure is None or self.failure in _OF_FORM

    @property
    def scorable(self) -> bool:
        """Whether the model did something that can be judged: it answered, or failed by its own
        doing.
        """
        return self.failure is None or FAILURES[self.failure] == "outcome"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of a run, number 1 first: a row of `attempts`. failure None: it succeeded."""

    run_id: str
    number: int
    started_at: str
    latency_ms: float
    http_status: int | None = None
    failure: str | None = None
    detail: str | None = None
    request_id: str | None = None
    waited_ms: float = 0.0  # before this try, for backoff or pace
    tokens_in: int | None = None
    tokens_out: int | None = None
    cost_usd: float | None = (
        None  # 0.0: certainly not billed; None: unknown, as for one that was sent and broke off
    )


def new_id(tag: str = "r") -> str:
    """A fresh id that sorts by time: `tag`-, 16 hex digits of nanoseconds, 16 that no other process
    has: counted from a chance number (asking the system for chance each time lets other threads in,
    which costs a call 0.03 ms).
    """
    return f"{tag}-{time.time_ns():016x}{next(_COUNTS[-1]) % 2**64:016x}"


def ids_until_now() -> str:
    """A mark: the last 16 digits of an id of this process, higher than those of its earlier ids and
    lower than those of its later ones, unless the count began again from zero in between.
    """
    return new_id()[-16:]


def reuse_key(version_id: str, inputs: object, endpoint: str, repeat: int) -> str:
    """The name of an equal call, `k1:` + 32 hex digits: an answered one is never paid for twice.

    inputs: the rendered messages for a model, the example's values for a target.
    """
    return "k1:" + tagged("k1", [version_id, inputs, endpoint, repeat])[3:]


def utc(seconds: float | None = None) -> str:
    """Unix seconds (default: now) as UTC ISO 8601 text without zone, microseconds."""
    whole, micro = divmod(round((time.time() if seconds is None else seconds) * 1e6), 1_000_000)
    return f"{_second(whole)}.{micro:06d}"


@lru_cache(maxsize=64)  # calls end many to a second
def _second(whole: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))
