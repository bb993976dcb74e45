"""Tables in memory and on disk, lists and chat logs: the same examples from each, and nothing
executed or fetched (S4).
"""

from __future__ import annotations

import datetime
import decimal
import os
import pickle
import uuid
import zipfile
from types import SimpleNamespace

import openpyxl
import pandas
import pyarrow
import pytest
from pyarrow import parquet

import promptops.dataset.expansion
from promptops.dataset import Dataset, Example
from promptops.errors import DatasetError

ROWS = [
    {
        "id": "a",
        "ticket": "Charged twice",
        "n": 3,
        "expected": "billing",
        "tags": ["angry", "money"],
    },
    {"id": "b", "ticket": "Größe?", "n": 4, "expected": "product", "tags": ["short"]},
]


class FakePolars:
    """What is read of a polars DataFrame: `columns` and `iter_rows(named=True)`."""

    def __init__(self, rows):
        self._rows, self.columns = rows, list(rows[0])

    def iter_rows(self, *, named):
        assert named
        return iter(self._rows)


class FakeLazy:
    """What is read of a polars LazyFrame."""

    def __init__(self, rows):
        self._rows = rows

    def collect_schema(self):
        raise AssertionError("not needed")

    def collect(self):
        return FakePolars(self._rows)


class FakeHub:
    """What is read of a Hugging Face dataset: features, iteration over dicts, info."""

    def __init__(self, rows, features=None, name="imdb"):
        self._rows, self.features, self.info = (
            rows,
            features or dict.fromkeys(rows[0]),
            SimpleNamespace(dataset_name=name),
        )
        self.column_names = list(rows[0])

    def __iter__(self):
        return iter(self._rows)


def _parquet(tmp_path):
    parquet.write_table(pyarrow.Table.from_pylist(ROWS), tmp_path / "t.parquet")
    return tmp_path / "t.parquet"


def _real_polars():
    return pytest.importorskip("polars", reason="polars is not installed").DataFrame(ROWS)


@pytest.mark.parametrize(
    "make",
    [
        lambda _: ROWS,
        lambda _: (row for row in ROWS),
        lambda _: pandas.DataFrame(ROWS),
        lambda _: pandas.DataFrame(ROWS).set_index("id"),
        lambda _: FakePolars(ROWS),
        lambda _: FakeLazy(ROWS),
        lambda _: _real_polars(),
        lambda _: FakeHub(ROWS),
        lambda _: pyarrow.Table.from_pylist(ROWS),
        _parquet,
        lambda _: Dataset.read(ROWS),
        lambda _: list(Dataset.read(ROWS)),
        lambda _: [
            {
                "id": row["id"],
                "inputs": {"ticket": row["ticket"], "n": row["n"]},
                "expected": row["expected"],
                "tags": row["tags"],
            }
            for row in ROWS
        ],
    ],
    ids=[
        "list",
        "generator",
        "pandas",
        "index",
        "fake-polars",
        "fake-lazy",
        "polars",
        "hub",
        "arrow",
        "parquet",
        "dataset",
        "examples",
        "nested",
    ],
)
def test_the_same_rows_from_any_table(tmp_path, make):
    """Every kind of table gives equal examples, of one fingerprint."""
    data = Dataset.read(make(tmp_path))
    assert list(data) == list(Dataset.read(ROWS))
    assert data.fingerprint == Dataset.read(ROWS).fingerprint
    assert data[0] == Example(
        "a", {"ticket": "Charged twice", "n": 3}, "billing", data[0].split, None, ("angry", "money")
    )


