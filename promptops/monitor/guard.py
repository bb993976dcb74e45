"""The guard of a running canary: it looks at the live calls of both arms since the canary began,
and may end it. It never widens.

The unit is the user (the key that the application asked with): where most calls carry none, the
guard reports what it saw and decides nothing.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from ..analysis import words
from ..analysis.canary_evidence import MeasureEvidence, Seen, judge_canary
from ..errors import PromptOpsError, RegistryError

if TYPE_CHECKING:
    from ..registry.deployment import DeploymentEntry
    from ..study.project import Project

__all__ = ["GuardReport", "LiveOutcome", "GuardLimits", "end_canary", "guard"]

_KEYED = 0.9  # of the calls must carry a user's key, or nothing is decided
_BEFORE = 100  # stable calls before the canary that give a limit
_SLOW = 0.95  # the quantile of those that is the limit

Decision = Literal["nothing", "keep", "abort", "report"]


@dataclass(frozen=True, slots=True)
class LiveOutcome:
    """One live call as the guard sees it. key: of the user, hashed, None if the application gave
    none; failed: by the model's or the provider's doing; quality: 0 to 1, None if not scored.
    """

    key: str | None
    version: str
    at: str
    failed: bool
    latency_ms: float | None = None
    cost_usd: float | None = None
    quality: float | None = None


@dataclass(frozen=True, slots=True)
class GuardLimits:
    """Above which a call is slow or expensive. None: the 95th percentile of the stable version's
    calls before the canary began, if there are a hundred.
    """

    latency_ms: float | None = None
    cost_usd: float | None = None


@dataclass(frozen=True, slots=True)
class GuardReport:
    """What the guard saw.

    decision: "nothing" (no canary runs), "keep", "abort", or "report" (it cannot decide: `note`
    says why); calls: of both arms since the canary began; by_canary: its share of them; percent:
    the share that the registry gives it; keyed: share of the calls that carry a user's key; scored:
    calls with a quality; limits: as used.
    """

    prompt: str
    env: str
    decision: Decision
    note: str = ""
    canary: str = ""
    stable: str = ""
    since: str = ""
    calls: int = 0
    by_canary: float = 0.0
    percent: float = 0.0
    keyed: float = 0.0
    scored: int = 0
    measures: tuple[MeasureEvidence, ...] = ()
    limits: GuardLimits = GuardLimits()

    @property
    def exit_code(self) -> int:
        """0 the canary goes on, or none runs; 1 it is worse; 2 could not find out."""
        return {"nothing": 0, "keep": 0, "abort": 1, "report": 2}[self.decision]

    @property
    def command(self) -> str:
        """What ends the canary by hand."""
        return f"promptops canary abort {shlex.quote(self.prompt)} --env {shlex.quote(self.env)}"

    def rows(self) -> list[dict[str, Any]]:
        """One row per measure."""
        return [
            {
                "measure": each.name,
                "canary": _shown(each.canary.mean),
                "stable": _shown(each.stable.mean),
                "canary_users": each.canary.users,
                "stable_users": each.stable.users,
                "evidence": each.evidence,
                "threshold": each.threshold,
                "aborts": each.aborts,
            }
            for each in self.measures
        ]

    def lines(self) -> list[str]:
        """What a job prints: the decision, what was seen, each measure."""
        if self.decision == "nothing":
            return [f"nothing to guard: {self.note}"]
        head = {
            "keep": f"{self.canary} goes on: nothing shows that it is worse than {self.stable}",
            "abort": f"{self.canary} is worse than {self.stable}",
            "report": f"could not find out: {self.note}",
        }[self.decision]
        seen = (
            f"seen: {words.count(self.calls, 'call')} since"
            f" {self.since[:16].replace('T', ' ')} UTC, {words.percent(self.by_canary)} of them by"
            f" the canary ({self.percent:g} % of the keys are its own),"
            f" {words.percent(self.keyed, 0)} with a user's key, {self.scored:,} with a quality"
        )
        return [f"{self.prompt} in {self.env}: {head}", seen, *(_line(m) for m in self.measures)]


def guard(
    project: Project, prompt: str, env: str, outcomes: Iterable[LiveOutcome], limits: GuardLimits
) -> GuardReport:
    """Judge the canary that runs in an environment by its live calls.

    Args:
        outcomes: live calls of the prompt in `env`, also from before the canary.
        limits: above which a call is slow or expensive.

    Raises:
        RegistryError: the prompt or the environment is unknown, or the file cannot be read.
    """
    now = project.registry.serving(prompt, env)
    if now is None or now.canary is None:
        return GuardReport(prompt, env, "nothing", f"no canary of {prompt} runs in {env}.")
    canary, began = now.canary, _began(project.registry.history(prompt, env))
    known = sorted(outcomes, key=lambda each: each.at)
    both = [each for each in known if each.at >= began and each.version in (now.id, canary.id)]
    if not both:
        note = f"no live call of either version since {began[:16]} is recorded."
        return GuardReport(prompt, env, "report", note, percent=canary.percent, since=began)
    before = [each for each in known if each.at < began and each.version == now.id]
    limits = _limits(limits, before)
    keyed = [each for each in both if each.key is not None]
    report = GuardReport(
        prompt,
        env,
        "keep",
        canary=f"v{canary.number}" if canary.number else canary.id[:11],
        stable=now.label,
        since=began,
        calls=len(both),
        by_canary=sum(each.version == canary.id for each in both) / len(both),
        percent=canary.percent,
        keyed=len(keyed) / len(both),
        scored=sum(each.quality is not None for each in both),
        limits=limits,
    )
    if report.keyed < _KEYED:
        note = (
            f"only {report.keyed:.0%} of the calls carry a user's key, and calls are not the unit:"
            " ask with promptops.load(..., key=user_id), and set PROMPTOPS_HASH_KEY where rows go"
            " to stdout or an address. Nothing is decided."
        )
        return replace(report, decision="report", note=note)
    arms = {each.version for each in keyed}
    if len(arms) < 2:
        silent = now.label if canary.id in arms else report.canary
        note = (
            f"no live call of {silent} is recorded, and the canary has {canary.percent:g} % of the"
            " keys: see whether its users fail before the model is asked. Nothing is decided."
        )
        return replace(report, decision="report", note=note)
    seen = _seen(keyed, canary.id, limits)
    measures = tuple(judge_canary(seen))
    worse = any(each.aborts for each in measures)
    return replace(report, measures=measures, decision="abort" if worse else "keep")


def end_canary(project: Project, report: GuardReport) -> str:
    """End the canary that a report says is worse; what was done, in one sentence.

    Raises:
        RegistryError: the file cannot be written here; the sentence has the command to run where
            it can.
    """
    worst = ", ".join(each.name for each in report.measures if each.aborts)
    reason = f"guard: worse on {worst} (evidence {words.e_value(_strongest(report))})"
    try:
        project.registry.abort(report.prompt, report.env, author=project.author, reason=reason)
    except PromptOpsError as error:
        raise RegistryError(
            f"the canary of {report.prompt} in {report.env} is worse and was not ended ({error});"
            f" run where the registry can be written: {report.command}"
        ) from None
    return f"the canary is ended: everyone in {report.env} gets {report.stable} again."


def _began(history: Sequence[DeploymentEntry]) -> str:
    """When the running canary's version began to be one; widening it does not begin it again."""
    running = history[-1]
    began = running.at
    for entry in reversed(history):
        if entry.canary is None or running.canary is None:
            break
        if entry.canary.id != running.canary.id or entry.id != running.id:
            break
        began = entry.at
    return began.removesuffix("Z").replace(" ", "T")


