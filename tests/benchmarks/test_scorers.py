"""Scoring costs next to nothing beside asking: assertions inline, similarity at rapidfuzz's own
speed.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from rapidfuzz import fuzz

from promptops.dataset.example import Example
from promptops.run import Run
from promptops.scorers import (
    Case,
    contains,
    equals,
    json_has,
    never_mentions,
    similar_to,
    word_count,
)
from promptops.scoring.score_phase import ScorePhase

pytestmark = pytest.mark.benchmark

WORDS = [
    "your",
    "order",
    "was",
    "shipped",
    "on",
    "monday",
    "and",
    "the",
    "refund",
    "will",
    "reach",
    "you",
    "within",
    "five",
    "working",
    "days",
    "thank",
    "you",
    "for",
    "waiting",
]


def cases(count: int, words: int, golden: bool = False) -> list[Case]:
    made = []
    for number in range(count):
        text = (
            " ".join(
                WORDS[(number * 7 + place * (1 + number % 3)) % len(WORDS)]
                for place in range(words)
            )
            + f" {number}"
        )
        example = Example(
            f"e{number}", {"q": f"question {number}"}, text[::-1] if golden else "yes"
        )
        run = Run(
            f"r-{number}", "k", "p", "p1-a", "m", "x", "model", example.id, None, 0, "{}", text
        )
        made.append(Case(text, example, run))
    return made


def best(work: Callable[[], object], times: int = 2) -> float:
    took = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        took.append(time.perf_counter() - started)
    return min(took)


def test_five_assertions_over_100_000_outputs() -> None:
    """5 built-in assertion scorers over 100,000 outputs take at most 5 s."""
    judged = cases(100_000, 40)
    phase = ScorePhase(
        [
            equals(),
            contains("refund"),
            json_has("user_id"),
            word_count(at_most=60),
            never_mentions("Globex", aliases=["Globex Corp"]),
        ]
    )
    took = best(lambda: sum(1 for _ in phase.score(judged)))
    print(f"\n5 scorers x 100,000 outputs: {took:.2f} s")
    assert took <= 5.0


def test_rows_cost_little_more() -> None:
    """The same as rows of the table, with fingerprints and times, stay within twice that."""
    judged = cases(20_000, 40)
    phase = ScorePhase(
        [
            equals(),
            contains("refund"),
            json_has("user_id"),
            word_count(at_most=60),
            never_mentions("Globex"),
        ]
    )
    took = best(lambda: sum(1 for _ in phase.rows(judged)))
    print(f"\n5 scorers x 20,000 outputs as rows: {took:.2f} s")
    assert took <= 2.0


def test_similarity_runs_at_rapidfuzz_speed() -> None:
    """similar_to on texts of 900 characters takes at most half more than rapidfuzz alone."""
    judged = cases(3_000, 160, golden=True)
    pairs = [(case.output, str(case.expected)) for case in judged]
    phase = ScorePhase([similar_to()])
    bare = best(lambda: [fuzz.ratio(one, two) for one, two in pairs], 3)
    took = best(lambda: sum(1 for _ in phase.score(judged)), 3)
    print(
        f"\nrapidfuzz alone {bare:.3f} s, similar_to {took:.3f} s for {len(pairs):,} pairs of"
        f" ~{len(pairs[0][0])} characters"
    )
    assert took <= 1.5 * bare + 0.05
