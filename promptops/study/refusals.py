"""What was refused stays refused: the same request for a promotion, until something new is measured
or an override is given.

A refusal is recorded beside what was measured, in the store, never in the registry: a notebook that
runs again leaves the registry as it is, also when the version that stood in the way was rolled
back since.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..run import new_id, utc
from .queries.steps import measured_last, steps_of

if TYPE_CHECKING:
    from ..evidence import Evidence
    from .project import Project
    from .recorded_study import RecordedStudy
    from .saved import Saved

__all__ = [
    "PromotionRequest",
    "keep_refusal",
    "measured_at",
    "outgrown",
    "spend",
    "spent",
    "standing",
]


@dataclass(frozen=True, slots=True)
class PromotionRequest:
    """A promotion that is asked for. named: the id of the study that was given, None if the
    newest is meant; study: the one it rests on; word: the override, else the reason of a forced
    promotion.
    """

    saved: Saved
    env: str
    named: str | None
    study: RecordedStudy | None
    evidence: Evidence | None
    word: str
    percent: float | None

    def document(self, project: Project) -> dict[str, Any]:
        """What makes it the same request, JSON-ready."""
        scorers = self.evidence.scorers if self.evidence is not None else {}
        return {
            "named": self.named,
            "word": self.word,
            "percent": self.percent,
            "terms": project.registry.terms(self.saved.prompt, self.saved.number, self.env),
            "calibrated": {
                name: bool(scorer.get("calibrated")) for name, scorer in scorers.items()
            },
        }


def standing(project: Project, request: PromotionRequest) -> str:
    """The earlier refusal that still applies to a request, as a sentence with its next step, or
    "".
    """
    recorded = [
        before for before in _recorded(project, request.saved, request.env) if "spent" not in before
    ]
    if not recorded:
        return ""
    now, newest = request.document(project), measured_at(project, request)
    for before in recorded:
        if not _same(
            before, now, request.study is not None and before["study"] == request.study.id
        ):
            continue
        if newest is not None and newest > before["at"]:
            return ""  # older refusals rest on less still
        wording = str(before.get("said", "")).split(" Next: ")[0].rstrip(".")
        used = f"the word {request.word!r} was given then, another " if request.word else ""
        return (
            f"{request.saved.label} was refused in {request.env} at {str(before['at'])[:19]} UTC"
            f" ({wording}), and a refusal holds "
            f'until something new is measured. Next: evaluate it again, or {used}override="reason"'
            " asks once more."
        )
    return ""


def keep_refusal(
    project: Project, request: PromotionRequest, wording: str, *, gate: bool, refused_before: bool
) -> None:
    """Record a refusal, once while it applies. gate: whether the gate spoke, whose answer holds for
    a canary and for everyone.
    """
    asked, study = (
        request.document(project),
        request.study.id if request.study is not None else None,
    )
    recorded = [
        before
        for before in _recorded(project, request.saved, request.env)
        if before["study"] == study
    ]
    if refused_before and any(before.items() >= asked.items() for before in recorded):
        return
    _record(
        project, request.saved, request.env, {**asked, "said": wording[:400], "gate": gate}, study
    )


def spend(project: Project, saved: Saved, env: str, word: str) -> None:
    """Record an override that was given while its version served already: it needed none then, and
    a cell that runs again says it too.
    """
    if word and not spent(project, saved, env, word):
        _record(project, saved, env, {"spent": word})


def spent(project: Project, saved: Saved, env: str, word: str) -> str:
    """Why an override counts no more, as a sentence; "" if it counts, or if none was given."""
    if not word or all(before.get("spent") != word for before in _recorded(project, saved, env)):
        return ""
    return (
        f"{word!r} was given for {saved.label} in {env} while it served already, and counts once; "
        'another override="reason" promotes it once more.'
    )


def measured_at(project: Project, request: PromotionRequest) -> Any:
    """When the newest answer or score of the versions in question came, in the study it rests on,
    else in any; None without one.
    """
    versions = [request.saved.id] + (
        [request.evidence.baseline]
        if request.evidence is not None and request.evidence.baseline
        else []
    )
    study = request.study.id if request.study is not None else None
    scorers = list(request.evidence.scorers) if request.evidence is not None else []
    return measured_last(project.store, versions, scorers, study)


def outgrown(project: Project, saved: Saved, env: str, percent: float, word: str) -> str:
    """Why the running canary is not given this share: a canary with just this share was refused
    before it began, so a cell runs again.

    As a sentence with its next step; "" if no such share was refused, or a word is given that
    was not given then.
    """
    for before in _recorded(project, saved, env):
        if before.get("percent") == percent and word in ("", before.get("word")):
            return (
                f"{percent:g} % for {saved.label} in {env} was refused before its canary began;"
                ' give another share, or override="reason" sets this one.'
            )
    return ""


def _recorded(project: Project, saved: Saved, env: str) -> list[dict[str, object]]:
    """What was recorded of a version in an environment, newest first, each with its study and when
    (`at`).
    """
    rows = steps_of(project.store, saved.prompt, saved.id, env)
    return [{**json.loads(text), "study": study, "at": at} for study, text, at in rows]


def _record(
    project: Project,
    saved: Saved,
    env: str,
    document: Mapping[str, object],
    study: str | None = None,
) -> None:
    row = {
        "id": new_id("d"),
        "study_id": study,
        "prompt": saved.prompt,
        "candidate": saved.id,
        "env": env,
        "created_at": utc(),
    }
    project.store.append(
        "verdicts", [{**row, "document": json.dumps(document, ensure_ascii=False)}]
    )


def _same(before: Mapping[str, Any], now: Mapping[str, object], same_study: bool) -> bool:
    """Whether a recorded refusal is about this request: the study that was named, or the one that
    it comes down to.
    """
    return (
        (same_study or before.get("named") == now["named"])
        and now["word"] in ("", before.get("word"))
        and (
            before.get("gate", True) or (before.get("percent") is None) == (now["percent"] is None)
        )
        and before.get("terms") == now["terms"]
        and (not same_study or before.get("calibrated") == now["calibrated"])
    )