def test_xlsx_keeps_types_and_row_numbers(tmp_path):
    """The first sheet is read, with its types; places are rows of the sheet; other sheets and cells
    without a name are reported.
    """
    book = openpyxl.Workbook()
    sheet = book.active
    for row in (
        [],
        ["id", "ticket", "when", "expected"],
        [1, "x", datetime.date(2026, 1, 2), True],
        [],
        [2, "=1+1", None, 4.5, "stray"],
    ):
        sheet.append(row)
    book.create_sheet("Other")
    book.save(tmp_path / "t.xlsx")
    data = Dataset.read(tmp_path / "t.xlsx")
    assert [(e.id, e.inputs["ticket"], e.inputs["when"], e.expected) for e in data] == [
        ("1", "x", "2026-01-02T00:00:00", True),
        ("2", None, None, 4.5),
    ]
    notes = " ".join(data.notes)
    assert "of the 2 sheets" in notes
    assert "dates and times in column 'when' were read as text" in notes
    assert "1 of 2 rows have nothing in 'ticket' (first: t.xlsx:5)" in notes
    assert "without a column name" in notes
    assert "a formula has no value yet, and is read as empty" in notes
    assert "and save it: 1 (first: row 5)" in notes


def test_broken_binaries_say_so(tmp_path):
    """A file that is not what its ending says is a DatasetError, not a traceback of a library."""
    for name in ("a.xlsx", "a.parquet"):
        (tmp_path / name).write_bytes(b"not that\n" * 10)
        with pytest.raises(DatasetError, match=f"{name} is no"):
            Dataset.read(tmp_path / name)


def test_a_broken_sheet_and_a_bomb_say_so(tmp_path, monkeypatch):
    """A sheet that is not XML, or that unpacks to more than memory is for, is a DatasetError before
    it does harm.
    """
    book = openpyxl.Workbook()
    book.active.append(["ticket"])
    book.active.append(["x"])
    book.save(tmp_path / "whole.xlsx")
    with (
        zipfile.ZipFile(tmp_path / "whole.xlsx") as whole,
        zipfile.ZipFile(tmp_path / "torn.xlsx", "w") as torn,
    ):
        for part in whole.namelist():
            data = whole.read(part)
            torn.writestr(part, data[: len(data) // 2] if "sheet1" in part else data)
    with pytest.raises(DatasetError, match=r"torn\.xlsx is not a workbook"):
        Dataset.read(tmp_path / "torn.xlsx")
    with (
        zipfile.ZipFile(tmp_path / "bomb.xlsx", "w", zipfile.ZIP_DEFLATED) as bomb,
        bomb.open("xl/worksheets/sheet1.xml", "w") as part,
    ):
        part.write(b" " * 3_000_000)
    monkeypatch.setattr(promptops.dataset.expansion, "_LEAST", 2_000_000)
    with pytest.raises(DatasetError, match=r"bomb\.xlsx has .* and expands to more than"):
        Dataset.read(tmp_path / "bomb.xlsx")


def test_pandas_gaps_are_missing_and_said():
    """NaN, NaT and NA are missing values, not numbers; dates become text, and both are reported."""
    frame = pandas.DataFrame(
        {
            "q": ["a", None],
            "n": [1.5, float("nan")],
            "at": [pandas.Timestamp("2026-01-02"), pandas.NaT],
            "k": pandas.array([1, None], dtype="Int64"),
        }
    )
    data = Dataset.read(frame)
    assert [dict(e.inputs) for e in data] == [
        {"q": "a", "n": 1.5, "at": "2026-01-02T00:00:00", "k": 1},
        dict.fromkeys(("q", "n", "at", "k")),
    ]
    assert "1 of 2 rows have nothing in 'n' (first: row 1)." in data.notes
    assert any("dates and times in column 'at'" in sentence for sentence in data.notes)


def test_pandas_faults():
    """Doubled columns and columns of several levels are reported."""
    with pytest.raises(DatasetError, match="names the column 'a' twice"):
        Dataset.read(pandas.DataFrame([[1, 2]], columns=["a", "a"]))
    with pytest.raises(DatasetError, match="several levels"):
        Dataset.read(pandas.DataFrame([[1]], columns=pandas.MultiIndex.from_tuples([("a", "b")])))


def test_what_json_cannot_hold():
    """Decimals, UUIDs and dates become text and are reported; bytes, objects and NaN are faults of
    their item.
    """
    key = uuid.UUID(int=5)
    data = Dataset.read([{"q": decimal.Decimal("19.90"), "u": key, "t": datetime.time(3)}])
    assert dict(data[0].inputs) == {"q": "19.90", "u": str(key), "t": "03:00:00"}
    assert sum("were read as text" in sentence for sentence in data.notes) == 3
    for value, fault in (
        (b"x", "bytes"),
        (object(), "object"),
        (float("nan"), "nan"),
        ({1, 2}, "set"),
        ("\ud800", "lone surrogate"),
        (2**200, "beyond 2"),
    ):
        with pytest.raises(DatasetError, match=f"item 1.*'q'.*{fault}"):
            Dataset.read([{"q": "fine"}, {"q": value}])
    endless = []
    endless.append(endless)
    with pytest.raises(DatasetError, match=r"item 0: the column 'q' is nested too deep"):
        Dataset.read([{"q": endless}])
    with pytest.raises(DatasetError, match=r"item 0.*'id'"):
        Dataset.read([{"id": "\ud800", "q": "x"}])


def test_class_numbers_become_their_names():
    """A Hugging Face class label is read as its name, and it is reported; a DatasetDict's parts
    are its splits.
    """
    label = SimpleNamespace(names=["neg", "pos"], int2str=lambda index: ["neg", "pos"][index])
    part = FakeHub(
        [
            {"text": "good", "label": 1},
            {"text": "bad", "label": 0},
            {"text": "unknown", "label": -1},
        ],
        {"text": None, "label": label},
    )
    data = Dataset.read(part)
    assert data["expected"] == ["pos", "neg", -1]
    assert data.name == "imdb"
    assert any("were read as their names (neg, pos)" in sentence for sentence in data.notes)
    both = Dataset.read(
        {
            "train": part,
            "validation": FakeHub([{"text": "so so", "label": 0}], {"text": None, "label": label}),
        }
    )
    assert both["split"] == ["train", "train", "train", "val"]


CHAT = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello!"},
    {
        "role": "user",
        "content": [{"type": "text", "text": "My order "}, {"type": "text", "text": "is late"}],
    },
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        ],
    },
    {"role": "tool", "tool_call_id": "1", "content": "{}"},
    {"role": "assistant", "content": "Sorry about that."},
]


