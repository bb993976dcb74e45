"""Verbs of a lab about what is served: promote, rollback, history, watch, live.

Each is a method of `Lab`, written beside what it is about.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Unpack

from ..signatures import explained
from .deployments import Deployment, History
from .monitor import Monitor, WatchOptions, watched
from .prompt import Prompt, checked_env, prompt_name
from .study import Study

if TYPE_CHECKING:
    from ..study.project import OfProject
    from .live_view import LiveView

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
    """Serve a version in an environment, where the evidence of a study carries it against what
    serves now. Promoting what serves already changes nothing.

    Args:
        version: a saved version.
        env: the environment, such as "prod".
        study: what the promotion rests on; None: the newest study that holds the version and
            the incumbent.
        percent: serve this share of the keys only (a canary), 0.01 to 99.99; called again with
            another share it changes it, without one it serves everyone.
        reason: recorded in the history.
        force: bypass the gate; requires a reason and is recorded permanently.
        override: why a version is promoted although an earlier refusal or rollback applies;
            counts once.

    Raises:
        Refused: with every unmet point and its next step.
        Conflict: somebody else changed the environment first.
    """
    from ..study.promote import promote

    step = promote(
        self.project,
        version,
        checked_env(env, version),
        study.recorded if study is not None else None,
        reason=reason,
        force=force,
        override=override,
        percent=percent,
    )
    return Deployment.of(step)


@explained
def rollback(
    self: OfProject, version: object, *, env: str, to: object = None, reason: str = ""
) -> Deployment | None:
    """Go back at once: the last different version serves again, or a running canary ends. Not
    gated, and recorded.

    Args:
        version: a Prompt or its name: whatever serves now is undone. A saved version: it is
            undone whenever it serves, and nothing happens if it does not.
        env: the environment, such as "prod".
        to: the version to go back to; None: the last different one that served.
        reason: recorded in the history.

    Returns:
        The step, or None if the version does not serve.

    Raises:
        NotDeployed: there is nothing to go back to.
    """
    from ..study.promote import rollback

    named = version.name if isinstance(version, Prompt) else version
    found = rollback(self.project, named, checked_env(env, version), to=to, reason=reason)
    return Deployment.of(found) if found is not None else None


@explained
def history(self: OfProject, prompt: Prompt | str, *, env: str = "prod") -> History:
    """What served in an environment, since when, who decided it, why, and on which evidence;
    newest last.

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
    """Watch what env="prod" serves: freeze its answers to `probe` (ten repeats) as the anchor,
    which `promptops watch run` asks again each day.

    Writes promptops.monitors/<prompt>.<env>.json; where the same is watched already, nothing is
    asked.

    Args:
        prompt: the prompt, or its name.
        probe: the examples that are asked each day.
        scorers: what is watched.
        options: further settings of the monitor; a wrong one is answered with those it takes.

    Raises:
        StudyError: if nothing serves or the anchor is incomplete.
    """
    return watched(self.project, prompt, probe, scorers, options)


def live(
    self: OfProject,
    prompt: object,
    env: str | None = "prod",
    *,
    days: float = 7,
    source: object = None,
) -> LiveView:
    """What live calls of a prompt do: versions by calls, failures, cost, latency, feedback and
    quality, with what was deployed meanwhile.

    Args:
        prompt: a prompt or its name.
        env: the environment; None: all of them.
        days: how far back.
        source: the folder that applications record to (`promptops.observe`), or a file of their
            stdout lines or of OTLP/JSON spans from any writer; default:
            PROMPTOPS_RECORD, else the lab's own store. New rows are taken in at each look.
    """
    from .live_view import live

    return live(self.project, prompt, env=env, days=days, source=source)
