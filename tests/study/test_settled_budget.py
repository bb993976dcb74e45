"""A study that is looked at batch by batch has one budget for all of its batches and its judges."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from promptops.lab import Dataset, Lab
from promptops.models.protocol import Reply
from promptops.models.scripted import ScriptedModel
from promptops.scorers import equals, rubric

DATA = [{"id": f"e{n}", "t": f"row {n}", "expected": "yes"} for n in range(160)]
USAGE = {"tokens_in": 10, "tokens_out": 0}


def _verdict(request: dict[str, Any]) -> Reply:
    case = re.search(r"case\W+([0-9a-f]{6,})", json.dumps(request["messages"]))
    assert case is not None
    form = json.dumps({"case": case[1], "reason": "fine", "score": 5})
    return Reply(form, finish_reason="stop", tokens_in=10, tokens_out=0)


@pytest.mark.parametrize("usage", [USAGE, {}], ids=["usage", "no usage"])
def test_all_batches_share_the_budget(make_lab: Callable[..., Lab], usage: dict[str, int]) -> None:
    chance = random.Random(1)  # scores that settle nothing
    model = ScriptedModel(lambda _: Reply(chance.choice(["yes", "no"]), **usage), "m", remote=True)
    lab = make_lab(models={"m": model}, prices={"m": (100_000.0, 0.0)})  # 1 USD for 10 tokens
    prompt = lab.prompt("p")
    arms = [
        prompt.save(f"{text} {{{{t}}}}" + " " * 30, model="m", max_tokens=1) for text in ("A", "B")
    ]
    with pytest.warns(UserWarning, match="the budget is used up"):
        lab.evaluate(
            arms,
            Dataset.read(DATA),
            [equals()],
            stop_when="settled",
            budget_usd=50.0,
            concurrency=1,
        )
    # an answer without usage counts as it was reserved: about 11 tokens
    assert 35 <= len(model.calls) <= 50


def test_judges_and_all_batches_share_the_budget(make_lab: Callable[..., Lab]) -> None:
    answers = ScriptedModel(lambda _: Reply("yes", **USAGE), "m", remote=True)
    judges = ScriptedModel(_verdict, "j", remote=True)
    price = (100_000.0, 0.0)
    lab = make_lab(models={"m": answers, "j": judges}, prices={"m": price, "j": price})
    prompt = lab.prompt("p")
    arms = [prompt.save(f"{text} {{{{t}}}}", model="m", max_tokens=1) for text in ("A", "B")]
    with pytest.warns(UserWarning, match="the budget is used up"):
        lab.evaluate(
            arms,
            Dataset.read(DATA),
            [rubric("Is it right?", judge="j", name="quality")],
            stop_when="settled",
            budget_usd=400.0,
            concurrency=1,
        )
    spent = lab.store.rows("select sum(cost_usd) from runs")[0][0]
    assert len(judges.calls) > 0
    assert spent <= 400.0


def test_what_ends_a_batch_names_the_whole_budget(make_lab: Callable[..., Lab]) -> None:
    """Not what the earlier batches left of it."""
    chance = random.Random(1)
    model = ScriptedModel(lambda _: Reply(chance.choice(["yes", "no"]), **USAGE), "m", remote=True)
    lab = make_lab(models={"m": model}, prices={"m": (100_000.0, 0.0)})
    prompt = lab.prompt("p")
    arms = [prompt.save(f"{text} {{{{t}}}}", model="m", max_tokens=1) for text in ("A", "B")]
    with pytest.warns(UserWarning, match=r"\((49|50)\.0000 of 50 USD spent"):
        lab.evaluate(
            arms,
            Dataset.read(DATA),
            [equals()],
            stop_when="settled",
            budget_usd=50.0,
            concurrency=1,
        )


def test_judging_again_keeps_to_the_budget_of_the_project(tmp_path: Path) -> None:
    """`rescore` has no budget of its own: that of promptops.toml holds, as it does for a study."""
    (tmp_path / "promptops.toml").write_text("budget_usd = 100.0\n")
    judges = ScriptedModel(_verdict, "j", remote=True)
    models = {"m": ScriptedModel(lambda _: "yes", "m"), "j": judges}
    lab = Lab(tmp_path, models=models, prices={"j": (100_000.0, 0.0), "m": (0.0, 0.0)})
    version = lab.prompt("p").save("A {{t}}", model="m")
    study = lab.evaluate([version], Dataset.read(DATA), [equals()])
    with pytest.warns(UserWarning, match="the budget is used up"):
        study.rescore([rubric("Is it right?", judge="j", name="quality")])
    assert lab.store.rows("select sum(cost_usd) from runs where role = 'judge'")[0][0] <= 100.0
    assert 0 < len(judges.calls) <= 100
    lab.project.close()


def test_an_equal_question_of_a_judge_is_answered_where_it_comes_beside_the_first(
    make_lab: Callable[..., Lab],
) -> None:
    """Every answer is alike, so that the judge's questions of both arms are: who asks when the
    first is answered, and its look not yet over, had been told that the call was stopped.
    """
    answers = ScriptedModel(lambda _: Reply("yes", **USAGE), "m", remote=True)
    judges = ScriptedModel(_verdict, "j", remote=True)
    lab = make_lab(models={"m": answers, "j": judges})
    prompt = lab.prompt("p")
    arms = [prompt.save(f"{text} {{{{t}}}}", model="m") for text in ("A", "B")]
    scorers = [rubric("Is it right?", judge="j", name="quality")]
    study = lab.evaluate(arms, Dataset.read(DATA), scorers, stop_when="settled")
    assert study.status == "finished"
    assert len(study.scores()) == 2 * len(DATA)
    assert len(judges.calls) <= len(DATA)
