"""`check` proves that every example renders; `values_for` converts nothing in silence."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from promptops.canonical import canonical
from promptops.dataset import Dataset, Example
from promptops.errors import DatasetError, RenderError
from promptops.version import PromptVersion

steady = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # machines are noisy

ASK = PromptVersion("Classify {{ticket}}")
TYPED = PromptVersion(
    "{{n}} {{b}} {{o}} {{l}} {{s}}",
    variables={"n": "number", "b": "boolean", "o": "object", "l": "list"},
)
json_objects = st.dictionaries(
    st.text(max_size=5),
    st.integers(-1000, 1000) | st.text(max_size=5) | st.booleans() | st.none(),
    max_size=4,
)


def one(**inputs):
    return Example("e1", inputs)


def test_a_dataset_that_renders_passes():
    """Nothing to say where all render; saved and served versions are taken too, anything else is
    refused.
    """
    data = Dataset.of([one(ticket="x", other=1)])
    assert data.check(ASK) == ()
    assert data.check(SimpleNamespace(version=ASK)) == ()
    assert data.values_for(SimpleNamespace(version=ASK), data[0]) == {"ticket": "x"}
    with pytest.raises(DatasetError, match="is not a version"):
        data.check("Classify {{ticket}}")


@pytest.mark.parametrize(
    ("rows", "options", "hint"),
    [
        (
            [{"Ticket Text": "x"}],
            {},
            (
                "the likely column is 'Ticket Text': read the dataset with inputs={'ticket':"
                " 'Ticket Text'}"
            ),
        ),
        ([{"tickets": "x", "zzz": "y"}], {}, "the likely column is 'tickets'"),
        ([{"body": "x"}], {}, "the likely column is 'body'"),
        (
            [{"aaa": "x", "bbb": "y"}],
            {},
            "no column looks like 'ticket': its inputs are 'aaa', 'bbb'",
        ),
        (
            [{"q": "x", "ticket": "y"}],
            {"expected": "ticket"},
            "the column 'ticket' was read as expected: pass inputs=",
        ),
    ],
)
def test_a_missing_column_names_the_likely_one(rows, options, hint):
    """The error counts, names the first example, what it lacks, and the column that was probably
    meant.
    """
    data = Dataset.read(rows, name="tickets", **options)
    with pytest.raises(DatasetError) as caught:
        data.check(ASK)
    text = str(caught.value)
    assert text.startswith(
        f"1 of 1 examples of 'tickets' do not render with {ASK.id[:11]}; the first is"
        f" {data[0].id!r}: "
    )
    assert hint in text


def test_a_guessed_golden_that_the_prompt_wants():
    """A column that was guessed to be expected and that the prompt uses is explained."""
    data = Dataset.read([{"q": "x", "label": "y"}])
    with pytest.raises(DatasetError, match="the column 'label' was read as expected"):
        data.check(PromptVersion("{{q}} {{label}}"))


def test_a_reserved_column_is_never_a_variable():
    """A prompt that asks for {{expected}} would read the answer: it does not render."""
    data = Dataset.read([{"id": "1", "q": "x", "expected": "y"}])
    with pytest.raises(DatasetError, match=r"'cluster' is a reserved column and never a variable"):
        data.check(PromptVersion("{{q}} {{cluster}}"))
    with pytest.raises(DatasetError, match="'expected' was read as expected"):
        data.check(PromptVersion("{{q}} {{expected}}"))


def test_some_rows_fail_is_counted():
    """The count is of the examples that fail, the named one is the first of them."""
    data = Dataset.read(
        [{"id": str(index), "ticket": "x" if index % 3 else None} for index in range(9)]
    )
    with pytest.raises(
        DatasetError,
        match=r"3 of 9 examples .*; the first is '0': variable 'ticket' is a string, got NoneType",
    ):
        data.check(ASK)
    partly = Dataset.read([{"id": "a", "ticket": "x"}, {"id": "b", "other": "y"}])
    with pytest.raises(
        DatasetError, match=r"1 of 2 .*'b': is missing ticket.*; some rows have no 'ticket'"
    ):
        partly.check(ASK)


def test_text_is_read_for_typed_variables_only():
    """Cells of a sheet fit typed variables where they read as such; a string variable takes them as
    written.
    """
    values = Dataset.of([one(n=" 1.50 ", b="TRUE", o='{"a": 1}', l="[1, 2]", s="7")])
    assert values.values_for(TYPED, values[0]) == {
        "n": 1.5,
        "b": True,
        "o": {"a": 1},
        "l": [1, 2],
        "s": "7",
    }
    assert values.check(TYPED) == ()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("n", "1,5"),
        ("n", "0x10"),
        ("n", "1_000"),
        ("n", "NaN"),
        ("n", "007"),
        ("n", "٣"),
        ("n", "true"),
        ("b", "yes"),
        ("b", "1"),
        ("o", "[1]"),
        ("o", '{"a":1,"a":2}'),
        ("l", "{}"),
        ("l", "a, b"),
    ],
)
def test_text_that_does_not_read_as_the_type_is_refused(name, text):
    """Nothing is guessed: text of another form goes in as text, and the renderer names it."""
    data = Dataset.of([Example("e1", {"n": 1, "b": True, "o": {}, "l": [], "s": "", name: text})])
    assert data.values_for(TYPED, data[0])[name] == text
    with pytest.raises(DatasetError, match=f"variable {name!r} is a"):
        data.check(TYPED)


def test_a_number_is_not_text():
    """A JSON number for a string variable is refused with the way to declare it, not turned into
    text.
    """
    with pytest.raises(DatasetError, match=r"variable 'ticket' is a string, got int 7; declare it"):
        Dataset.of([one(ticket=7)]).check(ASK)


@pytest.mark.parametrize("inputs", [{}, {"n": None}, {"n": ""}, {"n": " "}])
def test_an_absent_input_is_left_to_the_default(inputs):
    """Absent, null, or blank where a number is wanted: the variable's default is used."""
    version = PromptVersion("{{n}}", variables={"n": {"type": "number", "default": 3}})
    data = Dataset.of([Example("a", inputs)])
    assert data.values_for(version, data[0]) == {}
    assert data.check(version) == ()
    text = PromptVersion("{{n}}", variables={"n": {"type": "string", "default": "d"}})
    blank = Dataset.of([Example("a", {"n": ""})])
    assert blank.values_for(text, blank[0]) == {"n": ""}  # blank text is text


