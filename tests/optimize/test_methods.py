"""Methods one by one: what they write, what is vetoed, and gepa behind our adapter."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from promptops.dataset import Dataset
from promptops.errors import StudyError
from promptops.models.scripted import ScriptedModel
from promptops.optimize import FewShot, Gepa, Instructions
from promptops.optimize.halving import cost_of, first_of
from promptops.optimize.headroom import detectable
from promptops.optimize.operators import LabelledTexts, definitions, labelled, shorter
from promptops.optimize.texts import instructions_of, with_demonstrations, with_instructions
from promptops.optimize.veto import Vetoes, golden_columns
from promptops.scorers import equals
from promptops.scorers.function import scorer
from promptops.version import PromptVersion

LABELS = ("red", "green", "blue")
ROWS = [
    {
        "id": f"r{n}",
        "item": f"a {('rose', 'leaf', 'ocean')[n % 3]} seen on day {n} of this long and dry summer",
        "expected": LABELS[n % 3],
        "colour": LABELS[n % 3],
    }
    for n in range(120)
]
DATA = Dataset.read(ROWS, inputs=["item", "colour"])
SEED = PromptVersion("Name the colour.\n\nItem: {{item}}", model="m")


def vetoes(**options: Any) -> Vetoes:
    return Vetoes(SEED, DATA.train, golden_columns([equals(column="colour")]), **options)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Name it.", "lost the variable 'item'"),
        ("{{item}} {{mood}}", "the variable 'mood'"),
        ("{{item}} is {{colour}}", "the golden column 'colour'"),
        ("Name the tint of {{item}}", ""),
    ],
)
def test_vetoes_cost_no_call(text: str, reason: str) -> None:
    """O6: variables are the seed's, and no golden column is shown."""
    found = vetoes().against(PromptVersion(text, model="m"))
    assert reason in found
    assert bool(found) is bool(reason)


def test_what_does_not_fit_is_vetoed() -> None:
    """The longest row counts."""
    long = PromptVersion("word " * 400 + "{{item}}", model="m")
    assert "of 100 tokens" in vetoes(context_tokens=100).against(long)
    assert vetoes(context_tokens=10_000).against(long) == ""


def test_copies_of_train_rows_are_flagged() -> None:
    """Eight words in a row that the seed has not."""
    row = DATA.train[0].inputs["item"]
    copy = PromptVersion(f"Such as: {row}\n\nItem: {{{{item}}}}", model="m")
    assert DATA.train[0].id in vetoes().copied(copy)
    assert vetoes().copied(SEED) == ""


def test_demonstrations_are_turns_before_the_question() -> None:
    """What the seed says is said once."""
    rows = list(DATA.train)[:2]
    made = with_demonstrations(SEED, [(row, str(row.expected)) for row in rows])
    assert made is not None
    roles = [message["role"] for message in made.template]
    assert roles == ["system", "user", "assistant", "user", "assistant", "user"]
    assert made.template[0]["content"] == "Name the colour."
    assert made.template[1]["content"] == f"Item: {rows[0].inputs['item']}"
    assert made.template[-1]["content"] == "Item: {{item}}"


def test_an_example_that_reads_as_a_variable_is_left_out() -> None:
    """Its text would change what the version takes."""
    bad = Dataset.read([{"item": "{{item}}", "expected": "red"}])[0]
    assert with_demonstrations(SEED, [(bad, "red")]) is None


@pytest.mark.parametrize(
    ("seed", "text", "first"),
    [
        ("Name it.\n\nItem: {{item}}", "New.", "New.\n\nItem: {{item}}"),
        ("Name the colour of: {{item}}", "New.", "New.\n\nItem: {{item}}"),
        ("Name it: {{item}}", "Of {{item}}?", "Of {{item}}?"),
        (
            [{"role": "system", "content": "Old."}, {"role": "user", "content": "{{item}}"}],
            "New.",
            "New.",
        ),
    ],
)
def test_instructions_take_the_place_of_the_old(seed: Any, text: str, first: str) -> None:
    """Whatever form the seed has, what it asks about stays."""
    made = with_instructions(PromptVersion(seed, model="m"), text)
    assert made is not None
    assert made.template[0]["content"] == first
    assert {variable.name for variable in made.variables} == {"item"}


@pytest.mark.parametrize("beside", ["all", "next"])
def test_definitions_are_words_that_tell_labels_apart(beside: Any) -> None:
    """From train rows alone."""
    rows = labelled([(row, str(row.expected)) for row in DATA.train])
    assert rows is not None
    told = definitions(rows, 2, beside)
    for label, word in zip(LABELS, ("rose", "leaf", "ocean"), strict=True):
        [line] = [line for line in told.splitlines() if line.startswith(f"- {label}:")]
        assert word in line


TEXTS = {
    "red": ["charged twice lately", "charging again lately", "charged at noon lately"],
    "green": ["leaf seen lately", "leaf kept lately", "leaf shown lately"],
    "blue": ["ocean", "deep ocean", "wide ocean"],
}


def test_a_word_counts_against_the_label_that_has_it_next() -> None:
    """Shared by two labels of three it defines neither; its inflected forms count together."""
    rows = LabelledTexts(TEXTS)
    assert definitions(rows, 1).splitlines()[1:] == [
        "- blue: ocean",
        "- green: leaf",
        "- red: charged",
    ]
    assert "lately" in definitions(rows, 9, "all")
    assert "lately" not in definitions(rows, 9, "next")


def test_words_of_failed_rows_are_added() -> None:
    """To the label that they were of, behind those that it had."""
    told = definitions(LabelledTexts(TEXTS), 1, failed={"red": ["charging again lately"]})
    assert told.splitlines()[1:] == ["- blue: ocean", "- green: leaf", "- red: charged, again"]


