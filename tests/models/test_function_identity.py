"""Two functions are one only if they would answer alike; nobody's answers are taken for
another's.
"""

from __future__ import annotations

import functools
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from promptops.models.function_identity import identify
from promptops.version import PromptVersion


def closure(model: Any) -> Callable[[str], Any]:
    def answer(q: str) -> Any:
        return model

    return answer


def nested(model: Any) -> Callable[[str], Any]:
    return closure(closure(model))


def default(model: Any) -> Callable[..., Any]:
    def answer(q: str, model: Any = model) -> Any:
        return model

    return answer


def keyword(model: Any) -> Callable[..., Any]:
    def answer(q: str, *, model: Any = model) -> Any:
        return model

    return answer


class Agent:
    def __init__(self, model: Any) -> None:
        self.model = model
        self.log: list[str] = []

    def answer(self, q: str) -> Any:
        self.log.append(q)
        return self.model

    def __call__(self, q: str) -> Any:
        return self.model


class Slotted:
    __slots__ = ("model",)

    def __init__(self, model: Any) -> None:
        self.model = model

    def answer(self, q: str) -> Any:
        return self.model


@dataclass
class Config:
    model: Any
    extra: dict[str, Any] = field(default_factory=dict)


def plain(q: str, model: Any) -> Any:
    return model


