"""What a promotion rests on: a study, the evidence made of it, the policy's verdict, and the
earlier refusal that still applies.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.metadata import version as release
from typing import TYPE_CHECKING

from ..analysis.compare import ComparisonFacts
from ..analysis.first_deployment import decide_first
from ..analysis.pooled_copies import collapse
from ..analysis.recompute import make_evidence
from ..analysis.verdict import Verdict
from ..errors import StudyError
from ..evidence import Evidence
from ..run import utc
from ..store.sitting import sitting
from .comparing import compare_in
from .golden_labels import labelled_arms
from .grounds import grounds_of, labels_in
from .other_model import other_models
from .queries.studies import newest_holding
from .recorded_study import RecordedStudy, find_study
from .refusals import PromotionRequest, measured_at, spent, standing
from .saved import Saved, as_saved
from .searched import unshown
from .split_wear import keep_verdict

if TYPE_CHECKING:
    from ..analysis.arms import Arm
    from ..registry.deployment import DeploymentEntry
    from .project import Project

__all__ = ["PromotionBasis", "ask", "evidence_of"]


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
