"""The smallest detectable gain is exact: at it the test finds 80 %, below it less."""

from __future__ import annotations

import numpy as np
import pytest

from promptops.analysis.arms import Outcomes
from promptops.analysis.facts import difference
from promptops.analysis.power import exact_power, mde, mde_binary, mde_t, power_t


@pytest.mark.parametrize(("changed", "n"), [(20, 100), (3, 30), (50, 60), (40, 1000), (1, 12)])
def test_by_enumeration(changed: int, n: int) -> None:
    """Power 80 % at the gain, less just below; the normal approximation promises more."""
    found = mde_binary(changed, n)
    assert found is not None

    def power_at(gain: float) -> float:
        disagree = max(changed / n, gain)
        return exact_power((disagree + gain) / 2, (disagree - gain) / 2, n)

    assert power_at(found) >= 0.8
    assert power_at(found - 1e-4) < 0.8
    share = changed / n
    assert power_at(mde(np.sqrt(share - min(share, 0.0)), n) * 0.9) < 0.8


def test_few_examples_find_nothing() -> None:
    """Four examples are never significant, whatever happens."""
    assert mde_binary(2, 4) is None


@pytest.mark.parametrize("n", [2, 3, 10, 200])
def test_by_the_noncentral_t(n: int) -> None:
    """The t test has this power at it; of many examples it is the normal one."""
    found = mde_t(0.3, n)
    assert power_t(found / 0.3, n) == pytest.approx(0.8, abs=1e-6)
    assert found > mde(0.3, n)
    assert mde_t(0.3, 5000) == pytest.approx(mde(0.3, 5000), rel=1e-3)


def test_figures_have_it_and_those_of_release_0_1_keep_theirs() -> None:
    """12 won and 2 lost of 100."""
    rows = [(1, 0)] * 12 + [(0, 1)] * 2 + [(1, 1)] * 86
    arms = [Outcomes.of({f"e{i}": [row[side]] for i, row in enumerate(rows)}) for side in (0, 1)]
    now, _ = difference("exact", *arms)
    then, _ = difference("exact", *arms, rules=1)
    assert now.mde == mde_binary(14, 100)
    assert then.mde == pytest.approx(mde(float(then.sd or 0), 100))
    assert now.mde != then.mde


@pytest.mark.parametrize("units", [3, 4, 5])
def test_few_clusters_find_nothing_either(units: int) -> None:
    """The exact test by cluster settles nothing on fewer than five: a gain of +28 points had been
    called detectable on three.
    """
    rng = np.random.default_rng(units)
    rows = {f"e{i}": [float(rng.random() < 0.8), float(rng.random() < 0.4)] for i in range(40)}
    arms = [Outcomes.of({id_: [row[side]] for id_, row in rows.items()}) for side in (0, 1)]
    clusters = {f"e{i}": f"g{i % units}" for i in range(40)}
    found, _ = difference("exact", *arms, clusters=clusters)
    assert found.clusters == units
    assert (found.mde is None) == (units < 5)
    assert found.n_needed is not None
    assert found.n_needed >= 5 * 40 / units
