"""Agreement, correction, ranking, repeats, intervals: compared with the libraries that are
references, and their edges.
"""

from __future__ import annotations

import math
import time

import krippendorff as their_krippendorff
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import fleiss_kappa
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from promptops.analysis import (
    agreement,
    correction,
    e_values,
    intervals,
    multiplicity,
    paired_tests,
    power,
    ranking,
    repeats,
    words,
)
from promptops.analysis.arms import Arm, Outcomes
from promptops.analysis.compare import compare
from promptops.analysis.repeats import at_k, mean_pass_at_k, mean_pass_hat_k
from promptops.errors import StatisticsError

few = settings(max_examples=40, deadline=None)
answers = st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), min_size=2, max_size=40)


# -- agreement


@given(answers)
@few
def test_cohen_is_scikit_learn_s(pairs: list[tuple[int, int]]) -> None:
    """Unweighted, linear and quadratic on any answers, up to where no answer differs.

    Steps are those between the answers met.
    """
    a, b = [x for x, _ in pairs], [y for _, y in pairs]
    for weights in (None, "linear", "quadratic"):
        found = agreement.cohen(a, b, weights=weights, resamples=5)
        if len(set(a) | set(b)) == 1:
            assert found.value is None
        else:
            assert found.value == pytest.approx(cohen_kappa_score(a, b, weights=weights), abs=1e-12)
    assert found.n == sum(map(sum, found.table)) == len(pairs)


def test_kappa_is_shown_beside_the_raw_agreement() -> None:
    """Rare failures: 90 % equal answers and a kappa near 0; the interval is seeded and holds the
    value.
    """
    a, b = [1] * 18 + [0, 1], [1] * 18 + [1, 0]
    found = agreement.cohen(a, b)
    assert (found.observed, found.table) == (0.9, ((0, 1), (1, 18)))
    assert found.value is not None
    assert found.value < 0
    assert found == agreement.cohen(a, b)
    mixed = agreement.cohen(["yes", "no", "yes", "no"] * 10, ["yes", "no", "no", "no"] * 10)
    assert mixed.low is not None
    assert mixed.high is not None
    assert mixed.value is not None
    assert mixed.low < mixed.value < mixed.high
    for bad in (([1], [1, 2]), ([], []), ([1, None], [1, 2]), ([1, math.nan], [1, 2])):
        with pytest.raises(StatisticsError):
            agreement.cohen(*bad)


ratings = st.lists(
    st.lists(st.one_of(st.none(), st.integers(1, 5)), min_size=6, max_size=6),
    min_size=2,
    max_size=4,
)


@given(ratings)
@few
def test_krippendorff_is_the_package_s(rows: list[list[int | None]]) -> None:
    """Any raters with gaps, four metrics; None if nothing can be said."""
    data = np.array(
        [[math.nan if value is None else value for value in row] for row in rows], dtype=float
    )
    for metric in ("nominal", "ordinal", "interval", "ratio"):
        found = agreement.krippendorff(rows, metric=metric)
        units = [[v for v in column if v is not None] for column in zip(*rows, strict=True)]
        values = {v for unit in units if len(unit) > 1 for v in unit}
        if len(values) < 2:
            assert found is None
        else:
            assert found == pytest.approx(
                their_krippendorff.alpha(data, level_of_measurement=metric), abs=1e-9
            )


def test_krippendorff_s_gate_and_interval() -> None:
    """.667 and .8; items are resampled; nothing rated twice says nothing."""
    rows = [[1, 2, 3, 1, 2, 3, 1, 2, 3, 1] * 3, [1, 2, 3, 1, 2, 3, 1, 2, 1, 1] * 3]
    found = agreement.krippendorff_interval(rows)
    assert found.grade == "firm"
    assert found.alpha is not None
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.alpha <= found.high
    assert [agreement.Agreement(a, None, None, 1).grade for a in (0.8, 0.7, 0.5, None)] == [
        "firm",
        "tentative",
        "poor",
        "unknown",
    ]
    assert agreement.krippendorff_interval([[1, None], [None, 2]]).alpha is None
    with pytest.raises(StatisticsError, match="different lengths"):
        agreement.krippendorff([[1, 2], [1]])
    with pytest.raises(StatisticsError, match="metric"):
        agreement.krippendorff(rows, metric="cosine")  # type: ignore[arg-type]


