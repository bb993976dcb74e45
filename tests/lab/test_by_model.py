"""Prompts x models in one study: a row per model, and one sentence on whether the gain depends on
the model, in the cell and in the report.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from promptops.errors import StudyError
from promptops.lab import Lab
from promptops.lab.study import Study
from promptops.models.scripted import ScriptedModel
from promptops.scorers import equals

MakeLab = Callable[..., Lab]
ROWS = [{"id": f"t{i}", "ticket": f"number {i}", "expected": "yes"} for i in range(60)]


def model(name: str, careful: float) -> ScriptedModel:
    """Right on half of the tickets, and on a share of them if it is asked carefully."""

    def answer(request: dict[str, Any]) -> str:
        text = request["messages"][-1]["content"]
        share = careful if text.startswith("Carefully") else 0.5
        return "yes" if random.Random(f"{name} {text.split()[-1]}").random() < share else "no"

    return ScriptedModel(answer, label=name)


@pytest.fixture
def study(make_lab: MakeLab) -> Study:
    lab = make_lab(models={"large": model("large", 0.95), "small": model("small", 0.5)})
    prompt = lab.prompt("triage")
    plain = prompt.save("Answer yes or no: {{ticket}}", model="large")
    careful = prompt.save("Carefully answer yes or no: {{ticket}}", model="large")
    return lab.evaluate([plain, careful], ROWS, [equals()], models=["large", "small"]).wait()


def test_a_gain_on_one_model_only_depends_on_the_model(study: Study) -> None:
    """v2 gains with the large model and changes nothing with the small one."""
    grid = study.compare().by_model()
    assert [cell.model for cell in grid.cells] == ["large", "small"]
    assert grid.cells[1].gain == 0.0
    assert grid.statement().startswith("The gain of v2 over v1 depends on the model")
    assert grid.n == 60
    assert "depends on the model" in grid._repr_html_()
    turned = study.compare(candidate="v1 · small", baseline="v2 · small").by_model()
    assert {cell.model: cell.gain < 0 for cell in turned.cells} == {"small": False, "large": True}


def test_the_report_and_the_cell_hold_the_grid(study: Study) -> None:
    """The sentence stands under the arms, whoever opens the study."""
    page = study.report().read_text(encoding="utf-8")
    assert "Model by model" in page
    assert "depends on the model" in page
    assert "Model by model" in study._repr_html_()


def test_a_study_of_one_prompt_or_one_model_has_no_grid(study: Study, make_lab: MakeLab) -> None:
    """The sentence says what is missing; no view tries."""
    same = study.compare(candidate="v2 · large", baseline="v2 · small")
    with pytest.raises(StudyError, match="not compared with itself"):
        same.by_model()
    lab = make_lab(models={"large": model("large", 0.95), "small": model("small", 0.5)})
    prompt = lab.prompt("other")
    one = prompt.save("Answer yes or no: {{ticket}}", model="large")
    two = prompt.save("Carefully answer yes or no: {{ticket}}", model="small")
    alone = lab.evaluate([one], ROWS[:5], [equals()], models=["large", "small"]).wait()
    with pytest.raises(StudyError, match="holds one prompt"):
        alone.compare().by_model()
    apart = lab.evaluate([one, two], ROWS[:5], [equals()]).wait()
    with pytest.raises(StudyError, match="on 0 of the models"):
        apart.compare().by_model()
    assert "Model by model" not in apart._repr_html_()
