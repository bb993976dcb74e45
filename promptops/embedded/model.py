"""EmbeddedModel: answers a request by what its messages say, in process; named "embedded model, not
an LLM" everywhere.

It sees `call.chat` and `call.repeat`, nothing else: no expected answer, id, version or scorer
setting. Equal requests with equal repeats get equal answers, in any process.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import SetupError
from ..models.protocol import Call, Reply
from .answering import Chance, answer
from .reader import read

__all__ = ["LEARNER", "NAME", "EmbeddedModel", "Spoken", "speak", "tokens_in"]

NAME = "embedded model, not an LLM"
# changes with what the learner answers: a pinned answer in the tests says when
LEARNER = "embedded-learner-1"
TEMPERATURE = 1.0  # where a request names none, as chat completions have it
LETTERS_PER_TOKEN = 4  # the usual estimate for English; there is no tokenizer here


@dataclass(frozen=True, slots=True)
class Spoken:
    """An answer and how it ended. tokens: estimates, four characters a token; finish_reason: "stop"
    or "length".
    """

    text: str
    finish_reason: str
    tokens_in: int
    tokens_out: int
    id: str  # hash of what was asked and answered


class EmbeddedModel:
    """A small in-context learner, not an LLM: it reads labels, definitions, examples and format out
    of the messages.

    It answers for the name "embedded" only. Above temperature 0 (default 1, as in chat completions)
    the answer varies with `seed` and with the repeat; max_tokens (of four characters each), stop
    and response_format are obeyed. It calls no tools.
    """

    @property
    def label(self) -> str:
        return "embedded"

    @property
    def remote(self) -> bool:
        return False

    async def complete(self, call: Call) -> Reply:
        """The answer to `call.chat`; `call.repeat` changes it above temperature 0.

        Raises nothing of its own.
        """
        await asyncio.sleep(0)  # a study of thousands of calls leaves its loop room to be stopped
        wording = speak(call.chat, call.repeat)
        if call.on_token:
            call.on_token(wording.text)
        return Reply(
            text=wording.text,
            finish_reason=wording.finish_reason,
            failure="truncated_length" if wording.finish_reason == "length" else None,
            tokens_in=wording.tokens_in,
            tokens_out=wording.tokens_out,
            cost_usd=0.0,
            model=NAME,
            fingerprint=LEARNER,
            request_id=wording.id,
        )

    def check(self, request: Mapping[str, object]) -> None:
        """Raises SetupError if the request can only be met by a call of a tool, which the
        embedded model never makes.
        """
        choice = request.get("tool_choice")
        if choice == "required" or isinstance(choice, Mapping):
            raise SetupError(
                f"the {NAME}, calls no tools, but tool_choice asks for one; name an endpoint's"
                " model in the version, or leave tool_choice out."
            )

    async def aclose(self) -> None:
        """Closes nothing: no connection stays open."""

    def __repr__(self) -> str:
        return f"EmbeddedModel({NAME}; {LEARNER})"


def speak(request: Mapping[str, object], repeat: int = 0) -> Spoken:
    """The answer to a chat-completions request; repeat numbers equal requests, from 0."""
    told, question = read(request)
    temperature = _number(request.get("temperature"), TEMPERATURE)
    asked = hashlib.sha256()
    for piece in (
        told.instructions,
        *(text for turn in told.turns for text in turn),
        told.response_format,
        question,
    ):
        asked.update(piece.encode("utf-8", "surrogatepass"))
        asked.update(b"\x00")
    asked.update(
        f"{temperature!r} {request.get('seed')!r} {repeat!r}".encode("utf-8", "surrogatepass")
    )
    name = asked.hexdigest()
    text, finish = _limited(answer(told, question, Chance(temperature, name)), request)
    return Spoken(text, finish, tokens_in(request), _tokens(len(text)), f"embedded-{name[:24]}")


def tokens_in(request: Mapping[str, object]) -> int:
    """An estimate of the tokens of all texts in the messages: a fourth of their characters."""
    size = 0
    messages = request.get("messages")
    for message in messages if isinstance(messages, (list, tuple)) else ():
        content = message.get("content") if isinstance(message, Mapping) else None
        if isinstance(content, str):
            size += len(content)
        elif isinstance(content, (list, tuple)):
            size += sum(
                len(part["text"])
                for part in content
                if isinstance(part, Mapping) and isinstance(part.get("text"), str)
            )
    return _tokens(size)


def _tokens(characters: int) -> int:
    return -(-characters // LETTERS_PER_TOKEN)


def _number(value: object, default: float) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    return default


def _limited(text: str, request: Mapping[str, object]) -> tuple[str, str]:
    """(the text up to the first stop text and within max_tokens, finish_reason)."""
    stop = request.get("stop")
    marks: Sequence[Any] = (
        [stop] if isinstance(stop, str) else stop if isinstance(stop, (list, tuple)) else ()
    )
    ends = [at for mark in marks if isinstance(mark, str) and mark and (at := text.find(mark)) >= 0]
    if ends:
        text = text[: min(ends)]
    for name in ("max_completion_tokens", "max_tokens"):
        most = request.get(name)
        if (
            isinstance(most, int)
            and not isinstance(most, bool)
            and most >= 0
            and _tokens(len(text)) > most
        ):
            return text[: most * LETTERS_PER_TOKEN], "length"
    return text, "stop"
