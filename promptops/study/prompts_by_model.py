"""Two prompts of a study on all the models that both were asked on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..analysis.interaction import ModelGains, over_models
from ..errors import StudyError
from .comparing import compare_in
from .design import as_version

if TYPE_CHECKING:
    from ..version import PromptVersion
    from .recorded_study import RecordedStudy
    from .study_record import ArmRecord

__all__ = ["grid_of", "has_grid"]

_BETWEEN = " · "  # in the label of an arm that a study asked on several models


def grid_of(
    study: RecordedStudy, candidate: object, baseline: object, primary: str | None
) -> ModelGains:
    """The gain of one prompt over another on each model of a study, and its interaction.

    Args:
        study: a study of two prompts or more on two models or more.
        candidate: a version or its label, whatever its model; None: the last arm's.
        baseline: the same; None: the first other prompt.
        primary: the scorer; None: the policy's.

    Raises:
        StudyError: a prompt is not in the study, or both were asked on fewer than two models.
    """
    arms = _by_prompt(study)
    b = _key(study, candidate, arms) if candidate is not None else list(arms)[-1]
    others = [key for key in arms if key != b]
    if b not in arms or not others:
        raise StudyError(
            f"the study {study.name} holds one prompt; a grid compares two: evaluate both with"
            ' models=["...", "..."].'
        )
    a = _key(study, baseline, arms) if baseline is not None else others[0]
    if a == b:
        raise StudyError(f"a prompt is not compared with itself; name another of {study.name}.")
    shared = [model for model in arms[b] if model in arms[a]]
    if len(shared) < 2:
        raise StudyError(
            f"both prompts were asked on {len(shared)} of the models of {study.name}; a grid needs"
            ' two or more: evaluate both with models=["...", "..."].'
        )
    found = {
        model: compare_in(study, arms[b][model].label, arms[a][model].label, primary).facts
        for model in shared
    }
    return over_models(found)


def has_grid(study: RecordedStudy) -> bool:
    """Whether two prompts of a study were both asked on two models."""
    record = study.record
    models = {arm.model for arm in record.arms}
    if len(models) < 2 or len(record.arms) < 4:
        return False
    arms = _by_prompt(study)
    last = arms[list(arms)[-1]]
    return any(len(last.keys() & each.keys()) > 1 for each in list(arms.values())[:-1])


def _by_prompt(study: RecordedStudy) -> dict[str, dict[str, ArmRecord]]:
    """Prompt (its content without the model) -> model -> the arm, in the study's order."""
    found: dict[str, dict[str, ArmRecord]] = {}
    for arm in study.record.arms:
        version = study.version_of(arm.version)
        key = _content(version) if version is not None else arm.label.split(_BETWEEN)[0]
        found.setdefault(key, {}).setdefault(str(arm.model), arm)
    return found


def _content(version: PromptVersion) -> str:
    """The text and settings of a version, without its model."""
    return version.on("any").id


def _key(study: RecordedStudy, value: object, arms: dict[str, dict[str, ArmRecord]]) -> str:
    """The prompt that a version or a label means."""
    if hasattr(value, "id"):
        found = _content(as_version(value)[0])
        if found in arms:
            return found
    for key, by_model in arms.items():
        labels = [arm.label for arm in by_model.values()]
        if any(str(value) in (label, label.split(_BETWEEN)[0]) for label in labels):
            return key
    shown = getattr(value, "label", None) or value
    known = dict.fromkeys(label.split(_BETWEEN)[0] for label in study.record.labels)
    raise StudyError(f"{shown} is not in the study {study.name}, which holds {', '.join(known)}.")
