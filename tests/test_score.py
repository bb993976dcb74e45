"""A score is a value in [0, 1], or unscored with the reason: never both, never neither, never zero
for unknown.
"""

from __future__ import annotations

import copy
import dataclasses
import math
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptops.errors import ScorerError
from promptops.score import Score


@given(st.floats(0, 1))
def test_values_in_range(value: float) -> None:
    """Every number from 0 to 1 is a score, and the outcome if there is no threshold."""
    assert Score(value).value == Score(value).outcome == value
    assert Score(value).unscored is None


@pytest.mark.parametrize(
    "value", [True, False, 1, 0, np.float32(0.5), np.float64(0.25), np.bool_(True), np.int64(1)]
)
def test_numbers_of_any_class(value: Any) -> None:
    """A bool, an integer and a numpy number become a float, so that stores and reports see one
    class.
    """
    assert type(Score(value).value) is float
    assert Score(value).value == float(value)
    assert Score(value) == Score(float(value))


@pytest.mark.parametrize(
    ("value", "end"), [(1.0000000000000002, 1.0), (np.float32(1.0000001), 1.0), (-1e-17, 0.0)]
)
def test_rounding_at_an_end_is_the_end(value: Any, end: float) -> None:
    """The cosine of a text with itself is a perfect answer, and not one that was not scored."""
    assert Score(value).value == end


@pytest.mark.parametrize(
    "value", [-0.01, 1.01, 1.00001, 7, math.nan, math.inf, -math.inf, np.float64("nan")]
)
def test_values_out_of_range(value: float) -> None:
    """A number outside [0, 1] is refused, with the hint to keep the raw figure as a measure."""
    with pytest.raises(ScorerError, match=r"outside \[0, 1\]"):
        Score(value)


@pytest.mark.parametrize("value", ["0.5", b"1", [1], {}, 1j])
def test_what_is_no_number(value: Any) -> None:
    """Text and other classes are refused as ScorerError, naming the class."""
    with pytest.raises(ScorerError, match=f"is a {type(value).__name__}"):
        Score(value)


@pytest.mark.parametrize(
    ("value", "unscored"), [(None, None), (None, ""), (0.5, "why"), (0.0, "why"), (0.5, "")]
)
def test_exactly_one_of_value_and_reason(value: float | None, unscored: str | None) -> None:
    """Neither, both, or an empty reason is refused."""
    with pytest.raises(ScorerError, match="exactly one of the two"):
        Score(value, unscored=unscored)


@pytest.mark.parametrize(
    ("score", "outcome"),
    [
        (Score(0.4), 0.4),
        (Score(0.4, passed=True), 1.0),
        (Score(0.9, passed=False), 0.0),
        (Score(0.0), 0.0),
        (Score.none("missing expected"), None),
        (Score.none("judge_error: x", name="tone"), None),
    ],
)
def test_outcome(score: Score, outcome: float | None) -> None:
    """Comparisons use `passed` where there is a threshold, else the value; unscored stays None."""
    assert score.outcome == outcome
    assert (score.outcome is None) is (score.unscored is not None)


def test_frozen() -> None:
    """A score cannot change; copies and pickles are equal."""
    score = Score(0.5, True, 3.0, "ms", "fast", category="A", name="tone")
    with pytest.raises(dataclasses.FrozenInstanceError):
        score.value = 1.0  # type: ignore[misc]
    for made in (copy.copy(score), copy.deepcopy(score), pickle.loads(pickle.dumps(score))):
        assert made == score
