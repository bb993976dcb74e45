"""How a study ends otherwise than by being through: interrupted by hand, or asked what nobody scripted.

Either way what was answered is recorded before anything is raised, and running the same again does only the rest.
"""

from __future__ import annotations

import contextlib
from concurrent.futures import CancelledError, Future
from typing import TYPE_CHECKING

from ..models.scripted import ScriptedModel

if TYPE_CHECKING:
    from ..lab.study import Study
    from .study_run import Work

__all__ = ["Scripts", "interrupted"]

_GOODBYE_S = 30.0  # that an interrupt waits for what is in flight to be recorded


class Scripts:
    """The ScriptedModels among a study's arms, from the moment before it asks: what they were asked without having an answer."""

    def __init__(self, work: Work) -> None:
        models = [arm.model for arm in work.plan.arms]
        self._before = {
            model: len(model.unanswered) for model in models if isinstance(model, ScriptedModel)
        }

    def fault(self, study: str) -> str:
        """One sentence on the first of those questions, and their number; "" where every question had its answer."""
        said = [one for model, before in self._before.items() for one in model.unanswered[before:]]
        if not said:
            return ""
        count = f"{len(said):,} questions" if len(said) > 1 else "one question"
        return f"{said[0]} {study} asked {count} that the script has no answer to; the other answers are kept."


def interrupted(study: Study, future: Future[None]) -> KeyboardInterrupt:
    """Stop asking, wait until what is done is recorded, and say in the interrupt what is kept."""
    study.stop("interrupted")
    with contextlib.suppress(TimeoutError, CancelledError):
        future.exception(timeout=_GOODBYE_S)
    progress = study.progress
    if progress is None:
        return KeyboardInterrupt(f"{study.name} was stopped; run the same again to go on.")
    total = f" of {progress.total:,}" if progress.total is not None else ""
    return KeyboardInterrupt(
        f"{progress.done - progress.failures:,}{total} calls of {study.name} are answered and kept; run the same again to go on."
    )
