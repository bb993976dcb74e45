"""No row of test reaches a search, neither by its split nor as a copy in train or val."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from promptops.dataset import Dataset
from promptops.dataset.example import Example
from promptops.errors import StudyError
from promptops.lab import Lab
from promptops.models.scripted import ScriptedModel
from promptops.scorers import equals

MakeLab = Callable[..., Lab]
N = 24


def shown_before(request: dict[str, Any]) -> str:
    """Knows only the answers that its prompt shows, by the question as it is written there."""
    *shown, last = request["messages"]
    asked = str(last["content"]).split()[-1].lower()
    for question, answer in pairwise(shown):
        if str(question["content"]).split()[-1].strip(".").lower() == asked:
            return str(answer["content"])
    return "none"


def data(of: Callable[[str, int], str]) -> Dataset:
    """Three splits of `N` rows each. of: the question of a split's row."""
    return Dataset.of(
        Example(
            inputs={"q": of(split, i), "n": f"{split}{i}"},
            expected=f"c{i % 4}",
            id=f"{split}{i}",
            split=split,
        )
        for split in ("train", "val", "test")
        for i in range(N)
    )


def half(split: str, i: int) -> str:
    """The odd rows of train and val repeat test, in other letters."""
    if split == "test":
        return f"w{i}"
    return f"W{i}." if i % 2 else f"{split}{i}"


@pytest.fixture
def seeded(make_lab: MakeLab) -> tuple[Lab, Any]:
    lab = make_lab(models={"m": ScriptedModel(shown_before)})
    return lab, lab.prompt("w").save("Classify {{q}}", model="m")


def test_a_copy_of_a_test_row_is_not_searched_on(seeded: tuple[Lab, Any]) -> None:
    """The prompts that were asked hold no question of test; the plan keeps all its rows."""
    lab, seed = seeded
    with pytest.warns(UserWarning, match=r"\(12 of train and 12 of val\)"):
        search = lab.optimize(seed, data(half), [equals()], method="few_shot", budget_calls=120)
    search.wait()
    train, val = search.search.design.splits
    assert (len(train), len(val)) == (12, 12)
    asked = {
        str(m["content"]) for call in lab.project.model("m").calls for m in call.chat["messages"]
    }
    assert asked
    assert not [text for text in asked if text.split()[-1].lower().startswith("w")]


@pytest.mark.filterwarnings("error")
def test_splits_that_share_no_row_are_left_as_they_are(seeded: tuple[Lab, Any]) -> None:
    lab, seed = seeded
    whole = data(lambda split, i: f"{split}{i}")
    search = lab.optimize(seed, whole, [equals()], method="few_shot", budget_calls=20).wait()
    train, val = search.search.design.splits
    assert (train.fingerprint, val.fingerprint) == (whole.train.fingerprint, whole.val.fingerprint)


def test_a_split_that_only_repeats_test_is_refused(seeded: tuple[Lab, Any]) -> None:
    lab, seed = seeded
    with pytest.raises(StudyError, match="every row of the split 'train'"):
        lab.optimize(
            seed, data(lambda _, i: f"w{i}"), [equals()], method="few_shot", budget_calls=20
        )
