"""JSONL and JSON: strict, each fault with file and line, types kept (S14)."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from promptops.dataset import Dataset
from promptops.dataset.strict import parse
from promptops.errors import DatasetError
from tests.quick import quick

steady = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # machines are noisy

GOOD = '{"id": "a", "ticket": "x", "expected": {"n": 1}}\n'


def written(tmp_path, text, name="bad.jsonl"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ('{"ticket": "x"', "it is not JSON: "),
        ("ticket", "it is not JSON: "),
        ('{"ticket": "x"} {"ticket": "y"}', "unexpected text follows the value at column 17"),
        ('{"ticket": "x", "ticket": "y"}', "the key 'ticket' occurs twice"),
        ('{"ticket": {"a": 1, "a": 2}}', "the key 'a' occurs twice"),
        ('{"ticket": NaN}', "it holds NaN"),
        ('{"ticket": -Infinity}', "it holds -Infinity"),
        ('{"ticket": 1e999}', "the column 'ticket' holds inf"),
        ('{"ticket": "\\ud800"}', "lone surrogate"),
        ('{"\\udfff": "x"}', "lone surrogate"),
        ('{"ticket": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested too deep"),
        ('{"ticket": ' + "[" * 300 + "]" * 300 + "}", "nested too deep"),
        ('{"ticket": ' + '{"a":' * 100_000 + "1" + "}" * 100_000 + "}", "nested too deep"),
        ('{"ticket": ' + "7" * 5_000 + "}", "integer"),
        ('["x"]', "is a list; expected an object"),
        ('"x"', "is a text; expected an object"),
        ("null", "is a null; expected an object"),
        ('{"id": true, "ticket": "x"}', "the column 'id', read as id: it holds True"),
        ('{"id": " ", "ticket": "x"}', "white space alone"),
        ('{"id": "a", "ticket": "x"}', r"has the id 'a', which bad\.jsonl:1 has too"),
        (
            '{"ticket": "x", "history": [{"role": "king"}]}',
            r"read as history: history\[0\] has the role 'king'",
        ),
        ('{"ticket": "x", "history": "not json"}', "read as history: it is not JSON"),
        ('{"ticket": "x", "tags": [{"a": 1}]}', "read as tags"),
        ('{"ticket": "x", "checks": [1]}', "read as checks"),
    ],
    ids=lambda text: text[:24],
)
def test_a_bad_row_names_file_line_and_fault(tmp_path, row, fault):
    """Each of these on line 3 is a DatasetError that begins with the file and the line, within a
    second.
    """
    begun = time.monotonic()
    with pytest.raises(DatasetError, match=fault) as caught:
        Dataset.read(written(tmp_path, GOOD + "\n" + row + "\n"))
    assert str(caught.value).startswith("bad.jsonl:3")
    assert len(str(caught.value)) < 300
    assert time.monotonic() - begun < 5


def test_the_integer_limit_switched_off_changes_nothing(tmp_path):
    """With Python's own limit on digits lifted, a 5,000-digit integer is still a fault of its
    row.
    """
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        with pytest.raises(
            DatasetError, match=r"bad\.jsonl:1: the column 'ticket' holds an integer"
        ):
            Dataset.read(written(tmp_path, '{"ticket": ' + "7" * 5_000 + "}\n"))
    finally:
        sys.set_int_max_str_digits(before)


@steady
@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**53) + 1, 2**53 - 1)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda v: st.lists(v) | st.dictionaries(st.text(), v),
        max_leaves=20,
    )
)
def test_whatever_json_writes_is_read(value):
    """The strict reader gives what the standard one gives for every value that both may hold."""
    for escaped in (True, False):
        assert parse(json.dumps(value, ensure_ascii=escaped)) == value


@steady
@given(st.text(alphabet='{}[]",:0123456789eE+-.truefalsn\\u \n', max_size=40))
def test_the_reader_accepts_no_more_than_the_standard_one(text):
    """What the strict reader takes, the standard one reads alike; it never raises anything but
    ValueError.
    """
    try:
        value = parse(text)
    except ValueError:
        return
    assert value == json.loads(text)


def test_types_are_kept(tmp_path):
    """Numbers, booleans, lists and objects stay what they were."""
    [row] = Dataset.read(
        written(
            tmp_path,
            '{"n": 1.5, "yes": true, "l": [1, "a"], "o": {"k": null}, "none": null, "expected": 3}',
        )
    )
    assert dict(row.inputs) == {
        "n": 1.5,
        "yes": True,
        "l": [1, "a"],
        "o": {"k": None},
        "none": None,
    }
    assert row.expected == 3


def test_a_list_names_the_line_of_its_item(tmp_path):
    """In a JSON list over several lines, a fault names the line on which its item begins."""
    text = (
        '[\n  {"id": "a", "ticket": "x"},\n\n  {"id": "b",\n   "ticket": "y"},\n  {"id": "a",'
        ' "ticket": "z"}\n]\n'
    )
    with pytest.raises(
        DatasetError, match=r"bad\.json:6 has the id 'a', which bad\.json:2 has too"
    ):
        Dataset.read(written(tmp_path, text, "bad.json"))
    with pytest.raises(DatasetError, match=r"bad\.json:4: the key 'id' occurs twice"):
        Dataset.read(written(tmp_path, text.replace('"b",', '"b", "id": "c",'), "bad.json"))
    with pytest.raises(DatasetError, match=r"bad\.json:4: a comma or the list's end was expected"):
        Dataset.read(written(tmp_path, text.replace('"x"},', '"x"}'), "bad.json"))
    with pytest.raises(DatasetError, match=r"bad\.json:4: it is not JSON: .* 1 lines further down"):
        Dataset.read(written(tmp_path, text.replace('"y"}', '"y'), "bad.json"))
    assert (
        len(
            Dataset.read(
                written(
                    tmp_path, text.replace('"a", "ticket": "z"', '"c", "ticket": "z"'), "bad.json"
                )
            )
        )
        == 3
    )


@pytest.mark.parametrize(
    "text",
    [
        "[",
        "[1",
        '[{"a": 1}',
        '[{"a": 1},',
        '{"data": [',
        "{",
        "[,]",
        '{"ticket":\n"x"}',
        "7",
        "   ",
        "[]",
    ],
)
def test_a_broken_or_empty_json_file_says_so(tmp_path, text):
    """A JSON file that ends early, holds one object or nothing is a DatasetError naming the
    file.
    """
    with pytest.raises(DatasetError, match="bad"):
        Dataset.read(written(tmp_path, text, "bad.json"))


def test_the_form_is_told_by_the_content(tmp_path):
    """A list under .jsonl, lines under .json, and a list held by an object are read, and it is
    said.
    """
    listed = Dataset.read(written(tmp_path, '[{"t": "x"},\n{"t": "y"}]', "a.jsonl"))
    lines = Dataset.read(written(tmp_path, '{"t": "x"}\n{"t": "y"}\n', "b.json"))
    held = Dataset.read(
        written(
            tmp_path,
            '{"version": [1, {"data": 2}], "data": [{"t": "x"}, {"t": "y"}], "n": 2}',
            "c.json",
        )
    )
    assert [data["t"] for data in (listed, lines, held)] == [["x", "y"]] * 3
    assert "not a line per row" in listed.notes[0]
    assert "holds a JSON object per line" in lines.notes[0]
    assert "under its key 'data'" in held.notes[0]


def test_encodings_of_json(tmp_path):
    """A byte order mark and UTF-16 are read; what is not Unicode is refused with its line (RFC 8259
    section 8.1).
    """
    row = '{"t": "naïve"}\n'
    assert Dataset.read(written(tmp_path, b"\xef\xbb\xbf" + row.encode()))["t"] == ["naïve"]
    assert Dataset.read(written(tmp_path, row.encode("utf-16")))["t"] == ["naïve"]
    with pytest.raises(DatasetError, match=r"bad\.jsonl:2 is not UTF-8"):
        Dataset.read(written(tmp_path, GOOD.encode() + row.encode("latin-1")))


def test_line_separators_within_text_are_text(tmp_path):
    """U+2028, U+0085 and form feeds within a value end no line."""
    text = "a\u2028b\u0085c\x1cd\fe"
    assert Dataset.read(written(tmp_path, json.dumps({"t": text}, ensure_ascii=False) + "\n"))[
        "t"
    ] == [text]


def test_empty_files_say_so(tmp_path):
    """No rows are an error at reading."""
    for text in ("", "\n\n"):
        with pytest.raises(DatasetError, match="bad holds no examples"):
            Dataset.read(written(tmp_path, text))


@pytest.mark.parametrize("rows", [10_000, pytest.param(100_000, marks=pytest.mark.benchmark)])
def test_a_hundred_thousand_rows_take_seconds(tmp_path, rows):
    """100,000 rows of 300 characters are read, checked, named and split well within the time of a
    coffee; CI reads 10,000 of them, the benchmarks all.
    """
    path = tmp_path / "many.jsonl"
    path.write_text(
        "".join(
            json.dumps({"ticket": f"{index} " + "word " * 60, "expected": {"n": index}}) + "\n"
            for index in range(rows)
        )
    )
    with quick(rows / 2_500):
        data = Dataset.read(path)
    assert len({example.id for example in data}) == rows


@pytest.mark.parametrize("name", ["many.json", "many.jsonl", "led.json"])
def test_a_file_of_empty_objects_is_refused_early(name: str, tmp_path: Path) -> None:
    """Two million of them fit into 6 MB: the reading ends at the first thousand."""
    head = {"many.json": "[", "many.jsonl": "", "led.json": '[{"q": "a"}, '}[name]
    mark = "\n" if name.endswith("l") else ","
    path = tmp_path / name
    path.write_text(head + f"{{}}{mark}" * 1_001 + "this is never parsed")
    with pytest.raises(DatasetError, match=r"more than 1,000 rows .* hold nothing"):
        Dataset.read(path)


def test_some_rows_may_be_empty(tmp_path: Path) -> None:
    """A gap in a table is not a bomb."""
    path = tmp_path / "gaps.json"
    path.write_text('[{"q": "a"}' + ", {}" * 1_000 + "]")
    assert len(Dataset.read(path)) == 1_001


@pytest.mark.parametrize("orient", ["columns", "index", "split", "table"])
@pytest.mark.parametrize("index", [[0, 1], [3, 7], ["t-1", "t-2"]])
def test_a_whole_table_in_one_object_is_not_read_as_one_example(tmp_path, orient, index):
    """What pandas' to_json writes by default is one object for all rows: it is refused with the way
    to write it, and not read as a dataset of one example.
    """
    path = tmp_path / "table.jsonl"
    pd.DataFrame({"ticket": ["a", "b"], "expected": ["x", "y"]}, index).to_json(path, orient=orient)
    with pytest.raises(DatasetError, match=r"whole table .* to_json\(orient=\"records\"\)"):
        Dataset.read(path)


@pytest.mark.parametrize(
    "rows",
    [
        '{"0": {"ticket": "a"}}\n{"0": {"ticket": "b"}}\n',
        '{"inputs": {"a": 1, "b": 2}, "expected": {"a": 1, "b": 2}}\n',
        '{"ticket": {"a": 1}, "expected": {"b": 2}}\n',
        '[{"before": {"x": 1, "y": 2}, "after": {"x": 1, "y": 3}}]',
    ],
)
def test_examples_of_objects_are_no_table(tmp_path, rows):
    """Objects that are examples stay examples, each of them."""
    data = Dataset.read(written(tmp_path, rows, "rows.jsonl"), inputs=None)
    assert len(data) == rows.strip().count("\n") + 1
