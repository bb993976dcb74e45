"""What a study would take, before it is started: calls, tokens, money as a range, time.

Unknown is reported, never zero.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..analysis import words
from ..embedded import EmbeddedModel
from ..engine.adaptive_concurrency import CEILING
from ..engine.budget import estimate_tokens
from ..engine.prices import Spent, bill
from ..markup import paragraph, plain_repr
from ..scorers.rule import judge_calls
from .design import ArmDesign, StudyDesign
from .in_force import in_force
from .queries.call_figures import latency_seen_ms, tokens_seen
from .questions import question
from .records import find_runs

if TYPE_CHECKING:
    from ..store import Store
    from .plan import Plan
    from .project import Project

__all__ = ["Estimate", "estimate"]

_TOKENS_OUT = (20, 1000)  # of an answer while none was seen and the request sets no limit
_LATENCY_S = 2.0  # of a call to an endpoint that was never asked
_LOCAL_S = 0.002  # of a model in this process


@dataclass(frozen=True, slots=True)
class Estimate:
    """calls: to be made; reused: answered before; tokens_in: by characters / 4; tokens_out,
    cost_usd: (low, high), None if a price is unknown; time_s: at the pace seen before, None
    if nothing was; judges: further calls by judge scorers; in_force: what a promotion out of the
    study will need: how alpha is shared, and what was tried before; batch: whether by the
    providers' batches, which cost half and are back within a day.
    """

    calls: int
    reused: int
    tokens_in: int
    tokens_out: tuple[int, int]
    cost_usd: tuple[float, float] | None
    time_s: float
    judges: int
    unpriced: tuple[str, ...]
    in_force: tuple[str, ...] = ()
    batch: bool = False

    @plain_repr
    def __repr__(self) -> str:
        money = (
            words.money_between(*self.cost_usd)
            if self.cost_usd
            else f"unknown cost (no price for {', '.join(self.unpriced)})"
        )
        judges = f", and {self.judges:,} judge calls on top" if self.judges else ""
        rules = f". {' '.join(self.in_force)}" if self.in_force else ""
        pace = "by batches, within a day" if self.batch else f"about {words.duration(self.time_s)}"
        return (
            f"<Estimate: {words.count(self.calls, 'call')} to make, {self.reused:,} reused; about"
            f" {self.tokens_in:,} tokens in, {self.tokens_out[0]:,} to {self.tokens_out[1]:,} out;"
            f" {money}; {pace}{judges}{rules}>"
        )

    def _repr_html_(self) -> str:
        return paragraph(self)


def estimate(
    project: Project,
    drawn: StudyDesign,
    concurrency: int | None,
    plan: Plan | None = None,
    *,
    batch: bool = False,
) -> Estimate:
    """Renders every question, looks up which were answered, and prices the rest. plan: that the
    study follows; batch: by the providers' batches.
    """
    keys: dict[str, tuple[int, int]] = {}  # key -> (arm, input tokens)
    unrendered = 0
    for place in drawn.places():
        asked = question(drawn, place)
        if asked.unrendered:
            unrendered += 1
        elif asked.key not in keys:
            keys[asked.key] = (place[0], estimate_tokens(asked.call.chat))
    known = {} if drawn.fresh else find_runs(project.store, keys)
    missing = [keys[key] for key in keys if key not in known]
    arms = [
        _of_arm(project, arm, [tokens for of, tokens in missing if of == at], concurrency, batch)
        for at, arm in enumerate(drawn.arms)
    ]
    unpriced = {arm.unpriced for arm in arms if arm.unpriced}
    judges = sum(
        judge_calls(scorer) * sum(arm.id != scorer.against for arm in drawn.arms)
        for scorer in drawn.scorers
    ) * (drawn.planned // len(drawn.arms))
    low, high = (sum(arm.cost_usd[end] for arm in arms) for end in (0, 1))
    low_out, high_out = (sum(arm.tokens_out[end] for arm in arms) for end in (0, 1))
    return Estimate(
        len(missing),
        drawn.planned - unrendered - len(missing),
        sum(tokens for _, tokens in missing),
        (low_out, high_out),
        None if unpriced else (low, high),
        sum(arm.time_s for arm in arms),
        judges,
        tuple(sorted(unpriced)),
        _rules(project, drawn, plan, keys, known),
        batch,
    )


@dataclass(frozen=True, slots=True)
class _ArmEstimate:
    """The calls of one arm; unpriced: the model whose price is not known, "" if it is."""

    tokens_out: tuple[int, int]
    time_s: float
    cost_usd: tuple[float, float] = (0.0, 0.0)
    unpriced: str = ""


def _of_arm(
    project: Project, arm: ArmDesign, sent: Sequence[int], concurrency: int | None, batch: bool
) -> _ArmEstimate:
    """What an arm's missing answers take. sent: the input tokens of each."""
    answer = _answer_tokens(project.store, arm.id, arm.version.settings)
    found = _ArmEstimate(
        (answer[0] * len(sent), answer[1] * len(sent)),
        _time_s(project.store, arm, len(sent), concurrency),
    )
    if not arm.model.remote:
        # a target may well call somebody who is paid
        paid = bool(sent) and not isinstance(arm.model, EmbeddedModel)
        return replace(found, unpriced=arm.model.label) if paid else found
    model = arm.version.model or ""
    tier = "batch" if batch else arm.version.settings.get("service_tier")
    low, high = (_cost(model, sent, out, tier, project.prices) for out in answer)
    unpriced = (model or "no model") if low is None or high is None else ""
    return replace(found, cost_usd=(low or 0.0, high or 0.0), unpriced=unpriced)


