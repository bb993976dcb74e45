"""Raters label pairs of three arms: each pair is an item of its own, whichever way round."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from promptops.lab import Lab
from promptops.models.scripted import ScriptedModel
from promptops.review.labelling import Labelling
from promptops.scorers import contains
from promptops.study.examples import Filter, StudyExamples

MakeLab = Callable[..., Lab]
ROWS = [{"q": str(i)} for i in range(6)]


def labelled(study: Any, rater: str, candidate: Any, baseline: Any, winner: str) -> int:
    """A rater prefers the candidate ("first") or the baseline ("second") of every example; how many
    were asked.
    """
    examples = StudyExamples(study.recorded, candidate, baseline)
    queue = Labelling(study.recorded, rater, wanted=Filter("all"), examples=examples)
    other, asked = {"first": "second", "second": "first", "tie": "tie"}, 0
    while (task := queue.task) is not None:
        queue.answer(other[winner] if task.swapped else winner)
        asked += 1
    return asked


def test_each_pair_of_three_arms_is_an_item_of_its_own(make_lab: MakeLab) -> None:
    lab = make_lab(models={"m": ScriptedModel(lambda request: str(request["messages"][-1]))})
    prompt = lab.prompt("w")
    a, b, c = (prompt.save(f"{name} {{{{q}}}}", model="m") for name in "ABC")
    study = lab.evaluate([a, b, c], ROWS, [contains("C")], name="three").wait()
    assert labelled(study, "ann", c, a, "second") == 6
    assert labelled(study, "ann", b, a, "second") == 6  # another pair, not labelled before
    assert labelled(study, "ann", a, c, "first") == 0  # the same pair, the other way round
    assert labelled(study, "bob", c, b, "first") == 6
    apart = study.review.agreement()
    assert (apart.labels, apart.items, apart.equal) == (18, 0, None)
    assert labelled(study, "cyd", a, c, "first") == 6  # as Ann said of c against a
    assert labelled(study, "dan", b, c, "tie") == 6  # not what Bob said
    found = study.review.agreement()
    assert (found.raters, found.items, found.equal) == (("ann", "bob", "cyd", "dan"), 12, 0.5)