def test_a_chat_log_is_its_last_question():
    """The last user message is the input, what stood before it the history, the assistant's last
    text after it expected.
    """
    data = Dataset.read(
        [
            {"messages": CHAT, "id": "c1"},
            {"messages": [{"role": "user", "content": "Alone"}], "id": "c2"},
        ]
    )
    assert data[0].inputs == {"message": "My order is late"}
    assert data[0].history == (CHAT[1], CHAT[2])
    assert data["expected"] == ["Sorry about that.", None]
    assert data[1].history == ()
    notes = " ".join(data.notes)
    assert "the last user message is the input 'message'" in notes
    assert "since a version brings its own: 1 (first: item 0)" in notes


def test_a_chat_log_can_be_kept_whole():
    """Named as an input, the messages are a value like any other; a column `expected` wins over the
    log's answer.
    """
    assert Dataset.read([{"messages": CHAT}], inputs=["messages"])[0].inputs == {"messages": CHAT}
    assert Dataset.read([{"messages": CHAT, "expected": "apology"}])[0].expected == "apology"


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (
            {"messages": [{"role": "assistant", "content": "x"}]},
            "item 1 has no message of the user",
        ),
        (
            {
                "messages": [
                    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "u"}}]}
                ]
            },
            "item 1: the last user message is not text alone",
        ),
        ({"messages": "x"}, "item 1 has no list of"),
        ({"messages": CHAT, "message": "x"}, "item 1 has both 'messages' and 'message'"),
    ],
)
def test_a_bad_chat_names_its_place(row, fault):
    """A log without a question, with a picture as one, or that is none is a fault of its row."""
    with pytest.raises(DatasetError, match=fault):
        Dataset.read([{"messages": CHAT}, row])


