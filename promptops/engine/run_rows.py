"""The rows that calls leave behind: runs and attempts, free of secrets, written nowhere else.

Every text that was sent or came back passes here on its way into a row, and here the known keys are
taken out of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..canonical import canonical
from ..errors import CallError, VersionError
from ..models.protocol import Reply
from ..redact import redact, redact_shapes
from ..run import Attempt, Run, new_id, utc
from .question import Provenance, Question

__all__ = ["PendingCall", "RowBuilder", "json_text"]

_DETAIL = 2000  # characters kept of a failure's detail
_DEEPEST = 100  # levels kept of JSON that canonical JSON cannot hold


@dataclass(slots=True)
class PendingCall:
    """One question on its way.

    Times are the clock's: monotonic seconds, except the wall times, which are Unix seconds.
    """

    question: Question
    run_id: str
    began: float
    began_wall: float
    last_end: float
    attempts: list[Attempt] = field(default_factory=list)
    sent_at: float = 0.0
    sent_wall: float = 0.0


@dataclass(frozen=True, slots=True)
class RowBuilder:
    """How rows are made in one sweep. secrets: texts that no row may hold."""

    provenance: Provenance = field(default_factory=Provenance)
    secrets: frozenset[str] = frozenset()

    def with_secrets(self, more: Iterable[str]) -> RowBuilder:
        """The same filing, with more texts to take out."""
        return RowBuilder(self.provenance, self.secrets.union(more))

    def answered(self, asked: PendingCall, reply: Reply) -> Run:
        """The run of a question that was answered, or failed by the model's own doing; its last
        attempt is the answer's.
        """
        row = self._row(asked.question)
        recorded = reply.headers.get("recorded-latency-ms") if reply.headers else None
        row["latency_ms"] = float(recorded) if recorded else (asked.last_end - asked.began) * 1e3
        return Run(
            id=asked.run_id,
            output=self._clean(reply.text),
            tool_calls=self._clean(json_text(list(reply.tool_calls))) if reply.tool_calls else None,
            finish_reason=reply.finish_reason,
            failure=reply.failure,
            failure_detail=redact_shapes(reply.failure_detail, self.secrets)[:_DETAIL]
            if reply.failure_detail
            else None,
            tokens_in=reply.tokens_in,
            tokens_out=reply.tokens_out,
            tokens_cached=reply.tokens_cached,
            tokens_cache_write=reply.tokens_cache_write,
            tokens_reasoning=reply.tokens_reasoning,
            reasoning=self._clean(reply.reasoning),
            service_tier=reply.service_tier,
            cost_usd=_known_cost(asked.attempts),
            first_token_ms=reply.first_token_ms,
            model_returned=reply.model,
            system_fingerprint=reply.fingerprint,
            attempts=len(asked.attempts),
            started_at=utc(asked.began_wall),
            **row,
        )

    def failed(self, asked: PendingCall, failure: str, detail: str) -> Run:
        """The run of a question that was sent and got no answer."""
        return Run(
            id=asked.run_id,
            output=None,
            failure=failure,
            failure_detail=redact_shapes(detail, self.secrets)[:_DETAIL],
            attempts=len(asked.attempts),
            started_at=utc(asked.began_wall),
            latency_ms=(asked.last_end - asked.began) * 1e3,
            **self._row(asked.question),
        )

    def unsent(self, question: Question, failure: str, detail: str) -> Run:
        """The run of a question that could not be sent: the example does not render, or for a
        reason of our own.
        """
        return Run(
            id=new_id(),
            output=None,
            failure=failure,
            failure_detail=redact_shapes(detail, self.secrets)[:_DETAIL],
            attempts=0,
            started_at=utc(),
            **self._row(question),
        )

    def attempt(
        self,
        asked: PendingCall,
        ended: float,
        outcome: Reply | CallError,
        status: int | None,
        cost_usd: float | None,
    ) -> Attempt:
        """One try that ended at `ended` with a reply or a failure."""
        reply = outcome if isinstance(outcome, Reply) else None
        error = outcome if isinstance(outcome, CallError) else None
        told = (
            detail_of(error)
            if error is not None
            else reply.failure_detail
            if reply is not None
            else None
        )
        return Attempt(
            run_id=asked.run_id,
            number=len(asked.attempts) + 1,
            started_at=utc(asked.sent_wall),
            latency_ms=(ended - asked.sent_at) * 1e3,
            http_status=status,
            failure=outcome.failure,
            detail=redact_shapes(told, self.secrets)[:_DETAIL] if told else None,
            request_id=outcome.request_id,
            waited_ms=max(0.0, (asked.sent_at - asked.last_end) * 1e3),
            tokens_in=reply.tokens_in if reply is not None else None,
            tokens_out=reply.tokens_out if reply is not None else None,
            cost_usd=cost_usd,
        )

    def _clean(self, text: str | None) -> str | None:
        return redact(text, self.secrets) if text else text

    def _row(self, question: Question) -> dict[str, Any]:
        call, where = question.call, self.provenance
        return {
            "key": question.key,
            "prompt": question.prompt,
            "version_id": question.version_id,
            "model": question.model_name,
            "endpoint": question.model.label,
            "role": question.role,
            "example_id": question.example_id,
            "example_fingerprint": question.example_fingerprint,
            "repeat": call.repeat,
            "request": redact(_request_text(question), self.secrets),
            "cell_hash": where.cell_hash,
            "git_commit": where.git_commit,
            "git_dirty": where.git_dirty,
        }


def _request_text(question: Question) -> str:
    """What was sent, as canonical JSON."""
    request, messages = question.call.request, question.messages
    if messages is not None:
        try:
            return canonical({**request, "messages": messages})
        except (VersionError, RecursionError):
            pass
    return json_text(request)


def _known_cost(attempts: Sequence[Attempt]) -> float | None:
    """USD of an answer and of the attempts before it, as far as theirs is known; None if the
    answer's own is not.
    """
    answer = attempts[-1].cost_usd
    return (
        None
        if answer is None
        else answer + sum(attempt.cost_usd or 0.0 for attempt in attempts[:-1])
    )


def detail_of(error: CallError) -> str:
    """The raw code and the message."""
    told = str(error)
    return f"{error.code}: {told}" if error.code and error.code not in told else told


def json_text(value: object) -> str:
    """Canonical JSON of anything that a provider sent: what canonical JSON cannot hold is written
    as text.
    """
    try:
        return canonical(value)
    except (VersionError, RecursionError):
        return canonical(_plain(value, 0))


def _plain(value: object, depth: int) -> Any:
    if depth > _DEEPEST:
        return f"(nested deeper than {_DEEPEST} levels)"
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, Mapping):
        return {_plain(str(key), depth): _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        return [_plain(item, depth + 1) for item in value]
    if value is None or isinstance(value, bool):
        return value
    try:
        canonical(value)
    except VersionError:
        return str(value)[:_DETAIL]
    return value
