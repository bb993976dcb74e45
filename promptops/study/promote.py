"""Promotion with its evidence, and the way back.

What serves already is promoted by doing nothing. A step that was taken before on the same outcomes
is not taken again by a re-run cell, and what was refused stays refused: the registry stays as it
is; `override="reason"` asks on purpose.
"""

from __future__ import annotations

import warnings
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..analysis.verdict import Verdict
from ..errors import PromptOpsError, Refused
from ..registry.asked import checked_force, checked_percent, share_held
from ..store.recorder import outside, say
from ..store.sitting import sitting
from .promotion_basis import PromotionBasis, ask
from .recorded_study import RecordedStudy
from .refusals import keep_refusal, outgrown, spend, spent
from .saved import Saved, as_saved

if TYPE_CHECKING:
    from ..registry.deployment import DeploymentEntry
    from .project import Project

__all__ = ["PromoteOptions", "Promoted", "promote", "rollback"]


@dataclass(frozen=True, slots=True)
class Promoted:
    """What a step came to. entry: the link of the chain that serves; note: why nothing was written,
    where nothing was; verdict: of the evidence, where it was written."""

    entry: DeploymentEntry
    note: str = ""
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class PromoteOptions:
    """How one promotion is requested: the arguments of Lab.promote."""

    reason: str = ""
    force: bool = False
    override: str = ""
    percent: float | None = None

    @property
    def word(self) -> str:
        """What lets a step be taken once more: the override, else the reason of a forced one."""
        return self.override.strip() or (self.reason.strip() if self.force else "")


@sitting()
def promote(
    project: Project,
    version: object,
    env: str,
    study: RecordedStudy | None,
    options: PromoteOptions,
) -> Promoted:
    """See Lab.promote."""
    saved, percent, word = as_saved(version), options.percent, options.word
    checked_force(options.force, options.reason)
    checked_percent(percent)
    serving = project.registry.serving(saved.prompt, env)
    canary = serving.canary if serving is not None and percent is not None else None
    if serving is not None and (
        serving.id == saved.id or (canary and (canary.id, canary.percent) == (saved.id, percent))
    ):
        # a store at fault does not make a failure of what changes nothing
        with suppress(PromptOpsError, OSError):
            spend(project, saved, env, word)
        return Promoted(replace(serving, changed=False), note=f"{saved.label} serves already.")
    if canary is not None and percent is not None and canary.id == saved.id:
        return _widened(project, saved, env, percent, options)
    if saved.version.model == "embedded":
        warnings.warn(
            f"{saved.label} names the embedded model, which is not an LLM: it is for tours and"
            " tests.",
            stacklevel=outside(),
        )
    asked = ask(project, saved, env, study, word=word, percent=percent, force=options.force)
    if serving is not None and asked.spent:
        return _unchanged(serving, asked.spent)
    if options.force and asked.refused_before:
        raise Refused(
            f"{saved.prompt} {saved.label} is not promoted to {env}: {asked.refused_before}",
            [asked.refused_before],
        )
    entry, note = _deployed(project, asked, options, serving)
    try:
        if entry.changed:
            asked.keep_verdict(serving)
    except (PromptOpsError, OSError) as error:
        # the deployment is made: what only counts verdicts does not undo that
        say(f"{saved.label} serves in {env}; its verdict was not recorded: {error}", UserWarning)
    if note:
        say(note, UserWarning)  # where the person who asked reads it
    return Promoted(entry, note=note, verdict=asked.verdict if entry.changed else None)


def _deployed(
    project: Project,
    asked: PromotionBasis,
    options: PromoteOptions,
    serving: DeploymentEntry | None,
) -> tuple[DeploymentEntry, str]:
    """The step past the gate, and what the registry noted of it; a refusal is recorded."""
    request = asked.request
    try:
        with warnings.catch_warnings(record=True) as text:
            warnings.simplefilter("always")
            entry = project.registry.promote(
                request.saved.prompt,
                request.saved.number,
                request.env,
                evidence=request.evidence,
                author=project.author,
                reason=options.reason,
                force=options.force,
                override=options.override,
                percent=options.percent,
                found=asked.found,
            )
    except Refused as error:
        in_the_way = error.reasons == ("canary",)
        new = [reason for reason in error.reasons if reason not in asked.found] or [
            "an earlier refusal stood"
        ]
        keep_refusal(
            project,
            request,
            str(error) if in_the_way else new[0],
            gate=not in_the_way,
            refused_before=bool(asked.refused_before),
        )
        asked.keep_verdict(serving)
        raise
    return entry, " ".join(str(warning.message) for warning in text)


def _widened(
    project: Project, saved: Saved, env: str, percent: float, options: PromoteOptions
) -> Promoted:
    """The running canary with another share, but for one that it has grown out of: a cell that runs
    again asks for that.
    """
    links = project.registry.history(saved.prompt, env)
    override, word = options.override.strip(), options.word
    held = (
        spent(project, saved, env, word)
        or share_held(links, percent, override)
        or outgrown(project, saved, env, percent, word)
    )
    if held:
        return _unchanged(links[-1], held)
    step = {"author": project.author, "reason": options.reason, "override": override}
    return Promoted(project.registry.widen(saved.prompt, env, percent, **step))


def rollback(
    project: Project, version: object, env: str, *, to: object = None, reason: str = ""
) -> Promoted | None:
    """See Lab.rollback."""
    if isinstance(version, str):
        name, if_serving = version, None
    else:
        saved = as_saved(version)
        name, if_serving = saved.prompt, saved.number
    target = to.number if isinstance(to, Saved) else to
    entry = project.registry.rollback(
        name, env, if_serving=if_serving, to=target, author=project.author, reason=reason
    )
    if entry is None:
        return None
    if entry.note:
        warnings.warn(
            f"{entry.label} serves {env} of {name} now; {entry.note}", stacklevel=outside()
        )
    return Promoted(entry)


def _unchanged(serving: DeploymentEntry, why: str) -> Promoted:
    """What serves goes on serving, and who asked reads why."""
    warnings.warn(f"{serving.prompt} in {serving.env} is unchanged: {why}", stacklevel=outside())
    return Promoted(replace(serving, changed=False, note=why), note=why)
