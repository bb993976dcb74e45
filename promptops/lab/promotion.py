"""Promotion with its evidence, and the way back.

What serves already is promoted by doing nothing. A step that was taken before on the same outcomes is not taken again by a
re-run cell: the registry stays as it is and a warning says why; `again="reason"` takes it on purpose.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from importlib.metadata import version as release
from typing import TYPE_CHECKING, Any

from ..analysis.decide import Verdict, decide_first
from ..analysis.recompute import make_evidence
from ..errors import Refused, StudyError
from ..evidence import Evidence
from ..run import utc
from .comparing import grounds_of
from .deployment import Deployment
from .prompt import Prompt, SavedVersion
from .reading import arms_of
from .served import keep_verdict

if TYPE_CHECKING:
    from ..analysis.arms import Arm
    from ..registry.deployment import Deployment as Entry
    from .comparison import Comparison
    from .lab import Lab
    from .study import Study

__all__ = ["evidence_of", "promote", "rollback"]


def promote(
    lab: Lab,
    version: Any,
    env: str,
    study: Study | None,
    *,
    reason: str = "",
    force: bool = False,
    again: str = "",
    percent: float | None = None,
) -> Deployment:
    """See Lab.promote."""
    saved = _saved(version)
    serving = lab._registry.serving(saved.prompt, env)
    if serving is not None and serving.id == saved.id and percent is None:
        return Deployment(lab, replace(serving, changed=False), note=f"{saved.label} serves already.")
    if percent is not None and serving is not None and serving.canary is not None and serving.canary.id == saved.id:
        return Deployment(lab, lab._registry.widen(saved.prompt, env, percent, author=lab._author, reason=reason))
    if saved.model == "embedded":
        warnings.warn(f"{saved.label} names the embedded model, which is not an LLM: it is for tours and tests.", stacklevel=3)
    grounds = _study(lab, saved, env, study, serving)
    evidence, verdict = _evidence(lab, saved, grounds, serving) if grounds is not None else (None, None)
    step: dict[str, Any] = {"evidence": evidence, "reason": reason, "force": force, "again": again, "percent": percent}
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            entry = lab._registry.promote(saved.prompt, saved.number, env, author=lab._author, **step)
    except Refused:
        _keep_verdict(lab, grounds, saved, serving, verdict)
        raise
    note = " ".join(str(warning.message) for warning in said)
    if note:
        warnings.warn(note, stacklevel=3)  # where the person who asked reads it
    if entry.changed:
        _keep_verdict(lab, grounds, saved, serving, verdict)
    return Deployment(lab, entry, note=note, verdict=verdict if entry.changed else None)


def rollback(lab: Lab, version: Any, env: str, *, to: Any = None, reason: str = "") -> Deployment | None:
    """See Lab.rollback."""
    if isinstance(version, (str, Prompt)):
        name, undo = version if isinstance(version, str) else version.name, None
    else:
        saved = _saved(version)
        name, undo = saved.prompt, saved.number
    target = to.number if isinstance(to, SavedVersion) else to
    entry = lab._registry.rollback(name, env, undo=undo, to=target, author=lab._author, reason=reason)
    return Deployment(lab, entry) if entry is not None else None


def evidence_of(lab: Lab, version: Any, env: str, study: Study | None = None) -> Evidence | None:
    """The bundle that `promote` would rest on, without promoting: of the study, else of the newest that fits; None where there is none."""
    saved = _saved(version)
    serving = lab._registry.serving(saved.prompt, env)
    grounds = _study(lab, saved, env, study, serving)
    return _evidence(lab, saved, grounds, serving)[0] if grounds is not None else None


def _saved(version: Any) -> SavedVersion:
    if not isinstance(version, SavedVersion):
        raise StudyError(f"{version!r} is not a saved version; save it first: lab.prompt(name).save(...), then promote what that returns.")
    return version


def _study(lab: Lab, saved: SavedVersion, env: str, study: Study | None, serving: Entry | None) -> Study | None:
    """The study to go by: the one named, else the newest that holds the version and the incumbent; none where nobody asks for one."""
    if study is None and env not in lab._registry.policy(saved.prompt).ungated:
        study = _latest(lab, saved, serving)
    return study.wait() if study is not None else None


def _evidence(lab: Lab, saved: SavedVersion, study: Study, serving: Entry | None) -> tuple[Evidence, Verdict]:
    """What the study says of this step, as a bundle, and the policy's verdict on it.

    A study without the incumbent says what the version does alone; that this is not enough is the gate's to say.
    """
    policy = lab._registry.policy(saved.prompt)
    if serving is None or all(other["version"] != serving.id for other in study.config["arms"]):
        arm = study._arm(saved)
        first = arms_of(lab.store, [(study.id, arm["version"], saved.label)], study.config["scorers"])[0]
        verdict = decide_first(first, policy, primary=study.scorers[0] if study.scorers else None)
        subject: Comparison | Arm = first
        grounds = grounds_of(lab, study, None)
    else:
        comparison = study.compare(saved, lab.prompt(saved.prompt)[serving.id])
        subject, verdict, grounds = comparison, comparison.decide(policy), comparison.grounds
    grounds = replace(grounds, prompt=saved.prompt)
    return make_evidence(subject, verdict, policy, grounds=grounds, made_at=utc(), toolkit=release("promptops-toolkit")), verdict


def _latest(lab: Lab, saved: SavedVersion, serving: Entry | None) -> Study | None:
    """The newest study that holds this version, and the incumbent where there is one."""
    wanted = [saved.id] + ([serving.id] if serving is not None else [])
    rows = lab.store.rows(
        "select m.study_id from study_runs m join studies s on s.id = m.study_id where m.version_id in (select unnest(?)) "
        "group by m.study_id having count(distinct m.version_id) = ? order by max(s.created_at) desc limit 1",
        [wanted, len(wanted)],
    )
    return lab.studies[rows[0][0]] if rows else None


def _keep_verdict(lab: Lab, study: Study | None, saved: SavedVersion, serving: Entry | None, verdict: Verdict | None) -> None:
    """Counted once a judged pair of versions of a study."""
    if study is not None and verdict is not None:
        keep_verdict(lab, study, saved.id, serving.id if serving is not None else None, verdict)
