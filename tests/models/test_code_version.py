"""Whose answers a target's are: an edit between two runs asks again, its own counters do not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from promptops.models.protocol import Call, Model
from promptops.study.resolve_model import ModelResolver, as_target

# (a cell with what is around the function, the function's cell, edits that another cell makes)
CELLS = {
    "a parser of a library's": (
        "import configparser\nheld = configparser.ConfigParser()\nheld['a'] = {'tone': 'kind'}",
        "def answer(q):\n    return held['a']['tone']",
        ["held['a']['tone'] = 'rude'", "held.set('a', 'tone', 'rude')"],
    ),
    "a client's address": (
        "import httpx\nheld = httpx.Client(base_url='http://127.0.0.1:1')",
        "def answer(q):\n    return str(held.base_url)",
        ["held.base_url = 'http://127.0.0.1:2'", "held.headers['tone'] = 'rude'"],
    ),
    "a client that counts": (
        "class Client:\n    def __init__(self):\n        self.calls, self.tone = 0, 'kind'\n"
        "    def ask(self, q):\n        self.calls += 1\n        return self.tone\nheld = Client()",
        "def answer(q):\n    return held.ask(q)",
        ["held.tone = 'rude'", "Client.ask = lambda self, q: 'rude'"],
    ),
    "a writer whose method is named like a list's": (
        "class Writer:\n    def __init__(self):\n        self.calls, self.tone = 0, 'kind'\n"
        "    def append(self, q):\n        self.calls += 1\n        return self.tone\n"
        "held = Writer()",
        "def answer(q):\n    return held.append(q)",
        ["held.tone = 'rude'", "Writer.append = lambda self, q: 'rude'"],
    ),
    "its method": (
        "class Client:\n    def __init__(self):\n        self.calls, self.tone = {}, 'kind'\n"
        "    def ask(self, q):\n        self.calls[q] = 1\n        return self.tone\n"
        "held = Client()",
        "answer = held.ask",
        ["held.tone = 'rude'"],
    ),
    "a map with a setting beside a counter": (
        "held = {'tone': 'kind', 'calls': 0}",
        "def answer(q):\n    held['calls'] += 1\n    return held['tone']",
        ["held['tone'] = 'rude'", "held = {'tone': 'rude', 'calls': 0}", "held['more'] = 1"],
    ),
    "a history that begins with a setting": (
        "held = [{'role': 'system', 'content': 'kind'}]",
        "def answer(q):\n    held.append({'role': 'user', 'content': q})\n    return str(held[0])",
        ["held[0]['content'] = 'rude'"],
    ),
    "a table of documents that counts what was found": (
        "held = {f'd{i}': {'text': 'kind', 'hits': 0} for i in range(300)}",
        "def answer(q):\n    found = held['d1']\n    found['hits'] += 1\n    return found['text']",
        ["held['d1']['text'] = 'rude'", "held['d7']['text'] = 'rude'", "held['more'] = {}"],
    ),
    "a table of pandas with a column that counts": (
        "import pandas\nheld = pandas.DataFrame({'text': ['kind'], 'hits': [0]})",
        "def answer(q):\n    held.loc[0, 'hits'] += 1\n    return held['text'].iloc[0]",
        ["held.loc[0, 'text'] = 'rude'", "held['text'] = 'rude'"],
    ),
    "a map with many settings and a counter": (
        "held = {f's{i}': 'kind' for i in range(500)} | {'calls': 0}",
        "def answer(q):\n    held['calls'] += 1\n    return held['s1']",
        ["held['s1'] = 'rude'", "del held['s2']"],
    ),
    "a setting beside a large memo": (
        "held = {'tone': 'kind', 'memo': {i: 'kind' for i in range(900)}}",
        "def answer(q):\n    held['memo'][q] = held['tone']\n    return held['memo'][q]",
        ["held['tone'] = 'rude'"],
    ),
    "a client that is made when it is needed": (
        "class Client:\n    def __init__(self):\n        self.tone = 'kind'\nheld = None",
        "def answer(q):\n    global held\n    held = held or Client()\n    return held.tone",
        ["held.tone = 'rude'", "Client = type('Client', (), {'tone': 'rude'})"],
    ),
    "a class's map with a counter": (
        "class Usage:\n    held = {'tone': 'kind', 'calls': 0}",
        "def answer(q):\n    Usage.held['calls'] += 1\n    return Usage.held['tone']",
        ["Usage.held['tone'] = 'rude'"],
    ),
    "attributes that are set by name": (
        "class Client:\n    def __init__(self):\n        self.calls, self.tone = 0, 'kind'\n"
        "    def ask(self, q):\n        setattr(self, 'calls', self.calls + 1)\n"
        "        return self.tone\nheld = Client()",
        "def answer(q):\n    return held.ask(q)",
        ["held.tone = 'rude'"],
    ),
    "a client that waits": (
        "class Client:\n    def __init__(self):\n        self.calls, self.tone = 0, 'kind'\n"
        "    async def ask(self, q):\n        self.calls += 1\n        return self.tone\n"
        "held = Client()",
        "async def answer(q):\n    return await held.ask(q)",
        ["held.tone = 'rude'"],
    ),
    "a tally that a later call begins": (
        "held = {'tone': 'kind', 'q0': 0, 'q2': 0}",
        "def answer(q):\n    if q in held:\n        held[q] += 1\n    return held['tone']",
        ["held['tone'] = 'rude'"],
    ),
}
EDITS = [(kind, edit) for kind, (_, _, edits) in CELLS.items() for edit in edits]


def ask(model: Model, questions: int = 4) -> None:
    async def asked() -> None:
        for at in range(questions):
            await model.complete(Call(request={}, values={"q": f"q{at}"}, timeout_s=9.0))

    asyncio.run(asked())


def cell(kind: str, place: str) -> tuple[dict[str, Any], Callable[[], Model]]:
    """A notebook, and who answers in it at this moment."""
    space: dict[str, Any] = {"__name__": "a_notebook"}
    exec(CELLS[kind][0], space)
    exec(CELLS[kind][1], space)
    if place == "target":
        return space, lambda: as_target(space["answer"])
    models = ModelResolver({"m": space["answer"]})
    return space, lambda: models.of("m")


@pytest.mark.parametrize("place", ["target", "models"])
@pytest.mark.parametrize("kind", CELLS)
def test_what_it_keeps_while_it_works_asks_nothing_again(kind: str, place: str) -> None:
    space, now = cell(kind, place)
    first = now()
    ask(first)
    again = now()
    assert again.label == first.label
    ask(again, 3)
    assert now().label == first.label
    exec(CELLS[kind][1], space)
    if "method" not in kind:
        assert as_target(space["answer"]).label == first.label


@pytest.mark.parametrize("place", ["target", "models"])
@pytest.mark.parametrize(("kind", "edit"), EDITS)
def test_an_edit_between_asks_again(kind: str, edit: str, place: str) -> None:
    space, now = cell(kind, place)
    first = now()
    ask(first)
    exec(edit, space)
    edited = now()
    assert edited.label != first.label
    ask(edited)
    assert now().label == edited.label


def test_an_edit_before_the_first_answer_counts() -> None:
    """A plan had looked at the model before."""
    space, now = cell("a map with a setting beside a counter", "models")
    first = now().label
    space["held"]["tone"] = "rude"
    assert now().label != first


def test_a_file_that_is_read_beside_a_log_counts(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tone.txt").write_text("kind")
    space: dict[str, Any] = {"__name__": "a_notebook"}
    exec(
        "def answer(q):\n    with open('log.txt', 'a') as log:\n        log.write(q)\n"
        "    return open('tone.txt').read()",
        space,
    )
    models = ModelResolver({"m": space["answer"]})
    first = models.of("m").label
    ask(models.of("m"))
    assert models.of("m").label == first
    (tmp_path / "tone.txt").write_text("rude")
    assert models.of("m").label != first


def test_two_closures_that_write_are_not_taken_for_each_other() -> None:
    def make(left: int) -> Callable[[str], str]:
        def answer(q: str) -> str:
            nonlocal left
            left -= 1
            return str(left)

        return answer

    one, other = as_target(make(3)), as_target(make(4))
    assert one.label != other.label


COUNTING = CELLS["a client that counts"][0]
ASKING = CELLS["a client that counts"][1]


def kernel(*cells: str) -> dict[str, Any]:
    space: dict[str, Any] = {"__name__": "a_notebook"}
    for each in cells:
        exec(each, space)
    return space


def test_an_edited_function_is_the_same_in_the_next_kernel() -> None:
    """Whatever the client has counted for the one before the edit."""
    edited = ASKING.replace("ask(q)", "ask(q.strip())")
    space = kernel(COUNTING, ASKING)
    before = as_target(space["answer"])
    ask(before)
    exec(edited, space)
    now = as_target(space["answer"])
    assert space["held"].calls == 4
    assert now.label == as_target(kernel(COUNTING, edited)["answer"]).label != before.label


def test_a_second_function_with_the_same_client_is_the_same_in_the_next_kernel() -> None:
    """There the first one's answers are recorded, so that the client has counted nothing."""
    other = "def other(q):\n    return held.ask(q.upper())"
    space = kernel(COUNTING, ASKING, other)
    one = as_target(space["answer"])
    ask(one)
    two = as_target(space["other"])
    assert two.label == as_target(kernel(COUNTING, ASKING, other)["other"]).label
    ask(two)
    assert as_target(space["answer"]).label == one.label