def test_nested_inputs_faults():
    """All rows have them or none; a name stands within or beside, not both."""
    with pytest.raises(DatasetError, match="item 1 has no object under 'inputs'"):
        Dataset.read([{"inputs": {"q": 1}}, {"inputs": "x"}])
    with pytest.raises(DatasetError, match="item 0 has 'id' both in 'inputs' and beside it"):
        Dataset.read([{"id": "1", "inputs": {"id": 1}}])


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was opened",))


def test_pickles_are_never_opened(tmp_path):
    """A pickle is refused by its ending, or by its first bytes under another, and never run."""
    for name in ("d.pkl", "d.pickle", "d.joblib", "d.npy", "d.pt", "d.csv", "d.jsonl", "d.txt"):
        path = tmp_path / name
        path.write_bytes(pickle.dumps([{"q": Bomb()}]))
        with pytest.raises(DatasetError, match=r"may run code|zero bytes|not UTF-8"):
            Dataset.read(path)


@pytest.mark.parametrize(
    ("x", "fault"),
    [
        ("https://example.org/data.csv", "is an address, and nothing is fetched"),
        ("s3://bucket/data.jsonl", "is an address"),
        ("no-such-file.jsonl", "there is no file 'no-such-file.jsonl'; it was looked for in"),
        ('[{"ticket": "x"}]', "is not a path; pass rows as a list of dicts"),
        ("a\0b.csv", "there is no file"),
        ("x" * 5000, "there is no file"),
        (".", "is a folder"),
        ([], "list holds no examples"),
        (["text"], "item 0 is a str; expected a dict"),
        ({"ticket": ["a"]}, "is one dict with the keys 'ticket'; pass"),
        (7, "cannot be read from int"),
        (None, "cannot be read from NoneType"),
        (b"x", "cannot be read from bytes"),
        ([{}], "no column is left as an input"),
        ([{"expected": "x"}], "no column is left as an input; the columns are 'expected'"),
    ],
    ids=str,
)
def test_what_is_no_dataset_says_what_one_is(x, fault):
    """Whatever is handed in, the answer is one sentence that says what to pass."""
    with pytest.raises(DatasetError, match=fault) as caught:
        Dataset.read(x)
    assert len(str(caught.value)) < 400


def test_a_pipe_is_never_waited_for(tmp_path):
    """What is not a regular file is refused at once."""
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(DatasetError, match=r"pipe\.csv is not a regular file"):
        Dataset.read(tmp_path / "pipe.csv")


def test_an_unread_ending_and_a_near_name(tmp_path):
    """Another ending names the formats; a misspelt file names the one beside it."""
    (tmp_path / "tickets.xls").write_bytes(b"x")
    (tmp_path / "tickets.jsonl.gz").write_bytes(b"x")
    with pytest.raises(
        DatasetError, match=r"JSONL, JSON, CSV, TSV, XLSX and Parquet: save it as \.xlsx"
    ):
        Dataset.read(tmp_path / "tickets.xls")
    with pytest.raises(DatasetError, match="unpack it first"):
        Dataset.read(tmp_path / "tickets.jsonl.gz")
    with pytest.raises(DatasetError, match=r"did you mean '.*tickets\.xls'"):
        Dataset.read(tmp_path / "ticket.xls")


def test_braces_in_a_name_are_a_name(tmp_path):
    """A file's name is shown as it is, whatever is in it."""
    path = tmp_path / "a{0}{name}.jsonl"
    path.write_text("oops")
    with pytest.raises(DatasetError, match=r"a\{0\}\{name\}\.jsonl:1: it is not JSON"):
        Dataset.read(path)


def test_errors_of_a_spreadsheet_are_empty_cells(tmp_path):
    """A golden answer of #N/A is none: no answer is right or wrong by it, and it is said."""
    path = tmp_path / "t.xlsx"
    rows = [{"q": f"q{n}", "expected": "#N/A" if n == 1 else "a"} for n in range(3)]
    pandas.DataFrame(rows).to_excel(path, index=False)
    data = Dataset.read(path)
    assert [example.expected for example in data] == ["a", None, "a"]
    assert any("an error of the spreadsheet" in note and "row 3" in note for note in data.notes)
