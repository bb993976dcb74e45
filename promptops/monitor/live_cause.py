"""The cause of a fall in live quality: our deployment, the inputs or the provider; unknown if
the records name none.

A probe that holds says that the model still answers the same questions as well: then it is what we
deployed, or what users ask. Without a probe that says so, the cause is unknown.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from ..analysis.live_quality import Grown, Mix
from .attribution import Cause
from .drift_file import MonitorFile

if TYPE_CHECKING:
    from ..registry.deployment import DeploymentEntry

__all__ = ["cause_of_live"]

_NEAR_DAYS = 3  # a change is dated to a few days: what happened within them may be it
_GREW = 0.05  # of the traffic: groups that grew by more are named


def cause_of_live(
    since: str,
    probe: MonitorFile | None,
    deployments: Sequence[DeploymentEntry],
    mix: Mix | None,
) -> Cause:
    """Why live quality fell since a day.

    Args:
        since: the first day that the evidence counts to the fall, UTC.
        probe: the drift monitor of the same prompt and environment, or None.
        deployments: what the environment served, oldest first.
        mix: the groups of the inputs before and since; None if nothing groups them.
    """
    fell = _open_alarm(probe, since)
    if fell is not None:
        cause = fell["cause"]
        sentence = f"the probe fell too (alarm {fell['id']}): {cause['sentence']}"
        return Cause(cause["kind"], sentence, cause["facts"], cause["command"])
    changed = _deployed(since, deployments)
    facts: dict[str, object] = {"mix": None if mix is None else _mix_document(mix)}
    if probe is None or not probe.days or probe.days[-1] < since:
        known = f" {_grew(mix)}" if mix is not None else ""
        also = f" {changed.label} serves since {changed.at[:10]}." if changed is not None else ""
        return Cause(
            "unknown",
            "no probe says whether the model answers the same questions as before; declare one with"
            f" lab.watch(...).{also}{known}",
            facts,
        )
    if changed is not None:
        return _deployment(changed, facts)
    return Cause(
        "inputs",
        "the inputs changed: the same version answers the probe as well as before, and live calls"
        f" worse.{f' {_grew(mix)}' if mix is not None else ' Nothing groups the inputs.'}",
        facts,
    )


def _deployment(changed: DeploymentEntry, facts: Mapping[str, object]) -> Cause:
    prompt, env = shlex.quote(changed.prompt), shlex.quote(changed.env)
    return Cause(
        "deployment",
        f"our deployment: {changed.env} serves {changed.label} since {changed.at[:10]} (by"
        f" {changed.author}), and the probe holds.",
        {**facts, "deployment": {"at": changed.at, "version": changed.id}},
        f"promptops rollback {prompt} --env {env} --if-serving {changed.label}",
    )


def _open_alarm(probe: MonitorFile | None, since: str) -> Mapping[str, Any] | None:
    """The probe's own alarm of the same time."""
    for alarm in probe.alarms if probe is not None else ():
        if alarm["closed"] is None and _near(alarm["since"], since):
            return alarm
    return None


def _deployed(since: str, deployments: Sequence[DeploymentEntry]) -> DeploymentEntry | None:
    """The change of the version that falls into the days of the fall."""
    before: str | None = None
    found = None
    for entry in deployments:
        if entry.id != before and before is not None and _near(entry.at[:10], since):
            found = entry
        before = entry.id
    return found


def _near(day: str, since: str) -> bool:
    there, here = date.fromisoformat(day[:10]), date.fromisoformat(since[:10])
    return abs(there - here) <= timedelta(days=_NEAR_DAYS)


def _grew(mix: Mix) -> str:
    """What grew, with the quality within it; and how much of the fall that explains."""
    grown = [each for each in mix.groups if each.share_since - each.share_before > _GREW]
    named = ", ".join(_group(each) for each in grown[:3]) or "no group grew"
    return (
        f"Grew: {named}. Of the fall, {_points(mix.by_mix)} points are other inputs and"
        f" {_points(mix.within)} worse answers within them."
    )


def _group(each: Grown) -> str:
    quality = each.quality_since
    within = "" if quality is None else f", quality {100 * quality:.0f} %"
    shares = f"from {100 * each.share_before:.0f} to {100 * each.share_since:.0f} %"
    return f"{each.name} {shares}{within}"


def _points(change: float) -> str:
    return f"{round(-100 * change, 1) + 0.0:.1f}"  # never "-0.0"


def _mix_document(mix: Mix) -> dict[str, object]:
    found = asdict(mix)
    found["groups"] = [asdict(each) for each in mix.groups]
    return found
