"""Which column is what: named as named, guessed as said, and never a golden answer among the
inputs.
"""

from __future__ import annotations

import difflib

import pytest

from promptops.dataset import RESERVED, Dataset
from promptops.errors import DatasetError


@pytest.mark.parametrize(
    "column",
    [
        "expected",
        "Expected",
        "answer",
        "Gold answer",
        "gold",
        "golden",
        "label",
        "target",
        "output",
        "reference",
        "ground-truth",
        "expected_output",
    ],
)
def test_the_golden_answer_goes_by_many_names(column):
    """A usual name is taken as expected, said unless it is the name itself, and is not an input."""
    data = Dataset.read([{"q": "x", column: "y"}])
    assert data["expected"] == ["y"]
    assert list(data[0].inputs) == ["q"]
    notes = [sentence for sentence in data.notes if sentence.startswith("expected was taken")]
    assert notes == (
        []
        if column == "expected"
        else [
            f"expected was taken from the column {column!r}; pass expected=... to choose"
            " (expected=False for none)."
        ]
    )


def test_of_two_candidates_the_other_is_named():
    """The better name wins, and the sentence names what was passed over; a blank column is not a
    candidate.
    """
    data = Dataset.read([{"q": "x", "answer": "a", "gold": "g", "reference": ""}])
    assert data["expected"] == ["g"]
    assert data[0].inputs == {"q": "x", "answer": "a", "reference": ""}
    assert any("'gold', not 'answer';" in sentence for sentence in data.notes)


def test_a_second_golden_that_stays_an_input_is_said():
    """Where `expected` is there, a column named as an answer stays an input, and it is reported: a
    target would see it.
    """
    data = Dataset.read([{"q": "x", "expected": "y", "answer": "long y"}])
    assert data[0].inputs == {"q": "x", "answer": "long y"}
    assert any(
        "besides 'expected', 'answer' stayed among the inputs" in sentence
        for sentence in data.notes
    )


def test_what_is_named_is_taken():
    """inputs renames and selects; expected, id, tags, cluster and split are the columns named; the
    rest is left out and said.
    """
    rows = [
        {
            "No": 7,
            "Ticket Text": "Hi",
            "Gold answer": "x",
            "topic": "a, b",
            "who": "u1",
            "part": "train",
            "noise": 1,
        }
    ]
    data = Dataset.read(
        rows,
        inputs={"ticket": "Ticket Text"},
        expected="Gold answer",
        id="No",
        tags="topic",
        cluster="who",
        split="part",
        name="mine",
    )
    [row] = data
    assert (row.id, row.inputs, row.expected, row.tags, row.cluster, row.split) == (
        "7",
        {"ticket": "Hi"},
        "x",
        ("a", "b"),
        "u1",
        "train",
    )
    assert data.name == "mine"
    assert data.notes == ("left out: 'noise'; name them in inputs=[...] to keep them.",)
    assert list(Dataset.read(rows, inputs=["Ticket Text", "noise"])[0].inputs) == [
        "Ticket Text",
        "noise",
    ]
    assert list(Dataset.read(rows, inputs="noise")[0].inputs) == ["noise"]


def test_a_named_input_is_never_guessed_to_be_golden():
    """What the caller names as an input is not also taken as expected by its name."""
    data = Dataset.read([{"q": "x", "answer": "y"}], inputs=["q", "answer"])
    assert (data[0].inputs, data[0].expected) == ({"q": "x", "answer": "y"}, None)
    data = Dataset.read(
        [{"id": "7", "q": "x", "answer": "y", "gold": "z"}],
        inputs={"number": "id", "draft": "gold"},
    )
    assert (data[0].id, data[0].inputs, data[0].expected) == (
        "7",
        {"number": "7", "draft": "z"},
        "y",
    )


def test_false_means_none():
    """expected=False and its kin take no column, whatever it is named."""
    data = Dataset.read(
        [{"uid": "u", "q": "x", "answer": "y", "tag": "t"}], expected=False, id=False, tags=False
    )
    assert data[0].inputs == {"uid": "u", "q": "x", "answer": "y", "tag": "t"}
    assert data[0].expected is None
    assert data[0].id.startswith("x-")


def test_tags_and_clusters_that_are_named_stay_inputs():
    """A topic or a group gives nothing away, so a prompt may use it; a golden answer may not."""
    data = Dataset.read(
        [{"q": "x", "topic": "a", "lang": "de", "who": "u", "sure": "yes"}],
        tags=["topic", "lang"],
        cluster="who",
        expected="sure",
    )
    assert data[0].tags == ("a", "de")
    assert set(data[0].inputs) == {"q", "topic", "lang", "who"}


def test_a_golden_answer_within_nested_inputs_is_taken_out():
    """Named as expected, a nested input is not an input any more."""
    data = Dataset.read([{"inputs": {"q": "x", "a": "y"}}], expected="a")
    assert (data[0].inputs, data[0].expected) == ({"q": "x"}, "y")


