"""More figures of a comparison: each says its finding, has a text alternative, and is left out
where the data do not carry it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from promptops.analysis import power
from promptops.analysis.arms import Arm, Outcomes
from promptops.analysis.paired_tests import sign_flip
from promptops.lab import Dataset, Lab
from promptops.models.scripted import ScriptedModel
from promptops.scorers import equals, similar_to
from promptops.views import figures
from promptops.views.heatmap import heatmap


@pytest.fixture
def comparison(make_lab: Callable[..., Lab]) -> Any:
    """40 examples; the candidate wins 10 and loses 2, in tags that are hostile."""

    def two(request: dict[str, Any]) -> str:
        number = int(request["messages"][-1]["content"].split()[-1])
        return "nope" if number in (1, 2) else "yes" if number % 4 else "no"

    lab = make_lab(models={"one": ScriptedModel(lambda request: "yes"), "two": ScriptedModel(two)})
    prompt = lab.prompt("triage")
    versions = [
        prompt.save("Judge: {{ticket}}", model="one"),
        prompt.save("Judge well: {{ticket}}", model="two"),
    ]
    rows = [
        {
            "id": f"t{i:02}",
            "ticket": f"ticket number {i}",
            "expected": "yes" if i % 4 else "no",
            "tags": ["<img src=x>" if i % 2 else "even"],
        }
        for i in range(40)
    ]
    return lab.evaluate(
        versions, Dataset.read(rows, tags="tags"), [equals(), similar_to()]
    ).compare()


def test_the_power_curve_is_the_exact_one(comparison: Any) -> None:
    """What its title says of this study's size is the exact power there; nothing is drawn where
    nothing differs.
    """
    shown = figures.power_curve(comparison)
    chance = power.exact_power(10 / 40, 2 / 40, 40)
    said = re.search(r"in (\d+) of 100 such studies", shown)
    assert said is not None
    assert abs(int(said[1]) - 100 * chance) <= 6  # it is read at the curve's nearest point
    assert "role='img'" in shown


@pytest.mark.parametrize("units", [4, 8])
def test_the_power_of_clusters_is_that_of_their_number(units: int) -> None:
    """The curve had taken each example for a unit, and 14 of them in three clusters for certain."""
    effect, n = 0.8, 40
    primary = SimpleNamespace(n=n, wins=12, losses=2, gain=0.25, n_needed=50, effect=effect)
    primary.clusters, primary.binary, primary.repeats = units, True, 1
    shown = figures.power_curve(SimpleNamespace(primary=primary))  # type: ignore[arg-type]
    said = re.search(r"in (\d+) of 100 such studies", shown)
    rng = np.random.default_rng(1)
    tests = [sign_flip(rng.normal(effect, 1, units)).p_greater for _ in range(2000)]
    found = 100 * sum(p <= 0.05 for p in tests) / len(tests)
    assert said is not None
    assert abs(int(said[1]) - found) <= 6


def test_each_figure_has_words_and_no_markup_of_the_data(comparison: Any) -> None:
    """A tag that is markup stays text in the heatmap; every picture has a title."""
    shown = figures.tiles(comparison)
    assert "<img" not in shown
    assert "&lt;img src=x&gt;" in shown
    assert shown.count("<svg") == shown.count("role='img' aria-label=") >= 4
    for name in (
        "How many examples settle it",
        "Quality against latency",
        "Distribution of outcomes",
        "By tag and scorer",
    ):
        assert name in shown


def test_the_heatmap_says_the_difference_of_each_tag(comparison: Any) -> None:
    """Its numbers are those of the slices."""
    shown = heatmap(comparison)
    for row in comparison.slices().rows:
        assert f"{100 * abs(row.gain):.1f}" in shown


def test_a_long_tag_is_cut_in_the_heatmap(make_lab: Callable[..., Lab]) -> None:
    """The sentence says at most 40 characters of it, so that its figures stay in sight."""
    lab = make_lab(models={name: ScriptedModel([name] * 20) for name in ("yes", "no")})
    versions = [lab.prompt("long").save("{{q}}", model=name) for name in ("no", "yes")]
    rows = [{"q": str(i), "expected": "yes", "tags": ["very " * 60]} for i in range(20)]
    study = lab.evaluate(versions, Dataset.read(rows, tags="tags"), [equals()])
    shown = heatmap(study.compare())
    assert f"v2 differs most on {('very ' * 60)[:39]}…: +100.0 points" in shown
    assert ("very " * 60).strip() not in shown


def test_each_histogram_shows_its_own_median() -> None:
    """The median stands beside each arm, and again in the text that stands for the picture."""
    old, new = (
        Arm(
            label, label, {"score": Outcomes.of({f"e{i}": [i / 10] for i in range(n)}, kind="user")}
        )
        for label, n in (("old", 5), ("new", 11))
    )
    shown = figures.distributions(SimpleNamespace(baseline=old, candidate=new))  # type: ignore[arg-type]
    for label, median in (("old", "0.200"), ("new", "0.500")):
        assert f"median {median} with {label}" in shown
        assert f">median {median}</text>" in shown
