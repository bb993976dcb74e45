"""What few examples cannot exclude is said beside a gain that no example paid for."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from promptops.analysis.arms import Arm, Outcomes
from promptops.analysis.compare import ComparisonContext, ComparisonFacts, compare
from promptops.lab.compare_table import compare as compare_table

UP_TO = {30: "9.5 %", 100: "3.0 %", 300: "1.0 %"}  # 1 - .05^(1/n)


def of(gains: Sequence[float], base: float = 0.5, clusters: int = 0) -> ComparisonFacts:
    """A baseline of equal scores and a candidate with these gains; clusters: 0 for none."""
    arms = [
        Arm(
            name,
            name,
            {"s": Outcomes.of({f"e{i}": [base + side * d] for i, d in enumerate(gains)})},
        )
        for side, name in ((1, "v2"), (0, "v1"))
    ]
    groups = {f"e{i}": f"c{i % clusters}" for i in range(len(gains))} if clusters else None
    return compare(arms[0], arms[1], grounds=ComparisonContext(clusters=groups))


def said(comparison: ComparisonFacts) -> list[str]:
    return [note for note in comparison.notes if "cannot be excluded" in note]


@pytest.mark.parametrize("n", sorted(UP_TO))
def test_small_gains_without_a_loss(n: int) -> None:
    """Continuous scores: a rare large loss may outweigh them; 0/1 scores: only what n excludes."""
    beyond = f"losses in up to {UP_TO[n]} of all examples cannot be excluded"
    assert said(of([0.02, 0.04] * (n // 2))) == [
        f"No example got worse in {n}: {beyond}, and a rare large loss may outweigh many small"
        " gains."
    ]
    right = of([1.0] * 8 + [0.0] * (n - 8), base=0.0)
    assert said(right) == [f"No example got worse in {n}: {beyond}."]


def test_one_tiny_loss_does_not_silence_it() -> None:
    """A loss of .1 points in 30 says as little about large ones as none does; a gain larger than
    what stays possible, or a large loss that was seen, needs no sentence.
    """
    assert said(of([-0.001] + [0.03] * 29)) == [
        "No example lost more than 0.1 points in 30: larger losses in up to 9.5 % of all examples"
        " cannot be excluded, and would outweigh the gain."
    ]
    assert said(of([-0.001] + [0.2] * 29)) == []
    assert said(of([-0.4] + [0.03] * 29)) == []
    assert said(of([-0.03] * 29 + [0.001])) == []  # no gain


def test_clusters_are_what_was_seen() -> None:
    """300 examples of 10 documents are 10 chances to see a loss: up to 25.9 %, not 1 %."""
    (note,) = said(of([0.02, 0.04] * 150, clusters=10))
    assert note.startswith("No example got worse in 300 (10 clusters): losses in up to 25.9 %")


def test_the_card_and_the_page_say_it() -> None:
    """A reader of the card or of its Markdown meets the sentence without asking for notes."""
    table = [{"id": f"e{i}", "q": f"q{i}", "a": i / 60, "b": i / 60 + 0.02} for i in range(30)]
    found = compare_table(table, baseline="a", candidate="b")
    for shown in (found._repr_html_(), found.markdown()):
        assert "losses in up to 9.5 % of all examples cannot be excluded" in shown


@pytest.mark.parametrize(
    ("unknown", "beginning"),
    [
        ((0, 0), ""),
        ((3, 0), "The cost of 3 of 40 runs of v2 is unknown"),
        ((40, 1200), "The cost of 40 of 40 runs of v2 and of 1,200 of 1,200 runs of v1 is unknown"),
    ],
)
def test_one_sentence_names_every_version_whose_cost_is_unknown(
    unknown: tuple[int, int], beginning: str
) -> None:
    arms = [
        Arm(
            name,
            name,
            {"s": Outcomes.of({f"e{i}": [0.5] for i in range(40)})},
            facts={"calls": max(40, missing), "cost_unknown": missing},
        )
        for name, missing in zip(("v2", "v1"), unknown, strict=True)
    ]
    costs = [note for note in compare(arms[0], arms[1]).notes if note.startswith("The cost of")]
    assert len(costs) == bool(beginning)
    assert all(note.startswith(beginning) for note in costs)
