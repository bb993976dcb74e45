"""Mentions: words and names of their own, in any case, accent and English form, never inside
another word.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptops.dataset.example import Example
from promptops.errors import ScorerError
from promptops.run import Run
from promptops.score import Score
from promptops.scorers import Case, mentions, never_mentions


def judge(scorer: Any, output: str) -> Score:
    run = Run("r-1", "k1:1", "p", "p1-a", "m", "scripted", "model", "e1", None, 0, "{}", output)
    found = scorer.score(Case(output, Example("e1", {}), run))
    assert isinstance(found, Score)
    return found


TABLE = [
    (mentions("refund"), "Refunds were refunded.", 2),
    (mentions("refund"), "nonrefundable", 0),
    (mentions("refund"), "REFUNDING", 1),
    (mentions("refund", forms=False), "refunds", 0),
    (mentions("refund", forms=False), "a refund.", 1),
    (mentions("Caf\u00e9"), "the cafe", 1),
    (mentions("cafe"), "LE CAF\u00c9", 1),
    (mentions("charge back"), "a charge-back and charge  backs", 2),
    (mentions("Acme", aliases=["Acme Corp", "ACM"]), "Acme Corp and ACM", 2),
    (mentions("policy"), "policies", 1),
    (mentions("policies"), "the policy", 1),
    (mentions("stop"), "stopping", 1),
    (mentions("use"), "using", 1),
    (mentions("bus"), "buses", 1),
    (mentions("C++"), "I like C++.", 1),
    (mentions("o'neil"), "O\u2019Neil said", 1),
    (
        mentions("\u6771\u4eac"),
        "\u79c1\u306f\u6771\u4eac\u306b",
        1,
    ),  # scripts without spaces have no boundaries
    (mentions("cat"), "concatenate", 0),
    (mentions("cat"), "", 0),
    (mentions("cat"), "c\u200bat", 1),  # an invisible character does not hide a name
    (mentions("k\u00f6ln"), "Ko\u0308ln", 1),
]


@pytest.mark.parametrize(("scorer", "output", "times"), TABLE, ids=lambda value: str(value)[:40])
def test_table(scorer: Any, output: str, times: int) -> None:
    """A mention is counted as documented."""
    found = judge(scorer, output)
    assert (found.raw_value, found.unit) == (float(times), "mentions")
    assert found.passed is (times > 0)


def test_never_mentions_is_the_opposite() -> None:
    """never_mentions passes where mentions fails, and quotes the first mention."""
    scorer = never_mentions("Globex", aliases=["Globex Corporation"])
    assert judge(scorer, "We are Acme.").passed
    found = judge(scorer, "Try Globex Corporation, or globex.")
    assert found.passed is False
    assert found.reason == 'mentions "globex corporation" 2 times'


@pytest.mark.parametrize(
    "build",
    [
        lambda: mentions(""),
        lambda: mentions(" - "),
        lambda: mentions(None),
        lambda: mentions("a", aliases="b"),
    ],
)
def test_wrong_terms_are_said_when_built(build: Any) -> None:
    """A term without a letter, or one text for a list, is refused."""
    with pytest.raises(ScorerError):
        build()


def test_names() -> None:
    """Names in scores are stable."""
    assert mentions("refund").name == "mentions(refund)"
    assert (
        never_mentions("a", aliases=["b"], forms=False).name
        == 'never_mentions(a, aliases=["b"], forms=off)'
    )
    assert mentions("a").kind == "semantic"


@given(st.text(), st.from_regex(r"\A[a-z]{3,8}\Z"))
def test_mentions_and_never_mentions_exclude_each_other(output: str, term: str) -> None:
    """On any text exactly one of the two passes, and a mentioned word between spaces is always
    found.
    """
    assert judge(mentions(term), output).passed is not judge(never_mentions(term), output).passed
    assert judge(mentions(term), f"{output} {term} {output}").passed
