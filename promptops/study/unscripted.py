"""What ScriptedModels were asked without having an answer, while a study asked them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..models.scripted import ScriptedModel

if TYPE_CHECKING:
    from .study_run import StudyRun

__all__ = ["Scripts"]


class Scripts:
    """The ScriptedModels among a study's arms, from the moment before it asks: what they were asked
    without having an answer.
    """

    def __init__(self, work: StudyRun) -> None:
        models = [arm.model for arm in work.design.arms]
        self._before = {
            model: len(model.unanswered) for model in models if isinstance(model, ScriptedModel)
        }

    def fault(self, study: str) -> str:
        """One sentence on the first of those questions, and their number; "" if every question
        had its answer.
        """
        text = [one for model, before in self._before.items() for one in model.unanswered[before:]]
        if not text:
            return ""
        count = f"{len(text):,} questions" if len(text) > 1 else "one question"
        return (
            f"{text[0]} {study} asked {count} that the script has no answer to; the other answers"
            " are kept."
        )
