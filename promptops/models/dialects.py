"""How each request form is sent and read: the path below the address, the reader of its replies,
and how its streams are put together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from .anthropic_reply import AnthropicAssembly, reply_of_message
from .completion import reply_of
from .gemini_reply import GeminiAssembly, reply_of_content
from .protocol import Reply
from .responses_reply import ResponsesAssembly, reply_of_response
from .stream_assembly import Assembly

__all__ = ["DIALECTS", "Dialect", "read_any"]


class Assembles(Protocol):
    """Puts a stream together."""

    def add(self, chunk: object) -> str:
        """Take in an event; the piece of the answer's text that it brought."""

    def finished(self) -> dict[str, Any]:
        """The whole body. Raises CallError if the stream broke off."""


class Reads(Protocol):
    """Reads a body: (body, headers, milliseconds to the first token), and the setting that a cut
    answer names.
    """

    def __call__(
        self,
        body: object,
        headers: Mapping[str, str],
        first_token_ms: float | None = None,
        *,
        limit: str = ...,
    ) -> Reply: ...


@dataclass(frozen=True, slots=True)
class Dialect:
    """One form over HTTP. adds: what we add to a streamed request, which an endpoint may refuse;
    limits: the settings that bound an answer's tokens, the usual one last.
    """

    path: str
    read: Reads
    assembly: type[Assembles]
    adds: Mapping[str, object]
    limits: tuple[str, ...]

    def limit(self, body: Mapping[str, object]) -> str:
        """The setting of this request that bounds the tokens of its answer."""
        return next((name for name in self.limits if name in body), self.limits[-1])


DIALECTS: Mapping[str, Dialect] = {
    "chat": Dialect(
        "/chat/completions",
        reply_of,
        Assembly,
        {"stream_options": {"include_usage": True}},
        ("max_tokens", "max_completion_tokens"),
    ),
    "responses": Dialect(
        "/responses", reply_of_response, ResponsesAssembly, {}, ("max_output_tokens",)
    ),
    "anthropic": Dialect("/v1/messages", reply_of_message, AnthropicAssembly, {}, ("max_tokens",)),
    "gemini": Dialect(":generateContent", reply_of_content, GeminiAssembly, {}, ("max_tokens",)),
}


def read_any(body: Mapping[str, object]) -> Reply | None:
    """What a provider's own answer says, whichever form it has; None for anything else.

    Raises CallError if it is one, and holds no answer.
    """
    if isinstance(body.get("candidates"), list) or "promptFeedback" in body:
        return reply_of_content(body, {})
    if body.get("object") == "response" and isinstance(body.get("output"), list):
        return reply_of_response(body, {})
    if body.get("type") == "message" and isinstance(body.get("content"), list):
        return reply_of_message(body, {})
    return reply_of(body, {}) if "choices" in body else None