def test_history_goes_where_it_is_taken():
    """A version with a place for history gets it; for one without, it is reported."""
    talk = ({"role": "user", "content": "before"},)
    data = Dataset.of([Example("a", {"ticket": "x"}, history=talk), Example("b", {"ticket": "x"})])
    takes = PromptVersion([{"role": "history"}, {"role": "user", "content": "{{ticket}}"}])
    assert takes.render(data.values_for(takes, data[0])) == [
        *talk,
        {"role": "user", "content": "x"},
    ]
    assert data.values_for(takes, data[1]) == {"ticket": "x"}
    assert data.check(takes) == ()
    assert data.values_for(ASK, data[0]) == {"ticket": "x"}
    assert data.check(ASK) == (f"examples with a history that {ASK.id[:11]} has no place for: 1.",)


LOG = [
    {"role": "user", "content": "hi"},
    {"role": "assistant", "content": "hello"},
    {"role": "user", "content": "capital of France?"},
]


@pytest.mark.parametrize(
    ("messages", "sent"),
    [
        ([{"role": "history"}], False),
        ([{"role": "system", "content": "S"}, {"role": "history"}], False),
        ([{"role": "history"}, {"role": "user", "content": "Go on."}], False),
        ([{"role": "history"}, {"role": "assistant", "content": "So:"}], False),
        ([{"role": "history"}, {"role": "user", "content": "{{message}}"}], True),
    ],
)
@pytest.mark.parametrize("log", [LOG, LOG[2:]], ids=["talk", "one question"])
def test_a_conversation_is_sent_whole(log, messages, sent):
    """The question of a chat log that no message reads is an error before anything is paid for."""
    data, version = Dataset.read([{"messages": log}]), PromptVersion(messages)
    if sent:
        assert data.check(version) == ()
    else:
        with pytest.raises(
            DatasetError, match=r'add \{"role": "user", "content": "\{\{message\}\}"'
        ):
            data.check(version)


def test_a_history_that_ends_with_the_question_is_whole():
    """A column beside it is only a column."""
    row = Example("a", {"topic": "x"}, history=tuple(LOG))
    assert Dataset.of([row]).check(PromptVersion([{"role": "history"}])) == ()


@steady
@given(json_objects)
def test_json_text_is_the_same_as_the_value(value):
    """An object written as JSON text renders to the bytes of the object itself."""
    version = PromptVersion("{{o}}", variables={"o": "object"})
    data = Dataset.of([Example("a", {"o": canonical(value)}), Example("b", {"o": value})])
    assert version.render(data.values_for(version, data[0])) == version.render(
        data.values_for(version, data[1])
    )


@steady
@given(st.text(max_size=20), st.sampled_from("nbol"))
def test_check_holds_what_it_promises(text, name):
    """Whatever a cell holds: where check passes, render does; where it does not, render raises."""
    data = Dataset.read([{"n": 1, "b": True, "o": {}, "l": [], "s": "x", name: text}])
    try:
        data.check(TYPED)
    except DatasetError:
        with pytest.raises(RenderError):
            TYPED.render(data.values_for(TYPED, data[0]))
    else:
        TYPED.render(data.values_for(TYPED, data[0]))


def test_a_cell_is_never_a_template():
    """Marks within a cell are text (S2)."""
    data = Dataset.of([one(ticket="{{ system_prompt }}")])
    assert ASK.render(data.values_for(ASK, data[0])) == [
        {"role": "user", "content": "Classify {{ system_prompt }}"}
    ]