def test_fleiss_is_statsmodels_s() -> None:
    """Any table with the same number of raters in every row."""
    rng = np.random.default_rng(0)
    table = rng.multinomial(7, [0.5, 0.3, 0.2], size=12)
    assert agreement.fleiss(table.tolist()) == pytest.approx(fleiss_kappa(table), abs=1e-12)
    assert agreement.fleiss([[3, 0], [3, 0]]) is None
    with pytest.raises(StatisticsError):
        agreement.fleiss([[3, 0], [2, 0]])


# -- intervals and corrections


@given(st.integers(1, 60), st.integers(0, 60), st.sampled_from([0.9, 0.95, 0.99]))
@few
def test_rates_are_statsmodels_s(n: int, k: int, level: float) -> None:
    """Wilson and Clopper-Pearson for any count."""
    k = min(k, n)
    for ours, method in ((intervals.wilson, "wilson"), (intervals.clopper_pearson, "beta")):
        theirs = proportion_confint(k, n, alpha=1 - level, method=method)
        assert ours(k, n, level=level) == pytest.approx(
            tuple(np.nan_to_num(theirs, nan=0.0 if k == 0 else 1.0)), abs=1e-9
        )


def test_unpaired_intervals_are_the_libraries() -> None:
    """Newcombe by statsmodels, Welch by scipy."""
    theirs = confint_proportions_2indep(
        45, 60, 33, 58, method="newcomb", compare="diff", correction=False
    )
    assert intervals.newcombe(45, 60, 33, 58) == pytest.approx(tuple(theirs), abs=1e-9)
    rng = np.random.default_rng(1)
    b, a = rng.normal(0.6, 0.1, 30), rng.normal(0.5, 0.3, 20)
    found = stats.ttest_ind(b, a, equal_var=False).confidence_interval(0.95)
    assert intervals.welch(b, a) == pytest.approx((found.low, found.high), abs=1e-12)
    assert intervals.welch([1.0], [1.0, 2.0]) is None
    assert intervals.newcombe(0, 0, 1, 2) == (-1.0, 1.0)


def test_bca_is_scipy_s() -> None:
    """Skewed differences: the same ends as scipy's BCa, to Monte-Carlo noise; the order of d does
    not matter; constant d has none.
    """
    d = np.random.default_rng(2).exponential(0.1, 80) - 0.05
    theirs = stats.bootstrap(
        (d,),
        np.mean,
        method="BCa",
        confidence_level=0.9,
        n_resamples=9999,
        rng=np.random.default_rng(3),
    )
    found = intervals.bca(d, level=0.9, seed=1)
    assert found == pytest.approx(
        (theirs.confidence_interval.low, theirs.confidence_interval.high), abs=0.002
    )
    assert found == intervals.bca(d[::-1], level=0.9, seed=1)
    assert intervals.bca([0.1] * 20, level=0.9, seed=1) is None
    assert intervals.bca([0.1], level=0.9, seed=1) is None


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
@settings(max_examples=15, deadline=None)  # statsmodels takes 40 ms a call
def test_holm_is_statsmodels_s(p: list[float]) -> None:
    """Any list of p."""
    assert multiplicity.holm(p).tolist() == pytest.approx(
        multipletests(p, method="holm")[1].tolist(), abs=1e-12
    )


