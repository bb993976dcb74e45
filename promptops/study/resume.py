"""Resuming a study: the same design again is the study that is recorded already, and goes on.

Which of its calls were answered is asked by `queries/known_answers`; only the others are made.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING

from ..run import utc
from ..store.recorder import outside
from .queries.studies import head_of
from .records import keep_study
from .study_record import StudyRecord

if TYPE_CHECKING:
    from ..engine.question import Provenance
    from .project import Project

__all__ = ["begun_or_resumed"]


def begun_or_resumed(
    project: Project, made: StudyRecord, where: Provenance
) -> tuple[StudyRecord, bool]:
    """The record of a study: `made`, recorded now, or what was recorded when it first began; and
    whether it begins now.

    A plan that was made only after the study began is warned of: the study goes on without it.
    """
    if keep_study(project.store, made, project.author, where):
        return replace(made, created=utc().replace("T", " ")), True
    head = head_of(project.store, made.id)
    record = StudyRecord.from_row(*head) if head is not None else made
    if made.plan is not None and record.plan != made.plan:
        warnings.warn(_after_a_look(record, made.plan), stacklevel=outside())
    return record, False


def _after_a_look(record: StudyRecord, plan: str) -> str:
    """Of a plan that is made for a study which is there already, with what would repair it."""
    before = f"the plan {record.plan[:9]}" if record.plan else "no plan"
    return (
        f"The study {record.name!r} asked the same before the plan {plan[:9]} and goes on under"
        f" {before}; for this plan to count, ask again with fresh=True, or plan on rows that were"
        " not asked yet."
    )
