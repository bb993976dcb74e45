"""What holds for every input: order, ties, swaps, scale, repeats and clusters change nothing they
should not; bad input is one sentence.
"""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, permutation_test

from promptops.analysis import e_values, intervals, multiplicity, paired_tests, sign_flip
from promptops.analysis.arms import Arm, Outcomes
from promptops.analysis.clustered import clustered_mean
from promptops.analysis.compare import ComparisonContext, compare
from promptops.analysis.facts import difference
from promptops.errors import PromptOpsError, StatisticsError, StudyError

signs = st.lists(st.sampled_from([-1, 0, 1]), max_size=60)
scores = st.lists(st.integers(-1000, 1000).map(lambda k: k / 1000), max_size=40)
few = settings(max_examples=60, deadline=None)


@given(st.lists(st.integers(-7, 7), min_size=1, max_size=12))
@few
def test_the_p_is_that_of_full_enumeration(d: list[int]) -> None:
    """Every one of the 2^n sign patterns, counted."""
    seen = sum(d)
    sums = [
        sum(s * abs(x) for s, x in zip(pattern, d, strict=True))
        for pattern in itertools.product((-1, 1), repeat=len(d))
    ]
    found = paired_tests.sign_flip(d, grid=1)
    assert found.p_greater == pytest.approx(sum(s >= seen for s in sums) / len(sums), rel=1e-12)
    assert found.p_less == pytest.approx(sum(s <= seen for s in sums) / len(sums), rel=1e-12)


def test_scipy_agrees_on_scores() -> None:
    """scipy's exact permutation test gives the same p on a grid of scores."""
    d = np.array([0.125, -0.25, 0.5, 0.375, 0.25, -0.125, 0.75, 0.0, 0.25, 0.125, -0.5, 0.25])
    theirs = permutation_test(
        (d, 0 * d),
        lambda x, y: (x - y).sum(),
        permutation_type="samples",
        n_resamples=np.inf,
        alternative="greater",
    )
    assert paired_tests.sign_flip(d).p_greater == pytest.approx(float(theirs.pvalue), rel=1e-12)


@given(signs)
@few
def test_on_right_and_wrong_it_is_the_binomial_test(d: list[int]) -> None:
    """0/1 scores: exact McNemar, to the last bit of relative accuracy."""
    b, c = d.count(1), d.count(-1)
    expected = float(binomtest(b, b + c, 0.5, alternative="greater").pvalue) if b + c else 1.0
    assert paired_tests.sign_flip(d).p_greater == pytest.approx(expected, rel=1e-10)


@given(scores, st.randoms(use_true_random=False))
@few
def test_order_and_ties_change_nothing(d: list[float], random: Any) -> None:
    """The same examples in any order, with any number of ties added, give the same p and E, to the
    last bit.
    """
    found, e = paired_tests.sign_flip(d), e_values.e_value(d)
    other = [*d, 0.0, 0.0, 0.0]
    random.shuffle(other)
    again = paired_tests.sign_flip(other)
    assert (again.p_greater, again.p_less, again.method) == (
        found.p_greater,
        found.p_less,
        found.method,
    )
    assert e_values.e_value(other) == pytest.approx(e, rel=1e-9)


@given(scores)
@few
def test_swapping_the_arms_swaps_the_tails(d: list[float]) -> None:
    """A against B is B against A the other way round."""
    one, other = paired_tests.sign_flip(d), paired_tests.sign_flip([-x for x in d])
    assert (one.p_greater, one.p_less) == (other.p_less, other.p_greater)
    half = paired_tests.sign_flip(d, ties="half")
    assert half.p_greater <= one.p_greater
    if one.changed:
        assert half.p_greater + half.p_less == pytest.approx(1)


@given(scores, st.sampled_from([0.5, 2.0, 7.0, 1000.0]))
@few
def test_scale_changes_nothing(d: list[float], factor: float) -> None:
    """d and its grid in other units: the same p."""
    one, other = (
        paired_tests.sign_flip(d),
        paired_tests.sign_flip([x * factor for x in d], grid=0.001 * factor),
    )
    assert (one.p_greater, one.p_less) == (other.p_greater, other.p_less)
    free = paired_tests.sign_flip([x * factor for x in d], grid=None)
    assert free.p_greater == pytest.approx(one.p_greater, rel=0.05, abs=2e-3)