def test_the_e_value_of_long_series_is_the_integral() -> None:
    """Beyond the exact nodes: against scipy's quadrature in logs, for a drift, none, and a loss;
    far tails neither overflow nor vanish.
    """
    from scipy.integrate import quad

    rng = np.random.default_rng(0)
    for mean in (0.1, 0.0, -0.05):
        d = np.clip(rng.normal(mean, 0.4, 1500), -1, 1)
        stakes = np.linspace(0, 1, 2001)[:-1]
        top = max(float(np.log1p(x * d).sum()) for x in stakes)
        theirs = quad(
            lambda x, d=d, top=top: math.exp(float(np.log1p(x * d).sum()) - top),
            0,
            1,
            limit=400,
            epsabs=0,
            epsrel=1e-8,
        )[0]
        assert math.log(e_values.e_value(d)) == pytest.approx(top + math.log(theirs), abs=1e-5)
    assert e_values.e_value([1.0] * 5000) == pytest.approx(1e300, rel=1)
    assert 0 < e_values.e_value([-1.0] * 5000) == pytest.approx(1 / 5001, rel=1e-6)
    low = e_values.e_value(np.round(np.clip(rng.normal(0.01, 0.3, 25_000), -1, 1), 4))
    assert low > 1
    assert e_values.anytime_p([1, 1, 1, 1, 1, 1, -1]) == pytest.approx(
        1 / e_values.e_value([1] * 6)
    )
    assert e_values.anytime_p([-1, -1]) == 1.0


def test_a_confidence_sequence_is_wider_than_an_interval_read_once() -> None:
    """The price of looking at every step, and it narrows with n."""
    rng = np.random.default_rng(0)
    d = np.clip(rng.normal(0.1, 0.3, 400), -1, 1)
    bounds = [e_values.lower_bound(d[:n]) for n in (50, 100, 400)]
    assert bounds == sorted(bounds)
    once = intervals.t_interval(d, level=0.9)
    assert once is not None
    assert bounds[-1] < once[0]


# -- repeats, judges, rankings, power


def test_reliability_over_examples_is_a_mean_with_an_interval() -> None:
    """pass@k and pass^k over examples; those with fewer than k repeats are counted, not guessed."""
    found = repeats.mean_pass_at_k([3, 0, 10, 1], [10, 10, 10, 2], 5)
    assert (found.n, found.skipped) == (3, 1)
    assert found.value == pytest.approx((0.9166666666666666 + 0 + 1) / 3)
    assert found.low is not None
    strict = repeats.mean_pass_hat_k([3, 0, 10], [10, 10, 10], 1)
    assert strict.value == pytest.approx(13 / 30)
    assert math.isnan(repeats.pass_at_k(3, 1, 5))
    assert math.isnan(repeats.mean_pass_at_k([1], [2], 5).value)
    for bad in ((2, 3, 1), (3, 1, 0)):
        with pytest.raises(StatisticsError):
            repeats.pass_at_k(*bad)


def test_a_variance_split_needs_equal_rows() -> None:
    """One repeat has no spread within; unequal or missing rows are refused; omega^2 is never below
    0.
    """
    one = repeats.split([[1], [0]], [[1], [1]])
    assert (one.within_a, one.omega2, one.mean) == (0.0, None, 0.5)
    assert repeats.split([[1, 0], [0, 1]], [[0, 1], [1, 0]]).omega2 == 0.0
    for a, b in (
        ([[1]], [[1], [0]]),
        ([[1, 0]], [[1]]),
        ([], []),
        ([[]], [[]]),
        ([[math.nan]], [[1.0]]),
    ):
        with pytest.raises(StatisticsError):
            repeats.split(a, b)


