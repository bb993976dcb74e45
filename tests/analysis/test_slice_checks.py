"""A gain over all does not hide a loss on a part: declared tags, undeclared ones, accepted ones."""

from __future__ import annotations

import random

import pytest

from promptops.analysis.arms import Arm, Outcomes
from promptops.analysis.compare import ComparisonContext, ComparisonFacts, compare
from promptops.analysis.decide import decide
from promptops.analysis.recompute import make_evidence, recompute
from promptops.errors import VersionError
from promptops.evidence import Evidence
from promptops.policy import Guardrail, Policy

Counts = tuple[int, int, int]  # won, lost, unchanged


def tagged(rules: int = 2, **parts: Counts) -> ComparisonFacts:
    """A comparison whose examples carry one tag each."""
    rows: list[tuple[str, float, float]] = []
    for tag, (won, lost, same) in parts.items():
        rows += [(tag, 1, 0)] * won + [(tag, 0, 1)] * lost + [(tag, 1, 1)] * same
    ids = [f"e{i:04}" for i in range(len(rows))]
    arms = [
        Arm(
            f"p1-{side}",
            name,
            {"exact": Outcomes.of({e: [row[side]] for e, row in zip(ids, rows, strict=True)})},
        )
        for side, name in ((1, "v2"), (2, "v1"))
    ]
    tags = {e: (row[0], "all") for e, row in zip(ids, rows, strict=True)}
    return compare(*arms, grounds=ComparisonContext(tags=tags, planned=len(rows), rules=rules))


def test_a_tag_that_loses_beyond_luck_holds_a_promotion_back() -> None:
    """40 won elsewhere, 13 lost in warranty: named in the card, with its counts and the way out."""
    verdict = decide(tagged(billing=(40, 2, 40), warranty=(0, 13, 20)))
    assert verdict.decision == "inconclusive"
    said = " ".join(verdict.reasons)
    assert said.startswith("But v2 is worse on the tag warranty: 0 won, 13 lost (p = ")
    assert "accept_slices={'warranty': ...}" in verdict.next[0]


def test_a_reason_clears_it_and_another_tag_does_not() -> None:
    """The reason stands in the verdict; a reason for another tag is none for this one."""
    comparison = tagged(billing=(40, 2, 40), warranty=(0, 13, 20))
    cleared = decide(comparison, Policy.of({"accept_slices": {"warranty": "people answer it"}}))
    assert cleared.decision == "promote"
    assert "accepted: people answer it" in " ".join(cleared.reasons)
    other = decide(comparison, Policy.of({"accept_slices": {"billing": "people answer it"}}))
    assert other.decision == "inconclusive"


@pytest.mark.parametrize(
    "parts",
    [
        {"billing": (40, 2, 40), "warranty": (0, 4, 30)},  # p = 1/16: not beyond luck
        {"billing": (40, 2, 40), "warranty": (0, 13, 6)},  # 19 examples
        {"billing": (40, 2, 40), "warranty": (13, 0, 20)},  # won
    ],
)
def test_what_is_not_beyond_luck_holds_nothing_back(parts: dict[str, Counts]) -> None:
    """Few losses, few examples and gains are left to the list of slices."""
    assert decide(tagged(**parts)).decision == "promote"  # type: ignore[arg-type]


def test_tags_share_their_level() -> None:
    """Six lost alone is p = 1/64; beside five other tags Holm asks for 1/120."""
    alone = {"billing": (40, 2, 40), "warranty": (0, 6, 20)}
    others = {f"t{i}": (1, 0, 20) for i in range(5)}
    assert decide(tagged(**alone)).decision == "inconclusive"  # type: ignore[arg-type]
    assert decide(tagged(**alone, **others)).decision == "promote"  # type: ignore[arg-type]


def test_equal_versions_meet_it_once_in_twenty_at_most() -> None:
    """Ten tags of 30 examples, arms alike on each: the rate over 400 studies. With each tag at .05
    alone it would be near .2.
    """
    draw, hits = random.Random(17), 0
    for _ in range(400):
        parts = {}
        for tag in range(10):
            won = sum(draw.random() < 0.2 for _ in range(30))
            lost = sum(draw.random() < 0.25 for _ in range(30 - won))
            parts[f"t{tag}"] = (won, lost, 30 - won - lost)
        checks = decide(tagged(**parts)).checks  # type: ignore[arg-type]
        hits += any(check.name == "slice" for check in checks)
    assert hits <= 32


def test_a_declared_tag_is_a_guardrail() -> None:
    """It is held at its margin, whatever its size, and is not tested once more."""
    rail = Guardrail("exact", margin=0.05, tag="warranty")
    policy = Policy(guardrails=(rail,))
    lost = decide(tagged(billing=(40, 2, 40), warranty=(0, 13, 20)), policy)
    assert lost.decision == "reject"
    assert any(check.name == "exact in warranty" for check in lost.checks)
    assert all(check.name != "slice" for check in lost.checks)
    assert decide(tagged(billing=(40, 2, 40), warranty=(0, 0, 60)), policy).decision == "promote"
    few = decide(tagged(billing=(40, 2, 40), warranty=(0, 0, 12)), policy)
    assert few.decision == "inconclusive"
    unknown = decide(tagged(billing=(40, 2, 40)), policy)
    assert "the tags are all, billing" in " ".join(unknown.reasons)


def test_the_evidence_recomputes_it_and_keeps_its_tags() -> None:
    """A bundle without its tags would give another verdict, so a cut one is seen."""
    comparison = tagged(billing=(40, 2, 40), warranty=(0, 13, 20))
    evidence = make_evidence(comparison, decide(comparison))
    back = Evidence.from_document(evidence.document())
    assert back.digest == evidence.digest
    assert all(figure.same for figure in recompute(back))
    cut = {**evidence.document(), "tags": {}}
    assert not all(figure.same for figure in recompute(Evidence.from_document(cut)))


def test_studies_of_release_0_1_keep_their_verdicts() -> None:
    """The rule is of this release."""
    parts = {"billing": (40, 2, 40), "warranty": (0, 13, 20)}
    assert decide(tagged(rules=1, **parts)).decision == "promote"  # type: ignore[arg-type]


def test_policies_without_the_fields_keep_their_form() -> None:
    """A guardrail without a tag is written as before, so that digests stand."""
    policy = Policy(guardrails=(Guardrail("cost", 0.1),))
    assert policy.document() == {"guardrails": [{"metric": "cost", "margin": 0.1}]}
    full = Policy.of(
        {"accept_slices": {"b": "x", "a": "y"}, "guardrails": [{"metric": "m", "tag": "t"}]}
    )
    assert Policy.from_document(full.document()) == full
    assert full.document()["accept_slices"] == {"a": "y", "b": "x"}
    for wrong in ({"warranty": ""}, "warranty", {"warranty": 3}, 5):
        with pytest.raises(VersionError, match="accept_slices"):
            Policy.of({"accept_slices": wrong})