@given(st.lists(st.integers(1, 1000), min_size=60, max_size=300), st.integers(0, 100))
@settings(max_examples=25, deadline=None)
def test_the_transform_is_as_exact_as_adding_up(sizes: list[int], percent: int) -> None:
    """Both ways to the same tail agree to 10 digits, however small it is."""
    k = np.sort(np.array(sizes))
    a = max(int(k.sum()) * percent // 200, 1)
    law = sign_flip._add_up(k, np.full(len(k), 0.5), a)
    tilt, log_scale = sign_flip._tilt(k, a)
    if law.sum() < 1e-280:
        return
    found = sign_flip._invert(k, a, tilt, log_scale)
    assert found is not None
    assert found[0] == pytest.approx(law.sum(), rel=1e-10)
    assert found[1] == pytest.approx(law[a], rel=1e-7, abs=1e-14 * law.sum())


def test_the_fallback_says_that_it_is_one_and_agrees() -> None:
    """Past the width of the transform a seeded Monte-Carlo run stands in: named, repeatable, and
    near the exact p.
    """
    rng = np.random.default_rng(1)
    d = np.clip(rng.normal(0.05, 0.3, 150), -1, 1)
    exact, rough = paired_tests.sign_flip(d), paired_tests.sign_flip(d, grid=1e-9)
    assert exact.method == "convolution"
    assert rough.method == "Monte-Carlo, 9,999 draws"
    assert rough.seed is not None
    assert rough == paired_tests.sign_flip(d, grid=1e-9)
    assert rough.p_greater == pytest.approx(
        exact.p_greater, abs=5 * math.sqrt(exact.p_greater / 9999)
    )


def test_float_noise_makes_and_breaks_no_ties() -> None:
    """0.1 + 0.2 is 0.3, a third three times is 1, and a half step rounds the same way with and
    without noise.
    """
    assert (
        paired_tests.sign_flip([0.1 + 0.2, -0.3]).p_greater
        == paired_tests.sign_flip([0.3, -0.3]).p_greater
        == 0.75
    )
    thirds = [1 / 3, 2 / 3 - 1 / 3, 1 - 2 / 3, -(1 - 2 / 3)]
    assert paired_tests.sign_flip(thirds, grid=1 / 3).method == "binomial"
    assert paired_tests.sign_flip([0.1235, 0.9 - 0.7765]).method == "binomial"


@given(st.lists(st.floats(0, 1), max_size=30), st.randoms(use_true_random=False))
@few
def test_adjusted_p_are_ordered(p: list[float], random: Any) -> None:
    """Holm is never below BH, never above Bonferroni, both are monotone in p, and order does not
    matter.
    """
    holm, bh, bonferroni = multiplicity.holm(p), multiplicity.bh(p), multiplicity.bonferroni(p)
    assert (holm >= bh - 1e-12).all()
    assert (holm <= bonferroni + 1e-12).all()
    assert (bh >= np.array(p) - 1e-12).all()
    order = np.argsort(p)
    for adjusted in (holm, bh):
        assert (np.diff(adjusted[order]) >= -1e-12).all()
    shuffled = list(range(len(p)))
    random.shuffle(shuffled)
    assert multiplicity.holm([p[i] for i in shuffled]).tolist() == holm[shuffled].tolist()


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=30))
@few
def test_an_e_value_is_bounded_by_its_best_bet(d: list[float]) -> None:
    """E is a mean of wealths, so at most the best of them; the confidence sequence is below the
    mean, and E at it is 1/alpha.
    """
    best = max(float(e_values.wealth(d, x)[-1]) for x in np.linspace(0, 1, 201))
    assert 0 <= e_values.e_value(d) <= best * (1 + 1e-3) + 1e-9
    low = e_values.lower_bound(d)
    assert -1 <= low <= max(sum(d) / len(d), -1) + 1e-9


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40))
@few
def test_tango_contains_the_estimate_and_turns_round(b: int, c: int, same: int) -> None:
    """The interval of B - A is that of A - B turned; it holds the estimate, and a higher level is
    wider.
    """
    n = b + c + same
    low, high = intervals.tango(b, c, n)
    assert -1 <= low <= (b - c) / n + 1e-12 if n else (low, high) == (-1, 1)
    assert (low, high) == pytest.approx(
        tuple(-x for x in reversed(intervals.tango(c, b, n))), abs=1e-9
    )
    wide = intervals.tango(b, c, n, level=0.99)
    assert wide[0] <= low + 1e-12
    assert wide[1] >= high - 1e-12


# -- through the facts


