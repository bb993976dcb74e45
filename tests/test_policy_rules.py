"""The rules of a policy, at their boundaries."""

from __future__ import annotations

import math

import pytest

from promptops.policy import Policy
from promptops.policy_rules import (
    JUST,
    judge_may_decide,
    least_examples,
    must_pass_status,
    reaches_min_score,
    uncalibrated_judge,
)


@pytest.mark.parametrize(
    ("candidate", "baseline", "first", "status"),
    [
        (1.0, 1.0, False, "pass"),
        (0.0, 1.0, False, "fail"),
        (0.99, 1.0, False, "fail"),
        (0.0, 0.99, False, "pass"),  # the baseline does not pass it either
        (0.0, None, False, "unproven"),
        (1.0, None, False, "unproven"),
        (None, 1.0, False, "unproven"),
        (0.0, math.nan, False, "unproven"),
        (math.nan, 1.0, False, "unproven"),
        (1.0, None, True, "pass"),
        (0.99, None, True, "fail"),
        (None, None, True, "unproven"),
        (math.nan, None, True, "unproven"),
    ],
)
def test_a_must_pass_example(
    candidate: float | None, baseline: float | None, first: bool, status: str
) -> None:
    """A score that is missing on a side that counts proves nothing, in either direction."""
    assert must_pass_status(candidate, baseline, first=first) == status


def test_at_least_one_example_is_needed() -> None:
    """min_n of 0 still asks for one; every other number is what it is."""
    assert [least_examples(Policy(min_n=n)) for n in (0, 1, 2)] == [1, 1, 2]


def test_a_mean_reaches_what_it_equals() -> None:
    """Equal reaches, also when a sum lost its last bit; a thousandth below does not."""
    policy = Policy(min_score=0.6)
    assert reaches_min_score(0.6, policy)
    assert reaches_min_score(sum([0.1] * 6), policy)
    assert not reaches_min_score(0.599, policy)
    assert reaches_min_score(policy.min_score - JUST, policy)  # the last that counts as equal


def test_a_judge_decides_once_it_is_calibrated_or_allowed() -> None:
    """Any other kind of scorer decides."""
    assert judge_may_decide("assertion", None, Policy())
    assert judge_may_decide("judge", True, Policy())
    assert judge_may_decide("judge", False, Policy(allow_uncalibrated_judge=True))
    assert not judge_may_decide("judge", False, Policy())
    assert not judge_may_decide("judge", None, Policy())
    assert all(text.endswith(".") for text in uncalibrated_judge("good"))
