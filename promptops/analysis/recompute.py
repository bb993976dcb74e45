"""Evidence made from a comparison and its verdict, and every figure of a piece of evidence computed
again from its per-example scores.

The figures in the evidence are those of its own rounded numbers (12 significant figures per score,
6 a cost or latency, 3 a variance between repeats, which is not kept for cost, latency and tokens),
so anybody recomputes them without the store, a key or the network. What differs by more than 1
part in 10^9 is not the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from ..errors import StatisticsError
from ..evidence import Evidence
from ..policy import Policy
from .arms import Arm
from .caveats import elsewhere, relabelled
from .class_lists import written_classes
from .classes import labelled_scorer
from .compare import ComparisonContext, ComparisonFacts
from .decide import decide
from .evidence_content import as_comparison, content_of, first_arm_of, grounds_of
from .evidence_draft import drafted, plain
from .facts import mean_interval, rounded
from .finalists import passed_over
from .first_deployment import decide_first
from .slice_checks import LEAST
from .tag_lists import written_tags
from .task_checks import claim, task_figures
from .verdict import Verdict
from .verdict_figures import FORM, class_figures, limit_figures
from .weight_checks import weighed_figures

__all__ = ["Figure", "make_evidence", "recompute"]

_SAME = 1e-9


class Figure(NamedTuple):
    """One number of the evidence: as recorded, as computed now, and whether the two are the
    same.
    """

    name: str
    recorded: object
    recomputed: object
    same: bool


def make_evidence(
    subject: ComparisonFacts | Arm,
    verdict: Verdict,
    policy: Policy | None = None,
    *,
    grounds: ComparisonContext | None = None,
    made_at: str = "",
    toolkit: str = "",
) -> Evidence:
    """What a promotion on `verdict` rests on. subject: the comparison, or the one arm of a first
    deployment (then with its `grounds`).

    policy: default the verdict's own. Raises StatisticsError if the bundle's rounded numbers
        would not bear the verdict.
    """
    policy = policy or verdict.policy
    first = isinstance(subject, Arm)
    if isinstance(subject, Arm):
        grounds = grounds or ComparisonContext()
        arms, primary = {"candidate": subject}, policy.primary or next(iter(subject.scores))
    else:
        grounds = grounds or subject.grounds
        arms = {"candidate": subject.candidate, "baseline": subject.baseline}
        primary = policy.primary or subject.primary_name
    draft = drafted(arms, primary, policy, grounds, verdict)
    draft["classes"] = written_classes(list(arms.items()), draft["examples"], grounds.labels)
    named = [rail.tag for rail in policy.guardrails if rail.tag is not None]
    if grounds.rules >= 2 and not first:
        least = 1 if policy.estimand == "tasks" else LEAST
        draft["tags"] = written_tags(grounds.tags, draft["examples"], least, named)
    draft["notes"] = _notes(subject, grounds)
    draft["rule"] = {**draft["rule"], "figures": FORM}
    bare = Evidence(**draft, figures={}, verdict={}, made_at=made_at, toolkit=toolkit)
    figures, found = _results(bare)
    if found.decision != verdict.decision:
        raise StatisticsError(
            f"the verdict was {verdict.decision}, the evidence's own numbers give {found.decision};"
            " decide again on the comparison you pass."
        )
    claims = {
        **_with_steps(found, verdict).document(),
        "decision": verdict.decision,
        "reasons": list(verdict.reasons),
        "next": list(verdict.next),
    }
    return Evidence(
        **draft, figures=figures, verdict=plain(claims), made_at=made_at, toolkit=toolkit
    )


def _with_steps(found: Verdict, verdict: Verdict) -> Verdict:
    """The next steps of the verdict that was given: a bundle does not tell whether every call was
    answered, so that asking again brings nothing.
    """
    steps = {(check.name, check.text): check.next for check in verdict.checks}
    checks = [
        replace(check, next=steps.get((check.name, check.text), check.next))
        for check in found.checks
    ]
    return replace(found, checks=tuple(checks))


def _notes(subject: ComparisonFacts | Arm, grounds: ComparisonContext) -> tuple[str, ...]:
    if isinstance(subject, Arm):
        return (*elsewhere(subject), *relabelled(grounds), *grounds.mixed)
    return subject.notes


def recompute(evidence: Evidence) -> list[Figure]:
    """Every figure of the evidence, recorded and computed again, the verdict last.

    Raises StatisticsError if its lists do not fit together, RegistryCorrupt naming the file
    where its content is otherwise not what we write.
    """
    with content_of(evidence):
        return _compared(evidence)


def _compared(evidence: Evidence) -> list[Figure]:
    figures, verdict = _results(evidence)
    now = {
        **dict(_flat(figures)),
        **dict(_flat(_verdict_numbers(plain(verdict.document())), "verdict.")),
    }
    recorded = {
        **dict(_flat(plain(evidence.figures))),
        **dict(_flat(_verdict_numbers(plain(evidence.verdict)), "verdict.")),
    }
    names = [*recorded, *(name for name in now if name not in recorded)]
    missing = object()
    out = []
    for name in names:
        before, after = recorded.get(name, missing), now.get(name, missing)
        same = _same(name, before, after)
        out.append(
            Figure(
                name,
                None if before is missing else before,
                None if after is missing else after,
                same,
            )
        )
    return out


def _results(evidence: Evidence) -> tuple[dict[str, object], Verdict]:
    policy = Policy.from_document(plain(evidence.policy))
    if evidence.baseline is None:
        arm, grounds = first_arm_of(evidence), grounds_of(evidence)
        first = decide_first(arm, policy, primary=evidence.primary, context=grounds)
        return _first_figures(arm, evidence) | _beside(evidence, [arm], first, grounds), first
    comparison = as_comparison(evidence)
    rule = evidence.rule
    verdict = decide(
        comparison,
        policy,
        p_better=_adjusted(rule.get("p_better"), comparison, policy),
        peeking=bool(rule.get("peeking")),
        share=min(float(rule.get("share", 1.0)), 1.0),
    )
    if rule.get("passed_over"):
        verdict = passed_over(verdict, "another finalist")
    found: dict[str, object] = {
        figures.name: _figures_of(figures.document()) for figures in comparison.differences
    }
    found |= {**task_figures(comparison, policy), **weighed_figures(comparison)}
    arms = [comparison.candidate, comparison.baseline]
    return found | _beside(evidence, arms, verdict, comparison.grounds), verdict


def _adjusted(stated: float | None, comparison: ComparisonFacts, policy: Policy) -> float | None:
    """The p that several finalists were adjusted to, which is never below that of the scores: a
    bundle that states less would be promoted on a number that nothing bears.
    """
    if stated is None:
        return None
    seen = comparison if policy.ties == comparison.ties else comparison.under(policy.ties)
    return max(stated, claim(seen, policy).p_better)


def _beside(
    evidence: Evidence, arms: list[Arm], verdict: Verdict, grounds: ComparisonContext
) -> dict[str, object]:
    """The figures beside those of measures; {} for a bundle of before they were kept."""
    if int(evidence.rule.get("figures", 1)) < FORM:
        return {}
    matching = [evidence.primary, labelled_scorer(arms, grounds.labels) or ""]
    scorer = next((name for name in matching if name in arms[0].scores), "")
    return {**limit_figures(verdict, grounds), **class_figures(arms, scorer, grounds)}


def _figures_of(document: Mapping[str, object]) -> dict[str, object]:
    return {
        key: value
        for key, value in document.items()
        if key not in ("name", "kind", "unit", "calibrated")
    }


def _first_figures(arm: Arm, evidence: Evidence) -> dict[str, object]:
    out: dict[str, object] = {}
    for name, outcomes in {**arm.scores, **arm.measures}.items():
        known = outcomes.mean[outcomes.scored > 0]
        grouped = dict(zip(evidence.examples, evidence.clusters or evidence.examples, strict=True))
        labels: list[str] | None = [
            grouped[example]
            for example, n in zip(outcomes.examples, outcomes.scored, strict=True)
            if n > 0
        ]
        labels = labels if labels and len(set(labels)) < len(labels) else None
        rules = int(evidence.rule.get("rules", 1))
        interval = mean_interval(known, outcomes.binary and outcomes.repeats == 1, labels, rules)
        mean = float(known.mean()) if len(known) else None
        out[name] = {
            "n": len(known),
            "candidate": rounded(mean),
            "candidate_interval": rounded(interval),
            "unscored": len(outcomes.mean) - len(known),
        }
    return out


def _verdict_numbers(document: Mapping[str, Any]) -> dict[str, object]:
    """Of a verdict: each check's status, and the decision.

    Sentences are not numbers; they follow from them.
    """
    seen: dict[str, object] = {}
    for check in document.get("checks", ()):
        name, again = check["name"], 1
        while name in seen:
            again += 1
            name = f"{check['name']} ({again})"
        seen[name] = check["status"]
    return {**seen, "decision": document.get("decision")}


def _flat(value: object, prefix: str = "") -> Iterator[tuple[str, object]]:
    """("exact_match.p_better", .0065), ...: every leaf with its path."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flat(
                item, f"{prefix}{key}." if isinstance(item, (Mapping, list)) else f"{prefix}{key}"
            )
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _flat(
                item,
                f"{prefix}{index}." if isinstance(item, (Mapping, list)) else f"{prefix}{index}",
            )
    else:
        yield prefix, value


def _same(name: str, a: object, b: object) -> bool:
    """Numbers to 1 part in 10^9; what should be 0 may be 10^-15, but a p may not."""
    near = 0.0 if name.rpartition(".")[2].startswith("p_") else 1e-15
    if isinstance(a, bool) or isinstance(b, bool):
        return type(a) is type(b) and a == b
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return math.isclose(a, b, rel_tol=_SAME, abs_tol=near)
    return type(a) is type(b) and bool(a == b)
