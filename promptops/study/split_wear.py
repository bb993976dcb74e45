"""How often a split was used to decide. A pair of versions judged on a study counts once, however
often the cell runs again.

None of the tests covers adaptive reuse of a test split, so its use is counted and shown.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ..run import new_id, utc
from .queries.plans import is_judged, judged_pairs

if TYPE_CHECKING:
    from ..analysis.verdict import Verdict
    from ..store import Store
    from .recorded_study import RecordedStudy

__all__ = ["keep_verdict", "times_used"]


def times_used(
    store: Store,
    fingerprint: str,
    split: str | None,
    candidate: str | None = None,
    baseline: str | None = None,
) -> int:
    """How many verdicts these rows have served, not counting this pair's, so that a comparison says
    the same when it is read again."""
    return sum(pair != (candidate, baseline) for pair in judged_pairs(store, fingerprint, split))


def keep_verdict(
    study: RecordedStudy, candidate: str, baseline: str | None, verdict: Verdict
) -> None:
    """Record one row per judged pair of versions of a study; a second look writes nothing."""
    store, record = study.project.store, study.record
    if is_judged(store, record.id, candidate, baseline):
        return
    row = {
        "id": new_id("d"),
        "study_id": record.id,
        "prompt": record.prompt,
        "candidate": candidate,
        "baseline": baseline,
        "dataset": record.dataset.fingerprint,
        "split": record.split,
        "document": json.dumps(verdict.document(), ensure_ascii=False),
        "created_at": utc(),
    }
    store.append("verdicts", [row])
