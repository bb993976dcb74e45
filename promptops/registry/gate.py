"""Evidence compared with the policy, point by point; every unmet point comes with its next honest
step.

Evidence counts for exactly one content, one incumbent, one policy and, where the policy names one,
one dataset. What the bundle alone can show (numbers of pairs, must-pass examples, means) is counted
here again, from its scores.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ..canonical import digest
from ..errors import PromptOpsError
from ..evidence import Evidence
from ..markup import count
from ..policy import Policy
from ..policy_rules import (
    judge_may_decide,
    least_examples,
    must_pass_status,
    reaches_min_score,
    uncalibrated_judge,
)
from ..version import PromptVersion
from .deployment import DeploymentEntry
from .needs import Need

__all__ = ["GateRequest", "Unmet", "arm", "terms", "unmet"]


@dataclass(frozen=True, slots=True)
class GateRequest:
    """A promotion that somebody asks for, and what the registry knows about it.

    chain: the environment's history, oldest first; served: environment -> ids that served there and
        were not rolled back.
    """

    prompt: str
    env: str
    number: int
    version: PromptVersion
    policy: Policy
    chain: Sequence[DeploymentEntry]
    served: Mapping[str, frozenset[str]]
    needs: Sequence[Need] = ()

    @property
    def label(self) -> str:
        return f"v{self.number}"

    @property
    def incumbent(self) -> DeploymentEntry | None:
        return self.chain[-1] if self.chain else None


@dataclass(frozen=True, slots=True)
class Unmet:
    """One point that is not met, and what to do about it."""

    point: str
    next: str

    def __str__(self) -> str:
        return f"{self.point} Next: {self.next}" if self.next else self.point


def unmet(request: GateRequest, evidence: Evidence | None) -> tuple[Unmet, ...]:
    """Every point at which the promotion falls short; empty if it may go ahead.

    An ungated environment asks for nothing.
    """
    if request.env in request.policy.ungated_environments:
        return ()
    points = [*_path(request), *_needs(request)]
    if evidence is None:
        against = (
            f" against {request.incumbent.label}, which serves {request.env}"
            if request.incumbent
            else ""
        )
        points.append(
            Unmet(
                f"There is no evidence for {request.label}.",
                f"evaluate {request.label}{against}, and pass the study to promote.",
            )
        )
        return tuple(points)
    points += _about(request, evidence)
    points += _verdict(request, evidence)
    points += _numbers(request, evidence)
    return tuple(dict.fromkeys(points))  # the verdict and the scores may say one thing


def arm(evidence: Evidence) -> str:
    """64 hex digits that name the candidate's own data: equal where the same outcomes are offered
    once more.
    """
    own = {name: scores["candidate"] for name, scores in evidence.scores.items()}
    return digest(
        {
            "dataset": evidence.dataset.get("fingerprint"),
            "examples": evidence.examples,
            "scores": own,
        }
    )


def terms(request: GateRequest) -> str:
    """64 hex digits of what a refusal rests on beside the evidence and the environment's own
    history: where one of the policy, the environments that come first and the registered consumers
    changes, the question is another one.
    """
    served = [
        request.version.id in request.served.get(env, frozenset())
        for env in request.policy.stages
        if env != request.env
    ]
    needs = sorted(repr(need) for need in request.needs if need.prompt == request.prompt)
    return digest({"policy": request.policy.digest, "served": served, "needs": needs})


def _path(request: GateRequest) -> Iterator[Unmet]:
    path = request.policy.stages
    before = path[: path.index(request.env)] if request.env in path else path
    for env in before:
        if request.version.id not in request.served.get(env, frozenset()):
            yield Unmet(
                f"{request.label} has not served {env}, which comes before {request.env} on the"
                " policy's path.",
                f"promote {request.label} to {env} first.",
            )


def _needs(request: GateRequest) -> Iterator[Unmet]:
    for need in request.needs:
        if need.prompt == request.prompt:
            for fault in need.unmet(request.version):
                yield Unmet(
                    f"{request.label} would break a registered consumer: {fault}.",
                    f"change the version, or have {need.consumer} deploy first and write its"
                    " statement again.",
                )


def _about(request: GateRequest, evidence: Evidence) -> Iterator[Unmet]:
    """Whether the evidence is about this prompt, this content, this incumbent, this policy and this
    dataset.
    """
    label, incumbent, policy = request.label, request.incumbent, request.policy
    if evidence.prompt != request.prompt:
        yield Unmet(
            f"The evidence is about the prompt {evidence.prompt!r}, not {request.prompt!r}.",
            f"evaluate {label} of {request.prompt}.",
        )
    if evidence.candidate != request.version.id:
        yield Unmet(
            f"The evidence is for other content ({evidence.candidate[:11]}, {label} is"
            f" {request.version.id[:11]}).",
            f"evaluate {label} itself: one changed character is another version.",
        )
    if incumbent is not None and evidence.baseline != incumbent.id:
        against = (
            f"against {evidence.baseline[:11]}"
            if evidence.baseline
            else "of a first deployment, against nothing"
        )
        yield Unmet(
            f"The evidence is {against}, but {request.env} serves {incumbent.label} since"
            f" {incumbent.at} (by {incumbent.author}).",
            f"evaluate {label} against {incumbent.label}.",
        )
    if incumbent is None and evidence.baseline is not None:
        yield Unmet(
            f"The evidence is against {evidence.baseline[:11]}, but {request.env} serves nothing"
            " yet.",
            f"take a first deployment's evidence: {label} alone.",
        )
    if not _same_policy(evidence, policy):
        yield Unmet(
            "The evidence was decided under another policy than the registry's.",
            "decide again under the registry's policy; no call is needed.",
        )
    if policy.dataset is not None and evidence.dataset.get("fingerprint") != policy.dataset:
        yield Unmet(
            f"The evidence is on another dataset ({str(evidence.dataset.get('fingerprint'))[:14]},"
            f" the policy names {policy.dataset[:14]}).",
            "evaluate on the dataset that the policy names, or have its fingerprint renewed by"
            " review.",
        )


def _same_policy(evidence: Evidence, policy: Policy) -> bool:
    """Equal, but for the primary where the registry leaves it to the study."""
    try:
        used = Policy.from_document(evidence.policy)
    except (PromptOpsError, TypeError, ValueError):
        return False
    if policy.primary is None:
        return replace(used, primary=None) == policy
    return used == replace(policy, primary=used.primary) and evidence.primary == policy.primary


def _verdict(request: GateRequest, evidence: Evidence) -> Iterator[Unmet]:
    if evidence.decision == "promote":
        return
    checks = [
        check for check in evidence.verdict.get("checks") or () if check.get("status") != "pass"
    ]
    if checks:
        for check in checks:
            yield Unmet(str(check.get("text", "")), _step(check.get("next"), request))
        return
    steps = list(evidence.verdict.get("next") or ())
    reasons = list(evidence.verdict.get("reasons") or ()) or [
        f"The verdict is {evidence.decision}."
    ]
    for index, reason in enumerate(reasons):
        yield Unmet(str(reason), _step(steps[index] if index < len(steps) else None, request))


def _step(text: object, request: GateRequest) -> str:
    wording = str(text or "")
    return (
        wording[:1].lower() + wording[1:]
        if wording
        else f"improve {request.label}, or add examples."
    )


def _numbers(request: GateRequest, evidence: Evidence) -> Iterator[Unmet]:
    scores = evidence.scores.get(evidence.primary)
    if scores is None and evidence.classes:  # balanced_accuracy or a recall: of the first scorer
        scores = next(iter(evidence.scores.values()), None)
    if scores is None or any(len(side) != len(evidence.examples) for side in scores.values()):
        yield Unmet(
            f"The evidence has no score of its primary {evidence.primary!r} for each of its"
            f" {count(len(evidence.examples), 'example')}.",
            "evaluate again; the bundle was not made by this toolkit, or was cut.",
        )
        return
    yield from _estimand(request.policy, evidence)
    candidate = scores["candidate"]
    baseline = scores.get("baseline") if evidence.baseline is not None else None
    if evidence.baseline is not None and baseline is None:
        yield Unmet(
            "The evidence has no scores of its baseline.",
            "evaluate both versions on the same examples.",
        )
        return
    told = _told(request, evidence)
    for name, point in _amounts(request, evidence, candidate, baseline):
        if name not in told:
            yield point
    at = {example: index for index, example in enumerate(evidence.examples)}
    copies = ", or name the example that it is a copy of" if evidence.dataset.get("copies") else ""
    for example in request.policy.must_pass:
        if "must_pass" in told and (example in at or not copies):
            continue
        for unmet in _must_pass(example, at.get(example), candidate, baseline, request.label):
            yield replace(unmet, next=f"{unmet.next[:-1]}{copies}.") if example not in at else unmet
    scorer = evidence.scorers.get(evidence.primary, {})
    if not judge_may_decide(str(scorer.get("kind")), scorer.get("calibrated"), request.policy):
        text, step = uncalibrated_judge(evidence.primary)
        yield Unmet(text, _step(step, request))


def _told(request: GateRequest, evidence: Evidence) -> frozenset[str]:
    """The checks that the verdict already says do not hold under this policy, so that the scores
    need not say them once more.
    """
    if evidence.decision == "promote" or not _same_policy(evidence, request.policy):
        return frozenset()
    checks = evidence.verdict.get("checks") or ()
    return frozenset(str(check.get("name")) for check in checks if check.get("status") != "pass")


def _estimand(policy: Policy, evidence: Evidence) -> Iterator[Unmet]:
    """Whether a comparison counts what the policy counts: tasks, or weighted examples."""
    if policy.estimand == "tasks" and evidence.baseline is not None and not evidence.tags:
        yield Unmet(
            "The policy judges over tasks, and the evidence names no task of its examples.",
            "read the dataset with tags= the column of its tasks, and evaluate again.",
        )
    if policy.weights is not None and evidence.baseline is not None and not evidence.weights:
        yield Unmet(
            f"The policy weighs examples by {policy.weights!r}, and the evidence does not.",
            f"compare with weights={policy.weights!r}, a column of the dataset.",
        )


def _amounts(
    request: GateRequest,
    evidence: Evidence,
    candidate: Sequence[float | None],
    baseline: Sequence[float | None] | None,
) -> Iterator[tuple[str, Unmet]]:
    """Whether there are enough scored examples, and a first deployment scores high enough; each
    point beside the name of the verdict's check that says the same.
    """
    policy, label = request.policy, request.label
    pairs = [
        index
        for index, value in enumerate(candidate)
        if value is not None and (baseline is None or baseline[index] is not None)
    ]
    least = least_examples(policy)
    if len(pairs) < least:
        point = f"{len(pairs)} scored examples, the policy asks for {least}."
        yield "n", Unmet(point, f"add {count(least - len(pairs), 'more example')}.")
    mean = sum(candidate[index] or 0.0 for index in pairs) / len(pairs) if pairs else 0.0
    if evidence.baseline is None and not reaches_min_score(mean, policy):
        point = (
            f"{label} scores {mean:.3f} on {evidence.primary}, a first deployment needs"
            f" {policy.min_score:g}."
        )
        yield "first", Unmet(point, f"improve {label}, or lower min_score by review.")


def _must_pass(
    example: str,
    index: int | None,
    candidate: Sequence[float | None],
    baseline: Sequence[float | None] | None,
    label: str,
) -> Iterator[Unmet]:
    first = baseline is None
    own = candidate[index] if index is not None else None
    before = baseline[index] if index is not None and baseline is not None else None
    status = must_pass_status(own, before, first=first)
    if status == "unproven":
        sides = "" if first or own is None else " of its baseline"
        yield Unmet(
            f"The must-pass example {example!r} has no score{sides}.",
            f"evaluate on {example!r} too.",
        )
    elif status == "fail":
        yield Unmet(f"{label} fails the must-pass example {example!r}.", f"fix {example!r} first.")
