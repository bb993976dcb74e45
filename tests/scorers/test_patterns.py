"""Patterns cannot hang: re2 first, `regex` under a timeout where re2 refuses, and running out of
time is not a verdict (S13).
"""

from __future__ import annotations

import time
from typing import Any

import pytest

from promptops.dataset.example import Example
from promptops.errors import ScorerError
from promptops.run import Run
from promptops.score import Score
from promptops.scorers import Case, matches, patterns
from promptops.scoring.score_phase import ScorePhase


def judge(scorer: Any, output: str) -> Score:
    """Through the score phase, as a study does it."""
    run = Run("r-1", "k1:1", "p", "p1-a", "m", "scripted", "model", "e1", None, 0, "{}", output)
    [(_, _, found)] = ScorePhase([scorer]).score([Case(output, Example("e1", {}), run)])
    return found


TABLE = [
    (matches(r"\d{3}"), "call 911", True),
    (matches(r"\d{3}"), "call 91", False),
    (matches(r"\d{3}", whole=True), " 911\n", True),
    (matches(r"\d{3}", whole=True), "call 911", False),
    (matches("refund"), "REFUND", False),
    (matches("refund", ignore_case=True), "REFUND", True),
    (matches("a|b", whole=True), "b", True),  # the alternatives are held together
    (matches(r"(?s)a.b"), "a\nb", True),
    (matches(r"a.b"), "a\nb", False),
    (matches(r"(?<=\$)\d+"), "costs $5", True),  # a lookbehind runs in `regex`
    (matches(r"(?<=\$)\d+"), "costs 5", False),
    (matches(r"(\w)\1"), "hello", True),  # a backreference too
    (matches(r"(\w)\1"), "helo", False),
    (matches(r"^\p{L}+$"), "\u00e9t\u00e9", True),
    (matches("x"), "", False),
]


@pytest.mark.parametrize(("scorer", "output", "passes"), TABLE, ids=lambda value: str(value)[:40])
def test_table(scorer: Any, output: str, passes: bool) -> None:
    """Found or not found, by either engine alike."""
    assert judge(scorer, output).passed is passes


@pytest.mark.parametrize(
    "pattern", ["(", "a{2,1}", "[", "*", "(?P<n", "", r"(?<=a+", None, "(" * 5_000]
)
def test_wrong_patterns_are_said_when_built(pattern: Any) -> None:
    """No pattern that neither engine takes gets as far as a study."""
    with pytest.raises(ScorerError):
        matches(pattern)


@pytest.mark.parametrize("pattern", [r"(a+)+$", r"(a|aa)+$", r"(a|a?)+b", r"(.*a){25}b"])
def test_bombs_in_linear_time(pattern: str) -> None:
    """The classic bombs take no time in re2, also on long texts."""
    started = time.monotonic()
    assert judge(matches(pattern), "a" * 5_000 + "!").passed is False
    assert time.monotonic() - started < 5


def test_out_of_time_is_unscored(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bomb that only `regex` takes runs out of time: an error of the scorer, never a failed
    answer.
    """
    monkeypatch.setattr(patterns, "TIMEOUT_S", 0.1)
    found = judge(matches(r"^(?=a)(a|aa)+$"), "a" * 60 + "!")
    assert found.value is None
    assert found.unscored is not None
    assert "TimeoutError" in found.unscored
    assert "ran longer than 0.1 s" in found.unscored


def test_lone_surrogates_are_searched() -> None:
    """A text that UTF-8 cannot carry is searched all the same."""
    assert judge(matches("b+"), "a\ud800b").passed
    assert judge(matches(r"(?<=a)."), "a\ud800b").passed
