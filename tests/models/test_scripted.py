"""ScriptedModel: answers as written, fails loudly when asked the unknown, and says what it was
asked.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from promptops.errors import CallError, SetupError
from promptops.models.protocol import Call, Model, Reply
from promptops.models.scripted import ScriptedModel


def ask(model: ScriptedModel, text: Any = "hi", **call: Any) -> Reply:
    return asyncio.run(
        model.complete(
            Call(
                {
                    "model": "m",
                    "messages": [
                        {"role": "system", "content": "s"},
                        {"role": "user", "content": text},
                    ],
                },
                **call,
            )
        )
    )


def test_a_list_answers_in_order_and_ends_loudly() -> None:
    """Two answers, then an error that names the question and how many answers there were."""
    model = ScriptedModel(["one", Reply("two", tokens_in=3)])
    assert isinstance(model, Model)
    assert [ask(model).text, ask(model).tokens_in] == ["one", 3]
    with pytest.raises(
        SetupError, match=r"holds 2 answers and all were given; call 2 asks 'once more'"
    ):
        ask(model, "once more")
    assert len(model.calls) == 3


def test_concurrent_callers_get_the_answers_in_the_order_they_asked() -> None:
    """The answer is taken before the wait."""

    async def story() -> list[str | None]:
        model = ScriptedModel(list("abcde"), latency_ms=5)
        return [
            reply.text
            for reply in await asyncio.gather(
                *(model.complete(Call({"messages": []})) for _ in range(5))
            )
        ]

    assert asyncio.run(story()) == list("abcde")


def test_a_mapping_answers_by_the_last_user_text() -> None:
    """Also where the content is parts; an unknown question is an error that quotes it,
    shortened.
    """
    model = ScriptedModel({"hi": "hello", "a\nb": "parts"})
    assert ask(model).text == "hello"
    assert (
        ask(model, [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]).text == "parts"
    )
    with pytest.raises(SetupError, match=r"has no answer to 'x{79}…'; it knows 2 questions"):
        ask(model, "x" * 500)


def test_a_function_gets_the_request_or_the_call() -> None:
    """By its parameter's name or annotation; it may be async."""

    async def later(call: Call) -> str:
        await asyncio.sleep(0)
        return f"example {call.example_id}"

    assert ask(ScriptedModel(lambda request: request["model"])).text == "m"
    assert ask(ScriptedModel(lambda call: str(call.repeat)), repeat=4).text == "4"
    assert ask(ScriptedModel(later), example_id="e9").text == "example e9"


def test_failures_come_by_the_number_of_the_call() -> None:
    """A class or an exception; such a call uses up no answer of a list."""
    model = ScriptedModel(["a", "b"], failures={0: "rate_limit", 2: ValueError("odd")})
    with pytest.raises(CallError) as caught:
        ask(model)
    assert caught.value.failure == "rate_limit"
    assert ask(model).text == "a"
    with pytest.raises(ValueError, match="odd"):
        ask(model)
    assert ask(model).text == "b"


def test_exceptions_in_the_script_are_raised_and_texts_streamed() -> None:
    """on_token hears the whole text; an exception among the answers is that answer."""
    heard: list[str] = []
    assert ask(ScriptedModel(["whole"]), on_token=heard.append).text == "whole"
    assert heard == ["whole"]
    with pytest.raises(ZeroDivisionError):
        ask(ScriptedModel([ZeroDivisionError()]))


@pytest.mark.parametrize("script", ["a text", 5, None])
def test_a_script_that_is_none_is_refused(script: Any) -> None:
    """A single text is refused too: it would be taken letter by letter."""
    with pytest.raises(SetupError, match="a script is a list, a mapping or a function"):
        ScriptedModel(script)


def test_an_unknown_failure_class_is_refused() -> None:
    """The classes are a closed list."""
    with pytest.raises(SetupError, match="failure 'oops' of call 3 is not a failure class"):
        ScriptedModel([], failures={3: "oops"})
    with pytest.raises(SetupError, match="the script gave a int"):
        ask(ScriptedModel(lambda request: 5))


def test_latency_is_waited_and_remote_is_said() -> None:
    """A test that wants pace, retries and budget says remote=True."""
    began = time.perf_counter()
    ask(ScriptedModel(["x"], latency_ms=30))
    assert time.perf_counter() - began >= 0.029
    assert (ScriptedModel([]).remote, ScriptedModel([], remote=True).remote) == (False, True)
    assert "not an LLM" in repr(ScriptedModel(["a"]))


def test_what_nobody_scripted_is_kept_for_whoever_asked_many() -> None:
    """Each question without an answer leaves its sentence in `unanswered`; scheduled failures and
    answered ones leave none.
    """
    model = ScriptedModel(["one"], failures={0: "rate_limit"})
    with pytest.raises(CallError):
        ask(model)
    assert (ask(model).text, model.unanswered) == ("one", [])
    for text in ("two", "three"):
        with pytest.raises(SetupError):
            ask(model, text)
    assert [said.split("asks ")[1].split(",")[0] for said in model.unanswered] == [
        "'two'",
        "'three'",
    ]