def test_shorter_texts_keep_their_lines() -> None:
    """A list goes as a whole, a sentence by itself; what stays keeps its paragraphs."""
    text = "Name it. Be kind.\n\nLabels:\n- red: rose\n- green: leaf"
    assert list(shorter(text)) == [
        "Name it. Be kind.",
        "Name it.\n\nLabels:\n- red: rose\n- green: leaf",
        "Be kind.\n\nLabels:\n- red: rose\n- green: leaf",
    ]
    assert list(shorter("Name it.")) == []


@pytest.mark.parametrize(
    ("rows", "candidates", "left", "first"),
    [(91, 16, 390, 8), (91, 6, 351, 32), (91, 2, 400, 91), (91, 16, None, 8), (91, 3, 0, 8)],
)
def test_a_race_begins_with_the_rows_that_the_budget_allows(
    rows: int, candidates: int, left: int | None, first: int
) -> None:
    """And the whole of it fits, unless not even the shortest does."""
    found = first_of(rows, candidates, left)
    assert min(found, rows) == first
    if left and found > 8:
        assert cost_of(rows, candidates, found) <= left


def test_who_breaks_a_guardrail_is_raced_behind_all_others(make_lab: Callable[..., Any]) -> None:
    """However good, and also where it would have sent home all that keep them; and if all break
    one, the seed stays and is told why.
    """

    def bold(request: Mapping[str, Any]) -> str:
        said = json.dumps(request["messages"])
        known = {"rose": "red", "leaf": "green", "ocean": "blue"}
        right = next(value for word, value in known.items() if word in said)
        if "bold" in said:
            return f"{right}!"
        return right if "kind" in said and len(said) % 3 else "grey"

    @scorer
    def near(output: str, example: Any) -> bool:
        return output.rstrip("!") == example.expected

    @scorer
    def calm(output: str) -> bool:
        return "!" not in output

    lab = make_lab(models={"m": ScriptedModel(bold)})
    v1 = lab.prompt("colour").save("Name the colour.\n\nItem: {{item}}", model="m")
    texts = [f"Be bold {n}." for n in range(6)]
    found = {}
    for pool in (["Be kind.", *texts], texts):
        found[len(pool)] = lab.optimize(
            v1,
            Dataset.read(ROWS, inputs=["item"]),
            [near, calm],
            method=Instructions(texts=pool, operators=False),
            budget_calls=150,
        )
    assert instructions_of(found[7].best) == "Be kind."
    assert found[6].best.id == v1.id
    assert "loses on the guardrail calm" in repr(found[6])


def test_detectable_gains_shrink_with_rows() -> None:
    """Few rows show nothing."""
    few, many = detectable(100), detectable(1000)
    assert detectable(5) is None
    assert few is not None
    assert many is not None
    assert many < few


def answer(request: Mapping[str, Any]) -> str:
    """Right once it is told to look at the thing."""
    asked = str(request["messages"][-1]["content"])
    known = {"rose": "red", "leaf": "green", "ocean": "blue"}
    right = next(value for word, value in known.items() if word in asked)
    return right if "thing" in json.dumps(request["messages"]) else "grey"


def test_gepa_searches_within_the_budget(make_lab: Callable[..., Any]) -> None:
    """Its proposals are ours to record, its calls ours to count."""
    pytest.importorskip("gepa")
    replies = ["```\nLook at the thing, and name its colour.\n```"] + ["```\nName.\n```"] * 60
    reflecting = ScriptedModel(replies, label="reflecting")
    asked = ScriptedModel(answer)
    lab = make_lab(models={"m": asked, "big": reflecting})
    v1 = lab.prompt("colour").save("Name the colour.\n\nItem: {{item}}", model="m")
    method = Gepa(proposer="big", minibatch=3)
    data = Dataset.read(ROWS, inputs=["item"])
    search = lab.optimize(v1, data, [equals()], method=method, budget_calls=150)
    assert sum(search.calls.values()) <= 150
    assert instructions_of(search.best) == "Look at the thing, and name its colour."
    [best] = [each for each in search.candidates if each.id == search.best.id]
    assert best.score == 1.0
    assert best.parents == (v1.id,)
    assert "Feedback" in best.feedback
    assert lab.store.stats()["rows"]["proposals"] == search.calls["propose"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FewShot(k=0), "k is 0"),
        (lambda: FewShot(source="other"), "golden"),
        (lambda: Instructions(texts="one"), "pass a list"),
        (lambda: Instructions(operators=False), "at least one"),
        (lambda: Gepa(), "strong model"),
    ],
)
def test_methods_name_what_is_wrong(make: Callable[[], object], message: str) -> None:
    """Before anything is asked."""
    with pytest.raises(StudyError, match=message):
        make()


def test_the_view_says_where_its_figures_come_from(make_lab: Callable[..., Any]) -> None:
    """Tree, strip, front and diffs in a page that a notebook can hold; text is escaped."""
    lab = make_lab(models={"m": ScriptedModel(answer)})
    v1 = lab.prompt("colour").save("Name <b>it</b>.\n\nItem: {{item}}", model="m")
    method = Instructions(texts=["Look at the thing."], operators=False)
    data = Dataset.read(ROWS, inputs=["item"])
    search = lab.optimize(v1, data, [equals()], method=method, budget_calls=200)
    page = search._repr_html_()
    assert "expect 4 to 9 points less" in page
    assert "Look at the thing." in page or "thing" in page
    assert "<b>it</b>" not in page
    assert "c1" in page
    assert "title='task: " in page  # the budget's bar by role
    assert "seed seed" not in page
    assert len(page.encode()) < 100_000
