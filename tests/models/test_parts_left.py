"""What a function made when it was first called, replaced by hand in another cell: the answers
after it are another function's. A counter, a memo or a log that another call changes is still its
own.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from promptops.models.code_version import CodeVersion
from promptops.models.parts_left import PartsLeft
from promptops.models.protocol import Call
from promptops.study.resolve_model import as_target

from .test_edit_meanwhile import kernel

INDEX = "global index\n    if index is None:\n        index = {made}\n    return str(index{take})"
OBJECT = "if rag.index is None:\n        rag.index = {made}\n    return str(rag.index{take})"
RAG = "import types\nrag = types.SimpleNamespace(index=None)"
CASES = {
    "text": ("index = None", INDEX, "'a'", "", "index = 'b'"),
    "list": ("index = None", INDEX, "['a', 'c']", "[0]", "index = ['b']"),
    "item": ("index = None", INDEX, "['a', 'c']", "[0]", "index[0] = 'b'"),
    "map": ("index = None", INDEX, "{'x': 'a'}", "['x']", "index = {'x': 'b'}"),
    "longer": (
        *("index = None", INDEX, "['a'] * 700", "[0]"),
        "index = ['b'] * 750",
    ),
    "array": ("import numpy\nindex = None", INDEX, "numpy.zeros(9)", "[0]", "index = index + 1"),
    "table": (
        *("import pandas\nindex = None", INDEX, "pandas.DataFrame({'x': ['a', 'c']})", ".x[0]"),
        "index = pandas.DataFrame({'x': ['b']})",
    ),
    "attribute": (RAG, OBJECT, "['a']", "[0]", "rag.index = ['b']"),
    "rows": (RAG, OBJECT, "[{'t': 'a'}] * 700", "[0]['t']", "rag.index = [{'t': 'b'}] * 800"),
    "key": (
        "held = {}",
        "if 'index' not in held:\n        held['index'] = {made}\n    return held['index']{take}",
        *("['a']", "[0]", "held['index'] = ['b']"),
    ),
    "beside a counter": (
        "state = {'n': 0, 'index': None}",
        "state['n'] += 1\n    if state['index'] is None:\n        state['index'] = {made}\n"
        "    return state['index']{take}",
        *("'a'", "", "state['index'] = 'b'"),
    ),
}


def of(case: str, code: str = "def") -> tuple[dict[str, Any], str]:
    around, body, made, take, edit = CASES[case]
    body = body.replace("{made}", made).replace("{take}", take)
    return kernel(around, f"{code} answer(q):\n    {body}"), edit


def version_of(space: dict[str, Any], asked: int) -> str:
    """The version in a study that asks so often."""
    version = CodeVersion(space["answer"], target=True)
    found = version.version
    for number in range(asked):
        version.calling(lambda number=number: space["answer"](f"{number}"))
    space["study"] = version
    return found


@pytest.mark.parametrize("case", CASES)
def test_what_somebody_replaced_is_another_function(case: str) -> None:
    """Each had kept the answers to what was there before."""
    space, edit = of(case)
    first, given = version_of(space, 6), space["answer"]("q")
    assert version_of(space, 0) == first
    exec(edit, space)
    assert space["answer"]("q") != given
    second = version_of(space, 6)
    assert second != first
    assert version_of(space, 6) == second  # nobody pays for it again
    fresh, _ = of(case)
    assert version_of(fresh, 0) == first  # in a kernel where nothing was asked
    if case != "item":  # nothing is there yet
        exec(edit.replace("index + 1", "numpy.ones(9)"), fresh)
        assert version_of(fresh, 0) == second


@pytest.mark.parametrize("case", CASES)
def test_it_is_noticed_where_many_calls_are_in_flight(case: str) -> None:
    space, edit = of(case, "import asyncio\nasync def")
    exec(
        "given = answer\nasync def answer(q):\n    await asyncio.sleep(0.01)\n"
        "    return await given(q)",
        space,
    )

    async def study() -> str:
        one = as_target(space["answer"])
        call = Call(request={}, values={"q": "q"}, timeout_s=9.0)
        await asyncio.gather(*(one.complete(call) for _ in range(12)))
        space.setdefault("kept", []).append(one)
        return as_target(space["answer"]).label

    first = asyncio.run(study())
    assert asyncio.run(study()) == first
    exec(edit, space)
    second = asyncio.run(study())
    assert second != first
    assert asyncio.run(study()) == second


OWN = {
    "counter": ("n = 0", "global n\n    n += 1\n    return 'a' if n else ''"),
    "log": ("log = []", "log.append(q)\n    return 'a' if len(log) else ''"),
    "memo": ("memo = {}", "if q not in memo:\n        memo[q] = 'a'\n    return memo[q]"),
    "large memo": (
        "memo = {}",
        "if not memo:\n        memo.update(dict.fromkeys(range(900), 'a'))\n"
        "    if q not in memo:\n        memo[q] = 'a'\n    return memo[q]",
    ),
    "last": ("last = ''", "global last\n    last = q\n    return 'a' if last else ''"),
    "client": (
        "client = None",
        "global client\n    if client is None:\n        client = {'calls': 0}\n"
        "    client['calls'] += 1\n    return 'a' if client else ''",
    ),
}


@pytest.mark.parametrize("own", OWN)
def test_another_call_by_hand_is_no_edit(own: str) -> None:
    """Nobody pays again for a function that was tried in a cell between two studies."""
    around, body = OWN[own]
    space = kernel(around, f"def answer(q):\n    {body}")
    first = version_of(space, 20)
    for _ in range(5):  # repeats of the last one
        space["study"].calling(lambda: space["answer"]("19"))
    space["answer"]("another")
    assert version_of(space, 9) == first


def test_what_other_calls_may_have_changed_since_is_no_edit() -> None:
    left, part = PartsLeft(), (1, "x.")
    for number in range(1, 9):
        left.saw({}, {part: "made"}, number, at_rest=True)
    assert left.replaced({part: "other"}, {part}, 8) == {part}
    assert left.replaced({part: "other"}, {part}, 15) == {part}  # unchanged for as many before
    assert left.replaced({part: "other"}, {part}, 16) == set()
    assert left.replaced({part: "other"}, set(), 8) == set()  # code never changed it
    left.saw({}, {part: "made"}, 9, at_rest=False)
    assert left.replaced({part: "other"}, {part}, 9) == set()


def test_a_large_place_is_compared_at_once() -> None:
    before = {(1, f"x.[{n}].['t']"): str(n) for n in range(20_000)} | {(1, "x."): "list"}
    left = PartsLeft()
    for number in range(1, 6):
        left.saw({}, before, number, at_rest=True)
    began = time.process_time()
    now = dict.fromkeys(before, "other")
    assert left.replaced(now, {(1, "x.")}, 5) == before.keys()
    assert time.process_time() - began < 2.0
