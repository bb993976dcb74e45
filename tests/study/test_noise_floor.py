"""The noise floor is that of the dataset at hand, from all repeats, for the repeats in use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from promptops.lab import Dataset, Lab, compare
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


def imported(lab: Lab, repeated: int, n: int = 30, second: str | None = "flip") -> Any:
    """n examples of two versions, of which the first few have a second answer. The baseline's is
    the other one; None: it is missing.
    """
    rows = [
        {"example_id": f"e{i}", "version": version, "k": k, "output": output}
        for i in range(n)
        for version in ("v1", "v2")
        for k, output in enumerate(["yes", {"flip": "no"}.get(second or "")][: 1 + (i < repeated)])
    ]
    data = [{"id": f"e{i}", **row} for i, row in enumerate(RECORDED[:n])]
    study = lab.import_runs(rows, Dataset.read(data), [equals()], sample="k")
    return study.compare(candidate="v2", baseline="v1")


RECORDED = rows(30)


def test_a_few_repeats_are_not_a_floor(make_lab: MakeLab) -> None:
    """One example answered twice says nothing of 30 (it was "+0.0 points, 0.0 to 0.0"), nor do
    repeats without a score; ten do, and each arm averages what it holds: 1.5 answers' worth.
    """
    lab = make_lab()
    first = imported(lab, 1)
    assert first.grounds.noise is None
    (few,) = (note for note in first.notes if "noise" in note)
    assert "not measured (the baseline needs 10 examples" in few
    assert imported(lab, 30, second=None).grounds.noise is None
    found = imported(lab, 10)
    floor = 1.645 * (0.5 * 2 * (20 + 10 / 2) / 30 / 30) ** 0.5
    assert found.grounds.noise == pytest.approx((0.0, -floor, floor), abs=1e-3)


def test_copies_and_the_newest_study_do_not_shrink_it(make_lab: MakeLab) -> None:
    """Rows that stand three times are one example each; all answers on the dataset count, also
    where the newest study has fewer repeats of them; and the scorer that decides is meant.
    """
    lab = make_lab(models={"m": ScriptedModel(Wavering())})
    prompt = lab.prompt("w")
    v1, v2 = prompt.save("A {{q}}", model="m"), prompt.save("B {{q}}", model="m")
    strict = equals().named("same")
    lab.evaluate([v1], rows(20), [equals(), strict], repeats=4)
    study = lab.evaluate([v1, v2], rows(20), [equals(), strict], repeats=2)
    half = 1.645 * (2 / 3 / 2 / 20) ** 0.5  # variance 1/3 by four answers; 1/2 by the newest two
    for primary in (None, "same"):
        noise = study.compare(candidate=v2, baseline=v1, primary=primary).grounds.noise
        assert noise == pytest.approx((0.0, -half, half), abs=1e-3)
    thrice = [{"id": f"r{i}", **row} for i, row in enumerate(rows(20) * 3)]
    comparison = lab.evaluate([v1, v2], thrice, [equals()], repeats=4).compare(
        candidate=v2, baseline=v1
    )
    half = 1.645 * (2 / 3 / 4 / 20) ** 0.5
    assert comparison.primary.n == 20
    assert comparison.grounds.noise == pytest.approx((0.0, -half, half), abs=1e-3)


def test_a_long_table_measures_it_by_its_own_repeats() -> None:
    """compare(table) with repeats has a floor; with one answer each, it says what is missing."""
    long = [
        {"id": f"e{i}", "q": f"q{i}", "version": version, "output": (i + k) % 2}
        for i in range(20)
        for version in ("a", "b")
        for k in range(2)
    ]
    found = compare(long, baseline="a", candidate="b", version="version", output="output", id="id")
    half = 1.645 * (2 * 0.5 / 2 / 20) ** 0.5
    assert found.grounds.noise == pytest.approx((0.0, -half, half), abs=1e-3)
    wide = [{"id": f"e{i}", "q": f"q{i}", "a": 0.1, "b": 0.2} for i in range(20)]
    (note,) = (n for n in compare(wide, baseline="a", candidate="b").notes if "noise" in n)
    assert "version.noise" not in note
