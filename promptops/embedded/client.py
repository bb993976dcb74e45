"""EmbeddedClient: the embedded model, not an LLM, behind the shape of the openai package's client.

`client.chat.completions.create(**prompt.request(...))` and `client.responses.create(...)` answer
like that client, by attribute, on the standard library alone; nothing is sent anywhere.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ..errors import SetupError
from .model import LEARNER, NAME, EmbeddedModel, Spoken, speak

__all__ = ["EmbeddedClient"]


class _Shaped:
    """What an answer of the openai package can do beside its attributes."""

    __slots__ = ()

    def model_dump(self, **_: object) -> dict[str, object]:
        """The answer as plain dicts and lists."""
        return asdict(self)  # type: ignore[call-overload,no-any-return]

    def model_dump_json(self, *, indent: int | None = None, **_: object) -> str:
        """The answer as JSON text."""
        return json.dumps(self.model_dump(), ensure_ascii=False, indent=indent)

    to_dict = model_dump
    to_json = model_dump_json


@dataclass(frozen=True, slots=True)
class Message(_Shaped):
    """The text of the answer. In a stream, what was added since the last piece."""

    content: str | None
    role: str | None = "assistant"
    refusal: None = None
    tool_calls: None = None


@dataclass(frozen=True, slots=True)
class Choice(_Shaped):
    """One answer of a completion."""

    index: int
    message: Message
    finish_reason: str
    logprobs: None = None


@dataclass(frozen=True, slots=True)
class StreamChoice(_Shaped):
    """One piece of a streamed answer."""

    index: int
    delta: Message
    finish_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Usage(_Shaped):
    """Tokens, estimated as a fourth of the characters."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


@dataclass(frozen=True, slots=True)
class ChatCompletion(_Shaped):
    """An answer in the shape of a chat completion; `model` says that no LLM gave it."""

    id: str
    choices: list[Choice]
    created: int
    usage: Usage
    model: str = NAME
    object: str = "chat.completion"
    system_fingerprint: str = LEARNER


@dataclass(frozen=True, slots=True)
class ChatCompletionChunk(_Shaped):
    """A piece of a streamed answer."""

    id: str
    choices: list[StreamChoice]
    created: int
    usage: Usage | None = None
    model: str = NAME
    object: str = "chat.completion.chunk"
    system_fingerprint: str = LEARNER


@dataclass(frozen=True, slots=True)
class ResponseUsage(_Shaped):
    """Tokens, estimated as a fourth of the characters."""

    input_tokens: int
    output_tokens: int
    total_tokens: int


@dataclass(frozen=True, slots=True)
class Response(_Shaped):
    """An answer in the shape of the responses API."""

    id: str
    output_text: str
    created_at: float
    usage: ResponseUsage
    status: str = "completed"
    model: str = NAME
    object: str = "response"


@dataclass(frozen=True, slots=True)
class Completions:
    """`create` of chat completions."""

    def create(
        self, *, messages: object, stream: bool = False, n: int = 1, **settings: object
    ) -> object:
        """A ChatCompletion with n choices, or with stream=True an iterator of chunks.

        Raises SetupError if the request demands the call of a tool.
        """
        request = {"messages": messages, **settings}
        EmbeddedModel().check(request)
        wording = [speak(request, repeat) for repeat in range(max(1, n or 1))]
        usage = Usage(
            wording[0].tokens_in,
            out := sum(each.tokens_out for each in wording),
            wording[0].tokens_in + out,
        )
        if stream:
            return _chunks(wording, usage, settings.get("stream_options"))
        choices = [
            Choice(index, Message(each.text), each.finish_reason)
            for index, each in enumerate(wording)
        ]
        return ChatCompletion(f"chatcmpl-{wording[0].id}", choices, int(time.time()), usage)


@dataclass(frozen=True, slots=True)
class Chat:
    """What `client.chat` is: it holds `completions`."""

    completions: Completions = field(default_factory=Completions)


@dataclass(frozen=True, slots=True)
class Responses:
    """`create` of the responses API."""

    def create(
        self,
        *,
        input: object,
        instructions: str | None = None,
        text: object = None,
        **settings: object,
    ) -> Response:
        """A Response.

        Raises SetupError if the request demands the call of a tool, or asks for a stream.
        """
        if settings.get("stream"):
            raise SetupError(
                f"the {NAME}, streams chat completions only; leave stream out, or call"
                " chat.completions.create."
            )
        request = {"messages": _messages(input, instructions), **settings}
        if "max_output_tokens" in settings:
            request["max_tokens"] = settings["max_output_tokens"]
        wanted = text.get("format") if isinstance(text, Mapping) else None
        if isinstance(wanted, Mapping):
            request["response_format"] = {"type": wanted.get("type"), "json_schema": wanted}
        EmbeddedModel().check(request)
        wording = speak(request)
        usage = ResponseUsage(
            wording.tokens_in, wording.tokens_out, wording.tokens_in + wording.tokens_out
        )
        status = "incomplete" if wording.finish_reason == "length" else "completed"
        return Response(f"resp-{wording.id}", wording.text, time.time(), usage, status)


@dataclass(frozen=True, slots=True)
class EmbeddedClient:
    """The embedded model, not an LLM, where an openai client is expected:
    `client.chat.completions.create(**request)`.
    """

    chat: Chat = field(default_factory=Chat)
    responses: Responses = field(default_factory=Responses)

    def __repr__(self) -> str:
        return f"EmbeddedClient({NAME}; {LEARNER})"


def _chunks(wording: list[Spoken], usage: Usage, options: object) -> Iterator[ChatCompletionChunk]:
    name, now = f"chatcmpl-{wording[0].id}", int(time.time())
    for index, each in enumerate(wording):
        pieces = each.text.split(" ")
        for at, piece in enumerate(pieces):
            delta = Message(piece if at == 0 else f" {piece}", "assistant" if at == 0 else None)
            yield ChatCompletionChunk(name, [StreamChoice(index, delta)], now)
        yield ChatCompletionChunk(
            name, [StreamChoice(index, Message(None, None), each.finish_reason)], now
        )
    if isinstance(options, Mapping) and options.get("include_usage"):
        yield ChatCompletionChunk(name, [], now, usage)


def _messages(given: Any, instructions: str | None) -> list[Any]:
    items = [{"role": "user", "content": given}] if isinstance(given, str) else list(given or ())
    return [{"role": "system", "content": instructions}, *items] if instructions else items
