"""Whether a gain depends on the model: exact for two models, by permutation for more, and equal to
statsmodels if it has the figure.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from statsmodels.stats.anova import AnovaRM
from statsmodels.stats.multivariate import test_mvmean as their_test

from promptops.analysis import paired_tests
from promptops.analysis.arms import Arm, Outcomes
from promptops.analysis.compare import ComparisonContext, ComparisonFacts, compare
from promptops.analysis.interaction import hotelling, interaction, over_models
from promptops.errors import StatisticsError


def drawn(seed: int, n: int, shifts: tuple[float, ...]) -> np.ndarray:
    """Gains of n examples, a column per model, with what the models share."""
    rng = np.random.default_rng(seed)
    gains: np.ndarray = rng.normal(0, 1, (n, len(shifts))) + rng.normal(0, 1, (n, 1))
    return gains + np.array(shifts)


@pytest.mark.parametrize("shifts", [(0.0, 0.0, 0.0), (0.6, 0.0, 0.3, 0.1)])
def test_the_statistic_is_that_of_statsmodels(shifts: tuple[float, ...]) -> None:
    """Hotelling's T squared of the contrasts, and its p where gains are normal."""
    gains = drawn(3, 50, shifts)
    theirs = their_test(gains[:, :-1] - gains[:, -1:], np.zeros(len(shifts) - 1))
    found = interaction(list(gains.T), draws=1999)
    assert found.statistic == pytest.approx(float(theirs.t2), rel=1e-9)
    assert found.p == pytest.approx(float(theirs.pvalue), abs=0.03)


def test_two_models_are_the_interaction_of_an_analysis_of_variance() -> None:
    """T squared is the F of prompt x model in the repeated-measures analysis of statsmodels."""
    import pandas as pd

    rng = np.random.default_rng(8)
    rows = [
        {"example": e, "prompt": p, "model": m, "score": rng.normal(0.3 * p * m, 1)}
        for e, p, m in itertools.product(range(30), (0, 1), (0, 1))
    ]
    frame = pd.DataFrame(rows)
    table = AnovaRM(frame, "score", "example", within=["prompt", "model"]).fit().anova_table
    wide = frame.pivot(index="example", columns=["prompt", "model"], values="score")
    gains = [(wide[1, m] - wide[0, m]).to_numpy() for m in (0, 1)]
    found = interaction(gains)
    assert found.statistic == pytest.approx(float(table.loc["prompt:model", "F Value"]), rel=1e-9)
    assert found.p == paired_tests.sign_flip(gains[0] - gains[1], grid=None).p_two_sided
    assert found.method.startswith("sign-flip")


def test_three_models_by_counting_every_permutation() -> None:
    """On four examples all 6^4 orders can be counted; drawn orders come near that p."""
    gains = np.array([[3.0, 1.0, 0.0], [2.0, 1.5, 0.0], [4.0, 0.5, 1.0], [1.0, 2.0, 0.5]])
    seen, reached = hotelling(gains), 0
    orders = list(itertools.permutations(range(3)))
    for chosen in itertools.product(orders, repeat=4):
        shuffled = np.array([row[list(order)] for row, order in zip(gains, chosen, strict=True)])
        reached += hotelling(shuffled) >= seen * (1 - 1e-9)
    assert interaction(list(gains.T)).p == pytest.approx(reached / 6**4, abs=0.015)


def test_gains_that_are_equal_on_every_model_show_nothing() -> None:
    """p = 1 without a difference; one list, or lists of different lengths, are refused."""
    same = [np.array([1.0, 0.0, -1.0])] * 3
    assert interaction(same).p == 1.0
    for wrong in ([[1.0]], [[1.0, 0.0], [1.0]]):
        with pytest.raises(StatisticsError):
            interaction(wrong)


def test_clusters_are_the_units() -> None:
    """Twenty copies of three examples in three clusters are three units, whatever they say."""
    gains = [np.repeat([1.0, 1.0, 1.0], 20), np.zeros(60), np.zeros(60)]
    labels = [f"c{i // 20}" for i in range(60)]
    assert interaction(gains).p < 0.001
    grouped = interaction(gains, labels=labels)
    assert grouped.units == 3
    assert grouped.p > 0.05


def test_its_level_holds_where_models_are_unequally_noisy() -> None:
    """Equal mean gains, one model four times as noisy: few of 150 studies say otherwise."""
    rng, hits = np.random.default_rng(21), 0
    for _ in range(150):
        gains = rng.normal(0, 1, (25, 3)) * [0.3, 0.3, 1.2]
        hits += interaction(list(gains.T), draws=99).p <= 0.05
    assert hits / 150 <= 0.09


def by_model(rows: dict[str, tuple[list[int], list[int]]]) -> dict[str, ComparisonFacts]:
    """Model -> what both prompts were on each example."""
    found = {}
    for model, (candidate, baseline) in rows.items():
        arms = [
            Arm(
                f"{name}{model}",
                f"{name} · {model}",
                {"exact": Outcomes.of({f"e{i}": [float(x)] for i, x in enumerate(values)})},
            )
            for name, values in (("v2", candidate), ("v1", baseline))
        ]
        found[model] = compare(arms[0], arms[1], grounds=ComparisonContext())
    return found


def test_the_sentence_says_what_is_shown() -> None:
    """A gain on one model and a loss on the other depend on it; equal gains are not shown to."""
    ones, none = [1] * 30, [0] * 30
    mixed = over_models(by_model({"large": (ones, none), "small": (none, ones)}))
    assert mixed.depends
    assert mixed.statement().startswith("The gain of v2 over v1 depends on the model, p < 0.0001:")
    assert [cell.model for cell in mixed.cells] == ["large", "small"]
    assert list(mixed.frame["gain"]) == [1.0, -1.0]
    alike = over_models(by_model({"large": (ones, none), "small": (ones, none)}))
    assert not alike.depends
    assert "is not shown, p = 1" in alike.statement()
    with pytest.raises(StatisticsError, match="two models"):
        over_models(by_model({"large": (ones, none)}))


def test_only_examples_of_every_model_count() -> None:
    """An example that one model was not asked is in no cell."""
    grid = over_models(by_model({"large": ([1] * 9, [0] * 9), "small": ([1] * 6, [0] * 6)}))
    assert grid.n == 6
    assert {cell.n for cell in grid.cells} == {6}
