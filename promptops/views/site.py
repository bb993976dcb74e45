"""A project as static pages for reviewers: what serves where, its history and evidence, the report
of each study, alarms with their evidence, and scores over time.

The same registry, evidence, monitors and store give the same bytes: no page names the moment at
which it was made, only the newest entry that it shows.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING

from ..errors import PromptOpsError
from ..evidence import Evidence
from ..lab.collections import Studies
from ..markup import esc
from ..monitor.drift_file import MonitorFile, every
from .report import report_html
from .site_frame import back_link, prompt_file, study_file
from .site_index import index_html
from .site_lists import StudyRow, deployments, evidence_of
from .site_prompt import prompt_html
from .study_view import headline

if TYPE_CHECKING:
    from ..lab.study import Study
    from ..study.project import Project

__all__ = ["site_files"]

_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,80}")


def site_files(project: Project, most: int) -> Mapping[str, str]:
    """Path within the site -> its text.

    Args:
        project: whose registry, evidence, monitors and store are shown.
        most: how many studies get a page, the newest first; those that evidence in the registry
            comes from get theirs beside them.
    """
    shown = _studies(project, most)
    newest = _newest(project, shown)
    clean = _public(project)
    foot = (
        f"promptops-toolkit {version('promptops-toolkit')}. The newest entry shown is of"
        f" {newest[:16].replace('T', ' ')} UTC."
        if newest
        else f"promptops-toolkit {version('promptops-toolkit')}."
    )
    files, rows = {}, []
    for study in shown:
        rows.append(_row(study))
        above = back_link("../index.html", project.root.name)
        if study.record.prompt in project.registry.names():
            above = back_link(f"../{prompt_file(study.record.prompt)}", study.record.prompt)
        files[study_file(study.id)] = clean(report_html(study, made=newest, above=above))
    for name in project.registry.names():
        own = [row for row in rows if row.prompt == name]
        files[prompt_file(name)] = clean(prompt_html(project, name, own, newest, foot))
    files["index.html"] = clean(index_html(project, rows, foot))
    return files


def _public(project: Project) -> Callable[[str], str]:
    """A page without what looks like a key, and without the folder's place on this machine."""
    clean = project.store.clean if project.location.store.is_dir() else str
    here = f"{project.root}{os.sep}"
    return lambda page: clean(page).replace(here, "").replace(esc(here), "")


def _studies(project: Project, most: int) -> list[Study]:
    """The studies that get a page, newest first; none if there is no store."""
    if not project.location.store.is_dir():
        return []
    cited = _cited(project)
    found = [study for study in Studies(project) if _ID.fullmatch(study.id)]
    return [study for place, study in enumerate(found) if place < most or study.id in cited]


def _cited(project: Project) -> set[str]:
    """The studies whose evidence a deployment cites."""
    found = set()
    for name in project.registry.names():
        for links in deployments(project, name).values():
            for entry in links:
                evidence = evidence_of(project, entry.evidence)
                if isinstance(evidence, Evidence):
                    found.add(evidence.study)
    return found


def _row(study: Study) -> StudyRow:
    try:
        text = headline(study)
    except PromptOpsError as error:
        text = str(error)
    return StudyRow(
        study.id, study.name, study.record.prompt, study.record.created, study.status, text
    )


def _newest(project: Project, shown: Sequence[Study]) -> str:
    """The newest moment among what is shown, "" if nothing is dated."""
    found = [study.record.created for study in shown]
    for name in project.registry.names():
        found += [entry.created for entry in project.registry.versions(name)]
        found += [entry.at for links in deployments(project, name).values() for entry in links[-1:]]
    for path in every(project):
        try:
            found += MonitorFile.read(path).days[-1:]
        except PromptOpsError:
            continue
    return max((_comparable(at) for at in found if at), default="")


def _comparable(at: str) -> str:
    """A moment in the one form that sorts: to the second, without a zone (all are UTC)."""
    return at[:19].replace(" ", "T").rstrip("Z")
