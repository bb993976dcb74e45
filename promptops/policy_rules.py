"""The rules of a policy that are applied twice: to the runs, before anybody promotes, and by the
registry's gate to the scores that the evidence carries. Each rule is written here once.
"""

from __future__ import annotations

import math
from typing import Literal

from .policy import Policy

__all__ = [
    "JUST",
    "Status",
    "judge_may_decide",
    "least_examples",
    "must_pass_status",
    "reaches_min_score",
    "uncalibrated_judge",
]

Status = Literal["pass", "fail", "unproven"]
JUST = 1e-12  # a mean of 0.6 reaches a minimum of 0.6, whatever the last bit of the sum is


def must_pass_status(candidate: float | None, baseline: float | None, *, first: bool) -> Status:
    """Whether a must-pass example holds; scores are means over the repeats, or None.

    A first deployment has to pass it; a later one may not fail it where the baseline passes. A
    score that is missing on either side proves nothing.
    """
    if _unknown(candidate) or (not first and _unknown(baseline)):
        return "unproven"
    fails = candidate is not None and candidate < 1
    passed_before = first or (baseline is not None and baseline >= 1)
    return "fail" if fails and passed_before else "pass"


def least_examples(policy: Policy) -> int:
    """How many scored examples (pairs, where there is a baseline) a promotion needs."""
    return max(policy.min_n, 1)


def reaches_min_score(mean: float, policy: Policy) -> bool:
    """Whether the mean of a first deployment on the primary is at least `min_score`."""
    return mean >= policy.min_score - JUST


def judge_may_decide(kind: str, calibrated: object, policy: Policy) -> bool:
    """Whether a scorer may be the primary: a judge only once it was calibrated, or where the policy
    allows it.
    """
    return kind != "judge" or bool(calibrated) or policy.allow_uncalibrated_judge


def uncalibrated_judge(name: str) -> tuple[str, str]:
    """The sentence about a judge that may not decide, and the next step."""
    return (
        f"The primary {name} is a judge that was not measured against people, and this policy lets"
        " no such judge decide alone.",
        "Label some 30 outputs and calibrate the judge, or set allow_uncalibrated_judge in the"
        " policy by review.",
    )


def _unknown(score: float | None) -> bool:
    return score is None or math.isnan(score)
