"""A dataset is a value: what selects or changes gives a new one; how it shows, completes and
refuses.
"""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from typing import Any

import pytest

import promptops.dataset
from promptops.dataset import Dataset, Example
from promptops.errors import DatasetError

ROWS = [
    {
        "id": f"t{index}",
        "ticket": f"text {index}",
        "product": ["mail", "web", "app"][index % 3],
        "expected": str(index),
        "tags": ["odd"] if index % 2 else ["even", "x"],
    }
    for index in range(30)
]


@pytest.fixture
def data():
    return Dataset.read(ROWS, name="tickets")


def test_the_room_shows_three_names():
    """Dataset, Example and RESERVED are what the room gives."""
    assert promptops.dataset.__all__ == ["RESERVED", "Dataset", "Example"]


def test_importing_and_reading_jsonl_loads_no_table_library(tmp_path):
    """pandas, pyarrow and openpyxl are loaded only if a format needs them."""
    path = tmp_path / "d.jsonl"
    path.write_text('{"q": "x"}\n')
    code = (
        "import sys; from promptops.dataset import Dataset; Dataset.read(sys.argv[1]); print([m for"
        " m in ('pandas', 'numpy', 'pyarrow', 'openpyxl') if m in sys.modules])"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
        ).stdout
        == "[]\n"
    )


def test_items_slices_and_columns(data):
    """By position an example, by slice a dataset, by name a column; iteration is in order."""
    assert data[0].id == "t0"
    assert data[-1].id == "t29"
    assert [e.id for e in data[2:4]] == ["t2", "t3"]
    assert isinstance(data[2:4], Dataset)
    assert data["ticket"] == data.ticket == [f"text {index}" for index in range(30)]
    assert data["id"] == [e.id for e in data]
    assert len(data) == 30
    assert len(data.head()) == 5
    with pytest.raises(DatasetError, match="has no column 'tickt'; did you mean 'ticket'"):
        data["tickt"]
    with pytest.raises(AttributeError, match="no attribute or column 'tickt'"):
        _ = data.tickt
    with pytest.raises(IndexError):
        data[30]


def test_get_by_id(data):
    """An id gives its example; one that is not there is an error that names a near one."""
    assert data.get("t7").expected == "7"
    with pytest.raises(DatasetError, match=r"'tickets' has no example 't-7'; did you mean 't7'\?"):
        data.get("t-7")


def test_where_and_filter(data):
    """Columns by value, by any of several, by a function; tags by any of them; an unknown column is
    an error.
    """
    assert len(data.where(product="mail")) == 10
    assert len(data.where(product=["mail", "web"], tags="odd")) == 10
    assert len(data.where(tags=["x", "odd"])) == 30
    assert len(data.where(expected=lambda value: int(value) < 3)) == 3
    assert data.where(split="test") == data.test
    assert len(data.where(product="none")) == 0
    assert [e.id for e in data.filter(lambda e: e.expected == "4")] == ["t4"]
    with pytest.raises(DatasetError, match="has no column 'prodct'; did you mean 'product'"):
        data.where(prodct="mail")


def test_completion_offers_columns(data):
    """dir and key completion name the columns."""
    assert data._ipython_key_completions_() == [
        "id",
        "ticket",
        "product",
        "expected",
        "split",
        "tags",
    ]
    assert {"ticket", "product", "where", "check"} <= set(dir(data))


def test_an_attribute_wins_over_a_column_of_its_name():
    """A column named as a method is reached by its key."""
    data = Dataset.read([{"name": "Ann", "check": "x"}], name="people")
    assert data.name == "people"
    assert data["name"] == ["Ann"]
    assert callable(data.check)


def test_tags_and_clusters_by_id(data):
    """Example id -> tags, example id -> cluster; None if there is none."""
    assert data.tags["t1"] == ("odd",)
    assert data.clusters is None
    assert Dataset.read(
        [{"id": "a", "q": "1", "cluster": "c"}, {"id": "b", "q": "2"}]
    ).clusters == {"a": "c"}


def test_the_frame_holds_every_column(data):
    """A pandas DataFrame with all columns, tags as they are."""
    frame = data.frame
    assert list(frame.columns) == list(data.columns)
    assert frame.shape == (30, 6)
    assert frame["tags"][0] == ("even", "x")
    assert Dataset.read(frame)[3] == data[3]


def test_a_dataset_is_a_value(data):
    """Equal by its examples, hashable, frozen; copies and pickles are equal."""
    assert data == Dataset.read(ROWS)
    assert hash(data) == hash(Dataset.read(ROWS))
    assert data != data[1:]
    assert copy.deepcopy(data) == data
    assert pickle.loads(pickle.dumps(data)) == data
    with pytest.raises((AttributeError, TypeError)):
        data.name = "x"


