"""Where nothing serves yet, a search's winner still has to beat the seed that it was found from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .comparing import compare_in
from .queries.plans import seed_of_plan

if TYPE_CHECKING:
    from ..policy import Policy
    from .recorded_study import RecordedStudy
    from .saved import Saved

__all__ = ["unshown"]


def unshown(study: RecordedStudy, saved: Saved, policy: Policy) -> str:
    """Why the confirmation of a search does not carry its winner as a first deployment; "" if it
    does, and for any other study.

    Args:
        study: what the promotion rests on.
        saved: the version to be promoted.
        policy: of its prompt.
    """
    plan = study.record.plan
    seed = seed_of_plan(study.project.store, plan) if plan is not None else None
    if seed is None or seed == saved.id or study.record.find(seed) is None:
        return ""
    verdict = compare_in(study, saved, seed, None).decide(policy)
    if verdict.decision == "promote":
        return ""
    return (
        f"{saved.label} was found by a search, and its confirmation does not show that it is better"
        f" than the seed ({verdict.decision}): {' '.join(verdict.reasons)}"
    )
