"""Evidence travels: anyone who holds the bundle computes every promoted figure again, and a changed
number is found.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptops.analysis.arms import Arm, Outcomes
from promptops.analysis.compare import ComparisonContext, ComparisonFacts, compare
from promptops.analysis.decide import decide
from promptops.analysis.evidence_content import comparison_of
from promptops.analysis.finalists import decide_many
from promptops.analysis.first_deployment import decide_first
from promptops.analysis.recompute import make_evidence, recompute
from promptops.canonical import canonical
from promptops.errors import RegistryCorrupt, StatisticsError
from promptops.evidence import Evidence
from promptops.policy import Guardrail, Policy

KINDS = ("binary", "judge", "free")


def outcomes(
    rng: np.random.Generator, names: list[str], kind: str, k: int, gaps: float = 0.0
) -> Outcomes:
    def one() -> float | None:
        if rng.random() < gaps:
            return None
        return (
            float(rng.random() < 0.7)
            if kind == "binary"
            else float(rng.integers(0, 5)) / 4
            if kind == "judge"
            else float(rng.random())
        )

    return Outcomes.of(
        {name: [one() for _ in range(k)] for name in names},
        kind="judge" if kind == "judge" else "assertion",
    )


def arm(
    rng: np.random.Generator,
    label: str,
    names: list[str],
    k: int = 1,
    gaps: float = 0.0,
    kinds: tuple[str, ...] = KINDS,
) -> Arm:
    scores = {f"{kind} {i}": outcomes(rng, names, kind, k, gaps) for i, kind in enumerate(kinds)}
    measures = {
        "cost": Outcomes.of(
            {name: [float(rng.random() / 1000) for _ in range(k)] for name in names}, kind="measure"
        ),
        "latency": Outcomes.of(
            {name: [float(rng.gamma(2, 500)) for _ in range(k)] for name in names}, kind="measure"
        ),
        "tokens": Outcomes.of(
            {name: [float(rng.integers(50, 900)) for _ in range(k)] for name in names},
            kind="measure",
        ),
    }
    return Arm(f"p1-{label * 16}", label, scores, measures)


def made(
    seed: int,
    n: int,
    k: int = 1,
    gaps: float = 0.0,
    clusters: bool = False,
    kinds: tuple[str, ...] = KINDS,
) -> ComparisonFacts:
    rng = np.random.default_rng(seed)
    names = [f"question-{i:04d}" for i in range(n)]
    grounds = ComparisonContext(
        prompt="support-triage",
        study="triage-1",
        dataset="triage",
        fingerprint="d1-abc",
        planned=n,
        clusters={name: f"thread {i // 3}" for i, name in enumerate(names)} if clusters else None,
        split="test",
        tested=True,
        served=3,
    )
    return compare(
        arm(rng, "v2", names, k, gaps, kinds),
        arm(rng, "v1", names[: n - n // 20], k, gaps, kinds),
        grounds=grounds,
    )


POLICY = Policy(
    guardrails=(Guardrail("free 2", 0.2), Guardrail("cost", 0.3)),
    min_n=5,
    must_pass=("question-0001",),
)


def travelled(evidence: Evidence) -> Evidence:
    """Through the text that is committed, and back."""
    return Evidence.from_document(json.loads(canonical(evidence.document())))


@given(
    st.integers(0, 10_000),
    st.integers(2, 40),
    st.integers(1, 3),
    st.sampled_from([0.0, 0.1]),
    st.booleans(),
)
@settings(max_examples=25, deadline=None)
def test_every_figure_comes_out_the_same(
    seed: int, n: int, k: int, gaps: float, clusters: bool
) -> None:
    """0/1, judge and continuous scores, repeats, gaps, clusters: recompute(make_evidence(x)) says
    all same, after a trip through the file.
    """
    comparison = made(seed, n, k, gaps, clusters)
    verdict = decide(comparison, POLICY)
    evidence = travelled(
        make_evidence(comparison, verdict, made_at="2026-11-25T00:00:00Z", toolkit="0.1.0")
    )
    found = recompute(evidence)
    assert [figure for figure in found if not figure.same] == []
    assert found[-1].name == "verdict.decision"
    assert found[-1].recorded == found[-1].recomputed == verdict.decision
    names = {figure.name for figure in found}
    assert {
        "binary 0.p_better",
        "free 2.bound",
        "cost.gain",
        "judge 1.e_value",
        "verdict.free 2",
    } <= names


def test_the_figures_are_those_of_the_comparison() -> None:
    """What the bundle says is what the notebook said, to 9 digits for scores and 5 for measures;
    the arms come back as they were.
    """
    comparison = made(1, 200, k=3)
    evidence = travelled(make_evidence(comparison, decide(comparison, POLICY)))
    for figures in comparison.differences:
        for name in (
            "n",
            "candidate",
            "gain",
            "p_better",
            "p_worse",
            "e_value",
            "bound",
            "wins",
            "losses",
        ):
            digits, least = (
                (1e-4, 2e-6 * figures.baseline) if figures.lower_is_better else (1e-9, 1e-12)
            )
            if getattr(figures, name) is None:
                assert evidence.figures[figures.name][name] is None
                continue
            assert evidence.figures[figures.name][name] == pytest.approx(
                getattr(figures, name), rel=digits, abs=least
            ), (
                figures.name,
                name,
            )
    back = comparison_of(evidence)
    assert back.primary.within == pytest.approx(comparison.primary.within)
    assert (back.candidate.label, back.candidate.version, back.grounds.served) == (
        "v2",
        comparison.candidate.version,
        3,
    )
    assert back.primary.only_candidate == comparison.primary.only_candidate == 10
    assert evidence.counts["candidate"] == {"attempted": 600, "scored": 600, "failed": 0}
    assert evidence.decision == decide(comparison, POLICY).decision


@pytest.mark.parametrize("where", ["score", "figure", "decision", "tally", "check"])
def test_a_changed_number_is_found(where: str) -> None:
    """Each edit shows as a figure that is not the same; the others still are."""
    comparison = made(2, 60)
    document = json.loads(
        canonical(make_evidence(comparison, decide(comparison, POLICY)).document())
    )
    if where == "score":
        scores = document["scores"]["binary 0"]["candidate"]
        document["scores"]["binary 0"]["candidate"] = [1 - scores[0], *scores[1:]]
    elif where == "figure":
        document["figures"]["binary 0"]["p_better"] *= 0.999
    elif where == "decision":
        document["verdict"]["decision"] = "promote"
    elif where == "tally":
        document["asked"]["candidate"] = 2
    else:
        document["verdict"]["checks"][1]["status"] = (
            "pass" if document["verdict"]["checks"][1]["status"] != "pass" else "fail"
        )
    found = recompute(Evidence.from_document(document))
    wrong = [figure.name for figure in found if not figure.same]
    assert wrong
    assert len(wrong) < len(found) / 2
    if where == "figure":
        assert wrong == ["binary 0.p_better"]
    if where == "decision":
        assert wrong == ["verdict.decision"]


def test_lists_that_do_not_fit_are_refused() -> None:
    """A list shorter than the examples is an error in words."""
    comparison = made(3, 30)
    evidence = make_evidence(comparison, decide(comparison, POLICY))
    short = {**evidence.scores, "binary 0": {**evidence.scores["binary 0"], "candidate": (1.0,)}}
    with pytest.raises(StatisticsError, match="for each of its 30 examples"):
        recompute(replace(evidence, scores=short))


def test_a_verdict_that_the_numbers_do_not_bear_makes_no_evidence() -> None:
    """make_evidence decides once more on what it writes."""
    comparison = made(4, 60)
    verdict = decide(comparison, POLICY)
    other = replace(verdict, decision="promote" if verdict.decision != "promote" else "reject")
    with pytest.raises(StatisticsError, match="decide again"):
        make_evidence(comparison, other)


@pytest.mark.parametrize("k", [1, 3])
def test_a_first_deployment_travels_too(k: int) -> None:
    """One arm, no baseline: its means, intervals and verdict."""
    rng = np.random.default_rng(5)
    names = [f"q{i}" for i in range(80)]
    only = arm(rng, "v1", names, k, 0.01)
    grounds = ComparisonContext(
        prompt="support-triage",
        dataset="triage",
        clusters={name: f"t{i // 2}" for i, name in enumerate(names)},
    )
    policy = Policy(min_score=0.5, allow_uncalibrated_judge=True)
    verdict = decide_first(only, policy)
    evidence = travelled(make_evidence(only, verdict, policy, grounds=grounds))
    assert evidence.baseline is None
    assert set(evidence.scores["binary 0"]) == {"candidate"}
    found = recompute(evidence)
    assert all(figure.same for figure in found)
    assert {"binary 0.candidate", "cost.candidate", "verdict.first", "verdict.decision"} <= {
        figure.name for figure in found
    }


def test_how_it_was_asked_travels() -> None:
    """Finalists with adjusted p, a look before the end, goals with bounds: each recomputes as it
    was decided.
    """
    finalists = [made(seed, 120, kinds=("binary", "judge", "free")) for seed in (6, 7)]
    for policy in (
        Policy(),
        Policy(goal="not_worse", margin=0.3),
        Policy(goal="cheaper", margin=0.3),
        Policy(ties="half", alpha=0.2),
    ):
        for comparison, verdict in zip(finalists, decide_many(finalists, policy), strict=True):
            assert all(
                figure.same for figure in recompute(travelled(make_evidence(comparison, verdict)))
            )
        early = decide(finalists[0], policy, peeking=True, share=0.5)
        evidence = travelled(make_evidence(finalists[0], early))
        assert evidence.rule["peeking"] is True
        assert all(figure.same for figure in recompute(evidence))


def test_one_finalist_that_was_passed_over_recomputes() -> None:
    """Promotable, but another was preferred: inconclusive, and the bundle says so."""

    def versus(b: int, label: str) -> ComparisonFacts:
        pairs = [(1, 0)] * b + [(1, 1)] * (100 - b)
        arms = [
            Outcomes.of({str(i): [pair[side]] for i, pair in enumerate(pairs)}) for side in (0, 1)
        ]
        return compare(Arm(f"p1-{label}", label, {"s": arms[0]}), Arm("p1-a", "v1", {"s": arms[1]}))

    finalists = [versus(20, "v2"), versus(30, "v3")]
    verdicts = decide_many(finalists)
    assert [v.decision for v in verdicts] == ["inconclusive", "promote"]
    for comparison, verdict in zip(finalists, verdicts, strict=True):
        assert all(
            figure.same for figure in recompute(travelled(make_evidence(comparison, verdict)))
        )


@pytest.mark.parametrize(
    ("k", "kinds"), [(1, ("free", "free", "free")), (3, ("binary", "judge", "free")), (1, KINDS)]
)
def test_the_bundle_is_small(k: int, kinds: tuple[str, ...]) -> None:
    """At most 100 kB at 500 examples and 3 scorers, measures and clusters included."""
    comparison = made(8, 500, k, clusters=True, kinds=kinds)
    document = canonical(make_evidence(comparison, decide(comparison)).document())
    assert len(document.encode()) <= 100_000


def test_the_same_evidence_has_the_same_digest(tmp_path: Path) -> None:
    """Made twice it is one file; read back it is what was written; an edit is refused."""
    comparison = made(9, 50)
    verdict = decide(comparison, POLICY)
    one, two = (
        make_evidence(comparison, verdict),
        make_evidence(made(9, 50), decide(made(9, 50), POLICY)),
    )
    registry = tmp_path / "registry.json"
    path = one.write(registry)
    assert two.write(registry) == path
    back = Evidence.read(registry, one.digest)
    assert back.document() == json.loads(canonical(one.document()))
    assert back.digest == one.digest
    assert all(figure.same for figure in recompute(back))
    text = path.read_text()
    path.write_text(text.replace('"decision":"', '"decision":"re', 1))
    assert path.read_text() != text
    with pytest.raises(RegistryCorrupt, match="was edited"):
        Evidence.read(registry, one.digest)


def test_evidence_of_an_older_shape_still_reads() -> None:
    """Fields that a bundle lacks take their defaults: one answer an example, no rule."""
    comparison = made(10, 30, kinds=("binary",))
    document: dict[str, Any] = json.loads(
        canonical(make_evidence(comparison, decide(comparison)).document())
    )
    for name in ("asked", "tallies", "rule", "labels"):
        del document[name]
    evidence = Evidence.from_document(document)
    assert {figure.name: figure for figure in recompute(evidence)}["binary 0.wins"].same
