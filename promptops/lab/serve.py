"""Verbs of a lab about what is served: promote, rollback, history, watch, live.

Each is a method of `Lab`, written beside what it is about.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Unpack

from ..signatures import explained
from .deployments import Deployment, History
from .prompt import Prompt, checked_env, prompt_name
from .study import Study

if TYPE_CHECKING:
    from ..study.project import OfProject
    from .live_view import LiveView
    from .monitor import Monitor, WatchOptions

__all__ = ["history", "live", "promote", "rollback", "watch"]


@explained
def promote(
    self: OfProject,
    version: object,
    *,
    env: str,
    study: Study | None = None,
    percent: float | None = None,
    reason: str = "",
    force: bool = False,
    override: str = "",
) -> Deployment:
    """Serve a version in an environment, if the evidence of a study supports it against the
    incumbent. Promoting the version that already serves changes nothing.

    Args:
        version: a saved version.
        env: the environment, such as "prod".
        study: the evidence; None: the newest study that contains the version and the incumbent.
        percent: serve only this percentage of the keys (a canary), 0.01 to 99.99; another call
            changes the percentage, or without one serves every key.
        reason: a reason, recorded in the history.
        force: bypass the gate; requires a reason and is recorded permanently.
        override: why the version is promoted despite an earlier refusal or rollback; it applies
            once.

    Raises:
        Refused: if the gate refuses; the message lists every unmet point and its next step.
        Conflict: if somebody else changed the environment first.
    """
    from ..study.promote import PromoteOptions, promote

    step = promote(
        self.project,
        version,
        checked_env(env, version),
        study.recorded if study is not None else None,
        PromoteOptions(reason, force, override, percent),
    )
    return Deployment.of(step)


@explained
def rollback(
    self: OfProject, version: object, *, env: str, to: object = None, reason: str = ""
) -> Deployment | None:
    """Roll back immediately: the last different version serves again, or a running canary ends.
    A rollback is recorded, and needs no evidence.

    Args:
        version: a Prompt or its name: whatever serves now is rolled back. A saved version: it is
            rolled back only if it serves.
        env: the environment, such as "prod".
        to: the version to go back to; None: the last different one that served.
        reason: a reason, recorded in the history.

    Returns:
        The recorded rollback, or None if the version does not serve.

    Raises:
        NotDeployed: if there is nothing to go back to.
    """
    from ..study.promote import rollback

    named = version.name if isinstance(version, Prompt) else version
    found = rollback(self.project, named, checked_env(env, version), to=to, reason=reason)
    return Deployment.of(found) if found is not None else None


@explained
def history(self: OfProject, prompt: Prompt | str, *, env: str = "prod") -> History:
    """The versions that served in an environment: since when, who decided it, why, and on which
    evidence; newest last.

    Args:
        prompt: a Prompt or its name.
        env: the environment, such as "prod".
    """
    return History(self.project, prompt_name(prompt), env)


def watch(
    self: OfProject,
    prompt: object,
    *,
    probe: object,
    scorers: Sequence[object],
    **options: Unpack[WatchOptions],
) -> Monitor:
    """Monitor the version that env="prod" serves: record its answers to `probe` (ten repeats) as
    the anchor. `promptops watch run` runs the probe again each day and compares.

    Writes promptops.monitors/<prompt>.<env>.json. If an identical monitor exists, no call is made.

    Args:
        prompt: the prompt or its name.
        probe: the examples to run each day.
        scorers: the scorers whose results are monitored.
        options: other settings of the monitor; the error for an unknown one lists the valid ones.

    Raises:
        StudyError: if nothing serves, or the anchor is incomplete.
    """
    from .monitor import watched

    return watched(self.project, prompt, probe, scorers, options)


def live(
    self: OfProject,
    prompt: object,
    env: str | None = "prod",
    *,
    days: float = 7,
    source: object = None,
) -> LiveView:
    """The live calls of a prompt: calls, failures, cost, latency, feedback and quality per version,
    with the deployments of that time.

    Args:
        prompt: a prompt or its name.
        env: the environment; None: all of them.
        days: how many days back.
        source: the folder that applications record to (`promptops.observe`), or a file of their
            stdout lines or of OTLP/JSON spans from any writer; default: PROMPTOPS_RECORD, else the
            lab's own store. New rows are read at each access.
    """
    from .live_view import live

    return live(self.project, prompt, env=env, days=days, source=source)
