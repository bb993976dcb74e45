"""A page of examples shows what every version answered, beside the golden answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from promptops.lab import Dataset, Lab
from promptops.models.scripted import ScriptedModel
from promptops.scorers import equals
from promptops.study.examples import Filter, StudyExamples
from promptops.views.examples_table import table_html

ANSWERS = {"first": "yes", "second": "no", "third": "<b>no</b>"}


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> StudyExamples:
    """Three versions on two examples; the candidate is the one in the middle."""
    folder: Path = tmp_path_factory.mktemp("grid")

    def answer(request: dict[str, Any]) -> str:
        return ANSWERS[request["messages"][-1]["content"].split()[0]]

    lab = Lab(folder, models={"m": ScriptedModel(answer)})
    prompt = lab.prompt("p")
    versions = [prompt.save(f"{name} {{{{text}}}}", model="m") for name in ANSWERS]
    rows = [{"id": "a", "text": "one", "gold": "yes"}, {"id": "b", "text": "two", "gold": "no"}]
    study = lab.evaluate(versions, Dataset.read(rows, expected="gold"), [equals()]).wait()
    return study.review.examples(candidate=versions[1], baseline=versions[2])


def test_a_row_has_every_version_with_the_baseline_first_and_the_candidate_last(
    examples: StudyExamples,
) -> None:
    rows = {row.example_id: row for row in examples.page(Filter()).rows}
    assert [cell.version for cell in rows["a"].cells] == ["v3", "v1", "v2"]
    assert [cell.output for cell in rows["a"].cells] == ["<b>no</b>", "yes", "no"]
    assert [cell.value for cell in rows["a"].cells] == [0.0, 1.0, 0.0]
    assert [cell.value for cell in rows["b"].cells] == [0.0, 0.0, 1.0]
    assert (rows["a"].expected, rows["b"].expected) == ("yes", "no")
    assert (rows["b"].old_output, rows["b"].new_output) == ("<b>no</b>", "no")
    assert (rows["b"].old, rows["b"].new, rows["b"].gain) == (0.0, 1.0, 1.0)


def test_the_table_shows_the_golden_answer_and_each_answer_as_text(examples: StudyExamples) -> None:
    page = examples.page(Filter())
    shown = table_html(page, 0, examples)
    heads = [shown.index(f">{head}<") for head in ("golden answer", "v3", "v1", "v2", "change")]
    assert heads == sorted(heads)
    assert "<b>no</b>" not in shown
    assert "&lt;b&gt;no&lt;/b&gt;" in shown
    assert shown.count("<tr") == 3
