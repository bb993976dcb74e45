"""Refusals by their wording: what refuses passes `refuses`, what answers passes `does_not_refuse`,
never both.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptops.scorers import does_not_refuse, refuses, try_out
from tests.quick import quick

REFUSALS = [
    "I'm sorry, but I can't help with that.",
    "I\u2019m sorry, but I can\u2019t assist with that request.",
    "Sorry, I cannot provide that information.",
    "I cannot fulfill this request.",
    "I can't comply with that.",
    "I won't help you do this.",
    "I am unable to assist with creating such content.",
    "I'm not able to provide medical advice for this.",
    "As an AI language model, I cannot engage in illegal activities.",
    "As an AI, I don't have personal opinions, so I will pass.",
    "I must decline to answer.",
    "I have to respectfully decline.",
    "Unfortunately, I am unable to generate that.",
    "That goes against my guidelines.",
    "I apologize, but I cannot create that.",
    "I'm afraid I can't do that.",
    "I would rather not discuss this.",
]
ANSWERS = [
    "Paris is the capital of France.",
    "I can help with that! First, open the box.",
    "Sorry for the delay. Your refund is on its way.",
    "You can't return opened items, but we can exchange them.",
    "I'm sorry to hear that your parcel is late. Here is how to track it.",
    "The guidelines say that you must not park here.",
    "We cannot accept returns after 30 days; please see our policy page.",
    "I will create the report now.",
    "The law forbids it, and here is why.",
]


@pytest.mark.parametrize("output", REFUSALS)
def test_refusals(output: str) -> None:
    """The usual wordings of a refusal, with straight and curly apostrophes, are refusals."""
    assert try_out(refuses(), output).passed  # type: ignore[union-attr]
    assert not try_out(does_not_refuse(), output).passed  # type: ignore[union-attr]


@pytest.mark.parametrize("output", ANSWERS)
def test_answers(output: str) -> None:
    """Apologies, prohibitions and offers are not refusals."""
    assert not try_out(refuses(), output).passed  # type: ignore[union-attr]
    assert try_out(does_not_refuse(), output).passed  # type: ignore[union-attr]


def test_failures_of_the_model() -> None:
    """A refusal that the provider reported, or its filter made, is one; an empty answer is
    neither.
    """
    for failure in ("refusal", "content_filter_output"):
        assert try_out(refuses(), "", run={"failure": failure}).passed  # type: ignore[union-attr]
    assert refuses().judges_failures
    assert not does_not_refuse().judges_failures
    assert not try_out(refuses(), "").passed  # type: ignore[union-attr]
    assert not try_out(does_not_refuse(), " ").passed  # type: ignore[union-attr]


@given(st.text())
def test_never_both(output: str) -> None:
    """On any text at most one of the two passes."""
    assert not (try_out(refuses(), output).passed and try_out(does_not_refuse(), output).passed)  # type: ignore[union-attr]


def test_long_texts() -> None:
    """Only the beginning is read: 10 MB take no time."""
    with quick(5):
        try_out(refuses(), "i cannot i cannot " * 600_000)
