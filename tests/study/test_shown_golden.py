"""What is known before anything is paid: golden answers among the inputs, targets that are given
the same values for every example.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from promptops.lab import Dataset, Lab
from promptops.models.scripted import ScriptedModel
from promptops.scorers import contains, equals

MakeLab = Callable[..., Lab]
LABELS = ("billing", "bug", "shipping", "Straße")


def rows(
    n: int, hint: Callable[[str], Any], labels: Sequence[str] = LABELS
) -> list[dict[str, Any]]:
    return [
        {"q": f"question {i}", "expected": (gold := labels[i % len(labels)]), "hint": hint(gold)}
        for i in range(n)
    ]


def said(
    lab: Lab, data: list[dict[str, Any]], text: str = "{{q}} {{hint}}", scorer: Any = None
) -> list[str]:
    """The sentences of a study's check, before anything is asked."""
    kinds = {dict: "object", list: "list", float: "number"}
    kind = kinds.get(type(data[0]["hint"]))
    names = {"hint": kind} if kind and "hint" in text else None
    version = lab.prompt("w").save(text, model="m", variables=names)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        lab.evaluate([version], data, [scorer or equals()])
    return [str(one.message) for one in caught if "equals the golden answer" in str(one.message)]


@pytest.fixture
def lab(make_lab: MakeLab) -> Lab:
    return make_lab(models={"m": ScriptedModel(lambda call: "bug")})


TYPED: dict[str, Callable[[str], Any]] = {
    "equal": lambda gold: gold,
    "upper": str.upper,
    "blanks": lambda gold: f"  {gold}\t",
    "full width": lambda gold: "".join(
        chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in gold
    ),
    "full stop": lambda gold: f"{gold}.",
    "quoted": lambda gold: f'"{gold}"',
    "object": lambda gold: {"id": 1, "meta": {"label": gold}},
    "list": lambda gold: ["x", gold],
    "JSON": lambda gold: json.dumps({"label": gold}),
    "JSON in JSON": lambda gold: json.dumps({"payload": json.dumps({"label": gold})}),
}


@pytest.mark.parametrize("typed", TYPED)
def test_a_column_of_another_name_that_is_the_golden_answer(lab: Lab, typed: str) -> None:
    """However it is typed or nested, the sentence names the column, the version and the rows."""
    [sentence] = said(lab, rows(24, TYPED[typed]))
    assert "'hint'" in sentence
    assert "w v1" in sentence or "v1" in sentence
    assert "all 24 rows" in sentence


@pytest.mark.parametrize(
    ("what", "data", "text"),
    [
        ("not read", rows(24, TYPED["equal"]), "{{q}}"),
        ("one row differs", [*rows(24, TYPED["equal"]), *rows(1, lambda _: "x")], "{{q}} {{hint}}"),
        ("a short table", rows(5, TYPED["equal"]), "{{q}} {{hint}}"),
        ("few rows of two labels", rows(8, TYPED["equal"], ("yes", "no")), "{{q}} {{hint}}"),
        ("one label", rows(40, TYPED["equal"], ("yes",)), "{{q}} {{hint}}"),
        ("within a text", rows(24, lambda gold: f"It is about {gold} today"), "{{q}} {{hint}}"),
        ("a constant", rows(24, lambda _: "billing"), "{{q}} {{hint}}"),
    ],
)
def test_no_false_alarm(lab: Lab, what: str, data: list[dict[str, Any]], text: str) -> None:
    """Equal by luck, by a constant, or as a part of a longer text is not the golden answer."""
    assert said(lab, data, text) == []


def test_any_of_a_golden_list_and_other_scorers(lab: Lab) -> None:
    """One of several right answers is enough; numbers are equal however they are written."""
    lists = [{**row, "expected": [row["expected"], "other"]} for row in rows(24, TYPED["equal"])]
    assert len(said(lab, lists)) == 1
    numbers = [{"q": f"q{i}", "expected": i, "hint": float(i)} for i in range(24)]
    assert len(said(lab, numbers)) == 1
    within = rows(24, TYPED["equal"])
    assert len(said(lab, within, scorer=contains(column="expected"))) == 1


def test_models_typed_differently_are_said(lab: Lab) -> None:
    """ "m1 " beside "m1" may be one model; two names are two arms, and that is said."""
    data = [{"id": f"e{i}", "q": f"q{i}", "expected": "bug"} for i in range(4)]
    outputs = [
        {"example_id": row["id"], "version": "v", "output": "bug", "model": model}
        for row in data
        for model in ("m1", "m1 ", "m2")
    ]
    with pytest.warns(UserWarning, match="'m1' and 'm1 ' differ only in how they are typed"):
        lab.import_runs(outputs, Dataset.read(data), [equals()])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        lab.import_runs(
            [row for row in outputs if row["model"] != "m1 "], Dataset.read(data), [equals()]
        )
    assert not [one for one in caught if "typed" in str(one.message)]


@pytest.mark.parametrize("column", ["tone", "topic"])
def test_a_target_that_is_given_the_same_for_every_example_says_so_before_it_is_called(
    make_lab: MakeLab, column: str
) -> None:
    """A function that reads a constant column; the sentence comes before the first call."""
    calls: list[Any] = []

    def by_tone(tone: str) -> str:
        calls.append(tone)
        return "bug"

    def by_topic(topic: str = "none") -> str:
        calls.append(topic)
        return "bug"

    lab, seen = make_lab(), list[int]()
    version = lab.prompt("w").save("{{q}}", model="agent")
    data = [{"q": f"q{i}", "expected": "bug", "tone": "kind", "topic": "all"} for i in range(12)]
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_: seen.append(  # type: ignore[assignment]
            len(calls) if "the same values" in str(message) else -1
        )
        warnings.simplefilter("always")
        chosen = by_tone if column == "tone" else by_topic
        lab.evaluate([version], data, [equals()], target=chosen)
    assert 0 in seen
