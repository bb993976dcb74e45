"""`workers=`: where a face sends calls and judgements, in place of this process."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..scale.worker_pool import WorkerPool
    from ..study.design import StudyDesign
    from ..study.project import Project

__all__ = ["asking_at", "at_workers"]


def at_workers(project: Project, workers: object) -> WorkerPool | None:
    """The workers of a scheduler; None if none is named."""
    if workers is None:
        return None
    from ..scale.worker_pool import WorkerPool

    return WorkerPool(project, workers)


def asking_at(project: Project, workers: object, drawn: StudyDesign | None = None) -> Project:
    """The project, whose calls are made by the workers. Raises SetupError, naming the worker, if
    one lacks what the design needs.
    """
    pool = at_workers(project, workers)
    if pool is None:
        return project
    if drawn is not None:
        pool.check(drawn)
    return replace(project, executor=pool)
