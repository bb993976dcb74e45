"""What a verdict will need is said before anything is paid, as it then is in force."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from promptops.lab import Lab
from promptops.models.scripted import ScriptedModel
from promptops.scorers import equals

MakeLab = Callable[..., Lab]
ROWS = [{"q": str(i), "expected": "yes"} for i in range(40)]


@pytest.fixture
def lab(make_lab: MakeLab) -> Lab:
    return make_lab(models={"m": ScriptedModel(lambda request: "yes")})


def arms(lab: Lab, names: str) -> list[Any]:
    prompt = lab.prompt("w")
    return [prompt.save(f"{name} {{{{q}}}}", model="m") for name in names]


def test_candidates_share_alpha(lab: Lab) -> None:
    """One has all of it, three a third each; copies are one example."""
    v1, v2, v3, v4 = arms(lab, "ABCD")
    one = lab.estimate([v1, v2], ROWS * 2, [equals()]).in_force
    assert len(one) == 1
    assert one[0].startswith("On 40 distinct examples, one candidate has all of alpha: p of 0.05")
    three = lab.estimate([v1, v2, v3, v4], ROWS, [equals()])
    assert "3 candidates share alpha by Holm: the best one needs p of 0.0167" in repr(three)
    assert lab.estimate([v1], ROWS, [equals()]).in_force == ()


def test_what_was_tried_is_said_as_the_verdict_says_it(lab: Lab) -> None:
    """Fresh answers of a pair, another candidate; the same study again counts nothing."""
    v1, v2, v3 = arms(lab, "ABC")
    lab.evaluate([v1, v2], ROWS, [equals()], name="one")
    assert len(lab.estimate([v1, v2], ROWS, [equals()]).in_force) == 1
    further = lab.estimate([v1, v3], ROWS, [equals()]).in_force
    assert further[1].startswith("v3: Candidate number 2 on these 40 examples: needs E of 40")
    study = lab.evaluate([v1, v3], ROWS, [equals()], name="two")
    tried = study.compare(candidate=v3, baseline=v1).grounds.tried
    assert f"v3: {tried.statement(0.05, 40)}" == further[1]
    grown = [*ROWS, {"q": "new", "expected": "yes"}]
    again = lab.estimate([v1, v2], grown, [equals()]).in_force
    assert "Judged twice on these 41 examples" in again[1]
    fresh = [{"q": f"new {i}", "expected": "yes"} for i in range(30)]
    assert len(lab.estimate([v1, v3], fresh, [equals()]).in_force) == 1


def test_answers_that_are_all_there_are_the_same_judgement(lab: Lab) -> None:
    """Another study over the same runs counts nothing, before it as after it."""
    v1, v2 = arms(lab, "AB")
    lab.evaluate([v1, v2], ROWS, [equals()], name="one")
    twice = [equals(), equals(column="expected")]
    ahead = lab.estimate([v1, v2], ROWS, twice[:1]).in_force
    assert len(ahead) == 1


def test_a_plan_says_it_too(lab: Lab) -> None:
    """Finalists share alpha; candidates against what serves are counted."""
    v1, v2, v3 = arms(lab, "ABC")
    plan = lab.plan("w", ROWS, [equals()], split=None, finalists=[v2, v3])
    assert "2 candidates share alpha by Holm: the best one needs p of 0.025" in repr(plan)
    assert len(plan.in_force) == 1
    lab.promote(v1, env="prod", study=lab.evaluate([v1], ROWS, [equals()], name="first"))
    lab.evaluate([v1, v2], ROWS, [equals()], name="one")
    third = lab.plan("w", ROWS, [equals()], split=None, finalists=[v3])
    assert "1 candidate against v1 on these examples before" in repr(third)
    assert "a further one needs E of 40" in repr(third)


def test_a_plan_that_came_late_says_what_repairs_it(lab: Lab) -> None:
    """One sentence, and not "fixed by no plan" beside it."""
    v1, v2, v3 = arms(lab, "ABC")
    lab.evaluate([v1, v2], ROWS, [equals()], name="one")
    plan = lab.plan("w", ROWS, [equals()], split=None, finalists=[v2])
    late = lab.evaluate([v1, v2, v3], ROWS, plan=plan, name="two")
    notes = late.compare(candidate=v2, baseline=v1).notes
    said = [note for note in notes if "plan" in note]
    assert len(said) == 1
    assert "To repair it, ask again with fresh=True" in said[0]
