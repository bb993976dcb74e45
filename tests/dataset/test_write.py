"""What is written reads back: JSONL exactly, CSV as text, and no cell is a formula (S10)."""

from __future__ import annotations

import csv
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from promptops.dataset import Dataset, Example
from promptops.errors import DatasetError

steady = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # machines are noisy

text = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
names = st.from_regex(r"[a-z]{1,6}", fullmatch=True).filter(
    lambda name: name not in ("id", "split", "tags", "checks")
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | text,
    lambda v: st.lists(v, max_size=3) | st.dictionaries(text, v, max_size=3),
    max_leaves=6,
)
tags = st.lists(text.map(str.strip).filter(bool), max_size=3, unique=True).map(tuple)
messages = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant"]), "content": text}),
    max_size=2,
).map(tuple)
label = text.filter(str.strip)


@st.composite
def examples(draw, value=values):
    columns = draw(st.lists(names, min_size=1, max_size=3, unique=True))
    return [
        Example(
            name,
            {column: draw(value) for column in columns},
            draw(value.filter(lambda found: found != "")),
            draw(st.sampled_from(["train", "val", "test"])),
            draw(st.none() | label),
            draw(tags),
            draw(messages),
            draw(
                st.lists(
                    label.map(lambda line: " ".join(line.split())).filter(
                        lambda line: line and line[0] != "["
                    ),
                    max_size=2,
                ).map(tuple)
            ),
        )
        for name in draw(st.lists(label, min_size=1, max_size=4, unique=True))
    ]


def there_and_back(made, ending):
    with tempfile.TemporaryDirectory() as folder:
        return Dataset.read(Dataset.of(made).write(Path(folder) / f"d.{ending}"))


@steady
@given(examples())
def test_jsonl_reads_back_equal(made):
    """Every field, type, split, tag and message comes back as it was."""
    back = there_and_back(made, "jsonl")
    assert back == Dataset.of(made)
    assert back.fingerprint == Dataset.of(made).fingerprint


@steady
@given(examples(text))
def test_csv_of_texts_reads_back_equal(made):
    """Where inputs and expected are text, CSV loses nothing: quotes, line ends, apostrophes and
    formulas included.
    """
    back = there_and_back(made, "csv")
    assert list(back) == list(Dataset.of(made))


@pytest.mark.parametrize(
    "danger",
    [
        '=HYPERLINK("http://x","y")',
        "+1+1",
        "-2+3",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "'=1",
        "''=1",
        "'plain",
    ],
)
def test_no_cell_is_a_formula(tmp_path, danger):
    """Wherever the text stands, also as a column's name, no cell begins with what a sheet computes,
    and it reads back.
    """
    made = Dataset.of(
        [
            Example(
                danger,
                {"q": danger, "=name": "x"},
                danger,
                "test",
                danger,
                (danger.strip(),),
                (),
                (danger.strip(),),
            )
        ]
    )
    path = made.write(tmp_path / "d.csv")
    with path.open(newline="") as file:
        for cell in (cell for row in csv.reader(file) for cell in row):
            assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    back = Dataset.read(path)
    assert list(back) == list(made)


def test_typed_values_become_json_text_in_csv(tmp_path):
    """CSV keeps text: an object is written as JSON text and read back as that text."""
    path = Dataset.of([Example("a", {"n": 1.5, "o": {"k": [True, None]}}, {"v": 1})]).write(
        tmp_path / "d.csv"
    )
    [back] = Dataset.read(path)
    assert (dict(back.inputs), back.expected) == ({"n": "1.5", "o": '{"k":[true,null]}'}, '{"v":1}')


def test_a_file_is_whole_or_as_before(tmp_path):
    """What cannot be written leaves the old file and no rest of a new one; the path comes back."""
    path = tmp_path / "d.csv"
    assert Dataset.of([Example("a", {"q": "x"})]).write(str(path)) == path
    before = path.read_bytes()
    with pytest.raises(
        DatasetError,
        match=r"example 'b' holds a zero byte in 'q', which CSV cannot hold; write JSONL",
    ):
        Dataset.of([Example("b", {"q": "\0"})]).write(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(
        DatasetError, match=r"d\.pkl cannot be written; the file extensions are \.jsonl"
    ):
        Dataset.of([Example("b", {"q": "x"})]).write(tmp_path / "d.pkl")


def test_jsonl_is_one_readable_line_a_row(tmp_path):
    """Text stands as it is, not escaped, so that a diff reads."""
    path = Dataset.of([Example("a", {"q": "Größe\nzwei"}, "é")]).write(tmp_path / "d.jsonl")
    assert path.read_text(encoding="utf-8").count("\n") == 1
    assert "Größe" in path.read_text(encoding="utf-8")
    assert json.loads(path.read_text(encoding="utf-8"))["split"] in ("train", "val", "test")


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    data = Dataset.read([{"ticket": "a", "expected": "b"}])
    for folder in ("none", "file"):
        for name in ("out.csv", "out.jsonl", "out.parquet"):
            with pytest.raises(DatasetError, match="cannot be written .* a folder that exists"):
                data.write(tmp_path / folder / name)
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