def _seen(calls: Sequence[LiveOutcome], canary: str, limits: GuardLimits) -> dict[str, Seen]:
    def column(value: Any) -> Seen:
        return Seen.of([(each.key, each.version == canary, value(each)) for each in calls])

    def below(value: float | None, limit: float) -> float | None:
        return None if value is None else float(value <= limit)

    found = {
        "quality": column(lambda each: each.quality),
        "failures": column(lambda each: float(not each.failed)),
    }
    if (slow := limits.latency_ms) is not None:
        found["latency"] = column(lambda each: below(each.latency_ms, slow))
    if (most := limits.cost_usd) is not None:
        found["cost"] = column(lambda each: below(each.cost_usd, most))
    return {name: seen for name, seen in found.items() if len(seen.values)}


def _limits(given: GuardLimits, before: Sequence[LiveOutcome]) -> GuardLimits:
    latencies = [each.latency_ms for each in before if each.latency_ms is not None]
    costs = [each.cost_usd for each in before if each.cost_usd is not None]
    return GuardLimits(
        given.latency_ms if given.latency_ms is not None else _quantile(latencies),
        given.cost_usd if given.cost_usd is not None else _quantile(costs),
    )


def _quantile(values: Sequence[float]) -> float | None:
    if len(values) < _BEFORE:
        return None
    return sorted(values)[math.ceil(_SLOW * len(values)) - 1]


# what the mean of a measure is the share of: 1 is good in each
_FINE = {
    "quality": "quality",
    "failures": "calls that did not fail",
    "latency": "calls that were not slow",
    "cost": "calls that were not expensive",
}


def _line(each: MeasureEvidence) -> str:
    mark = "worse" if each.aborts else "not enough evidence"
    return (
        f"  {_FINE[each.name]}: {words.percent(each.canary.mean)} over {each.canary.users:,} canary"
        f" users, {words.percent(each.stable.mean)} over {each.stable.users:,} others (evidence"
        f" {words.e_value(each.evidence)}, threshold {each.threshold:,.0f}): {mark}"
    )


def _strongest(report: GuardReport) -> float:
    return max((each.evidence for each in report.measures if each.aborts), default=0.0)


def _shown(mean: float) -> float | None:
    return None if math.isnan(mean) else mean
