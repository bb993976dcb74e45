"""In what an analysis departed from the plan that it was evaluated with."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..analysis.arms import Arm
    from .study_record import StudyRecord

__all__ = ["departures"]


def departures(
    document: dict[str, Any],
    created: str,
    record: StudyRecord,
    arms: Sequence[Arm],
    primary: str,
) -> tuple[str, ...]:
    """In what an analysis went other ways than its plan, a sentence each; empty if it was
    followed.

    record: of the study; arms: candidate and baseline as they were read.
    """
    text = []
    if primary != document["policy"].get("primary"):
        text.append(f"the primary is {primary}, the plan fixed {document['policy'].get('primary')}")
    if record.repeats != document["repeats"]:
        text.append(f"{record.repeats} repeats, the plan fixed {document['repeats']}")
    if record.dataset.fingerprint != document["dataset"]:
        text.append(f"other examples than the plan's {document['name']}")
    scorer_versions = dict(zip(document["scorers"], document["editions"], strict=True))
    changed = [
        ref.name
        for ref in record.scorers
        if scorer_versions.get(ref.name) not in (None, ref.version)
    ]
    if changed:
        text.append(f"{changed[0]} is another version of the scorer")
    finalists = document.get("finalists") or []
    if finalists and arms[0].version not in finalists:
        text.append(f"{arms[0].label} is not among the {len(finalists)} finalists of the plan")
    frozen = datetime.fromisoformat(created)
    for arm in arms:
        if arm.facts.get("first") and datetime.fromisoformat(str(arm.facts["first"])) < frozen:
            text.append(f"answers of {arm.label} were recorded before the plan was frozen")
    return tuple(text)
