"""An edit while a target is asked: no answer is recorded for another function than gave it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from promptops.errors import CallError
from promptops.models.protocol import Call, Model
from promptops.study.resolve_model import as_target


def kernel(*cells: str) -> dict[str, Any]:
    space: dict[str, Any] = {"__name__": "a_notebook"}
    for each in cells:
        exec(each, space)
    return space


async def ask_on(model: Model, call: Call) -> None:
    for _ in range(100):  # the function is looked at as often as that costs little
        await model.complete(call)


COUNTED = "held = {'tone': 'kind', 'calls': 0, 'used': {'in': 0}}"
MEANWHILE = [
    ("tone = 'kind'", "return tone", "tone = 'rude'"),
    (COUNTED, "held['calls'] += 1\n    return held['tone']", "held['tone'] = 'rude'"),
    (COUNTED, "held['used']['in'] += 1\n    return held['tone']", "held['tone'] = 'rude'"),
    (COUNTED, "held['last'] = q\n    return held['tone']", "held.update(tone='rude')"),
]


@pytest.mark.parametrize(("around", "code", "edit"), MEANWHILE)
def test_an_edit_meanwhile_is_noticed_without_another_study(
    around: str, code: str, edit: str
) -> None:
    """The calls after it had all been recorded for the function before."""
    answer = code.replace("return", "await asyncio.sleep(0.05)\n    return")
    space = kernel(f"import asyncio\n{around}", f"async def answer(q):\n    {answer}")

    async def study() -> None:
        one = as_target(space["answer"])
        call = Call(request={}, values={"q": "q"}, timeout_s=9.0)
        assert {(await one.complete(call)).text for _ in range(3)} == {"kind"}
        asked = asyncio.ensure_future(one.complete(call))
        await asyncio.sleep(0.01)
        assert (await one.complete(call)).text == "kind"
        assert (await asked).text == "kind"
        exec(edit, space)
        with pytest.raises(CallError, match="was edited while it answered"):
            await ask_on(one, call)
        two = as_target(space["answer"])
        assert two.label != one.label
        assert (await two.complete(call)).text == "rude"

    asyncio.run(study())


@pytest.mark.parametrize(("around", "code", "edit"), MEANWHILE)
def test_an_answer_is_not_recorded_for_the_function_before_an_edit(
    around: str, code: str, edit: str
) -> None:
    """Another study had begun after the edit, while the first one was being asked."""
    answer = code.replace("return", "await asyncio.sleep(0.05)\n    return")
    space = kernel(f"import asyncio\n{around}", f"async def answer(q):\n    {answer}")

    async def studies() -> None:
        one = as_target(space["answer"])
        call = Call(request={}, values={"q": "q"}, timeout_s=9.0)
        asked = asyncio.ensure_future(one.complete(call))
        await asyncio.sleep(0.01)
        exec(edit, space)
        two = as_target(space["answer"])
        with pytest.raises(CallError, match="was edited while it answered"):
            await asked
        assert (await two.complete(call)).text == "rude"
        assert as_target(space["answer"]).label == two.label

    asyncio.run(studies())


def test_a_second_study_meanwhile_asks_the_same_function() -> None:
    """Its counter had moved, and no call had ended yet."""
    space = kernel(
        "import asyncio\nheld = {'calls': 0, 'tone': 'kind'}",
        "async def answer(q):\n    held['calls'] += 1\n    await asyncio.sleep(0.05)\n"
        "    return held['tone']",
    )

    async def studies() -> None:
        one = as_target(space["answer"])
        call = Call(request={}, values={"q": "q"}, timeout_s=9.0)
        asked = asyncio.ensure_future(one.complete(call))
        await asyncio.sleep(0.01)
        assert as_target(space["answer"]).label == one.label
        assert (await asked).text == "kind"
        assert as_target(space["answer"]).label == one.label

    asyncio.run(studies())


def test_a_registry_that_calls_fill_stops_no_study(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("promptops.models.code_version._BETWEEN", 0)
    space = kernel(
        "import functools\n@functools.singledispatch\ndef found(q):\n    return 'other'\n"
        "@found.register\ndef _(q: str):\n    return 'kind'",
        "def answer(q):\n    return found(q)",
    )
    call = Call(request={}, values={"q": "q"}, timeout_s=9.0)
    asyncio.run(ask_on(as_target(space["answer"]), call))


UNNAMED = [
    ("import heapq\nkept = []", "heapq.heappush(kept, q)"),
    ("kept = ([], [])", "first, second = kept\n    second.append(q)"),
    ("kept = [{'n': 0}, {'n': 0}]", "for each in kept: each['n'] += 1"),
    ("held = {'all': []}\ndef kept(): return held['all']", "kept().append(q)"),
    ("import random\nkept = list(range(99))", "random.shuffle(kept)"),
]


@pytest.mark.parametrize(("around", "code"), UNNAMED)
def test_what_calls_keep_in_a_way_that_code_does_not_name_stops_no_study(
    around: str, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last calls end without another one's beginning: they had been told of an edit."""
    monkeypatch.setattr("promptops.models.code_version._BETWEEN", 0)
    space = kernel(
        f"import asyncio\n{around}",
        f"async def answer(q):\n    {code}\n    await asyncio.sleep(int(q) / 200)\n    return 'a'",
    )

    async def study() -> None:
        one = as_target(space["answer"])
        calls = [Call(request={}, values={"q": str(at)}, timeout_s=9.0) for at in range(7)]
        await one.complete(calls[0])
        for _ in range(3):
            await asyncio.gather(*map(one.complete, calls))

    asyncio.run(study())
