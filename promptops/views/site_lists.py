"""What several pages of a site list: studies, and what a prompt's environments served."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import PromptOpsError
from ..evidence import Evidence
from ..markup import esc
from .grid import grid, short
from .site_frame import aside, link, moment, study_file

if TYPE_CHECKING:
    from ..registry.deployment import DeploymentEntry
    from ..study.project import Project

__all__ = ["StudyRow", "deployments", "evidence_of", "studies_table"]


@dataclass(frozen=True, slots=True)
class StudyRow:
    """A study as the lists show it. finding: what it found, in a sentence."""

    id: str
    name: str
    prompt: str
    created: str
    status: str
    finding: str


def studies_table(studies: list[StudyRow], above: str = "", *, named: bool = True) -> str:
    """Studies, newest first, each with what it found. above: the way to the site's first folder."""
    if not studies:
        return "<p class='dim'>No study is recorded here.</p>"
    columns = ["study", *(["prompt"] if named else []), "finding", "made (UTC)"]
    rows = [
        (
            link(above + study_file(study.id), study.name),
            *([short(study.prompt or "–")] if named else []),
            aside(study.finding)
            + ("" if study.status == "finished" else f" ({esc(study.status)})"),
            moment(study.created),
        )
        for study in studies
    ]
    return grid(columns, rows, caption="studies, newest first")


def deployments(project: Project, name: str) -> dict[str, list[DeploymentEntry]]:
    """Environment -> its deployments, oldest first; without those whose chain cannot be read."""
    found = {}
    for env in project.registry.environments(name):
        try:
            found[env] = project.registry.history(name, env)
        except PromptOpsError:
            continue
    return found


def evidence_of(project: Project, cited: str | None) -> Evidence | str | None:
    """The bundle that a deployment cites; why it cannot be read; None if it cites none."""
    if not cited:
        return None
    try:
        return Evidence.read(project.location.registry, cited)
    except PromptOpsError:  # its sentence names a path of this machine
        return f"the evidence {cited[:12]} is missing or was edited; restore it from git."
