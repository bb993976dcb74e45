"""The noise floor is that of the dataset at hand, from all repeats, for the repeats in use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from promptops.lab import Lab
from promptops.models.scripted import ScriptedModel
from promptops.scorers import equals

MakeLab = Callable[..., Lab]


class Wavering:
    """Right on the first and third answer of four to each question."""

    def __init__(self) -> None:
        self.seen: dict[str, int] = {}

    def __call__(self, call: Any) -> str:
        text = call.request["messages"][-1]["content"]
        self.seen[text] = self.seen.get(text, 0) + 1
        return "yes" if self.seen[text] % 2 else "no"


def rows(n: int, start: int = 0) -> list[dict[str, Any]]:
    return [{"q": f"q{i}", "expected": "yes"} for i in range(start, start + n)]


@pytest.mark.parametrize(("n", "expected"), [(20, 1.645), (5, None)])
def test_the_floor_is_of_this_dataset(make_lab: MakeLab, n: int, expected: float | None) -> None:
    """Four repeats of 20 examples: variance 1/3 each, so +-1.645 sqrt(2/3/K/20) for K repeats; a
    floor of other rows is not measured.
    """
    lab = make_lab(models={"m": ScriptedModel(Wavering())})
    prompt = lab.prompt("w")
    v1, v2 = prompt.save("A {{q}}", model="m"), prompt.save("B {{q}}", model="m")
    lab.evaluate([v1], rows(n), [equals()], repeats=4)
    for repeats in (1, 2):
        study = lab.evaluate([v1, v2], rows(20), [equals()], repeats=repeats)
        noise = study.compare(candidate=v2, baseline=v1).grounds.noise
        if expected is None:
            assert noise is None or repeats == 2  # a study with two repeats measures it itself
        else:
            half = expected * (2 / 3 / repeats / 20) ** 0.5
            if repeats == 1:
                assert noise == pytest.approx((0.0, -half, half), abs=1e-3)
            assert noise is not None