def _cost(
    model: str, sent: Sequence[int], out: int, tier: object, prices: Mapping[str, Any] | None
) -> float | None:
    """USD of calls of so many tokens, each with an answer of `out`; None if it is unknown."""
    served, total = str(tier) if tier is not None else None, 0.0
    for tokens, times in Counter(sent).items():
        one = bill(model, Spent(None, tokens, out, tier=served), prices)
        if one is None:
            return None
        total += one * times
    return total


def _rules(
    project: Project,
    drawn: StudyDesign,
    plan: Plan | None,
    keys: Mapping[str, tuple[int, int]],
    known: Mapping[str, str],
) -> tuple[str, ...]:
    """What a promotion out of the study will need. known: key -> run, of the questions in keys."""
    answered: dict[str, dict[str, str | None]] = {arm.id: {} for arm in drawn.arms}
    for key, (place, _) in keys.items():
        answered[drawn.arms[place].id][key] = known.get(key)
    policy = project.registry.policy(drawn.prompt or None) if plan is None else plan.policy
    finalists = plan.document.get("finalists") or () if plan is not None else ()
    return in_force(project, drawn, policy, finalists, answered)


def _time_s(store: Store, arm: ArmDesign, calls: int, concurrency: int | None) -> float:
    """Seconds of so many calls at the pace seen before."""
    remote = arm.model.remote
    width = min(concurrency or CEILING, max(calls, 1)) if remote else 1
    return _latency_s(store, arm.model.label, remote) * calls / width


def _answer_tokens(store: Store, version: str, settings: dict[str, object]) -> tuple[int, int]:
    """(low, high) output tokens of an answer: the 10th and 95th percentile seen, else from the
    version's own limit.
    """
    seen = tokens_seen(store, version)
    if seen is not None:
        return int(seen[0]), int(seen[1]) + 1
    cap = settings.get("max_completion_tokens", settings.get("max_tokens"))
    return _TOKENS_OUT[0], int(cap) if isinstance(cap, int) else _TOKENS_OUT[1]


def _latency_s(store: Store, endpoint: str, remote: bool) -> float:
    seen = latency_seen_ms(store, endpoint)
    if seen is not None:
        return seen / 1000
    return _LATENCY_S if remote else _LOCAL_S
