"""Pins: examples that a candidate must pass, kept in the prompt's policy."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import StudyError
from ..policy import Policy

if TYPE_CHECKING:
    from ..study.recorded_study import RecordedStudy

__all__ = ["pin", "unpin"]


def pin(study: RecordedStudy, example_id: str) -> Policy:
    """Make an example one that a candidate may not fail where the baseline passes; returns the
    prompt's policy.
    """
    policy = _policy(study)
    [example_id] = study.project.store.identifiers([example_id])
    if example_id in policy.must_pass:
        return policy
    return _set(study, replace(policy, must_pass=(*policy.must_pass, example_id)))


def unpin(study: RecordedStudy, example_id: str) -> Policy:
    """Take an example out of the must-pass ones; returns the prompt's policy."""
    policy = _policy(study)
    names = {example_id, *study.project.store.identifiers([example_id])}
    return _set(
        study,
        replace(policy, must_pass=tuple(name for name in policy.must_pass if name not in names)),
    )


def _policy(study: RecordedStudy) -> Policy:
    if not study.prompt or study.prompt not in study.project.registry.names():
        raise StudyError(
            f"{study.name} is of no saved prompt, whose policy could hold must-pass examples; save"
            " its version first."
        )
    return study.project.registry.policy(study.prompt)


def _set(study: RecordedStudy, policy: Policy) -> Policy:
    study.project.registry.set_policy(policy, study.prompt)
    return policy