def outcomes(rows: dict[str, list[float | None]], **more: Any) -> Outcomes:
    return Outcomes.of(rows, **more)


@given(
    st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30), st.integers(2, 4)
)
@few
def test_identical_repeats_are_one_repeat(pairs: list[tuple[bool, bool]], k: int) -> None:
    """Asking three times and hearing the same three times is asking once: the same p and E."""
    once, _ = difference(
        "s", *(outcomes({str(i): [float(p[side])] for i, p in enumerate(pairs)}) for side in (0, 1))
    )
    often, _ = difference(
        "s",
        *(outcomes({str(i): [float(p[side])] * k for i, p in enumerate(pairs)}) for side in (0, 1)),
    )
    assert (often.p_better, often.p_worse, often.e_value, often.gain) == (
        once.p_better,
        once.p_worse,
        once.e_value,
        once.gain,
    )
    assert often.within == (0.0, 0.0)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30))
@few
def test_clusters_of_one_are_no_clusters(pairs: list[tuple[bool, bool]]) -> None:
    """A cluster label for every example changes no figure."""
    arms = [outcomes({str(i): [float(p[side])] for i, p in enumerate(pairs)}) for side in (0, 1)]
    alone, _ = difference("s", *arms)
    labelled, _ = difference("s", *arms, clusters={str(i): f"doc {i}" for i in range(len(pairs))})
    assert labelled == alone


@given(
    st.lists(st.tuples(st.integers(0, 10), st.integers(0, 10)), min_size=2, max_size=25),
    st.booleans(),
)
@settings(max_examples=15, deadline=None)
def test_the_same_input_gives_the_same_bytes(pairs: list[tuple[int, int]], binary: bool) -> None:
    """Also the bootstrap, whose seed is fixed and whose examples may be in any order."""
    rows = [
        {str(i): [float(p[side] > 5) if binary else p[side] / 10] for i, p in enumerate(pairs)}
        for side in (0, 1)
    ]
    one, _ = difference("s", *(outcomes(r) for r in rows))
    again, _ = difference("s", *(outcomes(r) for r in rows))
    assert repr(one) == repr(again)
    turned, _ = difference("s", *(outcomes(dict(reversed(r.items()))) for r in rows))
    for name, value in one.document().items():
        assert value == turned.document()[name] or value == pytest.approx(
            turned.document()[name], rel=1e-9, abs=1e-15
        ), name


def arm(label: str, rows: dict[str, list[float | None]], **more: Any) -> Arm:
    return Arm(f"p1-{label}", label, {"s": outcomes(rows, **more)})


def facts(b: dict[str, list[float | None]], a: dict[str, list[float | None]], **more: Any) -> Any:
    return compare(arm("v2", b), arm("v1", a), **more).primary


def test_degenerate_input_is_answered() -> None:
    """n = 1, all ties, constant, one cluster: figures where there are any, None if there are
    none, never a crash or a 0-wide interval.
    """
    one = facts({"a": [1.0]}, {"a": [0.0]})
    assert (one.n, one.p_better, one.p_worse, one.sd, one.mde, one.n_needed) == (
        1,
        0.5,
        1.0,
        None,
        None,
        None,
    )
    single = facts({"a": [0.7]}, {"a": [0.2]})
    assert (single.bound, single.low, single.interval_method) == (None, None, "none")
    ties = facts({str(i): [1.0] for i in range(30)}, {str(i): [1.0] for i in range(30)})
    assert (ties.p_better, ties.p_worse, ties.e_value, ties.gain, ties.wins, ties.losses) == (
        1.0,
        1.0,
        1.0,
        0.0,
        0,
        0,
    )
    assert ties.bound < 0 < ties.high
    constant = facts({str(i): [0.8] for i in range(30)}, {str(i): [0.5] for i in range(30)})
    assert constant.gain == pytest.approx(0.3)
    assert constant.bound < constant.gain
    assert constant.interval_method == "constant"
    cluster = facts(
        {str(i): [1.0] for i in range(9)},
        {str(i): [0.0] for i in range(9)},
        grounds=ComparisonContext(clusters={str(i): "x" for i in range(9)}),
    )
    assert (cluster.clusters, cluster.p_better, cluster.bound, cluster.interval_method) == (
        1,
        0.5,
        None,
        "none",
    )