def test_a_corrected_golden_is_a_new_dataset(data):
    """with_example and replaced change one example in its place, or add one; the first dataset
    stays as it was.
    """
    fixed = data.replaced("t3", expected="three")
    assert (fixed.get("t3").expected, data.get("t3").expected) == ("three", "3")
    assert [e.id for e in fixed] == [e.id for e in data]
    assert fixed.fingerprint != data.fingerprint
    assert data.with_example(fixed.get("t3")) == fixed
    more = data.with_example(Example("new", {"ticket": "pinned"}, "x"))
    assert (len(more), more[-1].id, more[-1].split in ("train", "val", "test")) == (31, "new", True)
    with pytest.raises(DatasetError, match="an example has no field 'expcted'"):
        data.replaced("t3", expcted="x")
    with pytest.raises(DatasetError, match="the id 't4' belongs to another example"):
        data.replaced("t3", id="t4")
    with pytest.raises(DatasetError, match="holds inf"):
        data.replaced("t3", expected=float("inf"))


@pytest.mark.parametrize(
    ("examples", "fault"),
    [
        (
            [Example("a", {"q": 1}), Example("a", {"q": 2})],
            r"example 'a' \(item 1\) is there twice",
        ),
        ([Example(" ", {"q": 1})], "has no id"),
        ([Example("a", {"id": 1})], "has an input named 'id', which is reserved"),
        ([Example("a", {"q": 1}, split="dev")], "is in the split 'dev'"),
        ([Example("a", {"q": float("nan")})], "'q' holds nan"),
        ([Example("a\ud800", {"q": 1})], "'id' holds a lone surrogate"),
        ([{"q": 1}], "item 0 is a dict; expected an Example, or use Dataset.read"),
    ],
)
def test_examples_by_hand_keep_the_rules(examples, fault):
    """What reading would refuse, Dataset.of refuses, naming the example."""
    with pytest.raises(DatasetError, match=fault):
        Dataset.of(examples)


def test_reading_a_dataset_again(data):
    """A dataset is read as itself; with other options, again."""
    assert Dataset.read(data) is data
    assert Dataset.read(data, name="other").name == "other"
    again = Dataset.read(data, inputs={"text": "ticket"}, tags="product")
    assert again[0].inputs == {"text": "text 0"}
    assert (again[0].tags, again[0].id, again.name) == (("mail",), "t0", "tickets")


def test_the_bare_repr_says_what_it_holds(data):
    """One line of figures; a second of what was reported at reading, where anything was."""
    counts = f"{len(data.train)} train, {len(data.val)} val, {len(data.test)} test"
    assert (
        repr(data)
        == "<dataset tickets: 30 examples; inputs ticket, product; all with an expected answer;"
        f" {counts}; 3 tags>"
    )
    guessed = repr(Dataset.read([{"q": "x", "answer": "y", "cluster": "c"}]))
    assert "1 cluster;" in guessed or "1 cluster>" in guessed
    assert guessed.count("\n") == 1
    assert "note: expected was taken from the column 'answer'" in guessed
    assert "(+1 more in .notes)" in guessed


def test_hostile_text_shows_as_text():
    """Markup, mathematics and control characters in names and cells do nothing if the dataset is
    shown (S9, S22).
    """
    evil = "<img src=x onerror=alert(1)>$\\href{javascript:1}{x}$\x1b[31m\u202e"
    data = Dataset.read([{evil: evil, "expected": evil, "tags": [evil], "id": evil}], name=evil)
    html = data._repr_html_()
    assert "<img" not in html
    assert "$" not in html
    assert "&lt;img" in html
    for shown in (repr(data), html):
        assert "\x1b" not in shown
        assert "\u202e" not in shown


def test_the_table_is_small(data):
    """A view shows five rows and a few columns, says what it leaves out, and stays small with huge
    cells.
    """
    html = data._repr_html_()
    assert html.count("<tr>") == 6
    assert "25 more rows" in html
    wide = Dataset.read([{f"c{index}": "x" * 10_000 for index in range(50)} for _ in range(20)])
    assert len(wide._repr_html_()) < 30_000
    assert "44 more columns" in wide._repr_html_()
    assert "No example is left here" in data.where(product="none")._repr_html_()
    assert "0 examples" in repr(data.where(product="none"))


@pytest.mark.parametrize("rows", [[{"q": "a"}], ({"q": "a"},), "rows.csv", [Example("a", {})]])
def test_rows_that_are_not_read_yet_are_no_examples(rows: Any) -> None:
    with pytest.raises(DatasetError, match=r"Dataset\.read"):
        Dataset(rows)