MAKERS: dict[str, Callable[[Any], Callable[..., Any]]] = {
    "closure": closure,
    "closure in a closure": nested,
    "default": default,
    "keyword default": keyword,
    "bound method": lambda model: Agent(model).answer,
    "bound method of a slotted object": lambda model: Slotted(model).answer,
    "object that can be called": Agent,
    "partial": lambda model: functools.partial(plain, model=model),
    "partial of a bound method": lambda model: functools.partial(Agent(model).answer),
    "closure over a dataclass": lambda model: closure(Config(model)),
    "closure over a dict": lambda model: closure({"model": model}),
    "closure over a list": lambda model: closure([model]),
    "closure over a set": lambda model: closure({model}),
    "closure over an object": lambda model: closure(Agent(model)),
    "closure over a version": lambda model: closure(PromptVersion("{{x}}", model=model)),
    "closure over a class": lambda model: closure(type("Made", (), {"model": model})),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_another_captured_value_is_another_function(make: Callable[..., Any]) -> None:
    """And the same value the same function, wherever it is kept."""
    one, same, two = make("a"), make("a"), make("b")
    assert identify(one).digest == identify(same).digest
    assert identify(one).digest != identify(two).digest
    assert identify(one).opaque == ()


def test_two_lambdas_on_one_line_differ() -> None:
    """Their source line is the same, their code is not."""
    one, two = (lambda q: "a"), (lambda q: "b")
    assert identify(one).digest != identify(two).digest


def written(text: str, **given: Any) -> Callable[..., Any]:
    space: dict[str, Any] = {"__name__": "__main__", **given}
    exec(text, space)
    function: Callable[..., Any] = space["answer"]
    return function


def test_an_edited_helper_is_another_function() -> None:
    """A function that it calls, and one which that calls, and a global value."""
    text = (
        "def deep(q): return {}\n"
        "def help(q): return deep(q) + SUFFIX\n"
        "def answer(q): return help(q)"
    )
    digests = {
        identify(written(text.format(body), SUFFIX=suffix)).digest
        for body, suffix in (("q", "a"), ("q + q", "a"), ("q", "b"))
    }
    assert len(digests) == 3


def test_comments_lines_and_names_of_files_do_not_count() -> None:
    """Moving a function re-asks nothing."""
    assert (
        identify(written("def answer(q):\n    return q")).digest
        == identify(written("\n\n# moved\ndef answer(q):\n    # a word\n    return q")).digest
    )


def test_state_that_changes_counts_at_once() -> None:
    """The same object under another configuration is another application."""
    agent = Agent("a")
    before = identify(agent.answer).digest
    agent.model = "b"
    assert identify(agent.answer).digest != before


def test_a_log_that_is_only_written_to_does_not_count() -> None:
    """A study that ran is not asked again because its target kept notes."""
    agent, seen = Agent("a"), []

    def answer(q: str) -> str:
        seen.append(q)
        return q

    before = identify(agent.answer).digest, identify(answer).digest
    agent.answer("one")
    answer("one")
    assert (identify(agent.answer).digest, identify(answer).digest) == before


@pytest.mark.parametrize(
    "body",
    [
        "return held.write(q)",
        "text = held.write(q)\n    return text",
        "return (held\n        .write(q)\n        .strip())",
        "return f'{held.write(q=q)}'",
        "return [held.write(*each) for each in [q]][0]",
    ],
)
def test_what_a_method_named_like_a_containers_gives_counts(body: str) -> None:
    """`writer.write(q)` is what a method of the user's answers, and no line of a log."""

    def digest(model: str, code: str) -> str:
        space: dict[str, Any] = {"__name__": "__main__"}
        exec(
            "class Writer:\n    def __init__(self, model):\n        self.model = model\n"
            f"    def write(self, q):\n        return {code}\n"
            "class App:\n    def __init__(self, model):\n        self.writer = Writer(model)\n"
            "    def __call__(self, q):\n        return self.writer.write(q)\n"
            f"held = Writer({model!r})\ndef answer(q):\n    {body}\napp = App({model!r})",
            space,
        )
        return f"{identify(space['answer']).digest} {identify(space['app']).digest}"

    found = [digest("m", "q"), digest("n", "q"), digest("m", "q + q")]
    assert len({each.split()[0] for each in found}) == 3
    assert len({each.split()[1] for each in found}) == 3


@pytest.mark.parametrize("given", ["await held.put(q)", "held.put(\n        (q, q)\n    )"])
def test_a_result_that_nobody_takes_does_not_count(given: str) -> None:
    digests = set()
    for first in ("1", "2"):
        space: dict[str, Any] = {"__name__": "__main__"}
        exec(f"held = [{first}]\nasync def answer(q):\n    {given}\n    return q", space)
        digests.add(identify(space["answer"]).digest)
    assert len(digests) == 1


def test_what_cannot_be_compared_is_named_and_is_new_in_every_process() -> None:
    """Within one process the same object stays the same function."""
    one, two = Agent(threading.Lock()), Agent(threading.Lock())
    found = identify(one.answer)
    assert found.opaque == ("self.model",)
    assert identify(one.answer).digest == found.digest
    assert identify(two.answer).digest != found.digest


def test_the_digest_is_the_same_in_the_next_process() -> None:
    """Whatever the seed of the hashes, the order of a set or the address of an object."""
    text = (
        "import re\n"
        "from promptops.models.function_identity import identify\n"
        "class A:\n"
        "    def __init__(self):\n"
        "        self.s = {'a', 'b', 'c'}; self.p = re.compile('x'); self.d = {'k': [1]}\n"
        "    def answer(self, q): return q in {'x', 'y', 'z'} and q in self.s\n"
        "def closed(a): return lambda q: a.answer(q)\n"
        "print(identify(closed(A())).digest)\n"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", text],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(filter(None, sys.path))},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


def test_nothing_is_run_and_circles_end() -> None:
    """Objects that refer to each other, and a function that refers to itself."""
    one, two = Agent(None), Agent(None)
    one.model, two.model = two, one

    def again(q: str) -> Any:
        return again(q)

    assert identify(one.answer).opaque == identify(again).opaque == ()


@pytest.mark.parametrize(
    "build",
    [
        lambda: 10**5000,
        lambda: -(10**5000),
        lambda: (1, 10**5000),
        lambda: {10**5000: 1},
        lambda: frozenset({10**5000}),
        lambda: {(1, 10**5000): [10**5000]},
    ],
)
def test_an_integer_of_more_digits_than_python_writes_is_told_from_others(build: Any) -> None:
    """A closure over it is a version of its own, and no bare ValueError of `repr`."""

    def over(held: Any) -> Any:
        def answer(q: str) -> Any:
            return held

        return answer

    first = identify(over(build()))
    assert first == identify(over(build()))
    assert first.digest != identify(over(10**5000 + 2)).digest
