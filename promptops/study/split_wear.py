"""How often a split was used to decide: a pair of versions judged on a study counts once, however often the cell runs again.

None of the tests covers adaptive reuse of a test split, so its wear is counted and shown.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ..run import new_id, utc

if TYPE_CHECKING:
    from ..analysis.decide import Verdict
    from ..lab.lab import Lab
    from ..lab.study import Study

__all__ = ["keep_verdict", "served"]


def served(
    lab: Lab,
    fingerprint: str,
    split: str | None,
    candidate: str | None = None,
    baseline: str | None = None,
) -> int:
    """Verdicts that these rows have served, that of this pair aside (so that a comparison says the same when it is read again)."""
    rows = lab.store.rows(
        "select distinct candidate, baseline from verdicts where dataset = ? and split is not distinct from ?",
        [fingerprint, split],
    )
    return sum(row != (candidate, baseline) for row in rows)


def keep_verdict(
    lab: Lab, study: Study, candidate: str, baseline: str | None, verdict: Verdict
) -> None:
    """One row a judged pair of versions of a study; a second look writes nothing."""
    if lab.store.rows(
        "select 1 from verdicts where study_id = ? and candidate = ? and baseline is not distinct from ? and env is null limit 1",
        [study.id, candidate, baseline],
    ):
        return
    lab.store.append(
        "verdicts",
        [
            {
                "id": new_id("d"),
                "study_id": study.id,
                "prompt": study.prompt,
                "candidate": candidate,
                "baseline": baseline,
                "dataset": study.config["dataset"]["fingerprint"],
                "split": study.config.get("split"),
                "document": json.dumps(verdict.document(), ensure_ascii=False),
                "created_at": utc(),
            }
        ],
    )
