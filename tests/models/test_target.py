"""TargetModel: the user's own function in a model's place, bound before anything runs, never able
to break a study.
"""

from __future__ import annotations

import asyncio
import functools
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from promptops.errors import CallError, SetupError
from promptops.models.protocol import Call, Model, Reply
from promptops.models.target import TargetModel


def ask(fn: Any, timeout_s: float | None = None, **values: Any) -> Reply:
    return asyncio.run(TargetModel(fn).complete(Call({}, values=values, timeout_s=timeout_s)))


def by_name(ticket: str, tone: str = "plain") -> str:
    return f"{tone}: {ticket}"


async def later(ticket: str) -> str:
    await asyncio.sleep(0)
    return f"later: {ticket}"


def test_values_are_bound_by_name() -> None:
    """Parameters get the values of their names, **kwargs gets all, one value fits one parameter of
    any name.
    """
    assert isinstance(TargetModel(by_name), Model)
    assert ask(by_name, ticket="t", tone="warm", other=1).text == "warm: t"
    assert ask(lambda **all: sorted(all), ticket="t", other=1).text == '["other","ticket"]'
    assert ask(lambda question: question.upper(), ticket="t").text == "T"
    assert ask(len, ticket="four").text == "4"
    assert ask(later, ticket="t").text == "later: t"


@pytest.mark.parametrize(
    ("fn", "words"),
    [
        (lambda a, b: "", "it needs a, b"),
        (lambda: "", "takes none of them"),
        (by_name, "it needs ticket"),
    ],
)
def test_a_function_that_cannot_be_bound_is_said_before_anything_runs(fn: Any, words: str) -> None:
    """check names the parameters and the values; a call would be the class that stops a study."""
    with pytest.raises(SetupError, match=words):
        TargetModel(fn).check({"values": {"x": 1, "y": 2}})
    with pytest.raises(CallError) as caught:
        ask(fn, x=1, y=2)
    assert caught.value.failure == "bad_request"


@pytest.mark.parametrize(
    ("answer", "text", "failure"),
    [
        ("text", "text", None),
        ({"b": 1, "a": [True]}, '{"a":[true],"b":1}', None),
        (None, None, "empty_output"),
        (Reply("r", failure="refusal"), "r", "refusal"),
        (SimpleNamespace(output_text="responses", model="m"), "responses", None),
        (
            SimpleNamespace(
                choices=[
                    SimpleNamespace(message=SimpleNamespace(content="c"), finish_reason="length")
                ]
            ),
            "c",
            "truncated_length",
        ),
        (SimpleNamespace(choices=[]), None, "empty_output"),
    ],
)
def test_what_a_function_returns_is_read(
    answer: Any, text: str | None, failure: str | None
) -> None:
    """Texts, JSON values, replies, and answers of the openai client or anything shaped like
    them.
    """
    reply = ask(lambda x: answer, x=1)
    assert (reply.text, reply.failure) == (text, failure)


@pytest.mark.parametrize("error", [ZeroDivisionError("division"), SystemExit(3), KeyError("k")])
def test_whatever_it_raises_is_the_failure_of_that_call(error: BaseException) -> None:
    """Also SystemExit; the class is internal, with the exception's name."""

    def broken(x: int) -> str:
        raise error

    with pytest.raises(CallError, match=f"raised {type(error).__name__}") as caught:
        ask(broken, x=1)
    assert (caught.value.failure, caught.value.code) == ("internal", type(error).__name__)
    with pytest.raises(CallError, match="returned a object that is not an answer"):
        ask(lambda x: object(), x=1)


def test_a_call_that_takes_too_long_is_given_up() -> None:
    """A sync function finishes unheard in its thread, an async one is cancelled; a TimeoutError of
    its own is its own.
    """

    async def hangs(x: int) -> str:
        await asyncio.sleep(60)
        return ""

    def own(x: int) -> str:
        raise TimeoutError("my database")

    given_up = threading.Event()

    def waits(x: int) -> str:
        given_up.wait(60)
        return "too late"

    model = TargetModel(waits)

    async def unheard() -> None:
        with pytest.raises(CallError, match="did not answer within 0.05 s") as caught:
            await model.complete(Call({}, values={"x": 1}, timeout_s=0.05))
        assert caught.value.failure == "timeout_read"
        given_up.set()  # only now does it answer: nobody may have waited for it

    asyncio.run(unheard())
    with pytest.raises(CallError, match="did not answer within 0.05 s") as caught:
        ask(hangs, timeout_s=0.05, x=1)
    assert caught.value.failure == "timeout_read"
    with pytest.raises(CallError, match="my database") as caught:
        ask(own, timeout_s=5, x=1)
    assert caught.value.failure == "internal"


def test_a_changed_function_is_another_endpoint() -> None:
    """The label holds a hash of the source; what a partial fixed is part of it; a name of one's own
    wins.
    """

    def version(number: int) -> Any:
        space: dict[str, Any] = {}
        exec(f"def answer(x):\n    return 'v{number}'", space)
        return space["answer"]

    assert TargetModel(version(1)).label == TargetModel(version(1)).label
    assert TargetModel(version(1)).label != TargetModel(version(2)).label
    assert (
        TargetModel(functools.partial(by_name, tone="a")).label
        != TargetModel(functools.partial(by_name, tone="b")).label
    )
    assert TargetModel(by_name, label="mine").label == "mine"
    assert by_name.__name__ in TargetModel(by_name).label
    with pytest.raises(SetupError, match="a target is a function, got str"):
        TargetModel("text")  # type: ignore[arg-type]


def test_sync_functions_run_at_once() -> None:
    """Each in a thread of its own: four that wait for each other all come to their end."""
    together = threading.Barrier(4, timeout=30)

    async def story() -> list[Reply]:
        model = TargetModel(lambda x: f"place {together.wait()}")
        asked = (model.complete(Call({}, values={"x": 1})) for _ in range(4))
        return await asyncio.gather(*asked)

    assert {reply.text for reply in asyncio.run(story())} == {f"place {n}" for n in range(4)}


def test_the_rule_of_names_stands_in_the_error() -> None:
    """A misspelt parameter beside two values is reported how values are passed, also when one
    value alone would have reached it.
    """

    def answer(tikcet: str) -> str:
        return tikcet

    assert TargetModel(answer).bind({"ticket": "x"}) == (("x",), {})
    with pytest.raises(
        SetupError,
        match=(
            r"it needs tikcet; values are passed by name \(one value alone also to a single"
            r" parameter of any name\)"
        ),
    ):
        TargetModel(answer).bind({"ticket": "x", "language": "en"})


@pytest.mark.parametrize("odd", [-5.0, float("nan"), float("inf"), 1e308, 10**400, "0.1", True])
def test_an_impossible_figure_of_a_reply_is_unknown(odd: Any) -> None:
    """A model of the user's own may report anything: a negative cost would give money back to a
    budget, and a count that is not a number would end the study at its row.
    """
    reply = Reply("yes", tokens_in=odd, tokens_out=odd, cost_usd=odd, first_token_ms=odd)
    figures = reply.tokens_in, reply.tokens_out, reply.cost_usd, reply.first_token_ms
    assert figures == (None, None, None, None)
    known = Reply("yes", tokens_in=0, tokens_out=3, cost_usd=0.25)
    assert (known.tokens_in, known.tokens_out, known.cost_usd) == (0, 3, 0.25)