def test_a_biased_judge_is_corrected_and_a_useless_one_not_used() -> None:
    """PPI covers the truth that the judge alone misses; tuned PPI never does worse than the labels
    alone by much.
    """
    rng = np.random.default_rng(0)
    covered = judge_alone = 0
    for _ in range(200):
        truth = (rng.random(440) < 0.6).astype(float)
        judge = np.where(
            rng.random(440) < 0.2, 1.0, truth
        )  # lenient: passes a fifth whatever they are
        found = correction.ppi(truth[:40], judge[:40], judge[40:])
        covered += found.low <= 0.6 <= found.high
        spread = 1.96 * judge.std() / math.sqrt(440)
        judge_alone += abs(judge.mean() - 0.6) <= spread
    assert covered >= 180
    assert judge_alone < 60
    noise = rng.random(400)
    tuned = correction.ppi(truth[:40], noise[:40], noise[40:], tuned=True)
    assert tuned.weight < 0.5
    assert correction.ppi([1.0, 0.0], [1.0, 1.0], [1.0, 1.0], tuned=True).weight == 0.0
    assert correction.rogan_gladen(0.05, 0.9, 0.9) == 0.0
    assert correction.sensitivity_specificity([1, 1], [1, 0]) == (0.5, None)
    for call in (
        lambda: correction.ppi([1.0], [1.0], [1.0]),
        lambda: correction.ppi([1.0, 0.0], [1.0], [1.0]),
        lambda: correction.rogan_gladen(0.5, 0.5, 0.5),
        lambda: correction.rogan_gladen(1.5, 0.9, 0.9),
    ):
        with pytest.raises(StatisticsError):
            call()


def test_bradley_terry_recovers_strengths_and_refuses_what_has_no_limit() -> None:
    """Strengths behind many battles come back; a version that never lost has none, and that is
    said.
    """
    truth = np.array([0.0, 0.5, -0.7, 1.1])
    chance = 1 / (1 + np.exp(truth[None, :] - truth[:, None]))
    wins = np.round(chance * 4000)
    np.fill_diagonal(wins, 0)
    found = ranking.bradley_terry(wins.tolist(), resamples=50)
    assert list(found.log_strength) == pytest.approx(truth.tolist(), abs=0.01)
    assert found.low is not None
    assert found.high is not None
    assert all(
        low <= value <= high
        for low, value, high in zip(found.low, found.log_strength, found.high, strict=True)
    )
    assert found.rating[0] == 1000
    assert found.rating[3] > found.rating[1]
    for bad in (
        [[0, 3], [0, 0]],
        [[0, 1, 0], [1, 0, 0], [0, 0, 0]],
        [[0.0]],
        [[0, -1], [1, 0]],
        [[0, 1]],
    ):
        with pytest.raises(StatisticsError):
            ranking.bradley_terry(bad)


def test_power_beyond_enumeration_meets_it() -> None:
    """Where the approximation takes over it is within 1 % of the enumerated n; impossible questions
    are refused.
    """
    exact = power.n_binary(0.3, 0.27)
    assert power.exact_power(0.3, 0.27, exact) == pytest.approx(0.8, abs=0.01)
    rare = power.n_binary(0.004, 0.0005)
    assert (
        power.exact_power(0.004, 0.0005, rare) >= 0.8 > power.exact_power(0.004, 0.0005, rare - 10)
    )
    assert power.exact_power(0.0, 0.0, 50) == power.exact_power(0.2, 0.1, 0) == 0.0
    assert power.mde(0.4, 100) == pytest.approx(2.4865 * 0.04, abs=1e-4)
    for call in (
        lambda: power.n_binary(0.1, 0.1),
        lambda: power.n_binary(0.8, 0.3),
        lambda: power.n_normal(1.0, 0.0),
        lambda: power.mde(1.0, 0),
        lambda: power.n_guard(0.0),
        lambda: power.power_t(0.2, 1),
    ):
        with pytest.raises(StatisticsError):
            call()


def test_unequal_failures_are_fisher_s() -> None:
    """The same p as scipy's table."""
    assert paired_tests.fisher_failures(10, 1000, 0, 1000) == pytest.approx(
        float(stats.fisher_exact([[10, 990], [0, 1000]]).pvalue)
    )
    assert paired_tests.fisher_failures(0, 10, 0, 12) == 1.0


