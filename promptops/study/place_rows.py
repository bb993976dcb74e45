"""Which run is at which place of a study, as rows of the store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..store import Store
    from .design import StudyDesign
    from .score_study import Place

__all__ = ["link"]


def link(store: Store, design: StudyDesign, places: Mapping[Place, str], *, reused: bool) -> None:
    """Record which run is at which place of a study."""
    if not places:
        return
    arms = [design.arms[arm] for arm, _, _ in places]
    examples = [design.dataset.examples[example] for _, example, _ in places]
    columns = {
        "study_id": design.id,
        "arm": [arm.label for arm in arms],
        "version_id": [arm.id for arm in arms],
        "example_id": [example.id for example in examples],
        "example_fingerprint": [example.fingerprint for example in examples],
        "repeat": [repeat for _, _, repeat in places],
        "run_id": list(places.values()),
        "reused": reused,
    }
    store.append_columns("study_runs", columns)
