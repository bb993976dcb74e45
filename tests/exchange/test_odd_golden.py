"""Odd files of other tools: none gives a wrong golden answer, whichever door reads it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from promptops.dataset import Dataset
from promptops.errors import PromptOpsError
from promptops.exchange import read_export


def rows(*values: Any) -> str:
    return "".join(json.dumps(value) + "\n" for value in values)


BIG = 1234567890123456789
REFUSED = "refused"
# file -> (its text, its golden answers; or, after REFUSED, what the refusal names)
FILES: dict[str, tuple[str, list[Any]]] = {
    "assertions.csv": ("q,__expected\n2+2?,contains: 4\n3?,is-json\n", [None, None]),
    "two_assertions.csv": ("q,__expected1,__expected2\n2+2?,contains: 4,grade: nice\n", [None]),
    "generation.jsonl": (rows({"input": "a", "output": "x", "model": "m"}), [None]),
    "usage.jsonl": (rows({"q": "a", "output": "x", "usage": {"total_tokens": 3}}), [None]),
    "observation.csv": ("id,input,output,model,usage\n1,a,x,m,3\n", [None]),
    "judged.csv": ("q,output,score\na,x,0.5\n", [None]),
    "logged.jsonl": (rows({"question": "a", "answer": "x", "latency_ms": 3}), [None]),
    "of_a_model.jsonl": (rows({"question": "a", "answer": "x", "model": "gpt-5-mini"}), [None]),
    "of_a_car.jsonl": (rows({"question": "doors?", "answer": "5", "model": "Yaris"}), ["5"]),
    "both.jsonl": (rows({"q": "a", "expected": "x", "output": "z", "model": "m"}), ["x"]),
    "ideal.jsonl": (rows({"input": [{"role": "user", "content": "a"}], "ideal": "x"}), ["x"]),
    "any_of.jsonl": (rows({"q": "a", "ideal": ["x", "y"]}), [["x", "y"]]),
    "langfuse.jsonl": (rows({"id": "1", "input": {"q": "a"}, "expectedOutput": "x"}), ["x"]),
    "langsmith.jsonl": (rows({"inputs": {"q": "a"}, "outputs": "x"}), ["x"]),
    "mlflow.jsonl": (rows({"q": "a", "expectations": {"expected_response": "x"}}), ["x"]),
    "hosted.jsonl": (rows({"q": "a", "correct_label": "x"}), ["x"]),
    "json_cells.csv": ('q,expected\na,"{""k"": 1}"\n', ['{"k": 1}']),
    "wide.csv": (f"q,order,expected\na,{BIG},x\n", ["x"]),
    "wide.jsonl": (rows({"q": "a", "order": BIG, "expected": "x"}), ["x"]),
    "title.csv": ("Set of March\nq,expected\na,x\n", [REFUSED, "title.csv:1"]),
    "comment.csv": ("# of March, by us\nq,expected\na,x\n", [REFUSED, "comment.csv:1"]),
    "bom.csv": ("\ufeffexpected,q\nx,a\n", ["x"]),
    "semicolons.csv": ("q;expected\na;x\nb;y, z\n", ["x", "y, z"]),
    "tabs.tsv": ("q\texpected\na\tx\n", ["x"]),
    "missing.csv": ("q,expected\na,\nb,y\n", [None, "y"]),
    "zeros.csv": ("q,expected\na,007\nb,1.50\n", ["007", "1.50"]),
    "words.csv": ("q,expected\na,NA\nb,null\nc,True\n", ["NA", "null", "True"]),
    "twice.csv": ("q,expected,expected\na,x,y\n", [REFUSED, "'expected' twice"]),
    "lines.csv": ('q,expected\n"a\nb","x\ny"\n', ["x\ny"]),
    "nan.jsonl": ('{"q": "a", "expected": NaN}\n', [REFUSED, "nan.jsonl:1"]),
    "index.csv": (",q,expected\n0,a,x\n", ["x"]),
    "trailing.csv": ("q,expected,\na,x,\n", ["x"]),
}


@pytest.mark.parametrize("name", FILES)
def test_no_golden_answer_is_wrong(name: str, tmp_path: Path) -> None:
    text, wanted = FILES[name]
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    if wanted[0] == REFUSED:
        with pytest.raises(PromptOpsError, match=wanted[1]):
            Dataset.read(path)
        return
    assert [example.expected for example in Dataset.read(path)] == wanted
    try:
        found = read_export(path).dataset
    except PromptOpsError:
        return  # it is a plain table, which import leaves to Dataset.read
    assert [example.expected for example in found or ()] == wanted


def test_json_in_cells_is_offered_as_json(tmp_path: Path) -> None:
    path = tmp_path / "cells.csv"
    path.write_text(FILES["json_cells.csv"][0])
    assert any("'expected' are JSON" in note for note in Dataset.read(path).notes)
    path.write_text("q,expected\n[a],{b}\n")
    assert not any("JSON" in note for note in Dataset.read(path).notes)