def test_a_setting_that_is_set_back_is_the_one_before() -> None:
    space, now = cell("a client that counts", "models")
    first = now()
    ask(first)
    space["held"].tone = "rude"
    ask(now())
    space["held"].tone = "kind"
    assert now().label == first.label


def test_a_client_that_was_made_and_then_edited_is_another_one() -> None:
    """Though it was not there at first."""
    space, now = cell("a client that is made when it is needed", "target")
    labels = set()
    for tone in ("kind", "rude", "calm"):
        if space["held"] is not None:
            space["held"].tone = tone
        model = now()
        labels.add(model.label)
        ask(model)
    assert len(labels) == 3


def test_a_tally_that_another_function_raises_asks_nothing_again() -> None:
    space = kernel(
        "held = {'one': 0, 'two': 0, 'tone': 'kind'}\n"
        "def count(name):\n    held[name] += 1\n    return held['tone']",
        "def one(q):\n    return count('one')",
        "def two(q):\n    return count('two')",
    )
    one, two = as_target(space["one"]), as_target(space["two"])
    ask(one)
    ask(two)
    assert as_target(space["one"]).label == one.label
    space["held"]["tone"] = "rude"
    assert as_target(space["one"]).label != one.label


def test_a_variable_counts_beside_one_that_the_code_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_TONE", "kind")
    monkeypatch.setenv("A_QUESTION", "")
    space = kernel(
        "import os",
        "def answer(q):\n    os.environ['A_QUESTION'] = q\n    return os.environ['A_TONE']",
    )
    one = as_target(space["answer"])
    ask(one)
    assert as_target(space["answer"]).label == one.label
    monkeypatch.setenv("A_TONE", "rude")
    assert as_target(space["answer"]).label != one.label


def test_a_tally_in_one_map_with_anothers_asks_nothing_again() -> None:
    """What another function counts beside it is no setting of this one."""
    space = kernel(
        "held = {'tone': 'kind', 'one': 0, 'two': 0}",
        "def one(q):\n    held['one'] += 1\n    return held['tone']",
        "def two(q):\n    held['two'] += 1\n    return held['tone']",
    )
    models = [as_target(space["one"]), as_target(space["two"])]
    for _ in range(3):
        for model, name in zip(models, ("one", "two"), strict=True):
            ask(model)
            assert as_target(space[name]).label == model.label
    space["held"]["tone"] = "rude"
    assert as_target(space["one"]).label != models[0].label
