"""A call with wrong arguments names what is accepted, before anything runs."""

from __future__ import annotations

import inspect
import pathlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import pytest

from promptops.dataset import Dataset
from promptops.errors import DatasetError, PromptOpsError
from promptops.lab import Lab, Study, compare, position_bias
from promptops.signatures import explained, explained_methods


@explained
def evaluate(versions: Any, dataset: Any, *, budget_usd: float = 0.0, name: str) -> str:
    """Something public."""
    return name


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: evaluate(1, 2, name="x", budget=1), ["'budget'", "did you mean budget_usd=?"]),
        (lambda: evaluate(1, 2, 3), ["only versions and dataset by position", "name=..."]),
        (lambda: evaluate(1, name="x"), ["needs dataset", "budget_usd="]),
        (lambda: evaluate(1, 2, versions=1, name="x"), ["versions twice"]),
        (lambda: Study.compare(None, 1, 2), ["candidate=..., baseline=...", "primary="]),
        (lambda: Lab.compare(None, 1), ["takes nothing by position", "candidate="]),
        (lambda: Lab.promote(None, 1, "prod"), ["only version by position", "env=..."]),
        (lambda: Lab.promote(None, 1, to="prod"), ["no parameter 'to'", "env="]),
        (lambda: Lab.rollback(None, 1), ["needs env"]),
        (lambda: Lab.history(None, "p", "prod"), ["only prompt by position", "env=..."]),
        (lambda: Lab.evaluate(None, [], [], budget=3), ["'budget'", "budget_usd="]),
        (lambda: Lab.plan(None, "p", [], [], finalist=[]), ["did you mean finalists=?"]),
        (lambda: Study.gate(None, 1, "prod"), ["only version by position", "env=..."]),
        (lambda: compare("a.csv", "old", "new"), ["baseline=..., candidate=...", "expected="]),
        (lambda: compare("a.csv", baseline="a", b="b"), ["no parameter 'b'", "candidate="]),
        (lambda: Lab.prompt(None), ["needs name"]),
    ],
)
def test_a_wrong_call_names_the_accepted_ones(call: Any, words: list[str]) -> None:
    """Sixteen slips of a newcomer; each sentence holds the next step."""
    with pytest.raises(TypeError) as said:
        call()
    for word in words:
        assert word in str(said.value)


def test_signature_and_docstring_stay() -> None:
    """Completion and Shift-Tab show the function that was written, with typed keywords."""
    assert list(inspect.signature(evaluate).parameters) == [
        "versions",
        "dataset",
        "budget_usd",
        "name",
    ]
    assert evaluate.__doc__ == "Something public."
    assert evaluate(1, 2, name="x") == "x"
    kinds = [
        p.kind
        for door in (Lab.evaluate, Lab.estimate, Lab.plan, Lab.promote, Lab.rollback, compare)
        for p in inspect.signature(door).parameters.values()
    ]
    assert inspect.Parameter.VAR_KEYWORD not in kinds


if TYPE_CHECKING:  # as the public modules name their types
    from pathlib import Path

    from promptops.lab import Policy

    Limits = dict[str, float] | None


@explained
def report(
    name: str | None = None,
    limit: int = 10,
    share: float = 0.5,
    path: str | Path = "",
    policy: Policy | None = None,
    limits: Limits = None,
    items: Sequence[str] = (),
    kind: Literal["a", "b"] = "a",
) -> None:
    """Something that fails in another library's words, whatever is given."""
    raise AttributeError("'NoneType' object has no attribute 'casefold'")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"name": ["a"]}, "report() got a list as name; expected str or None."),
        ({"limit": 1.5}, "report() got a float as limit; expected int."),
        ({"share": "0.1"}, "report() got a str as share; expected float."),
        ({"path": 3}, "report() got an int as path; expected str or Path."),
        ({"policy": {"goal": "better"}}, "report() got a dict as policy; expected Policy or None."),
        ({"items": 3}, "report() got an int as items; expected Sequence[str]."),
        ({"kind": "c"}, "report() got a str as kind; expected Literal['a', 'b']."),
        ({"limit": None}, "report() got None as limit; expected int."),
    ],
)
def test_what_fails_for_its_type_says_so(given: dict[str, Any], words: str) -> None:
    with pytest.raises(TypeError) as said:
        report(**given)
    assert str(said.value) == words
    assert isinstance(said.value.__cause__, AttributeError)