def test_gains_that_cancel_are_0_and_not_float_noise() -> None:
    """0.1 + 0.2 - 0.3 is not a lead, so no number of examples is asked for."""
    found = facts({"a": [0.1], "b": [0.2], "c": [0.0]}, {"a": [0.0], "b": [0.0], "c": [0.3]})
    assert (found.gain, found.n_needed) == (0.0, None)
    thirds = facts(
        {"a": [1.0, 0, 0], "b": [1.0, 1, 0], "c": [0.0, 0, 0]},
        {"a": [0.0] * 3, "b": [0.0] * 3, "c": [1.0] * 3},
    )
    assert (thirds.gain, thirds.n_needed) == (0.0, None)


def test_unknown_is_reported_and_never_dropped_or_counted_as_0() -> None:
    """Unscored pairs, and examples of one arm only, are counted beside the figures."""
    found = facts(
        {"a": [1.0], "b": [None], "c": [1.0], "d": [0.0]},
        {"a": [0.0], "b": [1.0], "c": [None], "e": [1.0]},
    )
    assert (found.n, found.unscored, found.only_candidate, found.only_baseline) == (1, 2, 1, 1)
    assert found.missing == pytest.approx(2 / 3)
    assert found.failed == (1, 3, 1, 3)
    nothing = facts({"a": [None]}, {"a": [1.0]})
    assert (nothing.n, nothing.p_better, nothing.e_value, nothing.bound) == (0, 1.0, 1.0, None)


def test_what_no_test_can_take_is_one_sentence() -> None:
    """NaN, disjoint examples, scores of two scorer versions: an error that names it, not a
    number.
    """
    with pytest.raises(StatisticsError, match="NaN"):
        outcomes({"a": [math.nan]})
    with pytest.raises(StudyError, match="no example in common"):
        facts({"a": [1.0]}, {"b": [1.0]})
    old, new = arm("v2", {"a": [1.0]}, versions=("1",)), arm("v1", {"a": [1.0]}, versions=("2",))
    with pytest.raises(StatisticsError, match="different versions of the scorer"):
        compare(old, new)


@pytest.mark.parametrize(
    "call",
    [
        lambda: paired_tests.sign_flip([0.1, math.nan]),
        lambda: paired_tests.sign_flip([math.inf]),
        lambda: paired_tests.sign_flip(["a"]),
        lambda: paired_tests.sign_flip([[1.0]]),
        lambda: paired_tests.sign_flip([1.0], grid=0),
        lambda: paired_tests.sign_flip([1.0], ties="both"),  # type: ignore[arg-type]
        lambda: paired_tests.fisher_failures(3, 2, 0, 1),
        lambda: e_values.e_value([math.nan]),
        lambda: e_values.e_value([1.5]),
        lambda: e_values.wealth([0.1], 2.0),
        lambda: intervals.t_interval([math.nan, 1]),
        lambda: intervals.bca([math.nan, 1], level=0.9, seed=1),
        lambda: intervals.wilson(3, 2),
        lambda: intervals.tango(3, 3, 5),
        lambda: intervals.wilson(1, 2, level=95),
        lambda: clustered_mean([1.0, 2.0], ["a"]),
        lambda: multiplicity.holm([math.nan]),
        lambda: multiplicity.bh([1.5]),
    ],
)
def test_bad_numbers_are_refused_in_words(call: Any) -> None:
    """StatisticsError, one sentence, which is also a ValueError and a PromptOpsError."""
    with pytest.raises(StatisticsError) as caught:
        call()
    assert isinstance(caught.value, (ValueError, PromptOpsError))
    assert str(caught.value).endswith(".")


def test_nothing_at_all_is_no_evidence() -> None:
    """n = 0: p = 1, E = 1, no interval."""
    assert paired_tests.sign_flip([]).p_greater == paired_tests.sign_flip([]).p_less == 1.0
    assert e_values.e_value([]) == 1.0
    assert e_values.lower_bound([]) == -1.0
    assert intervals.t_interval([]) is None
    assert intervals.bca([], level=0.9, seed=1) is None
    assert intervals.wilson(0, 0) == (0.0, 1.0)
    assert multiplicity.holm([]).tolist() == []


def test_importing_the_room_loads_no_array_library() -> None:
    """numpy, scipy and pandas come with the first figure, not with the import."""
    modules = (
        "agreement arms caveats compare correction decide e_values facts finite intervals"
        " multiplicity paired_tests policy_checks power ranking recompute repeats sign_flip slices"
        " standings words"
    )
    code = (
        f"import sys\nfor m in {modules.split()!r}: __import__('promptops.analysis.' + m)\nassert"
        " not {'numpy', 'scipy', 'pandas'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
