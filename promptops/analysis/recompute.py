"""Evidence made from a comparison and its verdict, and every figure of a piece of evidence computed
again from its per-example scores.

The figures in the evidence are those of its own rounded numbers (12 significant figures per score,
6 a cost or latency, 3 a variance between repeats, which is not kept for cost, latency and tokens),
so anybody recomputes them without the store, a key or the network. What differs by more than 1
part in 10^9 is not the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from ..errors import PromptOpsError, RegistryCorrupt, StatisticsError
from ..evidence import FOLDER, Evidence
from ..policy import Policy
from .arms import Arm, Outcomes
from .caveats import elsewhere
from .class_lists import read_answers, read_labels, written_classes
from .compare import Comparison, ComparisonContext, compare
from .decide import Verdict, decide, decide_first, passed_over
from .evidence_draft import drafted, plain
from .facts import mean_interval, rounded
from .slice_checks import LEAST
from .tag_lists import read_tags, written_tags
from .task_checks import task_figures
from .tried import Tried

__all__ = ["Figure", "comparison_of", "first_arm_of", "make_evidence", "recompute"]

_SAME = 1e-9
_ARMS = ("candidate", "baseline")


class Figure(NamedTuple):
    """One number of the evidence: as recorded, as computed now, and whether the two are the
    same.
    """

    name: str
    recorded: Any
    recomputed: Any
    same: bool


def make_evidence(
    subject: Comparison | Arm,
    verdict: Verdict,
    policy: Policy | None = None,
    *,
    grounds: ComparisonContext | None = None,
    made_at: str = "",
    toolkit: str = "",
) -> Evidence:
    """What a promotion on `verdict` rests on. subject: the comparison, or the one arm of a first
    deployment (then with its `grounds`).

    policy: default the verdict's own. Raises StatisticsError where the bundle's rounded numbers
        would not bear the verdict.
    """
    policy = policy or verdict.policy
    first = isinstance(subject, Arm)
    grounds = grounds or (ComparisonContext() if first else subject.grounds)  # type: ignore[union-attr]
    arms = (
        {"candidate": subject}
        if isinstance(subject, Arm)
        else {"candidate": subject.candidate, "baseline": subject.baseline}
    )
    primary = policy.primary or (
        next(iter(subject.scores)) if isinstance(subject, Arm) else subject.primary_name
    )
    draft = drafted(arms, primary, policy, grounds, verdict)
    draft["classes"] = written_classes(list(arms.items()), draft["examples"], grounds.labels)
    named = [rail.tag for rail in policy.guardrails if rail.tag is not None]
    if grounds.rules >= 2 and not first:
        least = 1 if policy.estimand == "tasks" else LEAST
        draft["tags"] = written_tags(grounds.tags, draft["examples"], least, named)
    draft["notes"] = tuple(elsewhere(subject)) if isinstance(subject, Arm) else subject.notes
    bare = Evidence(**draft, figures={}, verdict={}, made_at=made_at, toolkit=toolkit)
    figures, found = _results(bare)
    if found.decision != verdict.decision:
        raise StatisticsError(
            f"the verdict was {verdict.decision}, the evidence's own numbers give {found.decision};"
            " decide again on the comparison you pass."
        )
    claims = {
        **found.document(),
        "decision": verdict.decision,
        "reasons": list(verdict.reasons),
        "next": list(verdict.next),
    }
    return Evidence(
        **draft, figures=figures, verdict=plain(claims), made_at=made_at, toolkit=toolkit
    )


def recompute(evidence: Evidence) -> list[Figure]:
    """Every figure of the evidence, recorded and computed again, the verdict last.

    Raises StatisticsError where its lists do not fit together, RegistryCorrupt naming the file
    where its content is otherwise not what we write.
    """
    with _content_of(evidence):
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


def comparison_of(evidence: Evidence) -> Comparison:
    """The comparison that the evidence holds, as `compare` would make it.

    Raises as `recompute` does.
    """
    with _content_of(evidence):
        return _comparison(evidence)


def _comparison(evidence: Evidence) -> Comparison:
    policy = Policy.from_document(plain(evidence.policy))
    arms = {arm: _arm(evidence, arm) for arm in _ARMS}
    return compare(
        arms["candidate"],
        arms["baseline"],
        grounds=_grounds(evidence),
        primary=evidence.primary,
        alpha=policy.alpha,
        ties=policy.ties,
    )


def first_arm_of(evidence: Evidence) -> Arm:
    """The one arm of a first deployment. Raises as `recompute` does."""
    with _content_of(evidence):
        return _arm(evidence, "candidate")


@contextmanager
def _content_of(evidence: Evidence) -> Iterator[None]:
    """What an odd content makes the reading raise becomes RegistryCorrupt: a digest that fits says
    nothing of what the bundle holds.
    """
    try:
        yield
    except PromptOpsError:
        raise
    except (
        TypeError,
        ValueError,
        LookupError,
        AttributeError,
        ArithmeticError,
        RecursionError,
    ) as error:
        raise RegistryCorrupt(
            f"{FOLDER}/{evidence.digest[:32]}.json has a content that cannot be computed again"
            f" ({type(error).__name__}: {error}); restore it from git, or measure again."
        ) from error


def _results(evidence: Evidence) -> tuple[dict[str, Any], Verdict]:
    policy = Policy.from_document(plain(evidence.policy))
    if evidence.baseline is None:
        arm = first_arm_of(evidence)
        return _first_figures(arm, evidence), decide_first(
            arm, policy, primary=evidence.primary, context=_grounds(evidence)
        )
    comparison = _comparison(evidence)
    rule = evidence.rule
    verdict = decide(
        comparison,
        policy,
        p_better=rule.get("p_better"),
        peeking=bool(rule.get("peeking")),
        share=float(rule.get("share", 1.0)),
    )
    if rule.get("passed_over"):
        verdict = passed_over(verdict, "another finalist")
    found = {figures.name: _figures_of(figures.document()) for figures in comparison.differences}
    return {**found, **task_figures(comparison, policy)}, verdict


def _figures_of(document: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: value
        for key, value in document.items()
        if key not in ("name", "kind", "unit", "calibrated")
    }


def _first_figures(arm: Arm, evidence: Evidence) -> dict[str, Any]:
    out = {}
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


# -- writing


# -- reading


def _arm(evidence: Evidence, key: str) -> Arm:
    scores = {
        name: _outcomes(evidence, name, by_arm, key) for name, by_arm in evidence.scores.items()
    }
    measures = {
        name: _outcomes(evidence, name, by_arm, key) for name, by_arm in evidence.metrics.items()
    }
    version = evidence.candidate if key == "candidate" else str(evidence.baseline)
    answers = read_answers(evidence.classes, key, evidence.examples)
    return Arm(version, str(evidence.labels.get(key, version)), scores, measures, answers=answers)


def _outcomes(
    evidence: Evidence, name: str, by_arm: Mapping[str, Sequence[float | None]], key: str
) -> Outcomes:
    """Means of 0/1 outcomes are restored to exact shares, and their variance from them."""
    import numpy as np

    n, tally = len(evidence.examples), evidence.tallies.get(name, {}).get(key, {})
    if key not in by_arm or len(by_arm[key]) != n:
        raise StatisticsError(
            f"the evidence holds no {name} of the {key} for each of its {n} examples; restore it"
            " from git."
        )
    mean = np.array(
        [math.nan if value is None else float(value) for value in by_arm[key]], dtype=float
    )
    attempted = _long(tally.get("attempted", evidence.asked.get(key, 1)), n, name)
    scored = _long(tally["scored"], n, name) if "scored" in tally else attempted
    scored = np.where(np.isnan(mean), 0.0, scored)
    binary = bool(tally.get("binary", False))
    variance = np.full(n, math.nan)
    if binary:
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.where(scored > 0, np.round(mean * scored) / scored, math.nan)
            variance = np.where(scored > 1, mean * (1 - mean) * scored / (scored - 1), math.nan)
    elif "variance" in tally:
        variance = np.array(
            [math.nan if value is None else float(value) for value in tally["variance"]],
            dtype=float,
        )
    asked = ~np.isnan(attempted)
    info = evidence.scorers.get(name, {})
    return Outcomes(
        [example for example, here in zip(evidence.examples, asked, strict=True) if here],
        mean[asked],
        scored[asked],
        attempted[asked],
        variance[asked],
        binary,
        str(info.get("kind", "measure")),
        (str(info.get("version", "1")),),
        info.get("calibrated"),
    )


def _long(value: Any, n: int, name: str) -> Any:
    import numpy as np

    if isinstance(value, (int, float)):
        return np.full(n, float(value))
    if len(value) != n:
        raise StatisticsError(
            f"the evidence tallies {len(value)} of {n} examples for {name}; restore it from git."
        )
    return np.array([math.nan if count is None else count for count in value], dtype=float)


def _grounds(evidence: Evidence) -> ComparisonContext:
    dataset = evidence.dataset
    return ComparisonContext(
        prompt=evidence.prompt,
        study=evidence.study,
        dataset=str(dataset.get("name", "")),
        fingerprint=str(dataset.get("fingerprint", "")),
        planned=evidence.rule.get("planned"),
        clusters=(
            dict(zip(evidence.examples, evidence.clusters, strict=True))
            if evidence.clusters is not None
            else None
        ),
        tags=read_tags(evidence.tags, evidence.examples),
        split=dataset.get("split"),
        tested=bool(dataset.get("tested", False)),
        served=dataset.get("served"),
        plan=evidence.plan,
        labels=read_labels(evidence.classes, evidence.examples),
        rules=int(evidence.rule.get("rules", 1)),
        tried=Tried.from_document(evidence.rule.get("tried")),
        looked=int(evidence.rule.get("looked", 0)),
    )


# -- holding one against the other


def _verdict_numbers(document: Mapping[str, Any]) -> dict[str, Any]:
    """Of a verdict: each check's status, and the decision.

    Sentences are not numbers; they follow from them.
    """
    seen: dict[str, Any] = {}
    for check in document.get("checks", ()):
        name, again = check["name"], 1
        while name in seen:
            again += 1
            name = f"{check['name']} ({again})"
        seen[name] = check["status"]
    return {**seen, "decision": document.get("decision")}


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
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


def _same(name: str, a: Any, b: Any) -> bool:
    """Numbers to 1 part in 10^9; what should be 0 may be 10^-15, but a p may not."""
    near = 0.0 if name.rpartition(".")[2].startswith("p_") else 1e-15
    numbers = all(
        isinstance(value, (int, float)) and not isinstance(value, bool) for value in (a, b)
    )
    return (
        bool(math.isclose(a, b, rel_tol=_SAME, abs_tol=near))
        if numbers
        else type(a) is type(b) and bool(a == b)
    )
