"""Which studies compared some versions, and on which dataset each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...store import Store

__all__ = ["any_of_target", "studies_by_dataset"]

_NAMING = "select id, design from studies where {} order by created_at, id"
_OF_TARGET = """
select 1 from study_runs m join runs r on r.id = m.run_id
where m.version_id in (select unnest(?)) and r.role = 'target' limit 1
"""


def any_of_target(store: Store, versions: Sequence[str]) -> bool:
    """Whether a target answered in the place of one of these versions."""
    return store.has("study_runs") and bool(store.rows(_OF_TARGET, [list(versions)]))


def studies_by_dataset(store: Store, versions: Sequence[str]) -> dict[str, list[str]]:
    """dataset's fingerprint -> ids of the studies that have one of these versions as an arm; a
    study whose design cannot be read, or that release 0.1 recorded, is left out.
    """
    if not store.has("studies"):
        return {}
    where = " or ".join(["contains(design::varchar, ?)"] * len(versions))
    found: dict[str, list[str]] = {}
    for id_, text in store.rows(_NAMING.format(where), list(versions)):
        try:
            design = json.loads(text)
            arms = {arm["version"] for arm in design["arms"]}
            if "primary" in design and not arms.isdisjoint(versions):
                found.setdefault(str(design["dataset"]["fingerprint"]), []).append(id_)
        except (ValueError, KeyError, TypeError):
            continue
    return found
