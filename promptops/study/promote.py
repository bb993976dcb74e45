"""Promotion with its evidence, and the way back.

What serves already is promoted by doing nothing. A step that was taken before on the same outcomes
is not taken again by a re-run cell, and what was refused stays refused: the registry stays as it
is; `override="reason"` asks on purpose.
"""

from __future__ import annotations

import warnings
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.metadata import version as release
from typing import TYPE_CHECKING, Any

from ..analysis.compare import ComparisonFacts
from ..analysis.first_deployment import decide_first
from ..analysis.pooled_copies import collapse
from ..analysis.recompute import make_evidence
from ..analysis.verdict import Verdict
from ..errors import PromptOpsError, Refused, StudyError
from ..evidence import Evidence
from ..registry.asked import checked_force, checked_percent, share_held
from ..run import utc
from ..store.recorder import outside
from ..store.sitting import sitting
from .comparing import compare_in
from .golden_labels import labelled_arms
from .grounds import grounds_of, labels_in
from .other_model import other_models
from .queries.studies import newest_holding
from .recorded_study import RecordedStudy, find_study
from .refusals import PromotionRequest, keep_refusal, measured_at, outgrown, spend, spent, standing
from .saved import Saved, as_saved
from .searched import unshown
from .split_wear import keep_verdict

if TYPE_CHECKING:
    from ..analysis.arms import Arm
    from ..registry.deployment import DeploymentEntry
    from .project import Project

__all__ = ["PromotionBasis", "Promoted", "ask", "evidence_of", "promote", "rollback"]


@dataclass(frozen=True, slots=True)
class Promoted:
    """What a step came to. entry: the link of the chain that serves; note: why nothing was written,
    where nothing was; verdict: of the evidence, where it was written."""

    entry: DeploymentEntry
    note: str = ""
    verdict: Verdict | None = None


@sitting()
def promote(
    project: Project,
    version: object,
    env: str,
    study: RecordedStudy | None,
    *,
    reason: str = "",
    force: bool = False,
    override: str = "",
    percent: float | None = None,
) -> Promoted:
    """See Lab.promote."""
    saved = as_saved(version)
    checked_force(force, reason)
    checked_percent(percent)
    word = override.strip() or (reason.strip() if force else "")
    serving = project.registry.serving(saved.prompt, env)
    canary = serving.canary if serving is not None and percent is not None else None
    if serving is not None and (
        serving.id == saved.id or (canary and (canary.id, canary.percent) == (saved.id, percent))
    ):
        with suppress(
            PromptOpsError, OSError
        ):  # a store at fault does not make a failure of what changes nothing
            spend(project, saved, env, word)
        return Promoted(replace(serving, changed=False), note=f"{saved.label} serves already.")
    if canary is not None and percent is not None and canary.id == saved.id:
        return _widened(
            project, saved, env, percent, reason=reason, override=override.strip(), word=word
        )
    if saved.version.model == "embedded":
        warnings.warn(
            f"{saved.label} names the embedded model, which is not an LLM: it is for tours and"
            " tests.",
            stacklevel=outside(),
        )
    asked = ask(project, saved, env, study, word=word, percent=percent, force=force)
    if serving is not None and asked.spent:
        return _unchanged(serving, asked.spent)
    if force and asked.refused_before:
        raise Refused(
            f"{saved.prompt} {saved.label} is not promoted to {env}: {asked.refused_before}",
            [asked.refused_before],
        )
    step: dict[str, Any] = {
        "reason": reason,
        "force": force,
        "override": override,
        "percent": percent,
    }
    step |= {"evidence": asked.request.evidence, "found": asked.found}
    try:
        with warnings.catch_warnings(record=True) as text:
            warnings.simplefilter("always")
            entry = project.registry.promote(
                saved.prompt, saved.number, env, author=project.author, **step
            )
    except Refused as error:
        in_the_way = error.reasons == ("canary",)
        new = [reason for reason in error.reasons if reason not in asked.found] or [
            "an earlier refusal stood"
        ]
        keep_refusal(
            project,
            asked.request,
            str(error) if in_the_way else new[0],
            gate=not in_the_way,
            refused_before=bool(asked.refused_before),
        )
        asked.keep_verdict(serving)
        raise
    note = " ".join(str(warning.message) for warning in text)
    if note:
        warnings.warn(note, stacklevel=outside())  # where the person who asked reads it
    if entry.changed:
        try:
            asked.keep_verdict(serving)
        except (
            PromptOpsError,
            OSError,
        ) as error:  # the deployment is made: what only counts verdicts does not undo that
            warnings.warn(
                f"{saved.label} serves in {env}; its verdict was not recorded: {error}",
                stacklevel=outside(),
            )
    return Promoted(entry, note=note, verdict=asked.verdict if entry.changed else None)


@dataclass(frozen=True, slots=True)
class PromotionBasis:
    """What a promotion rests on, before the gate is asked.

    refused_before: the earlier refusal that still applies, "" without one; spent: why its override
        no longer counts; fault: why a forced promotion has no evidence; unshown: why the
        confirmation of a search does not carry its winner.
    """

    request: PromotionRequest
    verdict: Verdict | None = None
    refused_before: str = ""
    spent: str = ""
    fault: str = ""
    unshown: str = ""

    @property
    def found(self) -> tuple[str, ...]:
        """The points that are not met, known before the gate is asked."""
        points = (self.fault, self.spent, self.refused_before, self.unshown)
        return tuple(point for point in points if point)

    def keep_verdict(self, serving: DeploymentEntry | None) -> None:
        """Counted once for each judged pair of versions of a study."""
        if self.request.study is not None and self.verdict is not None:
            keep_verdict(
                self.request.study,
                self.request.saved.id,
                serving.id if serving is not None else None,
                self.verdict,
            )