@pytest.mark.parametrize(
    ("p", "said"),
    [
        (0.000028, "1 in 36,000"),
        (0.0317, "1 in 32"),
        (0.5, "1 in 2"),
        (0.7, "more often than not"),
        (0.0, "less than 1 in 10^15"),
    ],
)
def test_odds_are_said_as_people_say_them(p: float, said: str) -> None:
    """Two figures, and nothing is impossible."""
    assert words.odds(p) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.0312, "0.0312"),
        (-1234.5, "−1,234"),
        (0, "0"),
        (None, "–"),
        (math.nan, "–"),
        (1e300, "1.00 × 10^300"),
        (3.2e-12, "3.20 × 10^−12"),
    ],
)
def test_numbers_stay_readable(value: float | None, said: str) -> None:
    """Three figures; huge e-values and tiny p are powers of ten, not rows of digits."""
    assert words.number(value) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        *[(0, "0 ms"), (0.0000134, "0.013 ms"), (0.00241, "2.4 ms"), (0.0099, "9.9 ms")],
        *[(0.00996, "10 ms"), (0.085, "85 ms"), (3.21, "3.2 s"), (None, "–")],
    ],
)
def test_a_fast_call_is_not_told_as_none_at_all(seconds: float | None, said: str) -> None:
    """A p50 of 0.013 ms is not "0 ms" beside a mean of 0.02 ms."""
    assert words.duration(seconds) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.632, "0.632"), (74.94, "74.9"), (365.4, "365"), (14_096_302_920.18, "1.4 × 10^10")],
)
def test_evidence_has_the_digits_that_say_something(value: float, said: str) -> None:
    assert words.e_value(value) == said


def test_a_range_of_money_is_one_figure_where_its_ends_read_alike() -> None:
    assert words.money_between(0.0, 0.0) == "$0.00"
    assert words.money_between(0.1, 0.25) == "$0.10 to $0.25"


def test_the_exact_test_is_quick_enough_to_be_the_default() -> None:
    """n = 500 and n = 10,000 on the .001 grid, exact; limits here are generous, the promise is a
    benchmark.
    """
    rng = np.random.default_rng(0)
    for n, seconds in ((500, 0.5), (10_000, 5.0)):
        d = np.clip(rng.normal(0.01, 0.3, n), -1, 1)
        paired_tests.sign_flip(d)
        began = time.thread_time()
        found = paired_tests.sign_flip(d)
        assert time.thread_time() - began < seconds
        assert found.method == "convolution"


@pytest.mark.benchmark
@pytest.mark.parametrize(("n", "seconds"), [(500, 0.05), (10_000, 1.0)])
@pytest.mark.parametrize("mean", [0.0, 0.02, 0.1])
def test_the_exact_test_keeps_its_promise(n: int, seconds: float, mean: float) -> None:
    """n = 500 within 50 ms, n = 10,000 within 1 s, best of three."""
    d = np.clip(np.random.default_rng(0).normal(mean, 0.3, n), -1, 1)
    paired_tests.sign_flip(d)
    took = []
    for _ in range(3):
        began = time.perf_counter()
        paired_tests.sign_flip(d)
        took.append(time.perf_counter() - began)
    assert min(took) <= seconds


def test_reliability_and_its_interval_stay_between_0_and_1() -> None:
    """pass@k and pass^k of ten examples of which one differs: t alone would leave the range."""
    nearly = [5] * 9 + [4]
    best = mean_pass_hat_k(nearly, [5] * 10, 2)
    assert best.high == 1.0
    assert best.low is not None
    assert 0 <= best.low <= best.value <= 1
    worst = mean_pass_at_k([0] * 9 + [1], [5] * 10, 2)
    assert worst.low == 0.0
    rows = {f"e{i}": [float(i > 0), 1.0] for i in range(10)}
    arms = [Arm(name, name, {"exact": at_k(Outcomes.of(rows), 1)}) for name in ("v2", "v1")]
    found = compare(arms[0], arms[1]).primary
    assert found.candidate_interval is not None
    assert found.candidate_interval[1] == 1.0
