"""Promotion with its evidence, and the way back.

What serves already is promoted by doing nothing. A step that was taken before on the same outcomes is not taken again by a
re-run cell, and what was refused stays refused: the registry stays as it is; `override="reason"` asks on purpose.
"""

from __future__ import annotations

import warnings
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.metadata import version as release
from typing import TYPE_CHECKING, Any

from ..analysis.decide import Verdict, decide_first
from ..analysis.recompute import make_evidence
from ..errors import PromptOpsError, Refused, StudyError
from ..evidence import Evidence
from ..lab.deployments import Deployment
from ..lab.prompt import Prompt, SavedVersion
from ..registry.asked import checked_force, checked_percent, share_held
from ..run import utc
from ..store.recorder import outside
from .comparing import grounds_of
from .outcomes import arms_of
from .refusals import Request, keep_refusal, measured_at, outgrown, spend, spent, standing
from .split_wear import keep_verdict

if TYPE_CHECKING:
    from ..analysis.arms import Arm
    from ..lab.comparison import Comparison
    from ..lab.lab import Lab
    from ..lab.study import Study
    from ..registry.deployment import Deployment as Entry

__all__ = ["Asked", "ask", "evidence_of", "promote", "rollback"]


def promote(
    lab: Lab,
    version: Any,
    env: str,
    study: Study | None,
    *,
    reason: str = "",
    force: bool = False,
    override: str = "",
    percent: float | None = None,
) -> Deployment:
    """See Lab.promote."""
    saved = _saved(version)
    checked_force(force, reason)
    checked_percent(percent)
    word = override.strip() or (reason.strip() if force else "")
    serving = lab._registry.serving(saved.prompt, env)
    canary = serving.canary if serving is not None and percent is not None else None
    if serving is not None and (
        serving.id == saved.id or (canary and (canary.id, canary.percent) == (saved.id, percent))
    ):
        with suppress(
            PromptOpsError, OSError
        ):  # a store at fault does not make a failure of what changes nothing
            spend(lab, saved, env, word)
        return Deployment(
            lab, replace(serving, changed=False), note=f"{saved.label} serves already."
        )
    if canary is not None and percent is not None and canary.id == saved.id:
        return _widened(
            lab, saved, env, percent, reason=reason, override=override.strip(), word=word
        )
    if saved.model == "embedded":
        warnings.warn(
            f"{saved.label} names the embedded model, which is not an LLM: it is for tours and tests.",
            stacklevel=3,
        )
    asked = ask(lab, saved, env, study, word=word, percent=percent, force=force)
    if serving is not None and asked.spent:
        return _unchanged(lab, serving, asked.spent)
    if force and asked.stands:
        raise Refused(
            f"{saved.prompt} {saved.label} is not promoted to {env}: {asked.stands}", [asked.stands]
        )
    step: dict[str, Any] = {
        "reason": reason,
        "force": force,
        "override": override,
        "percent": percent,
    }
    step |= {"evidence": asked.request.evidence, "found": asked.found}
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            entry = lab._registry.promote(
                saved.prompt, saved.number, env, author=lab._author, **step
            )
    except Refused as error:
        in_the_way = error.reasons == ("canary",)
        new = [reason for reason in error.reasons if reason not in asked.found] or [
            "an earlier refusal stood"
        ]
        keep_refusal(
            lab,
            asked.request,
            str(error) if in_the_way else new[0],
            gate=not in_the_way,
            stands=bool(asked.stands),
        )
        asked.keep_verdict(lab, serving)
        raise
    note = " ".join(str(warning.message) for warning in said)
    if note:
        warnings.warn(note, stacklevel=3)  # where the person who asked reads it
    if entry.changed:
        try:
            asked.keep_verdict(lab, serving)
        except (
            PromptOpsError,
            OSError,
        ) as error:  # the deployment is made: what only counts verdicts does not undo that
            warnings.warn(
                f"{saved.label} serves in {env}; its verdict was not recorded: {error}",
                stacklevel=3,
            )
    return Deployment(lab, entry, note=note, verdict=asked.verdict if entry.changed else None)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a promotion rests on, before the gate is asked. stands: the earlier refusal that stands against it, "" without one;
    spent: why its override counts no more; fault: why there is no evidence although a promotion is forced.
    """

    request: Request
    verdict: Verdict | None = None
    stands: str = ""
    spent: str = ""
    fault: str = ""

    @property
    def found(self) -> tuple[str, ...]:
        """The points that are not met, known before the gate is asked."""
        return tuple(point for point in (self.fault, self.spent, self.stands) if point)

    def keep_verdict(self, lab: Lab, serving: Entry | None) -> None:
        """Counted once for each judged pair of versions of a study."""
        if self.request.study is not None and self.verdict is not None:
            keep_verdict(
                lab,
                self.request.study,
                self.request.saved.id,
                serving.id if serving is not None else None,
                self.verdict,
            )


def ask(
    lab: Lab,
    version: Any,
    env: str,
    study: Study | None,
    *,
    word: str = "",
    percent: float | None = None,
    force: bool = False,
) -> Asked:
    """The evidence of the study, else of the newest that fits, the policy's verdict on it, and the refusal that stands against it.

    force: whatever is at fault becomes a point that is not met, and nothing is waited for: the emergency door opens under fault.
    """
    saved = _saved(version)
    bare = Request(saved, env, study.id if study is not None else None, None, None, word, percent)
    try:
        serving = lab._registry.serving(saved.prompt, env)
        grounds = _study(lab, saved, env, study, serving, waits=not force)
        evidence, verdict = (
            _evidence(lab, saved, grounds, serving) if grounds is not None else (None, None)
        )
        request = replace(bare, study=grounds, evidence=evidence)
        moment = measured_at(lab, request) if evidence is not None else None
        if evidence is not None and moment is not None:
            request = replace(request, evidence=replace(evidence, measured_at=moment.isoformat()))
        return Asked(request, verdict, standing(lab, request), spent(lab, saved, env, word))
    except Exception as error:
        if not force:
            raise
        said = str(error) or type(error).__name__
        return Asked(bare, fault=f"The evidence could not be made: {said}")


def evidence_of(lab: Lab, version: Any, env: str, study: Study | None = None) -> Evidence | None:
    """The bundle that `promote` would rest on, without promoting: of the study, else of the newest that fits; None without one."""
    return ask(lab, version, env, study).request.evidence


def _widened(
    lab: Lab,
    saved: SavedVersion,
    env: str,
    percent: float,
    *,
    reason: str,
    override: str,
    word: str,
) -> Deployment:
    """The running canary with another share, but for one that it has grown out of: a cell that runs again asks for that."""
    links = lab._registry.history(saved.prompt, env)
    held = (
        spent(lab, saved, env, word)
        or share_held(links, percent, override)
        or outgrown(lab, saved, env, percent, word)
    )
    if held:
        return _unchanged(lab, links[-1], held)
    step = {"author": lab._author, "reason": reason, "override": override}
    return Deployment(lab, lab._registry.widen(saved.prompt, env, percent, **step))


def rollback(
    lab: Lab, version: Any, env: str, *, to: Any = None, reason: str = ""
) -> Deployment | None:
    """See Lab.rollback."""
    if isinstance(version, (str, Prompt)):
        name, undo = version if isinstance(version, str) else version.name, None
    else:
        saved = _saved(version)
        name, undo = saved.prompt, saved.number
    target = to.number if isinstance(to, SavedVersion) else to
    entry = lab._registry.rollback(
        name, env, undo=undo, to=target, author=lab._author, reason=reason
    )
    return Deployment(lab, entry) if entry is not None else None


def _unchanged(lab: Lab, serving: Entry, why: str) -> Deployment:
    """What serves goes on serving, and who asked reads why."""
    warnings.warn(f"{serving.prompt} in {serving.env} is unchanged: {why}", stacklevel=outside())
    return Deployment(lab, replace(serving, changed=False, note=why), note=why)


def _saved(version: Any) -> SavedVersion:
    if not isinstance(version, SavedVersion):
        raise StudyError(
            f"{version!r} is not a saved version; save it first: lab.prompt(name).save(...), then promote what that returns."
        )
    return version


def _study(
    lab: Lab,
    saved: SavedVersion,
    env: str,
    study: Study | None,
    serving: Entry | None,
    *,
    waits: bool,
) -> Study | None:
    """The study to go by: the one named, else the newest that holds the version and the incumbent; none where nobody asks for one."""
    if study is None and env not in lab._registry.policy(saved.prompt).ungated:
        study = _latest(lab, saved, serving)
    if study is not None and not waits and study.status == "running":
        raise StudyError(f"{study.name} still runs, and a forced promotion does not wait for it.")
    return study.wait() if study is not None else None


def _evidence(
    lab: Lab, saved: SavedVersion, study: Study, serving: Entry | None
) -> tuple[Evidence, Verdict]:
    """What the study says of this step, as a bundle, and the policy's verdict on it.

    A study without the incumbent says what the version does alone; that this is not enough is the gate's to say.
    """
    policy = lab._registry.policy(saved.prompt)
    if serving is None or all(other["version"] != serving.id for other in study.config["arms"]):
        arm = study._arm(saved)
        first = arms_of(
            lab.store, [(study.id, arm["version"], saved.label)], study.config["scorers"]
        )[0]
        verdict = decide_first(first, policy, primary=study.scorers[0] if study.scorers else None)
        subject: Comparison | Arm = first
        grounds = grounds_of(lab, study, None)
    else:
        comparison = study.compare(saved, lab.prompt(saved.prompt)[serving.id])
        subject, verdict, grounds = comparison, comparison.decide(policy), comparison.grounds
    grounds = replace(grounds, prompt=saved.prompt)
    return make_evidence(
        subject,
        verdict,
        policy,
        grounds=grounds,
        made_at=utc(),
        toolkit=release("promptops-toolkit"),
    ), verdict


def _latest(lab: Lab, saved: SavedVersion, serving: Entry | None) -> Study | None:
    """The newest study that holds this version, and the incumbent where there is one."""
    wanted = [saved.id] + ([serving.id] if serving is not None else [])
    rows = lab.store.rows(
        "select m.study_id from study_runs m join studies s on s.id = m.study_id where m.version_id in (select unnest(?)) "
        "group by m.study_id having count(distinct m.version_id) = ? order by max(s.created_at) desc limit 1",
        [wanted, len(wanted)],
    )
    return lab.studies[rows[0][0]] if rows else None