@sitting()
def ask(
    project: Project,
    version: object,
    env: str,
    study: RecordedStudy | None,
    *,
    word: str = "",
    percent: float | None = None,
    force: bool = False,
) -> PromotionBasis:
    """The evidence of the study, else of the newest that fits, the policy's verdict on it, and the
    earlier refusal that still applies.

    force: whatever is at fault becomes a point that is not met, and nothing is waited for: the
        emergency door opens under fault.
    """
    saved = as_saved(version)
    named = study.id if study is not None else None
    bare = PromotionRequest(saved, env, named, None, None, word, percent)
    try:
        serving = project.registry.serving(saved.prompt, env)
        grounds = _study(project, saved, env, study, serving, waits=not force)
        evidence, verdict = None, None
        if grounds is not None:
            withdrawn = _withdrawn(project, saved, env, word)
            evidence, verdict = _evidence(saved, grounds, serving, withdrawn)
        request = replace(bare, study=grounds, evidence=evidence)
        moment = measured_at(project, request) if evidence is not None else None
        if evidence is not None and moment is not None:
            request = replace(request, evidence=replace(evidence, measured_at=moment.isoformat()))
        lacking = ""
        if grounds is not None and serving is None and not word:
            lacking = unshown(grounds, saved, project.registry.policy(saved.prompt))
        refused, used = standing(project, request), spent(project, saved, env, word)
        return PromotionBasis(request, verdict, refused, used, unshown=lacking)
    except Exception as error:
        if not force:
            raise
        text = str(error) or type(error).__name__
        return PromotionBasis(bare, fault=f"The evidence could not be made: {text}")


def evidence_of(
    project: Project, version: object, env: str, study: RecordedStudy | None = None
) -> Evidence | None:
    """The bundle that `promote` would rest on, without promoting: of the study, else of the newest
    that fits; None without one.
    """
    return ask(project, version, env, study).request.evidence


def _widened(
    project: Project,
    saved: Saved,
    env: str,
    percent: float,
    *,
    reason: str,
    override: str,
    word: str,
) -> Promoted:
    """The running canary with another share, but for one that it has grown out of: a cell that runs
    again asks for that.
    """
    links = project.registry.history(saved.prompt, env)
    held = (
        spent(project, saved, env, word)
        or share_held(links, percent, override)
        or outgrown(project, saved, env, percent, word)
    )
    if held:
        return _unchanged(links[-1], held)
    step = {"author": project.author, "reason": reason, "override": override}
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
    return Promoted(entry) if entry is not None else None


def _unchanged(serving: DeploymentEntry, why: str) -> Promoted:
    """What serves goes on serving, and who asked reads why."""
    warnings.warn(f"{serving.prompt} in {serving.env} is unchanged: {why}", stacklevel=outside())
    return Promoted(replace(serving, changed=False, note=why), note=why)


def _study(
    project: Project,
    saved: Saved,
    env: str,
    study: RecordedStudy | None,
    serving: DeploymentEntry | None,
    *,
    waits: bool,
) -> RecordedStudy | None:
    """The study to go by: the one named, else the newest that holds the version and the incumbent.

    None if no environment asks for evidence. Waits until it is done, but for a forced promotion.
    """
    if study is None and env not in project.registry.policy(saved.prompt).ungated_environments:
        study = _latest(project, saved, serving)
    if study is not None and not waits and study.status == "running":
        raise StudyError(
            f"{study.name} is still running, and a forced promotion does not wait for it;"
            " promote after it ends."
        )
    if study is not None:
        study.wait()
    return study


def _withdrawn(project: Project, saved: Saved, env: str, word: str) -> set[str]:
    """With an override: the versions that were rolled back in the environment, which are no longer
    preferred to another finalist.
    """
    undone: set[str] = set()
    for link in project.registry.history(saved.prompt, env) if word else ():
        if link.undoes is not None:
            undone.add(link.undoes)
        undone -= {link.id, link.canary.id if link.canary is not None else link.id}
    return undone - {saved.id}


def _evidence(
    saved: Saved, study: RecordedStudy, serving: DeploymentEntry | None, withdrawn: set[str]
) -> tuple[Evidence, Verdict]:
    """What the study shows of this step, as a bundle, and the policy's verdict on it.

    A study without the incumbent shows what the version does alone; that this is not enough is for
    the gate to say. withdrawn: finalists that are preferred no more.
    """
    project, record = study.project, study.record
    policy = project.registry.policy(saved.prompt)
    subject: ComparisonFacts | Arm
    if serving is None or record.find(serving.id) is None:
        source = (study.id, record.arm(saved).version, saved.label)
        [alone] = labelled_arms(project.store, [source], record.scorers, labels_in(study))
        mixed = tuple(other_models(project.store, [source], record.scorers))
        grounds = replace(grounds_of(study, [alone]), mixed=mixed)
        subject = collapse(alone, grounds.copies)
        verdict = decide_first(subject, policy, primary=record.primary or None, context=grounds)
    else:
        found = compare_in(study, saved, serving, None)
        verdict = found.decide(policy, withdrawn=withdrawn)
        subject, grounds = found.facts, found.facts.grounds
    evidence = make_evidence(
        subject,
        verdict,
        policy,
        grounds=replace(grounds, prompt=saved.prompt),
        made_at=utc(),
        toolkit=release("promptops-toolkit"),
    )
    return evidence, verdict


def _latest(
    project: Project, saved: Saved, serving: DeploymentEntry | None
) -> RecordedStudy | None:
    """The newest study that holds this version, and the incumbent where there is one."""
    wanted = [saved.id] + ([serving.id] if serving is not None else [])
    found = newest_holding(project.store, wanted)
    return find_study(project, found) if found is not None else None
