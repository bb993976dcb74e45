"""Columns of other tools are read for what they are: no assertion and no model's output becomes a
golden answer, whatever reader they come through.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas
import pytest

from promptops.dataset import Dataset
from promptops.errors import DatasetError

BIG = 1234567890123456789


@pytest.mark.parametrize("form", ["csv", "jsonl", "list", "frame"])
def test_assertions_of_promptfoo_are_no_golden_answers(form: str, tmp_path: Path) -> None:
    rows = [{"q": "2+2?", "__expected": "contains: 4", "__metric": "sum"}, {"q": "3?"}]
    data = Dataset.read(source(rows, form, tmp_path))
    assert [example.expected for example in data] == [None, None]
    assert data.columns == ("id", "q", "split")
    assert any("assertions of promptfoo" in note for note in data.notes)
    named = Dataset.read(source(rows, form, tmp_path), expected="__expected")
    assert named[0].expected == "contains: 4"


@pytest.mark.parametrize("form", ["csv", "jsonl", "list", "frame"])
@pytest.mark.parametrize("beside", ["model", "usage", "modelParameters", "trace_id", "latency"])
def test_what_a_model_said_is_no_golden_answer(form: str, beside: str, tmp_path: Path) -> None:
    data = Dataset.read(source([{"q": "a", "output": "x", beside: "m"}], form, tmp_path))
    assert data[0].expected is None
    assert "output" not in data[0].inputs
    assert any("it is a model's answer" in note for note in data.notes)
    alone = Dataset.read(source([{"q": "a", "output": "x"}], form, tmp_path))
    assert alone[0].expected == "x"


@pytest.mark.parametrize(
    "column",
    ["ideal", "expectedOutput", "expected_response", "correct_label", "outputs", "expected_output"],
)
def test_golden_answers_by_their_names_elsewhere(column: str) -> None:
    assert Dataset.read([{"q": "a", column: "yes"}])[0].expected == "yes"


def test_the_expectations_of_mlflow() -> None:
    rows = [{"inputs": {"q": "a"}, "expectations": {"expected_response": "yes"}}]
    assert Dataset.read(rows)[0].expected == "yes"


@pytest.mark.parametrize("form", ["jsonl", "list", "frame"])
def test_a_number_of_64_bits_is_kept_digit_by_digit(form: str, tmp_path: Path) -> None:
    rows = [{"q": "a", "order": BIG}, {"q": "b", "order": 7}]
    data = Dataset.read(source(rows, form, tmp_path))
    assert [example.inputs["order"] for example in data] == [str(BIG), "7"]
    assert any("'order' were read as text" in note for note in data.notes)


def test_a_number_that_is_a_bomb_is_refused() -> None:
    with pytest.raises(DatasetError, match=r"beyond 2\^53"):
        Dataset.read([{"q": "a", "n": 10**60}])


@pytest.mark.parametrize(
    "head", ["My export\n", "# made by a script\n", "My export,,\n", "\ufeffMy export\n"]
)
def test_a_line_above_the_header_is_refused_with_its_place(head: str, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(head + "q,expected,n\na,b,1\nc,d,2\n", encoding="utf-8")
    with pytest.raises(DatasetError, match=r"table\.csv:1 "):
        Dataset.read(path)


def test_one_column_of_prose_is_still_read(tmp_path: Path) -> None:
    path = tmp_path / "texts.csv"
    path.write_text("question\nWhat, when and why?\nWho?\nWhere, then?\n")
    assert len(Dataset.read(path)) == 3


def source(rows: list[dict[str, Any]], form: str, folder: Path) -> Any:
    if form == "list":
        return rows
    if form == "frame":
        frame = pandas.DataFrame(rows)
        return frame.astype(object).where(frame.notna(), None)
    path = folder / f"rows.{form}"
    if form == "csv":
        pandas.DataFrame(rows).to_csv(path, index=False)
    else:
        path.write_text("\n".join(map(json.dumps, rows)))
    return path