@pytest.mark.parametrize(
    "given",
    [
        {"limit": np.int64(3), "share": np.float32(1), "items": ["a"]},
        {"share": 1, "path": pathlib.Path("x"), "limits": {"a": 1.0}},
        {"limits": 5},  # a name for the type checker alone: nothing is claimed of it
        {"kind": "b"},
    ],
)
def test_what_fails_for_another_reason_keeps_its_words(given: dict[str, Any]) -> None:
    with pytest.raises(AttributeError, match="casefold"):
        report(**given)


def test_what_works_is_not_looked_at() -> None:
    """An annotation is no check: what a function can use, it may be given."""

    @explained
    def half(number: int) -> float:
        return number / 2

    assert half(cast("Any", 2.5)) == 1.25


def test_our_own_errors_stay() -> None:
    @explained
    def refuse(number: int) -> None:
        raise DatasetError("no.")

    with pytest.raises(DatasetError, match="no"):
        refuse(cast("Any", "x"))


def test_each_public_method_explains_its_calls() -> None:
    @explained_methods
    class Door:
        def one(self, number: int) -> int:
            return number + 1

        @classmethod
        def two(cls, number: int) -> int:
            return number + 1

        @property
        def three(self) -> int:
            return 3

    for call in (Door().one, Door.two):
        with pytest.raises(TypeError, match=r"got a str as number; expected int"):
            call(cast("Any", "x"))
        with pytest.raises(TypeError, match="no parameter 'n'"):
            cast("Any", call)(n=1)
    assert Door().one(1) == Door.two(1) == 2
    assert Door().three == 3


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda data: data.get(3), "get() got an int as id; expected str."),
        (lambda data: data.head("5"), "head() got a str as n; expected int."),
        (lambda data: data.sample(None), "sample() got None as n; expected int."),
        (lambda data: data.filter("x"), "filter() got a str as keep; expected Callable"),
        (lambda data: Dataset.read([{"q": "a"}], inputs=3), "read() got an int as inputs;"),
    ],
)
def test_slips_with_a_dataset(call: Any, words: str) -> None:
    with pytest.raises(TypeError) as said:
        call(Dataset.read([{"q": "a"}, {"q": "b"}]))
    assert str(said.value).startswith(words)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda lab: lab.runs(-1), "limit is -1"),
        (lambda lab: lab.sql("select 1", limit=-5), "limit is -5"),
        (lambda lab: lab.live("w", days=float("nan")), "days is nan"),
        (lambda lab: lab.leaderboard([]), "none was given"),
        (lambda lab: lab.import_runs("runs.csv", [{"q": "a"}], []), "table is of type str"),
        (lambda lab: lab.evaluate([], [{"q": "a"}], [], plan="p1"), "plan is 'p1'"),
        (lambda lab: lab.watch(3, probe=[{"q": "a"}], scorers=["equals()"]), "prompt is a int"),
        (lambda lab: Dataset.of_tasks({"a": 1, "b": 2}), "the task 'a' is a int"),
        (lambda lab: position_bias(["A"], ["A", "B"]), "1 and 2 verdicts"),
        (lambda lab: position_bias(["A"], ["b"]), "one is 'b'"),
    ],
)
def test_a_wrong_value_is_named(
    make_lab: Callable[..., Lab], call: Callable[[Lab], object], words: str
) -> None:
    with pytest.raises(PromptOpsError) as said:
        call(make_lab())
    assert words in str(said.value)


@pytest.mark.parametrize(
    ("text", "settings"), [("{{q}}", {"temprature": 1}), ("Say {q}", {}), ("{{q}}", {"top": 1})]
)
def test_a_warning_names_the_line_of_the_caller(
    make_lab: Callable[..., Lab], text: str, settings: dict[str, Any]
) -> None:
    """Not ours: Python says a warning of one line once, so that a second cell heard nothing."""
    with pytest.warns(UserWarning, match="setting|variable") as caught:
        make_lab().prompt("w").save(text, model="m", **settings)
    assert {each.filename for each in caught} == {__file__}
