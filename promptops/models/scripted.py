"""Answers written beforehand: a stand-in for users' own tests that fails loudly when asked what
nobody scripted.

Every question is kept in `calls`, in the order asked. Failures are scheduled by the number of the
call, so that a test says exactly which attempt fails and how. Nothing is sent anywhere.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from ..errors import CallError, SetupError
from ..failure_classes import FAILURES
from ..markup import count
from .protocol import Call, Reply

__all__ = ["ScriptedModel"]

Answer: TypeAlias = str | Reply | Exception
Script: TypeAlias = Sequence[Answer] | Mapping[str, Answer] | Callable[..., object]

_SHOWN = 80  # characters of a question that an error quotes


class ScriptedModel:
    """Answers from a list (in order), a mapping (last user text -> answer) or a function; not an
    LLM.

    A function gets the request, or the whole `Call` where its parameter is named ``call`` or
    annotated `Call`; it may be async. An answer is a text, a Reply, or an exception, which is
    raised. latency_ms: waited before each answer.
    failures: number of the call, from 0 -> a class of `FAILURES` or an exception; such a call
    uses up no answer of a list. remote: True if a test wants pace, retries and budget. Raises
    SetupError, which names the question, when the script has no answer; a study that asked such a
    question raises it when it is waited for.
    """

    def __init__(
        self,
        answers: Script,
        label: str = "scripted",
        *,
        latency_ms: float = 0.0,
        failures: Mapping[int, str | Exception] | None = None,
        remote: bool = False,
    ) -> None:
        if isinstance(answers, str) or not (
            callable(answers) or isinstance(answers, (Mapping, Sequence))
        ):
            raise SetupError(
                f"a script is a list, a mapping or a function, got {type(answers).__name__}; put a"
                " single text in a list."
            )
        for number, failure in (failures or {}).items():
            if isinstance(failure, str) and failure not in FAILURES:
                raise SetupError(
                    f"failure {failure!r} of call {number} is not a failure class; the"
                    f" classes"
                    f" are {', '.join(FAILURES)}."
                )
        self._answers = answers
        self._wants_call = callable(answers) and _wants_call(answers)
        self._label = label
        self._latency_ms = latency_ms
        self._failures = dict(failures or {})
        self._remote = remote
        self._used = 0  # answers of a list that were given
        self.calls: list[Call] = []
        self.unanswered: list[
            str
        ] = []  # what was reported of each question that the script has no answer to

    @property
    def label(self) -> str:
        return self._label

    @property
    def remote(self) -> bool:
        return self._remote

    async def complete(self, call: Call) -> Reply:
        """The scripted answer.

        Raises the scheduled CallError, the scripted exception, or SetupError for the unknown.
        """
        number = len(self.calls)
        self.calls.append(call)
        failure = self._failures.get(number)
        # taken before the wait, so that concurrent callers get the answers in the order in which
        # they asked
        answer = self._given(call, number) if failure is None else None
        if inspect.isawaitable(answer):
            answer = await answer
        if self._latency_ms:
            await asyncio.sleep(self._latency_ms / 1000)
        if isinstance(failure, str):
            raise CallError(
                f"call {number} fails with {failure}, as the script says.", failure=failure
            )
        if failure is not None:
            raise failure
        return _as_reply(answer, call)

    def check(self, request: Mapping[str, object]) -> None:
        """A script can always be asked; what it does not know it says then."""

    async def aclose(self) -> None:
        """Closes nothing: no connection stays open."""

    def _given(self, call: Call, number: int) -> object:
        """The answer; a question without one is kept in `unanswered`, so that a caller who asks
        many can report them at the end.
        """
        try:
            return self._answer(call, number)
        except SetupError as error:
            self.unanswered.append(str(error))
            raise

    def _answer(self, call: Call, number: int) -> object:
        if isinstance(self._answers, Mapping):
            question = _question(call.chat)
            if question not in self._answers:
                raise SetupError(
                    f"the script {self._label!r} has no answer to {_shown(question)}; it knows"
                    f" {count(len(self._answers), 'question')}, add this one."
                )
            return self._answers[question]
        if callable(self._answers):
            return self._answers(call if self._wants_call else call.chat)
        if self._used >= len(self._answers):
            raise SetupError(
                f"the script {self._label!r} holds {count(len(self._answers), 'answer')} and"
                f" all were given; call {number} asks {_shown(_question(call.chat))}, add an answer"
                " for it."
            )
        self._used += 1
        return self._answers[self._used - 1]

    def __repr__(self) -> str:
        kind = (
            "mapping"
            if isinstance(self._answers, Mapping)
            else "function"
            if callable(self._answers)
            else "list"
        )
        size = "" if kind == "function" else f" of {len(self._answers)}"  # type: ignore[arg-type]
        return (
            f"ScriptedModel({self._label!r}, answers from a {kind}{size}, "
            f"{count(len(self.calls), 'call')}; not an LLM)"
        )


def _wants_call(function: Callable[..., object]) -> bool:
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # a builtin without a signature
        return False
    first = parameters[0] if parameters else None
    return first is not None and (
        first.name == "call" or first.annotation is Call or first.annotation == "Call"
    )


def _as_reply(answer: object, call: Call) -> Reply:
    if isinstance(answer, Exception):
        raise answer
    if isinstance(answer, str):
        answer = Reply(text=answer, finish_reason="stop", model=call.chat.get("model"))
    if not isinstance(answer, Reply):
        raise SetupError(
            f"the script gave a {type(answer).__name__} for {_shown(_question(call.chat))}; an"
            " answer is a text, a Reply or an exception."
        )
    if call.on_token and answer.text:
        call.on_token(answer.text)
    return answer


def _question(request: Mapping[str, Any]) -> str:
    """The text of the last user message, text parts joined by a line break, or ""."""
    for message in reversed(request.get("messages") or []):
        if message.get("role") == "user":
            content = message.get("content") or ""
            return (
                content
                if isinstance(content, str)
                else "\n".join(part.get("text", "") for part in content)
            )
    return ""


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…")