def test_nested_inputs_are_never_guessed_from():
    """Within nested inputs a column named label is an input; what is beside them is left out
    and said.
    """
    data = Dataset.read(
        [{"inputs": {"label": "x", "id": "7"}, "expected": "y", "source": "web"}],
        inputs={"label": "label"},
    )
    assert (data[0].inputs, data[0].expected) == ({"label": "x"}, "y")
    data = Dataset.read([{"inputs": {"label": "x"}, "source": "web"}])
    assert (data[0].inputs, data[0].expected) == ({"label": "x"}, None)
    assert any(
        "left out (beside the nested inputs): 'source'" in sentence for sentence in data.notes
    )


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (
            {"expected": "Gold"},
            "no row has the column 'Gold' that expected names; did you mean 'Gold answer'",
        ),
        ({"inputs": {"t": "ticket text"}}, "that inputs names; did you mean 'Ticket Text'"),
        (
            {"inputs": ["zzz"]},
            "'zzz' that inputs names; the columns are 'Ticket Text', 'Gold answer'",
        ),
        ({"tags": ["zzz"]}, "'zzz' that tags names"),
        ({"cluster": "zzz"}, "'zzz' that cluster names"),
        ({"inputs": {"expected": "Ticket Text"}}, "an input cannot be named 'expected'"),
        ({"inputs": []}, "no column is left as an input"),
    ],
)
def test_a_missing_column_names_the_likely_one(options, fault):
    """A column that no row has is an error which names the near one, or all."""
    with pytest.raises(DatasetError, match=fault):
        Dataset.read([{"Ticket Text": "x", "Gold answer": "y"}], **options)


@pytest.mark.parametrize(
    ("column", "role"),
    [
        ("expcted", "expected"),
        ("labels", "expected"),
        ("anwser", "expected"),
        ("clusters", "cluster"),
        ("histroy", "history"),
        ("check", "checks"),
        ("splits", "split"),
    ],
)
def test_a_near_miss_is_said(column, role):
    """An input whose name nearly is a reserved one is reported, with what to do."""
    data = Dataset.read([{"q": "x", column: "y"}])
    assert any(
        f"{column!r} was read as an input and looks like the column {role!r}" in sentence
        for sentence in data.notes
    )


def test_a_repeating_group_is_said():
    """A column that looks like a group and repeats is named as a possible cluster; one that does
    not repeat is not.
    """
    rows = [{"q": str(index), "conversation_id": str(index // 2)} for index in range(4)]
    assert any(
        "pass cluster='conversation_id'" in sentence for sentence in Dataset.read(rows).notes
    )
    assert not any("cluster=" in sentence for sentence in Dataset.read(rows[::2]).notes)


def test_a_name_that_is_no_variable_is_said():
    """A column with a space cannot be a variable: the sentence shows how to rename it."""
    assert any(
        "inputs={'ticket_text': 'Ticket Text'}" in sentence
        for sentence in Dataset.read([{"Ticket Text": "x"}]).notes
    )


def test_reserved_columns_are_read_into_their_places():
    """All seven reserved columns, as lists or as text of them."""
    history = [{"role": "user", "content": "before"}]
    typed = {
        "id": "1",
        "q": "x",
        "expected": 5,
        "split": "val",
        "cluster": "c",
        "tags": ["a", "b"],
        "history": history,
        "checks": ["contains: x", "max_words: 5"],
    }
    text = {
        **typed,
        "tags": "a; b",
        "history": '[{"role": "user", "content": "before"}]',
        "checks": "contains: x\nmax_words: 5",
    }
    listed = {**typed, "tags": '["a", "b"]', "checks": '["contains: x", "max_words: 5"]'}
    assert list(Dataset.read([typed])) == list(Dataset.read([text])) == list(Dataset.read([listed]))
    assert set(RESERVED) <= set(Dataset.read([typed]).columns)


def test_rows_without_an_id_are_said():
    """Ids that are missing in some rows are made for these, and it is reported where."""
    data = Dataset.read([{"id": "a", "q": "x"}, {"id": None, "q": "y"}, {"q": "z"}])
    assert "rows without an id: 2 (first: item 1); theirs are made from the inputs." in data.notes
    assert data[0].id == "a"
    assert len({example.id for example in data}) == 3


def test_equal_rows_are_said_with_both_places():
    """Equal content under two ids is reported; where the ids put them in different splits, that
    too.
    """
    data = Dataset.read([{"id": name, "q": "x", "expected": "y"} for name in ("a", "b", "c")])
    assert (
        "rows equal to another under a different id: 2 (first: item 1 equals item 0)." in data.notes
    )
    assert any(
        "lie across two splits" in sentence for sentence in data.notes
    )  # a is train, b and c are test


def test_a_very_wide_table_is_read_by_linear_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hints on names that resemble a role's look at the first columns alone; 20,000 columns took
    more than twenty seconds.
    """
    looked: list[str] = []
    real = difflib.get_close_matches

    def counted(word: str, *rest: object) -> list[str]:
        looked.append(word)
        return real(word, *rest)  # type: ignore[call-overload]

    monkeypatch.setattr(difflib, "get_close_matches", counted)
    rows = [{f"c{n}": "1" for n in range(2_000)}]
    assert len(Dataset.read(rows)[0].inputs) == 2_000
    assert len(looked) < 400
